//! `C_SignInit` and `C_Sign`, in two calls and into our own buffer.
//!
//! The safe binding's `Session::sign` makes three calls: it asks for the size of the signature first, which costs a
//! third of the rate on an HSM behind a network (`docs/decisions/0002-one-crate-with-unsafe.md`). This crate makes the
//! two that the interface needs (PKCS#11 v2.40, sections 5.11 `C_SignInit` and `C_Sign`), through `cryptoki-sys` and the
//! handles that the binding makes public. It is the only crate of the workspace that may have `unsafe`.
//!
//! It promises: no module memory is written but the caller's buffer, and not beyond its end; a code that the module
//! answers is given back as it is. It does not load, initialise, log in, find keys, decide what a code means, or try
//! anything twice.
//!
//! Invariant: the file has exactly the `unsafe` blocks that the decision record counts; held by `tests/counted.rs`.

use std::path::Path;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR, CK_MECHANISM, CK_RV, CK_ULONG, CKR_OK};

/// The two functions of one module. `Send` and `Sync`: the module was initialised for use by many threads, each with a
/// session of its own.
pub struct Signing {
    functions: CK_FUNCTION_LIST,
    // The functions stay valid as long as the library is mapped. It is the same mapping that the binding holds: the
    // loader counts references.
    _library: cryptoki_sys::Pkcs11,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signing")
    }
}

/// The module cannot be used for signing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The dynamic loader refused.
    #[error("the PKCS#11 module cannot be loaded: {0}")]
    Library(String),
    /// The library is no PKCS#11 module.
    #[error("the library has no C_GetFunctionList, so it is no PKCS#11 module")]
    NoList,
    /// The module has a list without signing in it.
    #[error("the PKCS#11 module lacks {0}")]
    Missing(&'static str),
}

/// The call that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// `C_SignInit`: no operation is active on the session.
    Init,
    /// `C_Sign`: an operation may be active on the session, which must be replaced.
    Sign,
}

/// The module answered something other than `CKR_OK`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{step:?} answered 0x{code:x}")]
pub struct Refused {
    /// The call.
    pub step: Step,
    /// Its `CK_RV`.
    pub code: u64,
}

impl Signing {
    /// Maps the module (again: it is mapped already by the binding) and takes its function list.
    ///
    /// # Errors
    /// If the library cannot be loaded or is no PKCS#11 module.
    pub fn load(module: &Path) -> Result<Self, LoadError> {
        // SAFETY: loading a library runs its initialisers. The path is the module that the operator configured, which
        // the binding has loaded before us, so nothing runs that did not run already.
        let library =
            unsafe { cryptoki_sys::Pkcs11::new(module) }.map_err(|e| LoadError::Library(e.to_string()))?;
        if library.C_GetFunctionList.is_err() {
            return Err(LoadError::NoList);
        }
        let mut list: CK_FUNCTION_LIST_PTR = std::ptr::null_mut();
        // SAFETY: the symbol exists (looked at above) and by section 5.4 writes one pointer through its argument, which
        // points to a live local.
        let code = unsafe { library.C_GetFunctionList(&mut list) };
        if code != CKR_OK || list.is_null() {
            return Err(LoadError::NoList);
        }
        // SAFETY: the module answered CKR_OK, so the pointer is to its function list, which lives as long as the library
        // is mapped; it is copied out here.
        let functions = unsafe { list.read() };
        match (functions.C_SignInit.is_some(), functions.C_Sign.is_some()) {
            (true, true) => Ok(Self { functions, _library: library }),
            (false, _) => Err(LoadError::Missing("C_SignInit")),
            (true, false) => Err(LoadError::Missing("C_Sign")),
        }
    }

    /// Signs `input` with `key` on `session`, into `output`; the number of bytes of the signature.
    ///
    /// # Errors
    /// What the module answered. After a failure of [`Step::Sign`] the session must be closed: the operation may still be
    /// active on it. A signature longer than `output` is `CKR_BUFFER_TOO_SMALL` (0x150).
    pub fn sign(
        &self,
        session: &Session,
        mechanism: &Mechanism<'_>,
        key: ObjectHandle,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Refused> {
        let (Some(init), Some(sign)) = (self.functions.C_SignInit, self.functions.C_Sign) else {
            return Err(Refused { step: Step::Init, code: cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED });
        };
        let mut mechanism = CK_MECHANISM::from(mechanism);
        // SAFETY: `mechanism` and what its parameter points to outlive the call (both are borrowed by this function);
        // handles are plain numbers that the module checks. `Session` is not `Sync`, so no other thread is in a call on it.
        let code: CK_RV = unsafe { init(session.handle(), &mut mechanism, key.handle()) };
        if code != CKR_OK {
            return Err(Refused { step: Step::Init, code });
        }
        let mut length = output.len() as CK_ULONG;
        // SAFETY: `input` is read only, for its length (section 5.11 declares it mutable for history's sake); `output` is
        // written for at most `length` bytes, its own length; all outlive the call.
        let code: CK_RV = unsafe {
            sign(
                session.handle(),
                input.as_ptr().cast_mut(),
                input.len() as CK_ULONG,
                output.as_mut_ptr(),
                &mut length,
            )
        };
        match usize::try_from(length) {
            Ok(length) if code == CKR_OK && length <= output.len() => Ok(length),
            _ if code == CKR_OK => {
                Err(Refused { step: Step::Sign, code: cryptoki_sys::CKR_BUFFER_TOO_SMALL })
            }
            _ => Err(Refused { step: Step::Sign, code }),
        }
    }
}
