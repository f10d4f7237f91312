//! Each service through the socket, on a real log with real keys.

use proto::algorithm::Algorithm;
use proto::proof::note::Verifier;
use proto::proof::receipt::Receipt;
use proto::reason::Reason;
use proto::wire::receipt;
use proto::wire::v1::{self, get_receipt_request, sign_request, stop_target};

use super::client::Client;
use super::site::{Site, everything};

const SIGN: &str = "/countersign.v1.SigningService/Sign";
const BATCH: &str = "/countersign.v1.SigningService/SignBatch";

fn ask(key: &str, message: &str) -> v1::SignRequest {
    v1::SignRequest {
        key: key.into(),
        input: Some(sign_request::Input::Message(message.to_owned().into())),
        receipt: v1::ReceiptDetail::Full as i32,
        ..v1::SignRequest::default()
    }
}

fn checked(receipt: v1::Receipt, log_key: &Verifier) -> u64 {
    let parts = receipt::parts(receipt).unwrap();
    let receipt = Receipt {
        leaf: parts.leaf.to_vec(),
        index: parts.index,
        path: parts.path,
        checkpoint: parts.checkpoint,
    };
    receipt.verify(log_key).unwrap().index()
}

#[tokio::test]
async fn a_signature_verifies_and_its_receipt_too() {
    let site = Site::new(&everything()).await;
    let mut client = Client::local(&site.running).await;
    let request = v1::SignRequest { request_id: "build-1".into(), ..ask("team/a", "hello") };
    let answer: v1::SignResponse = client.call(SIGN, &request).await.message();
    let key: v1::GetPublicKeyResponse = client
        .call(
            "/countersign.v1.SigningService/GetPublicKey",
            &v1::GetPublicKeyRequest { key: "team/a".into(), version: 0 },
        )
        .await
        .message();
    assert!(key.pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    let spki = key.version.unwrap().public_key;
    let point = &spki[spki.len() - 65..];
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1, point)
        .verify(b"hello", &answer.signatures[0].value)
        .unwrap();
    assert_eq!(answer.signatures[0].algorithm, v1::Algorithm::from(Algorithm::EcdsaP256Sha256) as i32);
    assert_eq!(answer.signatures[0].encoding, v1::SignatureEncoding::Der as i32);
    let index = checked(answer.receipt.unwrap(), &site.log_key);

    let again: v1::SignResponse = client.call(SIGN, &request).await.message();
    assert!(again.replayed && again.operation_id == answer.operation_id);

    let own = v1::GetReceiptRequest {
        record: Some(get_receipt_request::Record::OperationId(answer.operation_id)),
        tree_size: 0,
    };
    let receipt: v1::GetReceiptResponse =
        client.call("/countersign.v1.LogService/GetReceipt", &own).await.message();
    assert_eq!(checked(receipt.receipt.unwrap(), &site.log_key), index);
}

#[tokio::test]
async fn a_batch_has_one_result_each_in_order() {
    let site = Site::new(&everything()).await;
    let mut client = Client::local(&site.running).await;
    let requests = vec![ask("team/a", "1"), ask("No Key", "2"), ask("team/c", "3"), ask("team/b", "4")];
    let answer: v1::SignBatchResponse =
        client.call(BATCH, &v1::SignBatchRequest { requests }).await.message();
    let reasons: Vec<_> = answer
        .results
        .into_iter()
        .map(|result| match result.outcome.unwrap() {
            v1::sign_result::Outcome::Response(response) => response.signatures[0].key.clone(),
            v1::sign_result::Outcome::Refusal(refusal) => refusal.reason,
        })
        .collect();
    assert_eq!(reasons, ["team/a", "MALFORMED_REQUEST", "UNKNOWN_KEY", "team/b"]);
}

#[tokio::test]
async fn whom_no_grant_admits_is_unauthenticated_and_leaves_no_record() {
    let site =
        Site::new("@id(\"x\")\npermit (principal == Caller::\"unix:4294967294\", action, resource);\n").await;
    let size = site.log.head().size;
    let mut client = Client::local(&site.running).await;
    let refusal = client.call(SIGN, &ask("team/a", "x")).await.refusal();
    assert_eq!(refusal.reason, Reason::Unauthenticated);
    assert!(refusal.message.contains("no grant admits unix:"), "{refusal}");
    let mut stranger = Client::connect(&site.running, None).await;
    let refusal = stranger.call(SIGN, &ask("team/a", "x")).await.refusal();
    assert!(refusal.message.contains("client certificate"), "{refusal}");
    let two = site.running.authority.client(&["spiffe://example.org/a", "spiffe://example.org/b"]);
    let mut two = Client::connect(&site.running, Some(&two)).await;
    let refusal = two.call(SIGN, &ask("team/a", "x")).await.refusal();
    assert!(refusal.message.contains("2 URI names; expected exactly one"), "{refusal}");
    assert_eq!(site.log.head().size, size);
    let open: v1::GetCheckpointResponse = stranger
        .call("/countersign.v1.LogService/GetCheckpoint", &v1::GetCheckpointRequest {})
        .await
        .message();
    assert_eq!(open.tree_size, size);
}

