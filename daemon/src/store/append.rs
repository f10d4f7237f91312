//! The one transaction of a batch: intents, request rows, records, tiles, head.

use proto::operation::OperationId;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{ControlRow, HeadRow, IntentRow, Owner, StoreError, array, to_sql};

/// An open transaction. Dropped without [`Append::commit`] it is rolled back: nothing of it happened.
#[derive(Debug)]
pub struct Append<'a> {
    pub(super) connection: &'a Connection,
    open: bool,
}

impl<'a> Append<'a> {
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        let begun = Self { connection, open: true };
        begun.run("begin immediate")?;
        Ok(begun)
    }

    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        self.connection.prepare_cached(sql).map_err(|e| StoreError::of("preparing a statement", e))
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.statement(sql)?.execute(()).map_err(|e| StoreError::of("writing the log", e))?;
        Ok(())
    }

    /// Deletes the intent, if it is this operation's and this owner's. False: the operation has its leaf already, or it
    /// was never ours; the caller must not write one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn close_intent(
        &self,
        number: u64,
        operation: &OperationId,
        owner: Owner,
    ) -> Result<bool, StoreError> {
        let deleted = self
            .statement("delete from intent where number = ?1 and operation = ?2 and owner = ?3")?
            .execute(params![to_sql(number), operation.as_bytes(), owner.0])
            .map_err(|e| StoreError::of("closing an intent", e))?;
        Ok(deleted == 1)
    }

    /// What an open intent of this number, operation and owner holds.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn intent_body(
        &self,
        number: u64,
        operation: &OperationId,
        owner: Owner,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.statement("select body from intent where number = ?1 and operation = ?2 and owner = ?3")?
            .query_row(params![to_sql(number), operation.as_bytes(), owner.0], |row| row.get(0))
            .optional()
            .map_err(|e| StoreError::of("reading an intent", e))
    }

    /// Inserts a `meta` row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_meta(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.statement("insert into meta(name, value) values(?1, ?2)")?
            .execute(params![name, value])
            .map_err(|e| StoreError::of("writing what the log is", e))?;
        Ok(())
    }

    /// Inserts open intents.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_intents(&self, intents: &[IntentRow<'_>]) -> Result<(), StoreError> {
        let mut insert = self
            .statement("insert into intent(number, operation, owner, at, body) values(?1, ?2, ?3, ?4, ?5)")?;
        for row in intents {
            insert
                .execute(params![to_sql(row.number), row.operation, row.owner.0, row.at, row.body])
                .map_err(|e| StoreError::of("writing an intent", e))?;
        }
        Ok(())
    }

    /// Sets the highest operation number given out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_counter(&self, number: u64) -> Result<(), StoreError> {
        self.statement("update counter set number = ?1")?
            .execute([to_sql(number)])
            .map_err(|e| StoreError::of("writing the counter", e))?;
        Ok(())
    }

    /// Inserts records from index `first` on: leaf and detail.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_records<'r>(
        &self,
        first: u64,
        records: impl Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
    ) -> Result<(), StoreError> {
        let mut insert = self.statement("insert into record(idx, leaf, detail) values(?1, ?2, ?3)")?;
        for (index, (leaf, detail)) in (first..).zip(records) {
            insert
                .execute(params![to_sql(index), leaf, detail])
                .map_err(|e| StoreError::of("writing a record", e))?;
        }
        Ok(())
    }

    /// Inserts a full tile: 256 hashes of `level` from `number` × 256 on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_tile(&self, level: u8, number: u64, hashes: &[u8]) -> Result<(), StoreError> {
        self.statement("insert into tile(level, number, hashes) values(?1, ?2, ?3)")?
            .execute(params![level, to_sql(number), hashes])
            .map_err(|e| StoreError::of("writing a tile", e))?;
        Ok(())
    }

    /// Notes a control record.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_control(&self, row: &ControlRow) -> Result<(), StoreError> {
        self.statement("insert into control(idx, kind, subject) values(?1, ?2, ?3)")?
            .execute(params![to_sql(row.index), row.kind, row.subject])
            .map_err(|e| StoreError::of("noting a control record", e))?;
        Ok(())
    }

    /// Replaces the head.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_head(&self, head: &HeadRow) -> Result<(), StoreError> {
        self.statement(
            "insert into head(one, size, root, checkpoint, frontier, epoch, control) values(1, ?1, ?2, ?3, ?4, ?5, ?6)
             on conflict(one) do update set size = ?1, root = ?2, checkpoint = ?3, frontier = ?4, epoch = ?5, control = ?6",
        )?
        .execute(params![
            to_sql(head.size),
            head.root,
            head.checkpoint,
            head.frontier,
            to_sql(head.epoch),
            to_sql(head.control)
        ])
        .map_err(|e| StoreError::of("writing the head", e))?;
        Ok(())
    }

    /// Erases a detail. False where there is none (any more).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erase_detail(&self, index: u64) -> Result<bool, StoreError> {
        let erased = self
            .statement("update record set detail = null where idx = ?1 and detail is not null")?
            .execute([to_sql(index)])
            .map_err(|e| StoreError::of("erasing a detail", e))?;
        Ok(erased == 1)
    }

    /// The leaf of `index`, as this transaction sees it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.statement("select leaf from record where idx = ?1")?
            .query_row([to_sql(index)], |row| row.get(0))
            .optional()
            .map_err(|e| StoreError::of("reading a record", e))
    }

    /// Whether an intent with this operation id is open.
    ///
    /// # Errors
    /// What SQLite says. Reads every open intent: there are few, and only a repeated request id asks.
    pub fn is_open(&self, operation: &[u8; 16]) -> Result<bool, StoreError> {
        self.statement("select 1 from intent where operation = ?1")?
            .exists([operation])
            .map_err(|e| StoreError::of("reading the intents", e))
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// [`StoreError::Full`]: nothing happened, and this handle may go on. Anything else: nobody knows whether it
    /// happened; drop the store and load again.
    pub fn commit(mut self) -> Result<(), StoreError> {
        // Safe now: everything before this transaction. A crash inside the next line leaves either none or all of it;
        // which one, only a load can tell.
        let done = self.run("commit");
        self.open = match &done {
            Ok(()) => false,
            Err(_) => !self.connection.is_autocommit(),
        };
        done
    }
}

impl Drop for Append<'_> {
    fn drop(&mut self) {
        if self.open && !self.connection.is_autocommit() {
            // An error here leaves the transaction open; the next `begin` fails on it and the store is loaded again.
            if let Err(error) = self.run("rollback") {
                tracing::warn!(%error, "rolling back a batch failed");
            }
        }
    }
}

/// Reads a blob of fixed length.
pub(super) fn blob<const N: usize>(row: &rusqlite::Row<'_>, at: usize) -> Result<[u8; N], StoreError> {
    let bytes = row.get_ref(at).map_err(|e| StoreError::of("reading a row", e))?;
    let bytes = bytes.as_blob().map_err(|_other| StoreError::Shape("a blob was expected"))?;
    array(bytes, "a blob of another length was expected")
}
