//! Request rows: what makes a retry find its first answer.

use rusqlite::{OptionalExtension, params};

use super::append::blob;
use super::{Append, StoreError, View, from_sql, to_sql};

/// A request id of a caller and the operation it led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestRow<'a> {
    /// The caller's id for its request.
    pub id: &'a str,
    /// Stable id of the caller.
    pub caller: &'a str,
    /// The operation.
    pub operation: [u8; 16],
    /// SHA-256 of the input: key, kind, bytes, annotations.
    pub input: [u8; 32],
    /// Index of the operation's leaf, once it has one.
    pub index: Option<u64>,
    /// When the row was written, microseconds since the Unix epoch.
    pub at: i64,
}

/// A request row as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptRequest {
    /// The caller's id for its request.
    pub id: String,
    /// Stable id of the caller.
    pub caller: String,
    /// The operation.
    pub operation: [u8; 16],
    /// SHA-256 of the input.
    pub input: [u8; 32],
    /// Index of the operation's leaf, once it has one.
    pub index: Option<u64>,
    /// When the row was written, microseconds since the Unix epoch.
    pub at: i64,
}

impl KeptRequest {
    /// The row, to be written elsewhere.
    pub fn row(&self) -> RequestRow<'_> {
        let Self { id, caller, operation, input, index, at } = self;
        RequestRow { id, caller, operation: *operation, input: *input, index: *index, at: *at }
    }
}

/// What claiming a request id found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClaimedRequest<'a> {
    /// Nothing: the row is in.
    New,
    /// An earlier row, left as it was.
    Earlier(RequestRow<'a>),
}

impl View<'_> {
    /// The row of a request id, if it is taken.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn request<'r>(&self, id: &'r str, caller: &'r str) -> Result<Option<RequestRow<'r>>, StoreError> {
        self.statement("select operation, input_hash, idx, at from request where id = ?1 and caller = ?2")?
            .query_row([id, caller], |row| {
                Ok((blob(row, 0), blob(row, 1), row.get::<_, Option<i64>>(2)?, row.get(3)?))
            })
            .optional()
            .map_err(|e| StoreError::of("reading a request id", e))?
            .map(|(operation, input, index, at)| {
                let index = index.map(from_sql).transpose()?;
                Ok(RequestRow { id, caller, operation: operation?, input: input?, index, at })
            })
            .transpose()
    }
}

impl Append<'_> {
    /// Inserts the row, unless its id is taken.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim_request<'r>(&self, row: &RequestRow<'r>) -> Result<ClaimedRequest<'r>, StoreError> {
        let inserted = self
            .statement(
                "insert into request(id, caller, operation, input_hash, idx, at) values(?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict do nothing",
            )?
            .execute(params![row.id, row.caller, row.operation, row.input, row.index.map(to_sql), row.at])
            .map_err(|e| StoreError::of("writing a request id", e))?;
        if inserted == 1 {
            return Ok(ClaimedRequest::New);
        }
        match View::of(self.connection).request(row.id, row.caller)? {
            Some(earlier) => Ok(ClaimedRequest::Earlier(earlier)),
            None => Err(StoreError::Shape("a request id is taken and not there")),
        }
    }

    /// Gives the id to another operation: what it led to before came to nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn move_request(&self, row: &RequestRow<'_>) -> Result<(), StoreError> {
        self.statement(
            "update request set operation = ?3, input_hash = ?4, idx = ?5, at = ?6 where id = ?1 and caller = ?2",
        )?
        .execute(params![row.id, row.caller, row.operation, row.input, row.index.map(to_sql), row.at])
        .map_err(|e| StoreError::of("moving a request id", e))?;
        Ok(())
    }

    /// Notes the index of the operation's leaf. Does nothing where the row is gone or another operation's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn settle_request(
        &self,
        id: &str,
        caller: &str,
        operation: &[u8; 16],
        index: u64,
    ) -> Result<(), StoreError> {
        self.statement("update request set idx = ?4 where id = ?1 and caller = ?2 and operation = ?3")?
            .execute(params![id, caller, operation, to_sql(index)])
            .map_err(|e| StoreError::of("settling a request id", e))?;
        Ok(())
    }

    /// Deletes rows written before `before` (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_requests(&self, keys: &[(String, String)], before: i64) -> Result<(), StoreError> {
        let mut delete = self.statement("delete from request where id = ?1 and caller = ?2 and at < ?3")?;
        for (id, caller) in keys {
            delete
                .execute(params![id, caller, before])
                .map_err(|e| StoreError::of("forgetting a request id", e))?;
        }
        Ok(())
    }
}