#[tokio::test]
async fn keys_are_listed_in_pages_and_hidden_where_policy_hides_them() {
    let uid = rustix::process::getuid().as_raw();
    let grants = format!(
        "@id(\"b\")\npermit (principal == Caller::\"unix:{uid}\", action == Action::\"sign\", resource == Key::\"team/a\");\n{}",
        everything()
    );
    let site = Site::new(&grants).await;
    let mut client = Client::local(&site.running).await;
    let list = "/countersign.v1.KeyService/ListKeys";
    let mut request = v1::ListKeysRequest { page_size: 1, ..v1::ListKeysRequest::default() };
    let first: v1::ListKeysResponse = client.call(list, &request).await.message();
    assert_eq!((first.keys.len(), first.keys[0].name.as_str()), (1, "team/a"));
    request.page_token = first.next_page_token;
    let second: v1::ListKeysResponse = client.call(list, &request).await.message();
    assert_eq!((second.keys[0].name.as_str(), second.next_page_token.as_str()), ("team/b", ""));

    let only = format!(
        "@id(\"a\")\npermit (principal == Caller::\"unix:{uid}\", action, resource == Key::\"team/a\");\n"
    );
    let site = Site::new(&only).await;
    let mut client = Client::local(&site.running).await;
    let all: v1::ListKeysResponse = client.call(list, &v1::ListKeysRequest::default()).await.message();
    assert_eq!(all.keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["team/a"]);
    let hidden = v1::GetKeyRequest { key: "team/b".into() };
    let refusal = client.call("/countersign.v1.KeyService/GetKey", &hidden).await.refusal();
    assert_eq!(refusal.reason, Reason::PolicyDenied);
}

#[tokio::test]
async fn a_stop_is_told_to_watchers_and_refuses_what_it_covers() {
    let site = Site::new(&everything()).await;
    let mut client = Client::local(&site.running).await;
    let mut watcher = Client::local(&site.running).await;
    let request = Client::request("/countersign.v1.KeyService/WatchKeys", super::client::framed(&[]));
    watcher.0.ready().await.unwrap();
    let mut events = watcher.0.send_request(request).await.unwrap().into_body();
    let mut next = async || {
        let data = http_body_util::BodyExt::frame(&mut events).await.unwrap().unwrap().into_data().unwrap();
        let mut rest = &data[..];
        let mut all = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
            all.push(<v1::WatchKeysResponse as prost::Message>::decode(&rest[5..5 + length]).unwrap());
            rest = &rest[5 + length..];
        }
        all
    };
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|event: &v1::WatchKeysResponse| event.synced) {
        seen.extend(next().await);
    }
    assert_eq!(seen.len(), 3, "two keys and the end of the beginning");

    let stop = v1::StopRequest {
        target: Some(v1::StopTarget { target: Some(stop_target::Target::Key("team/a".into())) }),
        reason: "stolen laptop".into(),
        act: None,
    };
    let stopped: v1::StopResponse =
        client.call("/countersign.v1.IncidentService/Stop", &stop).await.message();
    assert!(!stopped.pending && stopped.still_signing.is_empty(), "{stopped:?}");
    let event = next().await.remove(0);
    assert_eq!(Some(event.log_index), stopped.log_index);
    assert_eq!(event.key.unwrap().state, v1::RingState::Halted as i32);
    let refusal = client.call(SIGN, &ask("team/a", "x")).await.refusal();
    assert_eq!(refusal.reason, Reason::KeySuspended);
    client.call(SIGN, &ask("team/b", "x")).await.message::<v1::SignResponse>();

    let mut bad = stop.clone();
    bad.act = Some(v1::SignedAct::default());
    let refusal = client.call("/countersign.v1.IncidentService/Stop", &bad).await.refusal();
    assert_eq!(refusal.reason, Reason::MalformedRequest, "an act has a document and a signature");
}

