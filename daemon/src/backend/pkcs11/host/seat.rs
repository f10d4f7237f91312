//! A worker's seat: one logged-in session and the handles found with it, of one epoch.

use std::collections::HashMap;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::fault::Trouble;
use super::find;
use super::live::Live;
use super::work::Host;

/// What a worker keeps between two requests.
#[derive(Debug, Default)]
pub(super) struct Seat {
    session: Option<Session>,
    handles: HashMap<u32, ObjectHandle>,
}

impl Seat {
    /// Its session, opened if there is none.
    pub(super) fn session(&mut self, host: &Host, live: &Live) -> Result<&Session, Trouble> {
        match &mut self.session {
            Some(session) => Ok(session),
            none => Ok(none.insert(host.module().open_ro_session(live.slot)?)),
        }
    }

    /// Session and handle for a key, found if it is not known here. Its public key is compared whenever it is found.
    pub(super) fn key(
        &mut self,
        host: &Host,
        live: &Live,
        number: u32,
    ) -> Result<(&Session, ObjectHandle), Trouble> {
        self.session(host, live)?;
        let session = self.session.as_ref().expect("it was opened just now");
        if let Some(handle) = self.handles.get(&number) {
            return Ok((session, *handle));
        }
        let known = live.key(number).map_err(Trouble::Fault)?;
        let handle = find::exactly(session, live, &known.place, &known.public_key)?;
        self.handles.insert(number, handle);
        Ok((session, handle))
    }

    /// Closes the session and forgets the handles.
    pub(super) fn clear(&mut self) {
        self.handles.clear();
        self.session = None;
    }
}
