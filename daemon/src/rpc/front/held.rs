//! What a reply holds until it has been handed to its connection.

use std::fmt;
use std::sync::Arc;

use proto::refusal::Refusal;

/// Guards that travel in a response's extensions and are dropped with its body: when the last byte has been handed to
/// the connection, or when the reply was given up. A stop counts on it.
///
/// With it travels the last look: it is asked when the connection is ready to take the first byte, which may be long
/// after the use case has answered where the other end does not read. What it refuses is not sent.
#[derive(Clone)]
pub struct Held(Arc<dyn Hold>);

trait Hold: Send + Sync {
    fn last_look(&self) -> Option<Refusal>;
}

struct Guarded<G, L> {
    _guards: G,
    look: L,
}

impl<G, L> Hold for Guarded<G, L>
where
    G: Send + Sync,
    L: Fn() -> Option<Refusal> + Send + Sync,
{
    fn last_look(&self) -> Option<Refusal> {
        (self.look)()
    }
}

impl Held {
    /// Holds these guards; `look` says why the reply must not leave any more, if it must not.
    pub fn new<G, L>(guards: G, look: L) -> Self
    where
        G: Send + Sync + 'static,
        L: Fn() -> Option<Refusal> + Send + Sync + 'static,
    {
        Self(Arc::new(Guarded { _guards: guards, look }))
    }

    /// Why the reply must not leave any more.
    pub fn last_look(&self) -> Option<Refusal> {
        self.0.last_look()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}
