//! What a reply holds until it has been handed to its connection.

use std::fmt;
use std::sync::Arc;

/// Guards that travel in a response's extensions and are dropped with its body: when the last byte has been handed to
/// the connection, or when the reply was given up. A stop counts on it.
#[derive(Clone)]
pub struct Held {
    _guards: Arc<dyn std::any::Any + Send + Sync>,
}

impl Held {
    /// Holds these guards.
    pub fn new(guards: impl Send + Sync + 'static) -> Self {
        Self { _guards: Arc::new(guards) }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}
