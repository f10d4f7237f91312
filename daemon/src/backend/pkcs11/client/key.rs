//! A key in a token, as the daemon holds it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::algorithm::Algorithm;
use zeroize::Zeroizing;

use super::super::message::{Answer, Ask, Class};
use super::super::octets::Octets;
use super::super::uri::Uri;
use super::line::Line;
use super::shared::{Shared, nonsense};
use crate::backend::verify::Verifier;
use crate::backend::{Failure, Prepared, PublicKey, RawSignature, SigningKey, Turn, Work};
use crate::measure::{self, Stage};

/// In one signature, new epochs that are followed.
const EPOCHS: usize = 3;

/// A key, known by its place and its public key. Its number in the host is looked up in every epoch anew.
pub(crate) struct Key {
    shared: Arc<Shared>,
    place: Uri,
    algorithm: Algorithm,
    public_key: PublicKey,
    verifier: Verifier,
    number: Mutex<Option<Number>>,
    /// Held while the number is looked up, so that a hundred signatures look once.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Number {
    epoch: u64,
    key: u32,
}

impl Key {
    pub(crate) fn new(
        shared: Arc<Shared>,
        place: Uri,
        algorithm: Algorithm,
        public_key: PublicKey,
    ) -> Result<Self, Failure> {
        let verifier = Verifier::new(algorithm, &public_key)?;
        let (number, looking) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Ok(Self { shared, place, algorithm, public_key, verifier, number, looking })
    }

    /// Looks the key up and compares its public key.
    pub(crate) async fn bind_now(&self) -> Result<(), Failure> {
        let line = self.shared.line()?;
        self.bind(&line).await.map(|_number| ())
    }

    async fn bind(&self, line: &Line) -> Result<Number, Failure> {
        if let Some(number) = self.known(line) {
            return Ok(number);
        }
        let _one = self.looking.lock().await;
        if let Some(number) = self.known(line) {
            return Ok(number);
        }
        let expected = Octets::from(self.public_key.spki());
        let ask = Ask::FindKey { place: self.place.clone(), expected };
        match line.call(ask, 0, self.shared.settings.call_limit).await {
            Ok(reply) => match reply.body {
                Answer::Key(key) => {
                    let number = Number { epoch: reply.epoch, key };
                    *self.number.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
                    Ok(number)
                }
                Answer::Failed(fault) => Err(self.shared.failed(fault)),
                other => Err(nonsense(&other)),
            },
            // Looking changes nothing: nothing was signed, whatever became of the answer.
            Err(mut gone) => {
                gone.sent = false;
                Err(self.shared.lost(gone))
            }
        }
    }

    fn known(&self, line: &Line) -> Option<Number> {
        let number = *self.number.lock().unwrap_or_else(PoisonError::into_inner);
        number.filter(|number| number.epoch == line.epoch())
    }

    async fn work(&self, input: Prepared, turn: Turn) -> Result<RawSignature, Failure> {
        input.fits(self.algorithm, &self.shared.capabilities)?;
        let pass = self.shared.enter(&turn).await?;
        let clock = &self.shared.clock;
        let begun = clock.monotonic();
        let bytes = self.ask(&input, &turn).await?;
        let signed = clock.monotonic();
        measure::stage(Stage::Backend, signed.since(begun));
        // The device is done with it; the next call need not wait for our arithmetic.
        drop(pass);
        let checked = self.verifier.from_pkcs11(bytes).and_then(|signature| {
            self.verifier.verify(&input, &signature)?;
            Ok(signature)
        });
        measure::stage(Stage::Verify, clock.monotonic().since(signed));
        checked.inspect_err(|failure| self.shared.note(failure))
    }

    /// The module's bytes: not yet a signature.
    async fn ask(&self, input: &Prepared, turn: &Turn) -> Result<Zeroizing<Vec<u8>>, Failure> {
        for _epoch in 0..EPOCHS {
            let line = self.shared.line()?;
            let number = self.bind(&line).await?;
            let left = turn.deadline.map(|deadline| deadline.left(self.shared.clock.monotonic()));
            let ask = Ask::Sign {
                epoch: number.epoch,
                key: number.key,
                algorithm: self.algorithm,
                input: Octets::from(input.bytes()),
            };
            match line.call(ask, millis(left), self.shared.settings.call_limit).await {
                Ok(reply) => match reply.body {
                    Answer::Signed(bytes) => return Ok(bytes.into_bytes()),
                    Answer::Failed(fault) if fault.class == Class::Stale => {
                        *self.number.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    }
                    Answer::Failed(fault) => return Err(self.shared.failed(fault)),
                    other => return Err(nonsense(&other)),
                },
                Err(gone) => return Err(self.shared.lost(gone)),
            }
        }
        let retry_after = Duration::from_millis(500);
        let cause = format!("{}: the module is initialised again and again", self.shared.name);
        Err(Failure::Unavailable { cause, retry_after })
    }
}

/// At least 1, because 0 says that somebody waits for ever.
fn millis(left: Option<Duration>) -> u32 {
    left.map_or(0, |left| u32::try_from(left.as_millis()).unwrap_or(0).max(1))
}

impl SigningKey for Key {
    fn admits(&self, turn: &Turn) -> Result<(), Failure> {
        self.shared.line()?;
        self.shared.admits(turn)
    }

    fn delay(&self, turn: &Turn) -> Duration {
        self.shared.delay(turn)
    }

    fn sign(&self, input: Prepared, turn: Turn) -> Work<'_, RawSignature> {
        Box::pin(self.work(input, turn))
    }
}
