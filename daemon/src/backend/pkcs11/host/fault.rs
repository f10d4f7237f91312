//! The error table: what each answer of a module means, as far as it can be known.
//!
//! The same situation ("the session is gone", "the token was pulled") has seven answers in seven modules, so a code only
//! says what to *try first*. The lighter remedy comes first (another session, the handle again, log in again), the heavier
//! (finalise, initialise, log in, find again) when it did not help or a probe says that the token is gone.

use cryptoki::error::{Error, RvError};

use super::super::message::{Class, Fault};

/// What to try first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Remedy {
    /// The request is at fault, if a probe finds the token well.
    Refuse,
    /// The key may not be used for this.
    Disabled,
    /// Replace the session.
    Session,
    /// Find the key again.
    Handle,
    /// Log in again.
    Login,
    /// Initialise the module again.
    Reload,
    /// About the PIN: never try again.
    Pin,
}

/// What a code asks for first.
pub(super) const fn remedy(code: RvError) -> Remedy {
    use RvError as E;
    match code {
        E::DataInvalid
        | E::DataLenRange
        | E::MechanismInvalid
        | E::MechanismParamInvalid
        | E::KeySizeRange
        | E::KeyTypeInconsistent
        | E::CurveNotSupported
        | E::FunctionNotSupported
        | E::AttributeTypeInvalid
        | E::AttributeValueInvalid
        | E::TemplateInconsistent
        | E::TemplateIncomplete
        | E::ArgumentsBad
        | E::BufferTooSmall => Remedy::Refuse,
        E::KeyFunctionNotPermitted | E::ActionProhibited => Remedy::Disabled,
        E::SessionClosed
        | E::SessionHandleInvalid
        | E::SessionCount
        | E::SessionReadOnly
        | E::OperationActive
        | E::OperationNotInitialized
        | E::FunctionCanceled
        | E::Cancel => Remedy::Session,
        E::KeyHandleInvalid | E::ObjectHandleInvalid | E::KeyChanged => Remedy::Handle,
        E::UserNotLoggedIn => Remedy::Login,
        E::PinIncorrect
        | E::PinInvalid
        | E::PinLenRange
        | E::PinExpired
        | E::PinLocked
        | E::UserPinNotInitialized => Remedy::Pin,
        // GENERAL_ERROR, HOST_MEMORY, FUNCTION_FAILED, DEVICE_*, TOKEN_*, CRYPTOKI_NOT_INITIALIZED, vendors' own, and
        // everything that nobody has seen yet.
        _ => Remedy::Reload,
    }
}

/// What went wrong inside the host: a module's answer, or already a fault to report.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A function answered this.
    Code(RvError, String),
    /// Nothing to look up.
    Fault(Fault),
}

impl Trouble {
    pub(super) const fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Code(code, _) => Some(remedy(*code)),
            Self::Fault(_) => None,
        }
    }

    /// As a fault, for a token that a probe found well (or that is not probed).
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Code(code, said) => {
                let class = match remedy(code) {
                    Remedy::Refuse | Remedy::Session | Remedy::Handle => Class::Refused,
                    Remedy::Disabled => Class::KeyDisabled,
                    Remedy::Pin => Class::Pin,
                    Remedy::Login | Remedy::Reload => Class::Unavailable,
                };
                Fault { class, cause: said }
            }
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => {
                Self::Code(code, format!("C_{function:?} answered {}", name(code)))
            }
            other => Self::Fault(Fault { class: Class::Refused, cause: other.to_string() }),
        }
    }
}

impl From<pkcs11_call::Refused> for Trouble {
    fn from(refused: pkcs11_call::Refused) -> Self {
        let function = match refused.step {
            pkcs11_call::Step::Init => "C_SignInit",
            pkcs11_call::Step::Sign => "C_Sign",
        };
        match cryptoki::error::Rv::from(refused.code) {
            cryptoki::error::Rv::Error(code) => {
                Self::Code(code, format!("{function} answered {}", name(code)))
            }
            cryptoki::error::Rv::Ok => Self::Fault(fault(Class::Refused, "the module failed without a code")),
        }
    }
}

/// `CKR_…`, as people know it.
pub(super) fn name(code: RvError) -> String {
    let debug = format!("{code:?}");
    match code {
        RvError::VendorDefined(number) => format!("the vendor's code 0x{number:x}"),
        RvError::UnknownErrorCode(number) => format!("the unknown code 0x{number:x}"),
        _ => {
            let mut name = "CKR".to_owned();
            for letter in debug.chars() {
                if letter.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
            name
        }
    }
}

/// A fault in words.
pub(super) fn fault(class: Class, cause: impl Into<String>) -> Fault {
    Fault { class, cause: cause.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ask_for_the_lightest_remedy_and_unknown_ones_for_the_heaviest() {
        assert_eq!(remedy(RvError::SessionHandleInvalid), Remedy::Session);
        assert_eq!(remedy(RvError::ObjectHandleInvalid), Remedy::Handle);
        assert_eq!(remedy(RvError::UserNotLoggedIn), Remedy::Login);
        assert_eq!(remedy(RvError::KeyFunctionNotPermitted), Remedy::Disabled);
        assert_eq!(remedy(RvError::DataLenRange), Remedy::Refuse);
        for code in [
            RvError::GeneralError,
            RvError::DeviceError,
            RvError::HostMemory,
            RvError::VendorDefined(0x8000_0001),
        ] {
            assert_eq!(remedy(code), Remedy::Reload);
        }
        for code in [
            RvError::PinIncorrect,
            RvError::PinInvalid,
            RvError::PinLenRange,
            RvError::PinExpired,
            RvError::PinLocked,
        ] {
            assert_eq!(remedy(code), Remedy::Pin);
        }
    }

    #[test]
    fn codes_are_named_as_in_the_standard() {
        assert_eq!(name(RvError::ObjectHandleInvalid), "CKR_OBJECT_HANDLE_INVALID");
        assert_eq!(name(RvError::VendorDefined(0x8000_0001)), "the vendor's code 0x80000001");
    }
}
