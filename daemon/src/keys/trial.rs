//! A ceremony that has brought a key, as its records: for tests of what comes after.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::time::Duration;

use ceremonies::cast::Cast;
use ceremonies::outputs::{Born, Outputs, Possession, effect};
use ceremonies::session::{Seats, deviations_digest};
use ceremonies::statement::target::{Activation, Fixed, KeyGenerate, Target};
use ceremonies::statement::{CeremonyId, Common, Kind, Log, Statement};
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::record::ceremony::{
    Acted, Arrived, Ceremony, Completed, Decided, Executed, Proposed, RecordedHead, Started, document,
};
use proto::record::{Body, ControlDetail};
use proto::time::Time;

use crate::keys::fold::State;

/// What a record of the ceremony says, and its detail where something follows from it.
pub(crate) type Step = (Body, Option<Vec<u8>>);

/// The records by which these people bring this key: proposed by the record at index `first`, each a little later or at
/// the same time, none before `at`. Nothing is signed: the fold believes what the log has admitted.
pub(crate) fn birth(
    state: &State,
    cast: &Cast,
    guardrails: &str,
    key: &Arrived,
    first: u64,
    at: Time,
) -> Vec<Step> {
    let statement = statement(state, guardrails, key, first, at);
    let (ceremony, digest) = (statement.common().ceremony, statement.digest());
    let possession = Possession {
        index: 0,
        nonce: Hash::of(b"nonce"),
        operation: OperationId::new(1, [0; 10]),
        signature: vec![1],
    };
    let outputs = Outputs::Key(Box::new(Born {
        attributes: [].into(),
        device: key.serial.iter().map(|serial| ("serial".to_owned(), serial.clone())).collect(),
        locator: key.locator.clone(),
        possession,
        public_key: key.public_key.clone(),
    }));
    let bytes = outputs.encode(&statement).unwrap();
    let outputs_digest = Hash::of(&bytes);
    let act = |person: &str, what: &str| Hash::of(format!("{ceremony} {person} {what}").as_bytes());
    let acted = |person: &str, decision: Decided| {
        let after = decision == Decided::AttestAfter;
        let signed_with = cast.roster().person(&person.parse().unwrap()).unwrap().keys[0].id();
        let body = Acted {
            act: act(person, if after { "after" } else { "before" }),
            ceremony,
            decision,
            deviations: after.then(|| deviations_digest(&[])),
            expires: at.later(Duration::from_secs(3600)),
            head: RecordedHead { root: Hash::of(b"head"), size: first + 1 },
            key: signed_with,
            nonce: act(person, if after { "nonce after" } else { "nonce before" }),
            outputs: after.then_some(outputs_digest),
            overtaken: None,
            person: person.to_owned(),
            statement: digest,
            withdraws: None,
        };
        (Ceremony::Acted(Box::new(body)), None)
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let detail = |documents: Vec<(&str, String)>| {
        Some(ControlDetail::with(documents, [0; 16].into()).encode().unwrap().0)
    };
    let proposed = Proposed {
        act: act("oskar", "propose"),
        ceremony,
        initiator: "oskar".into(),
        of: Kind::KeyGenerate.name().into(),
        statement: digest,
    };
    let proposal =
        vec![(document::STATEMENT, text(&statement.encode())), (document::GUARDRAILS, guardrails.to_owned())];
    let started =
        Started { act: Some(act("oskar", "execute")), ceremony, found: 0, operator: Some("oskar".into()) };
    let completed = Completed {
        ceremony,
        effect: effect(&statement, &outputs).unwrap(),
        manifest: Hash::of(b"manifest"),
        outputs: outputs_digest,
        statement: digest,
    };
    let steps = [
        (Ceremony::Proposed(proposed), detail(proposal)),
        acted("ada", Decided::Approve),
        acted("bob", Decided::Approve),
        acted("wanda", Decided::Attest),
        acted("walter", Decided::Attest),
        (Ceremony::Started(started), None),
        (
            Ceremony::Executed(Executed { ceremony, outputs: outputs_digest }),
            detail(vec![(document::OUTPUTS, text(&bytes))]),
        ),
        acted("wanda", Decided::AttestAfter),
        acted("walter", Decided::AttestAfter),
        (Ceremony::Completed(Box::new(completed)), None),
    ];
    steps.into_iter().map(|(step, detail)| (Body::Ceremony(step), detail)).collect()
}

fn statement(state: &State, guardrails: &str, key: &Arrived, first: u64, at: Time) -> Statement {
    let in_force = state.in_force(guardrails).unwrap();
    let mut id = [0; 16];
    id.copy_from_slice(&Hash::of(format!("{} {first}", key.key).as_bytes()).as_bytes()[..16]);
    let target = Target::KeyGenerate(KeyGenerate {
        activation: Activation::AtCompletion,
        algorithm: key.algorithm,
        backend: key.backend.parse().unwrap(),
        extractable: Fixed,
        key: key.key.clone(),
        owner: key.owner.parse().unwrap(),
        purpose: key.purpose.clone(),
        retirement: "with the test".parse().unwrap(),
        serial: key.serial.as_ref().map(|serial| serial.parse().unwrap()),
        standby: false,
        version: key.version,
    });
    let seats = Seats::from(state.roster());
    let common = Common {
        ceremony: CeremonyId::from(id),
        environment: in_force.environment,
        expires: at.later(Duration::from_secs(3600)),
        guardrails: in_force.guardrails,
        initiator: "oskar".parse().unwrap(),
        instance: in_force.instance,
        justification: "a test".parse().unwrap(),
        log: Log { origin: in_force.origin, root: Hash::of(b"head"), size: first },
        mode: in_force.mode,
        nonce: [7; 32].into(),
        not_before: at,
        purpose: "a test".parse().unwrap(),
        quorum: in_force.rules.rule(&target).quorum(seats.approvals, seats.officers()),
        roster: seats.version,
        ticket: "none".parse().unwrap(),
    };
    Statement::new(common, target).unwrap()
}
