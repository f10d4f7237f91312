//! Proofs of leaves, by anybody.

use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::inclusion;
use proto::proof::leaf::leaf_hash;
use proto::reason::Reason;
use proto::wire::receipt;
use proto::wire::v1::{self, get_inclusion_proof_request::Leaf};

use super::client::Client;
use super::site::{Site, everything};

const PROVE: &str = "/countersign.v1.LogService/GetInclusionProof";

fn ask(leaf: Option<Leaf>, tree_size: u64) -> v1::GetInclusionProofRequest {
    v1::GetInclusionProofRequest { leaf, tree_size }
}

fn by_hash(hash: &Hash) -> Option<Leaf> {
    Some(Leaf::LeafHash(hash.as_bytes().to_vec()))
}

#[tokio::test]
async fn a_leaf_is_proven_by_its_hash_to_whoever_asks() {
    let site = Site::new(&everything()).await;
    let mut signer = Client::local(&site.running).await;
    for message in ["1", "2", "3"] {
        let request = v1::SignRequest {
            key: "team/a".into(),
            input: Some(v1::sign_request::Input::Message(message.into())),
            ..v1::SignRequest::default()
        };
        signer.call("/countersign.v1.SigningService/Sign", &request).await.message::<v1::SignResponse>();
    }
    let mut stranger = Client::connect(&site.running, None).await;
    let size = site.log.head().size;
    let mut hashes = Vec::new();
    for index in 0..size {
        let hash = leaf_hash(&site.log.record(index).await.unwrap().leaf);
        let proof: v1::GetInclusionProofResponse =
            stranger.call(PROVE, &ask(by_hash(&hash), 0)).await.message();
        assert_eq!((proof.log_index, proof.tree_size), (index, size));
        let checkpoint = Checkpoint::verify(&proof.checkpoint, &site.log_key).unwrap();
        let path = receipt::path_of("path", &proof.path).unwrap();
        inclusion::verify(&hash, index, size, &path, &checkpoint.root).unwrap();
        assert_eq!(proof.root_hash, checkpoint.root.as_bytes());
        let same: v1::GetInclusionProofResponse =
            stranger.call(PROVE, &ask(Some(Leaf::LogIndex(index)), 0)).await.message();
        assert_eq!(same, proof);
        hashes.push(hash);
    }
    // In the tree of four records the fourth is the last.
    let older: v1::GetInclusionProofResponse =
        stranger.call(PROVE, &ask(by_hash(&hashes[3]), 4)).await.message();
    assert_eq!((older.log_index, older.tree_size, older.checkpoint.as_str()), (3, 4, ""));
    let refusal = stranger.call(PROVE, &ask(by_hash(&hashes[4]), 4)).await.refusal();
    assert_eq!(refusal.reason, Reason::UnknownRecord, "{refusal}");
}

#[tokio::test]
async fn the_keys_of_the_log_are_told_to_whoever_asks() {
    let site = Site::new(&everything()).await;
    let mut stranger = Client::connect(&site.running, None).await;
    let told: v1::GetLogKeysResponse =
        stranger.call("/countersign.v1.LogService/GetLogKeys", &v1::GetLogKeysRequest {}).await.message();
    assert_eq!((told.ends.len(), told.log_key), (0, site.log_key.to_string()));
}

#[tokio::test]
async fn a_hash_of_no_leaf_and_no_hash_at_all_are_told_apart() {
    let site = Site::new(&everything()).await;
    let mut stranger = Client::connect(&site.running, None).await;
    let nobody = Hash::of(b"no leaf");
    let refusal = stranger.call(PROVE, &ask(by_hash(&nobody), 0)).await.refusal();
    assert_eq!(refusal.reason, Reason::UnknownRecord);
    assert!(refusal.message.contains(&nobody.to_string()), "{refusal}");
    for length in [0, 31, 33, 64] {
        let refusal = stranger.call(PROVE, &ask(Some(Leaf::LeafHash(vec![7; length])), 0)).await.refusal();
        assert_eq!(refusal.reason, Reason::MalformedRequest);
        assert_eq!(refusal.message, format!("leaf_hash: expected 32 bytes, got {length}"));
    }
    let refusal = stranger.call(PROVE, &ask(None, 0)).await.refusal();
    assert_eq!(refusal.message, "leaf: expected log_index or leaf_hash");
}
