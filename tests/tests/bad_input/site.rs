//! A running instance, asked badly: every refusal is held against what stood in the log before.

use std::future::Future;
use std::process::{Command, Stdio};

use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use proto::wire::v1::{SignBatchRequest, SignRequest, sign_request};
use proto::wire::{refusal, v1};
use tests::world::{Plan, World};
use tokio::runtime::Runtime;
use tonic::Status;
use tonic::transport::Channel;

/// The instance, with one key of each purpose that the tests need.
pub struct Site {
    pub world: World,
    pub runtime: Runtime,
    pub channel: Channel,
}

pub const BLOB: &str = "release/linux";
pub const BLIND: &str = "release/blind";
pub const IMAGES: &str = "release/images";
pub const PROVENANCE: &str = "release/provenance";

/// The predicate type that [`PROVENANCE`] signs.
pub const SLSA: &str = "https://slsa.dev/provenance/v1";

impl Site {
    /// Runs it with this key alone.
    pub fn with(key: &str) -> Self {
        let slsa = format!("dsse:{SLSA}");
        let purpose = match key {
            BLOB => "blob",
            BLIND => "digest",
            IMAGES => "oci",
            PROVENANCE => &slsa,
            other => panic!("no purpose for {other}"),
        };
        let world = Plan::new().key(key, "ecdsa-p256-sha256", &[purpose]).start();
        let runtime = Runtime::new().unwrap();
        let channel = {
            let _inside = runtime.enter();
            world.channel()
        };
        Self { world, runtime, channel }
    }

    /// The answer to a call must be a refusal of this reason, which leaves log and counter as they were and the service
    /// up. Returns it.
    pub fn refused<T: std::fmt::Debug>(
        &self,
        reason: Reason,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Refusal {
        let before = standing(&self.world);
        let refusal = refusal_of(&self.runtime.block_on(call).expect_err("it is refused"));
        assert_eq!(refusal.reason, reason, "{refusal:?}");
        assert_eq!(standing(&self.world), before, "something was recorded or begun: {refusal:?}");
        refusal
    }

    /// `Sign` must refuse this with the reason.
    pub fn sign(&self, reason: Reason, request: SignRequest) -> Refusal {
        let mut client = SigningServiceClient::new(self.channel.clone());
        self.refused(reason, async move { client.sign(request).await })
    }

    /// `Sign` must refuse this with the reason, because of what the key is for: as a decision about a caller who is known it
    /// is a record, and that one alone; nothing is begun.
    pub fn denied(&self, reason: Reason, request: SignRequest) -> Refusal {
        let (records, number, open) = standing(&self.world);
        let mut client = SigningServiceClient::new(self.channel.clone());
        let answer = self.runtime.block_on(async move { client.sign(request).await });
        let refusal = refusal_of(&answer.expect_err("it is refused"));
        assert_eq!(refusal.reason, reason, "{refusal:?}");
        assert_eq!(standing(&self.world), (records + 1, number, open), "{refusal:?}");
        let record = self.world.ledger().records.pop().unwrap().body;
        let said = ["kind", "action", "reason"].map(|name| record[name].as_str());
        assert_eq!(said, [Some("denied"), Some("sign"), Some(reason.name())]);
        refusal
    }

    /// `SignBatch` must refuse this as a whole, with the reason.
    pub fn batch(&self, reason: Reason, requests: Vec<SignRequest>) -> Refusal {
        let mut client = SigningServiceClient::new(self.channel.clone());
        self.refused(reason, async move { client.sign_batch(SignBatchRequest { requests }).await })
    }

    /// A good request is served: a test that was refused for another cause than its own would pass without this.
    pub fn serves(&self, request: SignRequest) {
        let mut client = SigningServiceClient::new(self.channel.clone());
        let answer = self.runtime.block_on(async move { client.sign(request).await }).unwrap().into_inner();
        assert_eq!(answer.signatures.len(), 1);
    }
}

/// The `ErrorInfo` of a refusal.
pub fn refusal_of(status: &Status) -> Refusal {
    refusal::of_status(status).unwrap_or_else(|| panic!("no ErrorInfo of ours: {status:?}"))
}

/// What would move if anything was touched: records, the last operation number, intents without a record.
pub fn standing(world: &World) -> (u64, u64, Vec<u64>) {
    let ledger = world.ledger();
    (ledger.size, ledger.counter, ledger.open)
}

/// A request to sign with a key.
pub fn request(key: &str, input: sign_request::Input) -> SignRequest {
    SignRequest { key: key.into(), input: Some(input), ..SignRequest::default() }
}

/// A request to sign a message.
pub fn message(key: &str, message: impl Into<Vec<u8>>) -> SignRequest {
    request(key, sign_request::Input::Message(message.into().into()))
}

/// A request to sign a digest.
pub fn digest(key: &str, algorithm: v1::HashAlgorithm, value: Vec<u8>) -> SignRequest {
    let digest = v1::Digest { algorithm: algorithm.into(), value };
    request(key, sign_request::Input::Digest(v1::DigestInput { digests: vec![digest] }))
}

/// Runs a command that must fail: its exit code and what it said on standard error.
pub fn fails(mut command: Command) -> (i32, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success(),
        "{command:?} did it:\n{}{said}",
        String::from_utf8_lossy(&output.stdout)
    );
    (output.status.code().unwrap_or_else(|| panic!("{command:?} was killed:\n{said}")), said)
}

/// Each of these words is in the text.
#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not said: {text}");
    }
}
