//! Details: what is read is written again byte for byte under the same name, and the salt is one.

use proto::canonical;
use proto::hash::Hash;
use proto::record::{CallerDetail, ControlDetail, Detail, PolicyDetail, Salt};

/// Words of details.
pub const WORDS: &[&str] = &[
    "\"salt\":\"\"",
    "\"salt\":\"AAAA\"",
    "\"annotations\":{},",
    "\"subjects\":[],",
    "null",
    "\u{10000}",
    "\u{e000}",
    "\\u0000",
    "\"\":\"\"",
];

/// Details with everything, with the least, and of a control record.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let caller = CallerDetail {
        claims: [("repository_id".to_owned(), "7".to_owned())].into_iter().collect(),
        id: "spiffe://example.org/ci/linux".into(),
        kind: "spiffe".into(),
    };
    let least = Detail {
        annotations: Default::default(),
        backend: None,
        caller: CallerDetail { claims: Default::default(), id: "unix:0".into(), kind: "unix".into() },
        policy: None,
        repository: None,
        request: None,
        salt: Salt::from([7; 16]),
        subjects: vec![],
    };
    let whole = Detail {
        annotations: [("commit".to_owned(), "abc".to_owned()), ("\u{10000}".to_owned(), String::new())]
            .into_iter()
            .collect(),
        backend: Some("hsm-a".into()),
        caller,
        policy: Some(PolicyDetail { grants: 12, guardrails: 7, rule: "team3-images".into() }),
        repository: Some("registry.example.org/app".into()),
        request: Some("build-4711".into()),
        subjects: vec!["sha256:00ff".into()],
        ..least.clone()
    };
    let control = ControlDetail::of("stolen laptop".into(), Salt::from([9; 16]));
    vec![least.encode().unwrap().0, whole.encode().unwrap().0, control.encode().unwrap().0]
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let mut read = false;
    if let Ok(detail) = canonical::from_slice::<Detail>(bytes) {
        holds(detail.encode().unwrap(), bytes);
        read = true;
    }
    if let Ok(detail) = canonical::from_slice::<ControlDetail>(bytes) {
        holds(detail.encode().unwrap(), bytes);
        read = true;
    }
    read
}

fn holds((written, name): (Vec<u8>, Hash), bytes: &[u8]) {
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(bytes), "written again");
    assert_eq!(name, Hash::of(bytes));
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let salt = value["salt"].as_str().unwrap();
    assert_eq!(salt.len(), 24, "the salt {salt:?} is not base64 of 16 bytes");
}
