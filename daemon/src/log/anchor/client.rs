//! A client of one place off the host: the text of an anchor over whatever reaches it, in bounded time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::proof::anchor::{AnchorTextError, LONGEST};

use super::{AnchorPlace, Https, Kept};
use crate::clock::Clock;
use crate::log::settings::Settings;

/// How long one exchange may take, whatever has to be reached first.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why an anchor off the host was not read or written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnchorFailure {
    /// Who keeps it says that there is no such object.
    Missing,
    /// Something is there that was to be made.
    Taken,
    /// Something is there that is no anchor: a person must look.
    Wrong(String),
    /// No answer that says anything about the object. Worth trying again.
    Away(String),
}

impl fmt::Display for AnchorFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("it is missing; put it back, or the next start is refused"),
            Self::Taken => out.write_str("something is there already"),
            Self::Wrong(cause) | Self::Away(cause) => out.write_str(cause),
        }
    }
}

/// An exchange with whoever keeps an object.
pub type Exchange<'a, T> = Pin<Box<dyn Future<Output = Result<T, AnchorFailure>> + Send + 'a>>;

/// One small object off the host. An exchange that takes too long is dropped, which must leave the next one unharmed.
pub trait Remote: Send {
    /// What is kept, as bytes. Of more than an anchor's text has ([`LONGEST`]) any number beyond that.
    fn read(&mut self) -> Exchange<'_, Vec<u8>>;

    /// Replaces what is kept.
    fn replace(&mut self, text: String) -> Exchange<'_, ()>;

    /// Makes it, where there is nothing; [`AnchorFailure::Taken`] where there is.
    fn create(&mut self, text: String) -> Exchange<'_, ()>;

    /// Takes leave, within a second.
    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Reaches the objects that the log cannot reach itself: [`AnchorPlace::Object`].
pub trait Reach: fmt::Debug + Send + Sync {
    /// The object of this name, which is as configured; nothing where nobody knows how to reach it. Reaches nothing yet.
    fn object(&self, name: &str, clock: &Arc<dyn Clock>) -> Option<Box<dyn Remote>>;
}

/// A client of one place.
pub(in crate::log) struct Client(Box<dyn Remote>);

impl Client {
    /// Nothing for a file.
    pub(in crate::log) fn of(
        place: &AnchorPlace,
        settings: &Settings,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        Some(Self(match place {
            AnchorPlace::File(_) => return None,
            AnchorPlace::Https(access) => Box::new(Https::new(Arc::clone(access), Arc::clone(clock))),
            AnchorPlace::Object(name) => {
                let reach = settings.reach.as_ref();
                reach.and_then(|reach| reach.object(name, clock)).unwrap_or_else(|| Box::new(Nobody))
            }
        }))
    }

    /// What is kept.
    pub(in crate::log) async fn read(&mut self) -> Result<Kept, AnchorFailure> {
        let bytes = patiently(self.0.read()).await?;
        let wrong = |why: &str| AnchorFailure::Wrong(format!("what is there {why}"));
        if bytes.len() > LONGEST {
            return Err(wrong(&format!("has more than {LONGEST} bytes and is no anchor")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_bytes| wrong("is no text, and no anchor"))?;
        text.parse().map_err(|why: AnchorTextError| AnchorFailure::Wrong(why.to_string()))
    }

    /// Replaces what is kept.
    pub(in crate::log) async fn write(&mut self, kept: &Kept) -> Result<(), AnchorFailure> {
        patiently(self.0.replace(kept.to_string())).await
    }

    /// Makes it where there is nothing, and reads it back: who gives back something else keeps no anchor.
    pub(in crate::log) async fn create(&mut self, kept: &Kept) -> Result<(), AnchorFailure> {
        self.vacant().await?;
        patiently(self.0.create(kept.to_string())).await?;
        match self.read().await {
            Ok(found) if found == *kept => Ok(()),
            Ok(_) | Err(AnchorFailure::Missing | AnchorFailure::Wrong(_)) => {
                Err(AnchorFailure::Wrong("it does not give back what was written".to_owned()))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether there is nothing yet.
    pub(in crate::log) async fn vacant(&mut self) -> Result<(), AnchorFailure> {
        match self.read().await {
            Err(AnchorFailure::Missing) => Ok(()),
            Ok(_) | Err(AnchorFailure::Wrong(_)) => Err(AnchorFailure::Taken),
            Err(other) => Err(other),
        }
    }

    /// Takes leave, within a second.
    pub(in crate::log) async fn close(self) {
        self.0.close().await;
    }
}

async fn patiently<T>(exchange: Exchange<'_, T>) -> Result<T, AnchorFailure> {
    let late = || AnchorFailure::Away(format!("it has not answered within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_elapsed| Err(late()))
}

/// Where nothing reaches an object.
struct Nobody;

impl Nobody {
    fn answer<'a, T: Send + 'a>() -> Exchange<'a, T> {
        let why = "this program does not know how it is reached";
        Box::pin(std::future::ready(Err(AnchorFailure::Away(why.to_owned()))))
    }
}

impl Remote for Nobody {
    fn read(&mut self) -> Exchange<'_, Vec<u8>> {
        Self::answer()
    }

    fn replace(&mut self, _text: String) -> Exchange<'_, ()> {
        Self::answer()
    }

    fn create(&mut self, _text: String) -> Exchange<'_, ()> {
        Self::answer()
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}
