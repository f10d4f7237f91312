//! What a PKCS#11 host reads from the daemon.

use ceremonies::genesis::Mode;
use daemon::backend::pkcs11::message::{Ask, FromDaemon, Hello, Open, PinPlace, Request};
use daemon::backend::pkcs11::octets::Octets;
use proto::algorithm::Algorithm;

use super::frame;

/// Words of requests.
pub const WORDS: &[&str] = &["pkcs11:", "\u{7f}", "\0\0\0\0", "\u{1}\0\0\0", "ecdsa-p256-sha256"];

/// One frame of each request, and a whole conversation.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let place: daemon::backend::pkcs11::uri::Uri = "pkcs11:token=release;object=linux".parse().unwrap();
    let expected = Octets(vec![0x30, 1, 2]);
    let open = Open {
        module: "/usr/lib/softhsm/libsofthsm2.so".into(),
        token: "pkcs11:token=release".parse().unwrap(),
        mode: Some(Mode::Production),
        pin: Some(PinPlace::File("/etc/pin".into())),
        backend: "hsm-a".into(),
        memory: "/var/lib/countersign/backends".into(),
        sessions: 8,
        call_limit: 10_000,
        epoch: 41,
    };
    let credential = Open { pin: Some(PinPlace::Credential("hsm-a.pin".into())), ..open.clone() };
    let algorithm = Algorithm::EcdsaP256Sha256;
    let asks = [
        Ask::Open(Box::new(open)),
        Ask::Open(Box::new(credential)),
        Ask::FindKey { place: place.clone(), expected: expected.clone() },
        Ask::Sign { epoch: 42, key: 3, algorithm, input: Octets(vec![7; 32]) },
        Ask::Generate { algorithm, label: "linux".into(), id: Octets(vec![1]) },
        Ask::Destroy { place: place.clone(), key: expected },
        Ask::List { place: place.clone() },
        Ask::ReadObject { place: place.clone() },
        Ask::WriteObject {
            place: place.clone(),
            value: Octets(b"countersign-anchor/v1\n".to_vec()),
            first: true,
        },
        Ask::WriteObject { place, value: Octets(Vec::new()), first: false },
        Ask::Probe,
        Ask::Quit,
    ];
    let mut seeds = vec![frame::of(&FromDaemon::Hello(Hello::ours()))];
    seeds.extend(
        (1..).zip(asks).map(|(id, body)| frame::of(&FromDaemon::Request(Request { id, timeout: 500, body }))),
    );
    seeds.push(seeds.concat());
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    frame::check::<FromDaemon>(bytes)
}
