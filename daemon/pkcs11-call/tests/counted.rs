//! `unsafe` in this crate is counted; the decision record says why each block is there.

/// What `docs/decisions/0002-one-crate-with-unsafe.md` says.
const COUNTED: usize = 5;

#[test]
fn unsafe_blocks_are_those_of_the_decision_record() {
    let code: Vec<&str> =
        include_str!("../src/lib.rs").lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let blocks = code.iter().filter(|line| line.contains("unsafe {")).count();
    let words = code.iter().filter(|line| line.contains("unsafe")).count();
    assert_eq!(blocks, COUNTED, "a new unsafe block needs a new sentence in the decision record");
    assert_eq!(words, COUNTED, "unsafe functions, traits and implementations have no place here");
    let record = include_str!("../../../docs/decisions/0002-one-crate-with-unsafe.md");
    assert!(record.contains("Five blocks"), "the record and the test must agree");
}
