//! Keys that are on another device: each came into force in this log, was bound to the device that is replaced, and has proven
//! that its private half is where it is now.
//!
//! Does not prove that the serial is the device's: that is what its operator and the witnesses read on it.

use proto::key_id::KeyId;
use proto::record::ceremony::{Ceremony, Effect};
use proto::record::{Arrived, Body};

use super::born::{Holder, possession};
use super::end::keys;
use super::genesis::Instance;
use crate::outputs::Outputs;
use crate::statement::Target;
use crate::transcript::control::Control;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Files, Invalid, Step, possession_files};

/// Judges what a `backend.rebind` found; nothing for other kinds.
pub(super) fn check(
    files: &Files,
    control: &Control,
    course: &Course,
    instance: &Instance,
) -> Result<(), Invalid> {
    let (_, outputs) = course.outputs()?;
    let (Target::BackendRebind(target), Outputs::Rebound(bound)) = (course.statement.target(), &outputs)
    else {
        return Ok(());
    };
    let step = Step::Outputs;
    for (one, (path, _)) in bound.iter().zip(possession_files(&outputs)) {
        let id = one.key_id;
        let known = known(control, id).at(step, format_args!("the key {id} never came into force"))?;
        let bound_to_it = known.backend == target.backend.as_str()
            && known.serial.as_deref() == Some(target.replaces.as_str());
        hold(bound_to_it, step, || {
            format!("the key {id} was not bound to the device {} of {}", target.replaces, target.backend)
        })?;
        hold(names(&one.locator) == names(&known.locator), step, || {
            format!("the key {id} has another label or id on the new device")
        })?;
        let serial = format!("serial={}", encoded(target.serial.as_str()));
        hold(attributes(&one.locator).filter(|attribute| *attribute == serial).count() == 1, step, || {
            format!("the key {id} is not on the device {}", target.serial)
        })?;
        let holder = Holder {
            algorithm: known.algorithm,
            key: &known.key,
            public_key: &known.public_key,
            version: known.version,
        };
        possession(&holder, &one.possession, &path, files, course, instance)?;
    }
    Ok(())
}

/// The key with this id, as the control records leave it.
fn known(control: &Control, id: KeyId) -> Option<Arrived> {
    let mut known = keys(control).find(|known| known.key_id == id)?.clone();
    for line in control.lines() {
        let Body::Ceremony(Ceremony::Completed(completed)) = &line.record.body else { continue };
        let Effect::Rebound { keys, serial, .. } = &completed.effect else { continue };
        if let Some(rebound) = keys.iter().find(|rebound| rebound.key_id == id) {
            (known.locator, known.serial) = (rebound.locator.clone(), Some(serial.clone()));
        }
    }
    Some(known)
}

fn attributes(locator: &str) -> impl Iterator<Item = &str> {
    locator.strip_prefix("pkcs11:").unwrap_or_default().split(';')
}

/// Label and id, as a URI writes them.
fn names(locator: &str) -> Vec<&str> {
    let mut names: Vec<&str> =
        attributes(locator).filter(|own| own.starts_with("object=") || own.starts_with("id=")).collect();
    names.sort_unstable();
    names
}

/// As the daemon writes it: everything but RFC 3986's unreserved characters is percent-encoded.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}
