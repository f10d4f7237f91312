//! The record of an operation: what is public, and the detail beside it.

use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::kind::SignTag;
use proto::record::sign::SUBJECTS_IN_LEAF;
use proto::record::{
    CallerDetail, Detail, Outcome, PolicyDetail, Salt, SignRecord, SignatureEntry, Signed, Times, VERSION,
};
use proto::refusal::Refusal;
use proto::time::Time;

use super::SignRequest;
use super::admit::Chosen;
use super::prepare::Reading;
use crate::policy::Permit;

/// A record with every outcome still `unknown`, and its detail's canonical bytes.
///
/// # Errors
/// [`Reason::InvalidInput`] where the record would be longer than a leaf can be.
#[expect(clippy::too_many_arguments, reason = "each is one fact of the record, gathered in one place")]
pub(crate) fn of(
    operation: OperationId,
    asked: Time,
    request: &SignRequest,
    reading: &Reading,
    chosen: &[Chosen],
    caller: CallerDetail,
    permit: &Permit,
    salt: Salt,
) -> Result<(SignRecord, Vec<u8>), Refusal> {
    let mut subjects = reading.subjects.clone();
    let further = subjects.split_off(subjects.len().min(SUBJECTS_IN_LEAF));
    let detail = Detail {
        annotations: request.annotations.clone(),
        backend: chosen.first().map(|chosen| chosen.version.backend.clone()),
        caller,
        policy: Some(PolicyDetail {
            grants: permit.grants(),
            guardrails: permit.guardrails(),
            rule: permit.rule().to_string(),
        }),
        repository: reading.repository.clone(),
        request: request.request_id.clone(),
        salt,
        subjects: further,
    };
    let (detail, name) = detail.encode().map_err(|e| Refusal::new(Reason::InvalidInput, e.to_string()))?;
    let mut digests: Vec<_> = chosen.iter().map(|chosen| chosen.digest.clone()).collect();
    digests.sort();
    digests.dedup();
    let digests = proto::digest::Digests::new(digests)
        .map_err(|e| Refusal::new(Reason::InvalidDigest, e.to_string()))?;
    let entries = chosen.iter().map(|chosen| SignatureEntry {
        algorithm: chosen.version.algorithm,
        key_id: chosen.version.key_id,
        outcome: Outcome::Unknown,
        reason: None,
        sha256: None,
        value: None,
        version: chosen.version.version,
    });
    let record = SignRecord {
        detail: name,
        key: request.key.clone(),
        kind: SignTag::Tag,
        number: None,
        operation,
        signatures: entries.collect(),
        signed: Signed { digests, kind: reading.kind.clone(), subjects },
        time: Times::asked(asked),
        v: VERSION,
    };
    Ok((record, detail))
}
