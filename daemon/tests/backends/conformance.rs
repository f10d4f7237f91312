//! What every backend must do, whatever it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ceremonies::birth::BirthNames;
use daemon::backend::software::{self, Admission, Software};
use daemon::backend::{
    Backend, Deadline, Failure, Found, GenerateSpec, Health, Input, KeyReference, Locator, Prepared,
    PublicKey, Turn,
};
use daemon::clock::{Clock as _, SystemClock};
use daemon::secret::SecretReference;
use proto::algorithm::{Algorithm, HashAlgorithm, KeyShape};
use proto::digest::Digest;

use crate::rig::{self, FAR, Rig, checked};

/// A place of this backend's form where nothing is.
type Nowhere = fn() -> Locator;

struct Suite {
    backend: Arc<dyn Backend>,
    nowhere: Nowhere,
    foreign: Locator,
}

#[tokio::test(flavor = "multi_thread")]
async fn software_conforms() {
    for verify in [software::Verify::Load, software::Verify::Every] {
        let directory = tempfile::tempdir().unwrap();
        let identity = directory.path().join("identity");
        software::create_identity(&identity).unwrap();
        let settings = software::Settings {
            identity: SecretReference::file(identity),
            verify,
            queue: 100,
            queue_per_caller: 100,
        };
        let open = |admission| {
            let clock = Arc::new(SystemClock::start());
            Software::open("soft", &settings, admission, directory.path().join("software"), clock)
        };
        let refused = open(Admission::Refused).err().unwrap();
        assert!(refused.to_string().contains("allow_software_backend"), "{refused}");
        let backend = Arc::new(open(Admission::Admitted).unwrap());
        assert!(!backend.capabilities().external);
        let nowhere = || format!("software:{}", "00".repeat(32)).parse().unwrap();
        let foreign = "pkcs11:object=linux".parse().unwrap();
        Suite { backend, nowhere, foreign }.run().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pkcs11_conforms() {
    let rig = Rig::new();
    let backend = Arc::new(rig.start().await);
    assert!(backend.capabilities().external);
    let nowhere = || "pkcs11:object=nowhere;type=private".parse().unwrap();
    Suite { backend, nowhere, foreign: "software:".parse().unwrap() }.run().await;
}

impl Suite {
    async fn run(&self) {
        assert_eq!(*self.backend.health().borrow(), Health::Ready);
        let mut keys: HashMap<KeyShape, (Locator, PublicKey)> = HashMap::new();
        for ability in &self.backend.capabilities().abilities {
            let algorithm = ability.algorithm;
            if !keys.contains_key(&algorithm.shape()) {
                keys.insert(algorithm.shape(), self.born(algorithm, keys.len()).await);
            }
            let (locator, public) = &keys[&algorithm.shape()];
            let key = KeyReference { locator: locator.clone(), algorithm };
            self.signs(&key, public).await;
            self.refuses_what_does_not_fit(&key, public, ability.input).await;
        }
        let (shape, (locator, public)) = keys.iter().find(|(shape, _)| **shape == KeyShape::P256).unwrap();
        let key = KeyReference { locator: locator.clone(), algorithm: Algorithm::EcdsaP256Sha256 };
        let other = &keys.iter().find(|(other, _)| *other != shape).unwrap().1;
        self.keeps_keys_apart(&key, public, other).await;
        self.serves_many(&key, public).await;
        self.is_late(&key, public).await;
        self.destroys(key, public).await;
    }

    async fn born(&self, algorithm: Algorithm, number: usize) -> (Locator, PublicKey) {
        let mut id = [0xc5; 20];
        id[19] = u8::try_from(number).unwrap();
        let names = BirthNames { label: format!("key-{number}"), id };
        let spec = GenerateSpec { algorithm, label: names.label.clone(), id: id.to_vec() };
        for place in self.backend.birthplaces(&names) {
            assert!(self.backend.find(&place).await.unwrap().is_empty(), "{place} is taken");
        }
        let made = self.backend.generate(spec, FAR).await.unwrap();
        assert!(made.public_key.fits(algorithm));
        let found: Vec<Found> = self.backend.find(&made.locator).await.unwrap();
        assert_eq!(found.len(), 1);
        for place in self.backend.birthplaces(&names) {
            let there = self.backend.find(&place).await.unwrap();
            assert_eq!(there.len(), 1, "{place}");
            assert_eq!(there[0].public_key, made.public_key, "{place}");
        }
        // Its names are given once.
        let twin = GenerateSpec { algorithm, label: names.label.clone(), id: id.to_vec() };
        let refused = self.backend.generate(twin, FAR).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused { .. }), "{refused}");
        assert_eq!((&found[0].locator, &found[0].public_key), (&made.locator, &made.public_key));
        assert!(found[0].remarks.is_empty(), "{:?}", found[0].remarks);
        assert_eq!(made.locator.to_string().parse::<Locator>().unwrap(), made.locator);
        (made.locator, made.public_key)
    }

    async fn signs(&self, key: &KeyReference, public: &PublicKey) {
        let opened = self.backend.open(key, public, FAR).await.unwrap();
        for text in ["", "a message", &"long ".repeat(1000)] {
            let message = Bytes::from(text.to_owned());
            let signature =
                opened.sign(Prepared::message(key.algorithm, &message), Turn::of("a")).await.unwrap();
            checked(key.algorithm, public, &message, &signature);
        }
    }

    async fn refuses_what_does_not_fit(&self, key: &KeyReference, public: &PublicKey, input: Input) {
        let opened = self.backend.open(key, public, FAR).await.unwrap();
        let mut unfit: Vec<Prepared> = HashAlgorithm::ALL
            .into_iter()
            .filter(|hash| Some(*hash) != key.algorithm.hash())
            .map(|hash| Prepared::Digest(Digest::of(hash, b"m")))
            .collect();
        match input {
            Input::Digest => unfit.push(Prepared::Message(Bytes::from_static(b"m"))),
            Input::Message { maximum } => unfit.push(Prepared::Message(vec![0; maximum + 1].into())),
        }
        for input in unfit {
            let refused = opened.sign(input, Turn::of("a")).await.unwrap_err();
            assert!(
                matches!(&refused, Failure::Unsupported { what } if what.contains(key.algorithm.name())),
                "{refused}"
            );
        }
        let wrong = Algorithm::ALL.iter().find(|algorithm| !public.fits(**algorithm)).unwrap();
        let reference = KeyReference { algorithm: *wrong, ..key.clone() };
        let refused = self.backend.open(&reference, public, FAR).await.err().unwrap();
        assert!(matches!(refused, Failure::Unsupported { .. }), "{refused}");
    }

    async fn keeps_keys_apart(&self, key: &KeyReference, public: &PublicKey, other: &(Locator, PublicKey)) {
        let moved = KeyReference { locator: other.0.clone(), ..key.clone() };
        let mismatch = self.backend.open(&moved, public, FAR).await.err().unwrap();
        // A backend that reads the key's shape first may say so; what it must not do is open it.
        assert!(matches!(mismatch, Failure::Mismatch { .. } | Failure::Refused { .. }), "{mismatch}");

        let nowhere = KeyReference { locator: (self.nowhere)(), ..key.clone() };
        let missing = self.backend.open(&nowhere, public, FAR).await.err().unwrap();
        assert!(matches!(missing, Failure::NotFound { .. }), "{missing}");
        assert!(self.backend.find(&nowhere.locator).await.unwrap().is_empty());

        let foreign = KeyReference { locator: self.foreign.clone(), ..key.clone() };
        let refused = self.backend.open(&foreign, public, FAR).await.err().unwrap();
        assert!(matches!(refused, Failure::Unsupported { .. }), "{refused}");
        assert!(matches!(self.backend.find(&self.foreign).await, Err(Failure::Unsupported { .. })));
    }

    async fn serves_many(&self, key: &KeyReference, public: &PublicKey) {
        let opened = self.backend.open(key, public, FAR).await.unwrap();
        let tasks: Vec<_> = (0..80)
            .map(|number| {
                let (opened, public) = (opened.clone(), public.clone());
                tokio::spawn(async move {
                    rig::sign(&opened, &public, number, Turn::of(&format!("caller {}", number % 8)))
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.push(task.await.unwrap().as_bytes().to_vec());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 80, "every signature has a nonce of its own");
    }

    async fn is_late(&self, key: &KeyReference, public: &PublicKey) {
        let opened = self.backend.open(key, public, FAR).await.unwrap();
        // A deadline that has passed already: shorter than anything takes.
        let past = Deadline::after(SystemClock::start().monotonic(), Duration::ZERO);
        let turn = Turn { deadline: Some(past), ..Turn::of("a") };
        let late = rig::sign(&opened, public, 0, turn).await.unwrap_err();
        assert!(matches!(late, Failure::Late { at_admission: true, .. }), "{late}");
    }

    async fn destroys(&self, key: KeyReference, public: &PublicKey) {
        let (place, id) = (&key.locator, public.key_id());
        let other = proto::key_id::KeyId::of_spki(b"another key");
        let refused = self.backend.destroy(place, other, FAR).await.unwrap_err();
        assert!(matches!(refused, Failure::NotFound { .. } | Failure::Mismatch { .. }), "{refused}");
        assert_eq!(self.backend.find(place).await.unwrap().len(), 1);
        self.backend.destroy(place, id, FAR).await.unwrap();
        assert!(self.backend.find(&key.locator).await.unwrap().is_empty());
        let gone = self.backend.open(&key, public, FAR).await.err().unwrap();
        assert!(matches!(gone, Failure::NotFound { .. }), "{gone}");
        let again = self.backend.destroy(place, id, FAR).await.unwrap_err();
        assert!(matches!(again, Failure::NotFound { .. }), "{again}");
    }
}
