//! The guardrails document: read or refused with everything that is wrong, each problem within the text; what is read
//! names files and quotas that mean something.

use ceremonies::guardrails::Guardrails;
use toml::de::DeTable;

/// Words of guardrails.
pub const WORDS: &[&str] = &[
    "[forbid]\n",
    "[[client_ca]]\n",
    "[log]\n",
    "[quota.caller.\"*\"]\n",
    "rate = \"1/s\"\n",
    "total = 0\n",
    "window = \"24h\"\n",
    "burst = 4294967296\n",
    "[ceremony.\"key.generate\"]\n",
    "[ceremony.resolve]\n",
    "officers = 2\n",
    "witnesses = 0\n",
    "expires = \"30d\"\n",
    "approval_age = \"1h\"\n",
    "vetoes = 3\n",
    "\"public\"",
    "[[",
    "\u{feff}",
];

/// A document with everything, the empty one, two with a comment that says otherwise, and one with the largest total.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let sha256 = "e3".repeat(32);
    let whole = format!(
        "[forbid]\nfile = \"forbid.cedar\"\nsha256 = \"{sha256}\"\n\n[[client_ca]]\nfile = \"clients.pem\"\nsha256 = \"{sha256}\"\n\n\
         [log]\nleaves = \"private\"\nrecord_claims = [\"repository_id\"]\n\n[quota.caller.\"spiffe://example.org/ci/*\"]\n\
         rate = \"50/s\"\nburst = 100\ntotal = 100000\nwindow = \"24h\"\n\n[quota.key.\"release/*\"]\nrate = \"500/m\"\n\n\
         [ceremony.\"key.generate\"]\nwitnesses = 3\nexpires = \"48h\"\n\n[ceremony.resolve]\nofficers = 3\n"
    );
    let private = "#public\"\n[log]\nleaves = \"private\"\n".to_owned();
    let public = "[log]\nleaves = \"public\" # not \"private\"\n".to_owned();
    let most = format!("[quota.key.\"*\"]\nrate = \"1/s\"\ntotal = {}\nwindow = \"24h\"\n", u64::MAX);
    [whole, String::new(), private, public, most].map(String::into_bytes).into()
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let read = match Guardrails::parse(text) {
        Ok(read) => read,
        Err(problems) => {
            super::config::said(&problems, text.lines().count());
            return false;
        }
    };
    for named in read.forbid.iter().chain(&read.client_cas) {
        assert!(!named.file.is_empty());
        // One byte more or less is another file.
        assert!(named.check(b"not this").is_err() || named.check(b"nor that").is_err());
    }
    // As it lies there: a `toml::Table` has no number above an `i64`, and a quota's total may be one.
    let table = DeTable::parse(text).expect("guardrails are TOML");
    let leaves = table.get_ref().get("log").and_then(|log| log.get_ref().get("leaves"));
    let public = leaves.is_some_and(|leaves| leaves.get_ref().as_str() == Some("public"));
    assert_eq!(read.leaves_public, public, "leaves are public only where it says so: {text}");
    assert_eq!(Guardrails::parse(&format!("{text}\n")).as_ref(), Ok(&read), "a line end says nothing");
    true
}
