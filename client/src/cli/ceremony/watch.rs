//! `countersign ceremony watch`: a line for each change, until the ceremony has ended.

use ceremonies::statement::CeremonyId;
use proto::wire::v1;
use tonic::Streaming;

use super::standing;
use crate::cli::complaint::Complaint;
use crate::cli::screen::Screen;
use crate::clock;
use crate::connection::{CallError, Connection};
use crate::exit::Exit;
use crate::people::calls;
use crate::people::desk::Desk;
use crate::people::open::{Open, has_ended, state_name};
use crate::people::text::{now, seconds};
use crate::refused::NoAnswer;
use crate::retry::pause;

/// One ceremony, change by change; taken up again where the stream broke.
pub struct Following {
    id: CeremonyId,
    stream: Option<Streaming<v1::WatchCeremonyResponse>>,
    last: Option<v1::Ceremony>,
    failures: u32,
}

impl Following {
    /// Begins with where it stands.
    #[must_use]
    pub fn of(id: CeremonyId) -> Self {
        Self { id, stream: None, last: None, failures: 0 }
    }

    /// The ceremony after the next change; none when it has ended. May be dropped and called again.
    ///
    /// # Errors
    /// Where watching is refused for good.
    pub async fn next(
        &mut self,
        connection: &Connection,
        screen: &mut Screen,
    ) -> Result<Option<v1::Ceremony>, Complaint> {
        loop {
            if self.last.as_ref().is_some_and(has_ended) {
                return Ok(None);
            }
            let broken = match self.message(connection).await {
                Ok(Some(ceremony)) => {
                    self.failures = 0;
                    // After a break the stream begins with what is known.
                    if self.last.as_ref() != Some(&ceremony) {
                        self.last = Some(ceremony.clone());
                        return Ok(Some(ceremony));
                    }
                    continue;
                }
                Ok(None) => NoAnswer::Unreachable("the daemon ended the stream".to_owned()),
                Err(CallError::NoAnswer(answer)) => answer,
                Err(other) => return Err(other.into()),
            };
            self.stream = None;
            let Some(length) = pause(&broken, self.failures) else { return Err(Complaint::from(&broken)) };
            if self.failures == 0 {
                screen.note(&format!("{broken}; trying again"))?;
            }
            self.failures = self.failures.saturating_add(1);
            clock::pause(length).await;
        }
    }

    async fn message(&mut self, connection: &Connection) -> Result<Option<v1::Ceremony>, CallError> {
        if self.stream.is_none() {
            self.stream = Some(calls::watch(connection, self.id).await?);
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        Ok(stream.message().await?.and_then(|message| message.ceremony))
    }
}

/// Prints each change.
///
/// # Errors
/// Where there is none, or watching is refused.
pub async fn run(id: CeremonyId, desk: &mut Desk, screen: &mut Screen) -> Result<Exit, Complaint> {
    let mut following = Following::of(id);
    while let Some(wire) = following.next(&desk.connection, screen).await? {
        let open =
            Open::read(Some(wire), id, &desk.instance).map_err(crate::people::error::PeopleError::from)?;
        if screen.is_json() {
            screen.json_line(&standing::document(&open.wire))?;
            continue;
        }
        let state = state_name(open.state());
        let newest = open.wire.acts.iter().filter_map(|act| standing::at(act.sealed.as_ref())).max();
        let time = seconds(newest.unwrap_or_else(now));
        let state = screen.paint(standing::tone(open.state()), &format!("{state:<13}"));
        screen.line(&format!("{time}  {state}  {}", standing::summary(&open.wire)))?;
    }
    Ok(Exit::Done)
}