#[tokio::test]
async fn the_log_is_read_searched_and_proven_and_the_reading_is_recorded_once() {
    let site = Site::new(&everything()).await;
    let mut client = Client::local(&site.running).await;
    for n in 0..3 {
        client.call(SIGN, &ask("team/a", &n.to_string())).await.message::<v1::SignResponse>();
    }
    let list = "/countersign.v1.LogService/ListRecords";
    let page: v1::ListRecordsResponse = client.call(list, &v1::ListRecordsRequest::default()).await.message();
    let kinds = |records: &[v1::Record]| -> Vec<String> {
        let kind = |leaf: &[u8]| serde_json::from_slice::<serde_json::Value>(leaf).unwrap()["kind"].clone();
        records.iter().map(|record| kind(&record.leaf).as_str().unwrap().to_owned()).collect()
    };
    let kinds = kinds(&page.records);
    assert_eq!((kinds[0].as_str(), kinds[1].as_str()), ("genesis", "ceremony.proposed"));
    let last = &kinds[kinds.len() - 5..];
    let expected = ["ceremony.completed", "sign", "sign", "sign", "audit.read"];
    assert_eq!(last, expected, "the record of the read comes first");
    let again: v1::ListRecordsResponse =
        client.call(list, &v1::ListRecordsRequest::default()).await.message();
    assert_eq!(again.records.len(), page.records.len(), "once an hour");
    let beyond = v1::ListRecordsRequest { start: 99, ..v1::ListRecordsRequest::default() };
    assert_eq!(client.call(list, &beyond).await.refusal().reason, Reason::OutOfRange);

    let search_records = "/countersign.v1.LogService/SearchRecords";
    let search = v1::SearchRecordsRequest {
        key: "team/a".into(),
        kinds: vec!["sign".into()],
        limit: 1,
        receipt: v1::ReceiptDetail::Full as i32,
        ..v1::SearchRecordsRequest::default()
    };
    // The index follows the log: a search waits for it, and says that it did; its own record is the newest.
    let found: v1::SearchRecordsResponse = client.call(search_records, &search).await.message();
    assert_eq!((found.indexed_to, found.tree_size), (26, 26));
    assert_eq!(found.record.unwrap().log_index, 23, "newest first");
    assert_eq!(checked(found.receipt.unwrap(), &site.log_key), 23);
    let of_another = v1::SearchRecordsRequest { key: "team/nobody".into(), ..search };
    let nothing: v1::SearchRecordsResponse = client.call(search_records, &of_another).await.message();
    assert_eq!((nothing.record, nothing.indexed_to, nothing.tree_size), (None, 26, 26));

    let proof: v1::GetConsistencyProofResponse = client
        .call(
            "/countersign.v1.LogService/GetConsistencyProof",
            &v1::GetConsistencyProofRequest { old_size: 3, new_size: 0 },
        )
        .await
        .message();
    let path = receipt::path_of("path", &proof.path).unwrap();
    let root = |bytes: &[u8]| proto::hash::Hash::try_from(bytes).unwrap();
    proto::proof::consistency::verify(
        3,
        &root(&proof.old_root_hash),
        proof.new_size,
        &root(&proof.new_root_hash),
        &path,
    )
    .unwrap();
}

#[tokio::test]
async fn a_checkpoint_is_presented_once_a_minute_and_must_be_signed_by_this_log() {
    let site = Site::new(&everything()).await;
    let present = "/countersign.v1.LogService/PresentCheckpoint";
    let shown = v1::PresentCheckpointRequest { checkpoint: site.log.head().checkpoint.to_string() };
    let mut client = Client::local(&site.running).await;
    client.call(present, &shown).await.message::<v1::PresentCheckpointResponse>();
    let refusal = client.call(present, &shown).await.refusal();
    assert_eq!(refusal.reason, Reason::RateLimited);
    assert!(refusal.retry_after.is_some());
    let forged =
        v1::PresentCheckpointRequest { checkpoint: shown.checkpoint.replace("rehearsal", "production") };
    let refusal = Client::local(&site.running).await.call(present, &forged).await.refusal();
    assert_eq!(refusal.reason, Reason::MalformedRequest, "{refusal}");
}

#[tokio::test]
async fn a_certificate_is_the_caller_that_grants_name() {
    let grants =
        "@id(\"ci\")\npermit (principal == Caller::\"spiffe://example.org/ci\", action, resource);\n";
    let site = Site::new(grants).await;
    let ci = site.running.authority.client(&["spiffe://example.org/ci"]);
    let mut ci = Client::connect(&site.running, Some(&ci)).await;
    let answer: v1::SignResponse = ci.call(SIGN, &ask("team/a", "x")).await.message();
    let index = checked(answer.receipt.unwrap(), &site.log_key);
    let record = site.log.record(index).await.unwrap();
    let detail = String::from_utf8(record.detail.unwrap()).unwrap();
    assert!(detail.contains("\"id\":\"spiffe://example.org/ci\",\"kind\":\"spiffe\""), "{detail}");
    let other = site.running.authority.client(&["spiffe://example.org/other"]);
    let mut other = Client::connect(&site.running, Some(&other)).await;
    assert_eq!(other.call(SIGN, &ask("team/a", "x")).await.refusal().reason, Reason::Unauthenticated);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_anything_is_touched() {
    let site = Site::new(&everything()).await;
    let size = site.log.head().size;
    let mut client = Client::local(&site.running).await;
    for mebibytes in [5, 9] {
        let refusal = client.call(SIGN, &ask("team/a", &"x".repeat(mebibytes * 1024 * 1024))).await.refusal();
        assert_eq!(refusal.reason, Reason::InputTooLarge, "{mebibytes}: {refusal}");
    }
    let requests = vec![ask("team/a", "x"); 1001];
    let refusal = client.call(BATCH, &v1::SignBatchRequest { requests }).await.refusal();
    assert!(refusal.message.contains("1 to 1,000 items, got 1001"), "{refusal}");
    assert_eq!(site.log.head().size, size);
}
