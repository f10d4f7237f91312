//! A conversation with one instance: calls with patience, and every checkpoint held against those seen before.
//!
//! Promises: the newest checkpoint seen is presented once, before the first question that the log answers; no checkpoint is handed
//! on that was not checked; a log that has another key is followed from the trusted one, and the user is told. Deliberately
//! leaves stopping alone: a stop is sent first and waits for no proof.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::hash::Hash;
use proto::proof::checkpoint::CheckpointError;
use proto::proof::keys::NotFollowed;
use proto::proof::note::NoteError;
use proto::proof::receipt::Receipt;
use proto::reason::Reason;
use proto::wire::v1::log_service_client::LogServiceClient;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use proto::wire::{receipt, v1};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::connect::{self, ConnectError};
use crate::refused::{NoAnswer, Refused};
use crate::retry::{Patience, patiently};
use crate::seen::{Followed, Memory, Seen};
use crate::settings::Settings;
use crate::trail::{Trail, TrailError, Wanted};

/// Why the instance's answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is none.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The connection cannot even be tried.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The log was rolled back or forked, or the memory cannot be used.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The checkpoint is not signed by the log key.
    #[error("the checkpoint in the answer cannot be believed: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The log's keys do not lead from the trusted one to one that signs.
    #[error("the keys that the log shows cannot be believed: {0}")]
    Keys(#[from] NotFollowed),
    /// The answer is not what was asked for.
    #[error("the answer is not what was asked for: {0}")]
    Answer(String),
    /// The range asked for is not one of the log's.
    #[error("the log has {size} records; from {start} to {end} is not a range of them")]
    OutsideLog {
        /// First index asked for.
        start: u64,
        /// One past the last index asked for.
        end: u64,
        /// How many records there are.
        size: u64,
    },
    /// A log key is needed to believe this answer.
    #[error("no log key is set, so no checkpoint can be checked")]
    NoLogKey,
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::NoAnswer(NoAnswer::of(&status))
    }
}

/// A conversation with one instance.
pub struct Connection {
    channel: Channel,
    settings: Settings,
    trail: Option<Trail>,
    presented: bool,
    news: News,
}

/// What the user is to be told when a command has ended, whatever came of it.
#[derive(Debug, Clone, Default)]
pub struct News(Arc<Mutex<Vec<String>>>);

