//! What the daemon reads from a PKCS#11 host, which a vendor's library shares its memory with.

use daemon::backend::pkcs11::message::{
    Answer, Class, Fault, FromHost, Hello, Made, Notice, Reply, Seen, Token,
};
use daemon::backend::pkcs11::octets::{Octets, SignatureOctets};

use super::frame;

/// Words of replies.
pub const WORDS: &[&str] = &["pkcs11:", "\u{7f}", "\0\0\0\0", "\u{1}\0\0\0", "::::::::::::::::"];

/// One frame of each answer, and a whole conversation.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seen = Seen {
        place: "pkcs11:token=release;object=linux;id=%01;type=private".parse().unwrap(),
        public_key: Octets(vec![0x30, 1, 2]),
        remarks: vec!["it can be wrapped out".into()],
    };
    let fault = Fault { class: Class::Unavailable, cause: "CKR_DEVICE_ERROR".into() };
    let token = Token {
        label: "release".into(),
        manufacturer: "SoftHSM project".into(),
        model: "SoftHSM v2".into(),
        serial: "0a1b2c3d".into(),
    };
    let answers = [
        Answer::Ready(token),
        Answer::Key(3),
        Answer::Signed(SignatureOctets::from(&[9; 64][..])),
        Answer::Listed(vec![seen.clone(), seen.clone()]),
        Answer::Generated(Box::new(Made {
            key: seen,
            attributes: [("CKA_SENSITIVE".to_owned(), "true".to_owned())].into(),
            device: [("serial".to_owned(), "0a1b2c3d".to_owned())].into(),
        })),
        Answer::Destroyed,
        Answer::Object(Octets(b"countersign-anchor/v1\n".to_vec())),
        Answer::Written,
        Answer::Failed(Fault { class: Class::Taken, cause: "there is such a data object already".into() }),
        Answer::Failed(fault.clone()),
    ];
    let mut seeds = vec![
        frame::of(&FromHost::Hello(Hello::ours())),
        frame::of(&FromHost::Notice(Notice { epoch: 7, down: Some(fault) })),
        frame::of(&FromHost::Notice(Notice { epoch: 8, down: None })),
    ];
    seeds.extend(
        (1..).zip(answers).map(|(id, body)| frame::of(&FromHost::Reply(Reply { id, epoch: 42, body }))),
    );
    seeds.push(seeds.concat());
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    frame::check::<FromHost>(bytes)
}
