//! Fuzz targets: plain functions over bytes, each with a property that can fail.
//!
//! `fuzz_one` panics where the property does not hold and otherwise says whether the bytes were read, so that a corpus that
//! reaches nothing is noticed. The functions know no fuzzer: `tests/fuzz.rs` drives them on stable Rust with changed seeds
//! under `cargo test`, and any other engine can call them with bytes of its own.
//!
//! The seeds are the golden files and values written by the product itself; [`change`] bends them.

pub mod act;
pub mod anchor;
pub mod carried;
pub mod change;
pub mod config;
pub mod detail;
pub mod frame;
pub mod grants;
pub mod guardrails;
pub mod host_reply;
pub mod host_request;
pub mod json;
pub mod note;
pub mod outputs;
pub mod payload;
pub mod receipt;
pub mod record;
pub mod request;
pub mod sshsig;
pub mod transcript;
pub mod uri;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module.
    pub name: &'static str,
    /// The property: panics where it does not hold, and says whether the bytes were read.
    pub one: fn(&[u8]) -> bool,
    /// Bytes that are read.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces of text that mean something to the reader.
    pub words: &'static [&'static str],
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            one: $name::fuzz_one,
            seeds: $name::seeds,
            words: $name::WORDS,
        }),*];
    };
}

targets! {
    request payload record detail json note receipt uri host_request host_reply config guardrails grants anchor act
    sshsig outputs transcript carried
}

/// The files of a directory of the repository, as seeds.
fn golden(directory: &str, begin: &str) -> Vec<Vec<u8>> {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let entries = std::fs::read_dir(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(begin);
    let seeds: Vec<_> =
        files.iter().filter(|path| named(path)).map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "{} holds no file that begins with {begin:?}", place.display());
    seeds
}
