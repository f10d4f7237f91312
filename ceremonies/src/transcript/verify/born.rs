//! A key that was made: what is said of it fits the statement, and its private half is where it should be.

use proto::algorithm::Algorithm;
use proto::digest::Digest;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::signature::{Over, verify};
use proto::purpose::Kind;
use proto::record::ceremony::Ceremony;
use proto::record::{Outcome, Record};

use super::files;
use super::genesis::Instance;
use crate::birth::{self, BirthNames};
use crate::genesis::Mode;
use crate::outputs::{Born, Outputs, Possession};
use crate::statement::Target;
use crate::statement::target::KeyGenerate;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Files, Invalid, Step, name};

/// Judges the outputs beyond their form; gives what deviates.
pub(super) fn check(files: &Files, course: &Course, instance: &Instance) -> Result<Vec<Deviation>, Invalid> {
    let (_, outputs) = course.outputs()?;
    let target = course.statement.target();
    let (Outputs::Key(born), Some(arrival)) = (&outputs, target.arrival()) else { return Ok(Vec::new()) };
    let deviations = match target {
        Target::KeyGenerate(asked) => place(asked, born, course, instance)?,
        Target::KeyAdopt(asked) => {
            hold(KeyId::of_spki(&born.public_key) == asked.key_id, Step::Outputs, || {
                "the key is another one than the statement names".to_owned()
            })?;
            asked.unproven.iter().map(|what| Deviation::Unproven(what.clone())).collect()
        }
        _ => Vec::new(),
    };
    let holder = Holder {
        algorithm: arrival.algorithm,
        key: arrival.key,
        public_key: &born.public_key,
        version: arrival.version,
    };
    possession(&holder, &born.possession, name::POSSESSION, files, course, instance)?;
    Ok(deviations)
}

/// Where the key is, under which names, and what the device says of it.
fn place(
    asked: &KeyGenerate,
    born: &Born,
    course: &Course,
    instance: &Instance,
) -> Result<Vec<Deviation>, Invalid> {
    let step = Step::Outputs;
    if born.locator.starts_with("pkcs11:") {
        hold(BirthNames::of(&course.statement).are_in(&born.locator), step, || {
            "the key is not under the label and id that follow from the statement".to_owned()
        })?;
        birth::check_attributes(&born.attributes).at(step, "the key's attributes")?;
        let label = born.device.get("label").map_or("", String::as_str);
        hold(instance.terms.mode == Mode::Rehearsal || Mode::Production.has_token(label), step, || {
            format!("the key is on the token `{label}`, which is one of rehearsals")
        })?;
        let serial = born.device.get("serial").map(String::as_str);
        let right = asked.serial.as_ref().is_none_or(|wanted| serial == Some(wanted.as_str()));
        hold(right, step, || {
            "the key is on a device with another serial than the statement names".to_owned()
        })?;
        return Ok(Vec::new());
    }
    let in_software = format!("software:{}", KeyId::of_spki(&born.public_key));
    hold(born.locator == in_software && asked.serial.is_none(), step, || {
        "the key is neither under `pkcs11:` nor under `software:` and its id".to_owned()
    })?;
    if instance.terms.mode == Mode::Rehearsal {
        return Ok(Vec::new());
    }
    hold(instance.genesis.allow_software_backend(), step, || {
        "the key lives in software, and genesis does not allow that".to_owned()
    })?;
    Ok(vec![Deviation::SoftwareBackend])
}

/// Whose private key is where it should be.
pub(super) struct Holder<'k> {
    pub(super) algorithm: Algorithm,
    pub(super) key: &'k KeyName,
    pub(super) public_key: &'k [u8],
    pub(super) version: u32,
}

/// The private key signed what no caller can choose, as an ordinary operation of this execution.
pub(super) fn possession(
    asked: &Holder<'_>,
    possession: &Possession,
    path: &str,
    files: &Files,
    course: &Course,
    instance: &Instance,
) -> Result<(), Invalid> {
    let step = Step::Possession;
    let public_key = asked.public_key;
    let message = Possession::message(instance.genesis.instance().as_str(), public_key, possession.nonce);
    let over = Over::Message(&message);
    verify(asked.algorithm, public_key, over, &possession.signature, SignatureEncoding::Der)
        .at(step, "the signature")?;
    let leaf = files::find(files, path)?;
    let Record::Sign(record) = Record::parse(leaf).at(step, path)? else {
        return Err(Invalid::new(step, format!("{path} is not a `sign` record")));
    };
    let entry = match record.signatures.as_slice() {
        [entry] => entry,
        _ => return Err(Invalid::new(step, "the record of the proof holds other signatures too")),
    };
    let signed = &record.signed.digests;
    let same = [
        ("operation", record.operation == possession.operation),
        ("kind", record.signed.kind == Kind::Possession),
        ("key", record.key == *asked.key),
        ("version", entry.version == asked.version),
        ("key id", entry.key_id == KeyId::of_spki(public_key)),
        ("algorithm", entry.algorithm == asked.algorithm),
        ("outcome", entry.outcome == Outcome::Released),
        ("signature", entry.value.as_deref() == Some(&possession.signature)),
        ("digest", signed.iter().all(|digest| *digest == Digest::of(digest.algorithm(), &message))),
        ("digest", asked.algorithm.hash().is_none_or(|hash| signed.find(hash).is_some())),
    ];
    if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
        return Err(Invalid::new(step, format!("the record of the proof has another {what}")));
    }
    let started = course.steps.iter().rev().find(|taken| matches!(taken.step, Ceremony::Started(_)));
    let executed = course.steps.iter().rev().find(|taken| matches!(taken.step, Ceremony::Executed(_)));
    let between = started.is_some_and(|taken| taken.index < possession.index)
        && executed.is_some_and(|taken| taken.index > possession.index);
    hold(between, step, || "the proof was not made between the start and its outputs".to_owned())
}
