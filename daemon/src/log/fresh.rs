//! What a new operation begins with: an id that is ordered by time, a salt for its detail, and when it was asked.

use proto::operation::OperationId;
use proto::record::Salt;
use proto::time::Time;

use super::{HandOver, Log, LogError};
use crate::random;

/// The beginning of an operation.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Names the operation for ever.
    pub operation: OperationId,
    /// For its detail.
    pub salt: Salt,
    /// Now.
    pub asked: Time,
}

impl Fresh {
    /// An operation asked at this time.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] where the random number generator fails.
    pub fn at(asked: Time) -> Result<Self, LogError> {
        let random: [u8; 26] = random::bytes().map_err(LogError::unavailable)?;
        let (mut id, mut salt) = ([0; 10], [0; 16]);
        id.copy_from_slice(&random[..10]);
        salt.copy_from_slice(&random[10..]);
        Ok(Self { operation: OperationId::new(asked.milliseconds(), id), salt: salt.into(), asked })
    }
}

impl Log {
    /// A new operation, asked now.
    ///
    /// # Errors
    /// As [`Fresh::at`].
    pub fn fresh(&self) -> Result<Fresh, LogError> {
        Fresh::at(self.shared.clock.wall())
    }

    /// A guard for a reply that was released before and is given again: taken before the last look at what is stopped, it
    /// makes a stop that comes after the look wait for the reply.
    pub fn guard(&self) -> HandOver {
        self.shared.barrier.guard()
    }
}