impl News {
    fn add(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Everything so far, each once.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Connection {
    /// Prepares it. Nothing is dialled before the first call.
    ///
    /// # Errors
    /// Where certificates, keys or the remembered checkpoint cannot be used.
    pub fn open(settings: Settings) -> Result<Self, CallError> {
        let channel = connect::channel(&settings)?;
        let memory = Memory::at(&settings.state_directory);
        let trail = settings.log_key.clone().map(|key| Trail::begin(key, memory)).transpose()?;
        Ok(Self { channel, settings, trail, presented: false, news: News::default() })
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the user is to be told; shared with the connection.
    #[must_use]
    pub fn news(&self) -> News {
        self.news.clone()
    }

    /// The channel, for calls that need no care.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Patience for one command.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience::of(self.settings.deadline)
    }

    /// The trail of this instance's log.
    ///
    /// # Errors
    /// [`CallError::NoLogKey`] where no log key is set.
    pub fn trail(&self) -> Result<&Trail, CallError> {
        self.trail.as_ref().ok_or(CallError::NoLogKey)
    }

    /// The client of the signing service, for batches of full receipts too.
    #[must_use]
    pub fn signing(&self) -> SigningServiceClient<Channel> {
        SigningServiceClient::new(self.channel()).max_decoding_message_size(connect::LARGEST_ANSWER)
    }

    /// The client of the log service.
    #[must_use]
    pub fn log(&self) -> LogServiceClient<Channel> {
        LogServiceClient::new(self.channel()).max_decoding_message_size(connect::LARGEST_ANSWER)
    }

    /// Presents the newest checkpoint seen, once, where there is one.
    ///
    /// # Errors
    /// The alarm, where the log says that it does not extend that checkpoint; or no answer.
    pub async fn greet(&mut self, patience: Patience) -> Result<(), CallError> {
        let Some(seen) = self.trail.as_ref().and_then(Trail::newest).cloned() else { return Ok(()) };
        if std::mem::replace(&mut self.presented, true) {
            return Ok(());
        }
        let client = self.log();
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(v1::PresentCheckpointRequest { checkpoint: seen.text.clone() });
            // A log that is unavailable may be one that this very checkpoint has stopped: looked into, never tried again.
            async move {
                match client.present_checkpoint(request).await {
                    Ok(answer) => Ok(Ok(answer.into_inner())),
                    Err(status) => match NoAnswer::of(&status) {
                        NoAnswer::Refused(refused) if refused.known() == Some(Reason::LogUnavailable) => {
                            Ok(Err(refused))
                        }
                        _ => Err(status),
                    },
                }
            }
        })
        .await;
        match answer {
            Ok(Err(refused)) => self.look_closer(&seen, &refused, patience).await,
            Ok(Ok(answer)) => {
                let shown = self.read(&answer.checkpoint, patience).await?;
                let path = hashes(&answer.path)?;
                self.trail_mut()?.settle(&shown, &path)?;
                Ok(())
            }
            Err(NoAnswer::Refused(refused)) if is_denial(&refused) => {
                Err(self.trail()?.denied(&seen, refused.to_string()).into())
            }
            // Presented a moment ago, or not known to this daemon: every answer's checkpoint is held against it all the same.
            Err(NoAnswer::Refused(refused))
                if matches!(refused.code, Code::ResourceExhausted | Code::Unimplemented) =>
            {
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The log is unavailable to a presented checkpoint: whether because the two contradict each other, its own newest one says.
    async fn look_closer(
        &mut self,
        seen: &Seen,
        refused: &Refused,
        patience: Patience,
    ) -> Result<(), CallError> {
        let request = patience.request(v1::GetCheckpointRequest {});
        let Ok(answer) = self.log().get_checkpoint(request).await else {
            return Err(NoAnswer::Refused(Box::new(refused.clone())).into());
        };
        let shown = self.read(&answer.into_inner().checkpoint, patience).await?;
        if shown.checkpoint.size < seen.checkpoint.size {
            return Err(self.trail()?.denied(&shown, refused.to_string()).into());
        }
        // One that extends it is no contradiction: what the command asks for will say itself what is the matter.
        self.agree(&shown.text, patience).await.map(|_seen| ())
    }

    /// Believes a checkpoint of an answer: signed by the log key, and connected by proof with those seen before.
    ///
    /// # Errors
    /// The alarm, where it is not connected; or no answer to the question for the proof.
    pub async fn agree(&mut self, text: &str, patience: Patience) -> Result<Seen, CallError> {
        let shown = self.read(text, patience).await?;
        let path = self.proof_of(&shown, patience).await?;
        self.trail_mut()?.settle(&shown, &path)?;
        Ok(shown)
    }

    /// The proof that a checkpoint is connected with those seen before.
    async fn proof_of(&self, shown: &Seen, patience: Patience) -> Result<Vec<Hash>, CallError> {
        Ok(match self.trail()?.wants(shown)? {
            Wanted::Nothing => Vec::new(),
            Wanted::Proof { old, new } => match self.consistency(old, new, patience).await {
                Ok(path) => path,
                Err(CallError::NoAnswer(NoAnswer::Refused(refused))) if is_denial(&refused) => {
                    return Err(self.trail()?.denied(shown, refused.to_string()).into());
                }
                Err(other) => return Err(other),
            },
        })
    }

    /// Reads a checkpoint by the log's keys. Where none of those that are known has signed it, the log is followed first.
    async fn read(&mut self, text: &str, patience: Patience) -> Result<Seen, CallError> {
        match Seen::read(text, self.trail()?.keys()) {
            Err(CheckpointError::Note(NoteError::Unsigned { .. })) => {
                self.follow(patience).await?;
                Ok(Seen::read(text, self.trail()?.keys())?)
            }
            read => Ok(read?),
        }
    }

    /// Follows the log from the trusted key to the one in force: every key on the way has signed its end together with the next
    /// one, and every end is proven to belong to the log that was seen before.
    ///
    /// # Errors
    /// [`CallError::Keys`] where the daemon shows ends that lead nowhere; the alarm, where they are not this log's; or no answer.
    pub async fn follow(&mut self, patience: Patience) -> Result<(), CallError> {
        let client = self.log();
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(v1::GetLogKeysRequest {});
            async move { client.get_log_keys(request).await.map(Response::into_inner) }
        })
        .await;
        let answer = match answer {
            Ok(answer) => answer,
            // A daemon from before logs had more than one key.
            Err(NoAnswer::Refused(refused)) if refused.code == Code::Unimplemented => return Ok(()),
            Err(other) => return Err(other.into()),
        };
        let ends = answer.ends.into_iter().map(|end| {
            let parts = receipt::parts(end).map_err(|refusal| CallError::Answer(refusal.message))?;
            let receipt::Parts { index, leaf, path, checkpoint, .. } = parts;
            Ok(Receipt { leaf: leaf.to_vec(), index, path, checkpoint })
        });
        let ends = ends.collect::<Result<Vec<_>, CallError>>()?;
        let trail = self.trail()?;
        if trail.followed().ends == ends {
            return Ok(());
        }
        let followed = Followed::of(trail.key(), ends)?;
        let before = trail.keys().newest().clone();
        for end in &followed.ends {
            let shown = Seen::read(&end.checkpoint, &followed.keys)?;
            let path = self.proof_of(&shown, patience).await?;
            self.trail()?.check(&shown, &path)?;
        }
        let (newest, trusted) = (followed.keys.newest().clone(), self.trail()?.key().clone());
        self.trail_mut()?.follow(followed)?;
        if newest != before {
            self.news.add(format!(
                "the log of {} has another key since this client saw it last: it was followed from the trusted key, {trusted}, to \
                 {newest}, by checkpoints that each key and the next one have signed. Write the new one into `log_key` when you \
                 have compared it with what your instance's officers say; until then the old one still leads there",
                trusted.name()
            ));
        }
        Ok(())
    }

    /// Believes many checkpoints, each distinct text once, the largest tree first.
    ///
    /// # Errors
    /// As [`Connection::agree`].
    pub async fn agree_all<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a str>,
        patience: Patience,
    ) -> Result<BTreeMap<String, Seen>, CallError> {
        let mut shown: Vec<Seen> = Vec::new();
        for text in texts {
            if !shown.iter().any(|seen| seen.text == text) {
                shown.push(self.read(text, patience).await?);
            }
        }
        shown.sort_by_key(|seen| std::cmp::Reverse(seen.checkpoint.size));
        for seen in &shown {
            self.agree(&seen.text, patience).await?;
        }
        Ok(shown.into_iter().map(|seen| (seen.text.clone(), seen)).collect())
    }

