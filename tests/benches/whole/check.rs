//! A client that looks: signature, record, inclusion path and checkpoint of replies, apart from any measurement.

use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::note::Verifier;
use proto::proof::public_key::PublicKey;
use proto::proof::signature::{Over, VerifyingKey};
use proto::proof::{inclusion, leaf};
use proto::record::SignRecord;
use proto::wire::v1;
use proto::wire::v1::signing_service_client::SigningServiceClient;

use crate::channel;
use crate::load::Target;
use crate::requests::Requests;

/// Signatures of one look; half of them as one batch.
const LOOKS: usize = 64;

/// Asks for some signatures and checks everything that came with them.
pub async fn replies(target: &Target, log_key: &Verifier) -> Result<(), String> {
    let mut client = SigningServiceClient::new(channel::connect(target.address, &target.identity).await?);
    let ask = v1::GetPublicKeyRequest { key: target.key.clone(), version: 0 };
    let answer = client.get_public_key(ask).await.map_err(|e| format!("no public key: {e}"))?.into_inner();
    let spki = answer.version.ok_or("a public key without its version")?.public_key;
    let public = PublicKey::from_spki(&spki).map_err(|e| e.to_string())?;
    let key = VerifyingKey::new(Algorithm::EcdsaP256Sha256, &public).map_err(|e| e.to_string())?;

    let mut requests = Requests::of(&target.key, 0);
    for _ in 0..LOOKS / 2 {
        let request = requests.one();
        let response =
            client.sign(request.clone()).await.map_err(|e| format!("a request was refused: {e}"))?;
        reply(&request, &response.into_inner(), &key, log_key)?;
    }
    let batch = requests.many(LOOKS / 2);
    let response = client.sign_batch(batch.clone()).await.map_err(|e| format!("a batch was refused: {e}"))?;
    let results = response.into_inner().results;
    if results.len() != batch.requests.len() {
        return Err(format!("{} results for {} items", results.len(), batch.requests.len()));
    }
    for (request, result) in batch.requests.iter().zip(results) {
        match result.outcome {
            Some(v1::sign_result::Outcome::Response(response)) => reply(request, &response, &key, log_key)?,
            other => return Err(format!("an item of a batch was not signed: {other:?}")),
        }
    }
    Ok(())
}

fn reply(
    request: &v1::SignRequest,
    response: &v1::SignResponse,
    key: &VerifyingKey,
    log_key: &Verifier,
) -> Result<(), String> {
    let Some(v1::sign_request::Input::Digest(input)) = &request.input else {
        return Err("a digest was asked for".to_owned());
    };
    let digest = &input.digests[0].value;
    let [signature] = response.signatures.as_slice() else {
        return Err(format!("{} signatures instead of one", response.signatures.len()));
    };
    key.verify(Over::Digest(HashAlgorithm::Sha256, digest), &signature.value, SignatureEncoding::Der)
        .map_err(|e| format!("a wrong signature: {e}"))?;
    let receipt = response.receipt.as_ref().ok_or("a reply without a receipt")?;
    let record: SignRecord = proto::canonical::from_slice(&receipt.record).map_err(|e| e.to_string())?;
    let recorded = record.signed.digests.find(HashAlgorithm::Sha256).map(|found| found.value());
    if recorded != Some(digest.as_slice()) || record.signatures[0].value.as_deref() != Some(&signature.value)
    {
        return Err("the record is of another signature".to_owned());
    }
    let hash =
        |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map(Hash::from).map_err(|e| format!("not a hash: {e}"));
    let path = receipt.inclusion_path.iter().map(|node| hash(node)).collect::<Result<Vec<_>, _>>()?;
    let checkpoint = Checkpoint::verify(&receipt.checkpoint, log_key).map_err(|e| e.to_string())?;
    let leaf = leaf::leaf_hash(&receipt.record);
    inclusion::verify(&leaf, receipt.log_index, checkpoint.size, &path, &checkpoint.root)
        .map_err(|e| e.to_string())
}
