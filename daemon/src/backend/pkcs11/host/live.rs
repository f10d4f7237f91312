//! An initialised module with a logged-in token: everything that is of one epoch.

use std::sync::{Mutex, PoisonError, RwLock};

use ceremonies::genesis::{Mode, REHEARSAL_TOKEN};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::super::latch::{Latch, LatchError};
use super::super::message::{Class, Fault, Open, PinPlace, Token};
use super::super::uri::Uri;
use super::fault::{Remedy, Trouble, fault, name, remedy};
use crate::secret::{Secret, SecretReference};

/// One epoch.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    pub(super) token: Token,
    /// Whether the token wants a log-in; then there was one.
    pub(super) login: bool,
    /// Held open for the log-in: in PKCS#11 the last session that closes logs the application out.
    parent: Mutex<Session>,
    keys: RwLock<Vec<Known>>,
}

/// A key that was found and compared in this epoch.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) place: Uri,
    pub(super) public_key: Vec<u8>,
}

impl Live {
    /// Finds the token, opens the parent session and logs in. The module was initialised just now.
    pub(super) fn begin(module: &Pkcs11, open: &Open, epoch: u64) -> Result<Self, Fault> {
        let (slot, info) = find_token(module, &open.token)?;
        is_for(open.mode, info.label().trim_end())?;
        let parent = module.open_ro_session(slot).map_err(|e| unavailable("opening a session", &e))?;
        if info.login_required() {
            login(&parent, open, &info)?;
        }
        let (token, login) = (describe(&info), info.login_required());
        Ok(Self { epoch, slot, token, login, parent: Mutex::new(parent), keys: RwLock::default() })
    }

    /// Logs in again, after the token said that nobody is.
    pub(super) fn login_again(&self, module: &Pkcs11, open: &Open) -> Result<(), Fault> {
        let info = module.get_token_info(self.slot).map_err(|e| unavailable("asking the token", &e))?;
        login(&self.parent.lock().unwrap_or_else(PoisonError::into_inner), open, &info)
    }

    /// Whether the token is there and the same.
    pub(super) fn probe(&self, module: &Pkcs11) -> Result<(), Fault> {
        let info = module.get_token_info(self.slot).map_err(|e| unavailable("asking the token", &e))?;
        let found = describe(&info);
        if found == self.token {
            return Ok(());
        }
        Err(fault(
            Class::Unavailable,
            format!(
                "the token {} ({}) is now {} ({})",
                self.token.label, self.token.serial, found.label, found.serial
            ),
        ))
    }