    /// Asks for the proof that the tree of one size extends another.
    ///
    /// # Errors
    /// Where there is no answer, or it is for other sizes.
    pub async fn consistency(&self, old: u64, new: u64, patience: Patience) -> Result<Vec<Hash>, CallError> {
        if old == new {
            return Ok(Vec::new());
        }
        let client = self.log();
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(v1::GetConsistencyProofRequest { old_size: old, new_size: new });
            async move { client.get_consistency_proof(request).await.map(Response::into_inner) }
        })
        .await?;
        if (answer.old_size, answer.new_size) != (old, new) {
            return Err(CallError::Answer(format!(
                "a proof from {} to {} records instead of from {old} to {new}",
                answer.old_size, answer.new_size
            )));
        }
        hashes(&answer.path)
    }

    fn trail_mut(&mut self) -> Result<&mut Trail, CallError> {
        self.trail.as_mut().ok_or(CallError::NoLogKey)
    }
}

/// Whether the daemon says for good that it cannot connect two checkpoints: not for lack of rights, time or connection.
fn is_denial(refused: &Refused) -> bool {
    matches!(
        refused.code,
        Code::FailedPrecondition
            | Code::OutOfRange
            | Code::NotFound
            | Code::DataLoss
            | Code::InvalidArgument
            | Code::Aborted
    )
}

/// Hashes of a proof, each of 32 bytes.
///
/// # Errors
/// Where one has another length.
pub fn hashes<B: AsRef<[u8]>>(path: &[B]) -> Result<Vec<Hash>, CallError> {
    path.iter()
        .map(|bytes| {
            <[u8; 32]>::try_from(bytes.as_ref()).map(Hash::from).map_err(|_length| {
                CallError::Answer(format!("a hash of {} bytes instead of 32", bytes.as_ref().len()))
            })
        })
        .collect()
}
