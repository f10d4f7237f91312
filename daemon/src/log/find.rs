//! Look-ups of one record: they wait for the search index, or say that it is behind (L11).

use std::time::Duration;

use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::leaf::leaf_hash;

use super::error::LogError;
use super::index::Sought;
use super::{Log, Query};

/// How long a look-up waits for the index.
const PATIENCE: Duration = Duration::from_secs(1);

impl Log {
    /// The record of an operation, waiting for the index up to a second.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Behind`], [`LogError::Unavailable`].
    pub async fn find(&self, operation: OperationId) -> Result<u64, LogError> {
        let found = self.look_up(Sought::Operation(operation)).await?;
        found.first().copied().ok_or_else(|| LogError::Absent { what: format!("operation {operation}") })
    }

    /// The record whose leaf has this hash, waiting for the index up to a second.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn find_leaf(&self, hash: Hash) -> Result<u64, LogError> {
        // A term holds 15 bytes of the hash, and who asks wants all 32 to be the same.
        for index in self.look_up(Sought::Leaf(hash)).await? {
            if leaf_hash(&self.record(index).await?.leaf) == hash {
                return Ok(index);
            }
        }
        Err(LogError::Absent { what: format!("a record with the leaf hash {hash}") })
    }

    async fn look_up(&self, sought: Sought) -> Result<Vec<u64>, LogError> {
        self.indexed(self.head().size, PATIENCE).await?;
        let found = self.search(Query { terms: vec![sought], ..Query::default() }).await?;
        Ok(found.indices)
    }

    /// How many records can be found: waits up to a second for `size` of them to be.
    pub async fn indexed_soon(&self, size: u64) -> u64 {
        match self.indexed(size, PATIENCE).await {
            // More may be by now, but who asked counted these.
            Ok(()) => size,
            Err(LogError::Behind { indexed_to, .. }) => indexed_to,
            Err(_) => 0,
        }
    }

    /// Waits until the index has read the first `size` records.
    ///
    /// # Errors
    /// [`LogError::Behind`] where that takes longer than `at_most`.
    pub async fn indexed(&self, size: u64, at_most: Duration) -> Result<(), LogError> {
        let mut indexed = self.shared.following.indexed_to();
        let waiting = tokio::time::timeout(at_most, indexed.wait_for(|indexed| *indexed >= size));
        let reached = waiting.await.is_ok_and(|waited| waited.is_ok());
        match reached {
            true => Ok(()),
            false => Err(LogError::Behind { indexed_to: *indexed.borrow(), needed: size }),
        }
    }
}
