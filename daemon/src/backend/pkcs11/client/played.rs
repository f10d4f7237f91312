//! The other end of a line, played by a test.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::super::frame::{self, Inbox};
use super::super::message::{Answer, FromDaemon, FromHost, Hello, Reply, Request, Token};
use super::super::{Place, Settings};
use super::Shared;
use crate::backend::Capabilities;
use crate::clock::ManualClock;

/// A host.
pub(super) struct Host {
    pub(super) stream: UnixStream,
    inbox: Inbox,
}

impl Host {
    pub(super) fn on(stream: UnixStream) -> Self {
        Self { stream, inbox: Inbox::default() }
    }

    pub(super) async fn greet(&mut self) {
        self.say(&FromHost::Hello(Hello::ours())).await;
        assert_eq!(self.hear().await, FromDaemon::Hello(Hello::ours()));
    }

    pub(super) async fn say(&mut self, message: &FromHost) {
        let mut bytes = Vec::new();
        frame::write(message, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn hear(&mut self) -> FromDaemon {
        loop {
            if let Some(message) = self.inbox.next(frame::value).unwrap() {
                return message.unwrap();
            }
            let count = self.stream.read(self.inbox.room()).await.unwrap();
            assert_ne!(count, 0, "the daemon hung up");
            self.inbox.came(count);
        }
    }

    pub(super) async fn request(&mut self) -> Request {
        match self.hear().await {
            FromDaemon::Request(request) => request,
            FromDaemon::Hello(_) => panic!("greeted twice"),
        }
    }

    pub(super) async fn reply(&mut self, id: u64, body: Answer) {
        self.say(&FromHost::Reply(Reply { id, epoch: 1, body })).await;
    }
}

/// The token is well.
pub(super) fn ready() -> Answer {
    let text = || "t".to_owned();
    Answer::Ready(Token { label: text(), manufacturer: text(), model: text(), serial: text() })
}

/// A backend's state, and the settings that it needs at least.
pub(super) fn shared(clock: Arc<ManualClock>, change: impl FnOnce(&mut Settings)) -> Shared {
    let mut settings = Settings::new("/m.so", "pkcs11:token=t".parse().unwrap(), None);
    change(&mut settings);
    let place = Place { program: "/d".into(), state_directory: "/s".into(), mode: None };
    let capabilities =
        Capabilities { kind: "pkcs11", abilities: vec![], external: true, generates: true, in_flight: 2 };
    Shared::new("hsm", settings, place, capabilities, clock)
}
