//! `[backend.NAME]`: a name, a kind, and that kind's own settings.

use ceremonies::form::Form;

use crate::backend::Settings;

pub(super) fn read(name: &str, form: &mut Form<'_, '_>) -> Option<Settings> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        form.problem("a backend's name has 1 to 64 lower-case letters, digits and `-`: it is in every record of its keys");
    }
    let kind: String = form.required("kind", "\"software\" or \"pkcs11\"").or_else(|| {
        form.ignore_the_rest();
        None
    })?;
    let settings = match kind.as_str() {
        "software" => Settings::Software(form.whole()?),
        "pkcs11" => Settings::Pkcs11(form.whole()?),
        other => {
            form.problem(format!("kind = \"{other}\": expected \"software\" or \"pkcs11\""));
            form.ignore_the_rest();
            return None;
        }
    };
    for problem in settings.problems() {
        form.problem(problem);
    }
    Some(settings)
}