    /// Gives a key that was found and compared a number; the same key has the same number.
    pub(super) fn number(&self, known: Known) -> u32 {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let at = keys.iter().position(|key| key.public_key == known.public_key && key.place == known.place);
        let at = at.unwrap_or_else(|| {
            keys.push(known);
            keys.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The key of a number.
    pub(super) fn key(&self, number: u32) -> Result<Known, Fault> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let known = usize::try_from(number).ok().and_then(|at| keys.get(at)).cloned();
        known.ok_or_else(|| fault(Class::Stale, "no key of this epoch has that number"))
    }
}

fn find_token(module: &Pkcs11, wanted: &Uri) -> Result<(Slot, TokenInfo), Fault> {
    let slots = module.get_slots_with_token().map_err(|e| unavailable("listing slots", &e))?;
    let mut found = Vec::new();
    let mut others = Vec::new();
    for slot in slots {
        let info = match module.get_token_info(slot) {
            Ok(info) => info,
            Err(error) => {
                others.push(format!("one that does not answer ({error})"));
                continue;
            }
        };
        let (label, serial) =
            (info.label().trim_end().to_owned(), info.serial_number().trim_end().to_owned());
        if !info.token_initialized() {
            others.push("an uninitialised one".to_owned());
        } else if wanted.matches_token(&label, info.manufacturer_id(), info.model(), &serial) {
            found.push((slot, info));
        } else {
            others.push(format!("{label} (serial {serial})"));
        }
    }
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        // "No such token" may mean that the HSM behind a remote module is down: never "key not found".
        (None, _) => Err(fault(
            Class::Unavailable,
            format!(
                "the module shows no token {wanted}; it shows {}",
                if others.is_empty() { "none".to_owned() } else { others.join(", ") }
            ),
        )),
        (Some(_), more) => Err(fault(
            Class::Refused,
            format!(
                "{} tokens match {wanted}: add the serial number to `token` in the configuration",
                more + 1
            ),
        )),
    }
}

/// Before the PIN is spent on it: whether the token is for instances of this mode.
fn is_for(mode: Option<Mode>, label: &str) -> Result<(), Fault> {
    match mode {
        Some(mode) if !mode.has_token(label) => {
            let other = if mode == Mode::Production { "begins" } else { "does not begin" };
            Err(fault(
                Class::Unavailable,
                format!(
                    "the token `{label}` is not used: its label {other} with `{REHEARSAL_TOKEN}`, and this is a {mode} instance; rehearsals \
                     have tokens of their own"
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn login(session: &Session, open: &Open, info: &TokenInfo) -> Result<(), Fault> {
    let Some(place) = &open.pin else {
        return Err(fault(
            Class::Pin,
            "the token wants a PIN: write pin = { file = \"…\" } in [backend.NAME]",
        ));
    };
    let pin = read(place)?;
    if info.user_pin_locked() {
        return Err(fault(
            Class::Pin,
            "the token says that its user PIN is locked: its security officer must unlock it",
        ));
    }
    if info.user_pin_final_try() {
        return Err(fault(
            Class::Pin,
            "the token has one PIN attempt left and this one is not spent: log in by another tool with the right PIN first",
        ));
    }
    let latch = Latch::of(&open.memory, &open.backend);
    let attempt = latch.announce(&describe(info), &open.token, &pin).map_err(|error| {
        let class = if matches!(error, LatchError::Busy) { Class::Unavailable } else { Class::Pin };
        fault(class, error.to_string())
    })?;
    let text = pin.text().map_err(|e| fault(Class::Pin, e.to_string()))?;
    let answer = session.login(UserType::User, Some(&AuthPin::new(text.to_owned().into())));
    let (result, kept) = match answer {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => (Ok(()), attempt.forget()),
        Err(Error::Pkcs11(code, _)) if remedy(code) == Remedy::Pin => {
            let cause = format!(
                "the token refused the PIN ({}); it is not tried again: write the right PIN to {}, or run \
                 `countersignd backends unlock` if the token was changed",
                name(code),
                place_name(place)
            );
            (Err(fault(Class::Pin, cause)), attempt.refused())
        }
        Err(error) => (Err(unavailable("logging in", &error)), attempt.forget()),
    };
    kept.map_err(|e| fault(Class::Pin, e.to_string()))?;
    result
}

fn read(place: &PinPlace) -> Result<Secret, Fault> {
    let reference = match place {
        PinPlace::File(path) => SecretReference::file(path),
        PinPlace::Credential(name) => {
            SecretReference::credential(name).map_err(|e| fault(Class::Pin, e.to_string()))?
        }
    };
    reference.read().map(Secret::without_line_end).map_err(|e| fault(Class::Pin, format!("no PIN: {e}")))
}

fn place_name(place: &PinPlace) -> String {
    match place {
        PinPlace::File(path) => path.display().to_string(),
        PinPlace::Credential(name) => format!("the credential {name}"),
    }
}

fn describe(info: &TokenInfo) -> Token {
    Token {
        label: info.label().trim_end().to_owned(),
        manufacturer: info.manufacturer_id().trim_end().to_owned(),
        model: info.model().trim_end().to_owned(),
        serial: info.serial_number().trim_end().to_owned(),
    }
}

/// What an answer outside of signing means: the token is not usable now.
pub(super) fn unavailable(doing: &str, error: &Error) -> Fault {
    let said = match error {
        Error::Pkcs11(code, function) => format!("C_{function:?} answered {}", name(*code)),
        other => other.to_string(),
    };
    fault(Class::Unavailable, format!("{doing} failed: {said}"))
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
