//! Exports that hold, and everything that must not pass.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proto::purpose::Kind;
use proto::record::Body;

use super::*;
use crate::fixture::{Key, Log};

fn run(log: &Log, text: &str) -> Result<Audited, AuditError> {
    audit(text.as_bytes(), &log.keys(), |_, _| {})
}

fn log(signatures: usize) -> (Log, Key) {
    let (mut log, key) = (Log::new(), Key::new());
    for number in 0..signatures {
        log.sign(&key, format!("artefact {number}").as_bytes());
        if number == 3 {
            log.push_control(Body::Anchor { place: "/srv/anchor".to_owned() }, Vec::new());
        }
    }
    (log, key)
}

fn words(audited: &Audited) -> String {
    audited.findings.iter().map(|finding| finding.words.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_whole_log_and_every_range_of_it_verify() {
    let (log, _) = log(9);
    let whole = run(&log, &log.export(0, log.size())).unwrap();
    assert!(whole.is_whole());
    assert_eq!(whole.findings, []);
    assert_eq!(whole.outcomes, [("released", 9)].into());
    assert_eq!(
        whole.kinds,
        [("genesis".to_owned(), 1), ("log.anchor".to_owned(), 1), ("sign".to_owned(), 9)].into()
    );
    for start in 0..log.size() {
        for end in start + 1..=log.size() {
            let part = run(&log, &log.export(start, end)).unwrap();
            assert_eq!(part.findings, [], "{start}..{end}");
            assert_eq!(part.is_whole(), start == 0 && end == log.size());
        }
    }
}

#[test]
fn changed_missing_and_moved_records_are_refused() {
    let (log, _) = log(6);
    let (start, end) = (2, 6);
    let text = log.export(start, end);
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let changed = text.replacen("release/linux", "release/linuy", 1);
    assert!(matches!(run(&log, &changed), Err(AuditError::Tree(_))), "a changed record");
    assert!(
        matches!(run(&log, &join(&lines[..lines.len() - 1])), Err(AuditError::Count { .. })),
        "cut short"
    );
    let mut without = lines.clone();
    without.remove(2);
    assert!(matches!(run(&log, &join(&without)), Err(AuditError::Order { .. })), "one left out");
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert!(matches!(run(&log, &join(&swapped)), Err(AuditError::Order { .. })), "two swapped");
    let spaced = text.replacen("{\"index\":2", "{ \"index\":2", 1);
    assert!(matches!(run(&log, &spaced), Err(AuditError::Line { line: 2, .. })), "written anew");
    assert!(matches!(run(&log, &join(&lines[1..])), Err(AuditError::Header(_))), "no header");
    let more = join(&lines) + lines[lines.len() - 1] + "\n";
    assert!(matches!(run(&log, &more), Err(AuditError::Order { .. })), "one twice");
    let other = Log::new().header(0, 1).checkpoint;
    let header = Header { checkpoint: other, ..log.header(start, end) };
    let forged = serde_json::to_string(&header).unwrap() + "\n" + &join(&lines[1..]);
    assert!(run(&log, &forged).is_err(), "another checkpoint of the same key");
    let unsigned = text.replacen("rehearsal.example.org", "rehearsal.example.com", 1);
    assert!(matches!(run(&log, &unsigned), Err(AuditError::Checkpoint(_))), "another origin");
}

#[test]
fn a_number_without_record_is_open_and_then_missing() {
    let (mut log, key) = log(3);
    log.skip_number();
    log.sign(&key, b"after the gap");
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert_eq!((audited.open.as_slice(), audited.findings.len()), ([4].as_slice(), 0));
    log.wait(3_700);
    log.sign(&key, b"an hour later");
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("operation number 4 has no record"), "{}", words(&audited));
}

#[test]
fn a_released_signature_above_a_stop_is_found() {
    let (mut log, key) = log(2);
    let stop = log.stop("release/linux");
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert_eq!(audited.findings, [], "a stop alone is fine");
    let (index, _) = log.sign(&key, b"too late");
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert_eq!(audited.findings[0].index, Some(index));
    assert!(
        words(&audited).contains(&format!("record {stop} stops key release/linux")),
        "{}",
        words(&audited)
    );
}

#[test]
fn a_broken_chain_a_wrong_detail_and_time_going_back_are_found() {
    let (mut log, key) = log(5);
    // The store's operator hides a control record by linking around it.
    log.stop("release/mac");
    log.control = Some((0, leaf_hash(&log.leaves[0])));
    log.push_control(Body::Anchor { place: "/elsewhere".to_owned() }, Vec::new());
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("as the control record before"), "{}", words(&audited));

    let mut log = super::tests::log(2).0;
    log.details[1] = Some(b"{\"forged\":true}".to_vec());
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("the detail is not the one"), "{}", words(&audited));

    let mut log = super::tests::log(2).0;
    log.wait(-60);
    log.sign(&key, b"back in time");
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("before the record in front of it"), "{}", words(&audited));

    let mut log = super::tests::log(2).0;
    log.control = Some((1, leaf_hash(&log.leaves[1])));
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("names record 1 as the newest control record"), "{}", words(&audited));
}

#[test]
fn a_second_record_of_one_operation_is_found() {
    let (mut log, key) = log(3);
    let (mut record, detail) = log.sign_record(&key, b"again", &key.sign(b"again"), Kind::Blob);
    record.number = Some(2);
    log.push(record.draft().unwrap(), Some(detail));
    let audited = run(&log, &log.export(0, log.size())).unwrap();
    assert!(words(&audited).contains("operation number 2 has a second record"), "{}", words(&audited));
}

#[test]
fn a_log_that_has_had_several_keys_verifies_by_each_of_them() {
    let (mut log, key) = log(5);
    let first = log.key();
    log.rekey(2);
    log.sign(&key, b"later");
    log.rekey(3);
    let at_the_end = log.export(0, log.size());
    log.sign(&key, b"last");
    for text in [at_the_end, log.export(0, log.size()), log.export(3, log.size() - 1)] {
        for trusted in [1, 2, 3] {
            let known = LogKeys::new(log.signer_of(trusted));
            let audited = audit(text.as_bytes(), &known, |_, _| {}).unwrap();
            assert_eq!(audited.findings, [], "{trusted}");
        }
        let stranger = LogKeys::new(log.signer_of(4));
        assert!(matches!(audit(text.as_bytes(), &stranger, |_, _| {}), Err(AuditError::Keys(_))));
    }
    // Without what leads from one to the other the newest one alone is good, or whoever has followed it.
    let mut header = log.header(0, log.size());
    header.log_keys.clear();
    let text = log.export(0, log.size());
    let text = format!("{}\n{}", serde_json::to_string(&header).unwrap(), text.split_once('\n').unwrap().1);
    assert!(matches!(
        audit(text.as_bytes(), &first.clone().into(), |_, _| {}),
        Err(AuditError::Checkpoint(_))
    ));
    assert_eq!(run(&log, &text).unwrap().findings, []);
    // Whoever has the first key goes on with it, and the records say that it had ended.
    let mut thief = crate::fixture::Log::new();
    thief.rekey(2);
    (thief.signer, thief.ended) = (thief.ended.take().unwrap().0, None);
    thief.ends.clear();
    thief.sign(&key, b"forged");
    let audited = run(&thief, &thief.export(0, thief.size())).unwrap();
    assert!(words(&audited).contains("which signs on after it"), "{}", words(&audited));
}
