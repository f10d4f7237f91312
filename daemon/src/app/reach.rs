//! Anchors in tokens: the log asks for an object by its name, and this knows the backend by which it is reached.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use super::backends;
use crate::backend::Settings;
use crate::backend::pkcs11::uri::Uri;
use crate::backend::pkcs11::{self, DataObject, ObjectError, Place};
use crate::clock::Clock;
use crate::config::Config;
use crate::log::{self, AnchorFailure, Exchange, Reach, Remote};

/// The log's settings, with what reaches its anchors in tokens.
pub(super) fn log_settings(config: &Config) -> log::Settings {
    let objects = config.log.tokens.iter().filter_map(|(name, anchor)| {
        let Some(Settings::Pkcs11(settings)) = config.backends.get(&anchor.backend) else { return None };
        let seed = Seed {
            backend: anchor.backend.clone(),
            settings: (**settings).clone(),
            // Anchors are read before it is known how the log began.
            place: backends::place(config, None),
            object: anchor.object.clone(),
        };
        Some((name.clone(), seed))
    });
    let mut settings = config.log.settings.clone();
    settings.reach = Some(Arc::new(Tokens(objects.collect())));
    settings
}

/// Every data object that is an anchor, by its name.
#[derive(Debug)]
struct Tokens(BTreeMap<String, Seed>);

/// What a host is started with.
#[derive(Clone, Debug)]
struct Seed {
    backend: String,
    settings: pkcs11::Settings,
    place: Place,
    object: Uri,
}

impl Reach for Tokens {
    fn object(&self, name: &str, clock: &Arc<dyn Clock>) -> Option<Box<dyn Remote>> {
        let seed = self.0.get(name)?.clone();
        Some(Box::new(Token { seed, clock: Arc::clone(clock), open: None }))
    }
}

/// One object; its host is started when it is first asked for, in the runtime of whoever asks.
struct Token {
    seed: Seed,
    clock: Arc<dyn Clock>,
    open: Option<DataObject>,
}

impl Token {
    fn open(&mut self) -> Result<&mut DataObject, AnchorFailure> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let Seed { backend, settings, place, object } = self.seed.clone();
                DataObject::start(&backend, settings, place, object, Arc::clone(&self.clock))
                    .map_err(|why| AnchorFailure::Away(format!("no host can be started: {why}")))?
            }
        };
        Ok(self.open.insert(open))
    }
}

impl Remote for Token {
    fn read(&mut self) -> Exchange<'_, Vec<u8>> {
        Box::pin(async move { self.open()?.read().await.map_err(failure) })
    }

    fn replace(&mut self, text: String) -> Exchange<'_, ()> {
        Box::pin(async move { self.open()?.replace(text.as_bytes()).await.map_err(failure) })
    }

    fn create(&mut self, text: String) -> Exchange<'_, ()> {
        Box::pin(async move { self.open()?.create(text.as_bytes()).await.map_err(failure) })
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            if let Some(open) = self.open {
                open.close().await;
            }
        })
    }
}

fn failure(error: ObjectError) -> AnchorFailure {
    match error {
        ObjectError::Missing => AnchorFailure::Missing,
        ObjectError::Taken => AnchorFailure::Taken,
        ObjectError::Away { cause } => AnchorFailure::Away(cause),
    }
}
