//! Reads, a page at a time: no read transaction outlives one call.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, Row, params};

use super::append::blob;
use super::connect::connect;
use super::{
    ControlRow, HeadRow, IntentRow, KeptRequest, Owner, StoreError, Stored, from_sql, schema, to_sql,
};

/// Reads on one connection.
#[derive(Clone, Copy, Debug)]
pub struct View<'a>(&'a Connection);

impl<'a> View<'a> {
    pub(super) fn of(connection: &'a Connection) -> Self {
        Self(connection)
    }

    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        self.0.prepare_cached(sql).map_err(|e| StoreError::of("preparing a read", e))
    }

    /// The bound of the cache, as SQLite says it: pages, or negative KiB.
    pub(super) fn cache(&self) -> Result<i64, StoreError> {
        let bound = self.0.pragma_query_value(None, "cache_size", |row| row.get(0));
        bound.map_err(|e| StoreError::of("asking for the bound of the cache", e))
    }

    pub(super) fn set_cache(&self, bound: i64) -> Result<(), StoreError> {
        schema::set(self.0, "cache_size", &bound.to_string())
    }

    /// One `meta` value.
    ///
    /// # Errors
    /// What SQLite says; so with every read below.
    pub fn meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.statement("select value from meta where name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()
            .map_err(|e| StoreError::of("reading the log's name", e))
    }

    /// Every `meta` row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_meta(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = self.statement("select name, value from meta order by name")?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(|e| StoreError::of("reading the log's names", e))
    }

    /// The head row, absent only in a store that was never begun.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        self.statement("select size, root, checkpoint, frontier, epoch, control from head")?
            .query_row((), |row| {
                Ok((row.get(0)?, blob(row, 1), row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })
            .optional()
            .map_err(|e| StoreError::of("reading the head", e))?
            .map(|(size, root, checkpoint, frontier, epoch, control)| {
                Ok(HeadRow {
                    size: from_sql(size)?,
                    root: root?,
                    checkpoint,
                    frontier,
                    epoch: from_sql(epoch)?,
                    control: from_sql(control)?,
                })
            })
            .transpose()
    }

    /// The highest operation number given out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn counter(&self) -> Result<u64, StoreError> {
        let number = self
            .statement("select number from counter")?
            .query_row((), |row| row.get(0))
            .map_err(|e| StoreError::of("reading the counter", e))?;
        from_sql(number)
    }

    /// How many records are stored: one past the highest index.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end(&self) -> Result<u64, StoreError> {
        let last: Option<i64> = self
            .statement("select max(idx) from record")?
            .query_row((), |row| row.get(0))
            .map_err(|e| StoreError::of("reading the end of the log", e))?;
        last.map_or(Ok(0), |last| Ok(from_sql(last)? + 1))
    }

    /// Records from `first` to before `end`, in order, at most about `bytes` of them but at least one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn records(&self, first: u64, end: u64, bytes: usize) -> Result<Vec<Stored>, StoreError> {
        let mut statement =
            self.statement("select idx, leaf, detail from record where idx >= ?1 and idx < ?2 order by idx")?;
        let mut rows = statement
            .query([to_sql(first), to_sql(end)])
            .map_err(|e| StoreError::of("reading records", e))?;
        let (mut found, mut taken) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(|e| StoreError::of("reading records", e))? {
            let record = stored(row).map_err(|e| StoreError::of("reading records", e))?;
            taken += record.1.len() + record.2.as_ref().map_or(0, Vec::len);
            found.push(Stored { index: from_sql(record.0)?, leaf: record.1, detail: record.2 });
            if taken >= bytes {
                break;
            }
        }
        Ok(found)
    }

    /// One record.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn record(&self, index: u64) -> Result<Option<Stored>, StoreError> {
        Ok(self.records(index, index.saturating_add(1), 0)?.pop())
    }

    /// A full tile: 256 hashes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tile(&self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.statement("select hashes from tile where level = ?1 and number = ?2")?
            .query_row(params![level, to_sql(number)], |row| row.get(0))
            .optional()
            .map_err(|e| StoreError::of("reading a tile", e))
    }

    /// The table of control records from `first` on, at most `count` rows.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn controls(&self, first: u64, count: u32) -> Result<Vec<ControlRow>, StoreError> {
        let mut statement =
            self.statement("select idx, kind, subject from control where idx >= ?1 order by idx limit ?2")?;
        let rows: Vec<(i64, String, String)> = statement
            .query_map(params![to_sql(first), count], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect)
            .map_err(|e| StoreError::of("reading the table of control records", e))?;
        rows.into_iter()
            .map(|(index, kind, subject)| Ok(ControlRow { index: from_sql(index)?, kind, subject }))
            .collect()
    }

    /// Open intents with a number of at least `first`, in order, at most `count`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn intents(&self, first: u64, count: u32) -> Result<Vec<IntentRow<'static>>, StoreError> {
        let mut statement = self.statement(
            "select number, operation, owner, at, body from intent where number >= ?1 order by number limit ?2",
        )?;
        let mut rows = statement
            .query(params![to_sql(first), count])
            .map_err(|e| StoreError::of("reading intents", e))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|e| StoreError::of("reading intents", e))? {
            let (number, at, body) = intent(row).map_err(|e| StoreError::of("reading intents", e))?;
            found.push(IntentRow {
                number: from_sql(number)?,
                operation: blob(row, 1)?,
                owner: Owner(blob(row, 2)?),
                at,
                body: body.into(),
            });
        }
        Ok(found)
    }

    /// Up to `count` request rows after the key `after` (id, caller), in order of their key.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn requests(&self, after: (&str, &str), count: u32) -> Result<Vec<KeptRequest>, StoreError> {
        let mut statement = self.statement(
            "select id, caller, operation, input_hash, idx, at from request where (id, caller) > (?1, ?2)
             order by id, caller limit ?3",
        )?;
        let mut rows = statement
            .query(params![after.0, after.1, count])
            .map_err(|e| StoreError::of("reading request ids", e))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|e| StoreError::of("reading request ids", e))? {
            let (id, caller, index, at) =
                request(row).map_err(|e| StoreError::of("reading request ids", e))?;
            let index = index.map(from_sql).transpose()?;
            found.push(KeptRequest { id, caller, operation: blob(row, 2)?, input: blob(row, 3)?, index, at });
        }
        Ok(found)
    }
}

fn request(row: &Row<'_>) -> rusqlite::Result<(String, String, Option<i64>, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(4)?, row.get(5)?))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<(i64, Vec<u8>, Option<Vec<u8>>)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn intent(row: &Row<'_>) -> rusqlite::Result<(i64, i64, Vec<u8>)> {
    Ok((row.get(0)?, row.get(3)?, row.get(4)?))
}

/// Connections that only read. As many are kept as were used at the same time, at most [`Readers::KEPT`].
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// How many idle connections are kept.
    pub const KEPT: usize = 4;

    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    /// Runs reads that must see one moment: one read transaction. They are few and short.
    ///
    /// # Errors
    /// What `read` says.
    pub fn snapshot<T>(&self, read: impl FnOnce(View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.read(|view| {
            view.statement("begin")?.execute(()).map_err(|e| StoreError::of("beginning a read", e))?;
            let found = read(view);
            let ended = view
                .statement("commit")
                .and_then(|mut commit| commit.execute(()).map_err(|e| StoreError::of("ending a read", e)));
            found.and_then(|found| ended.map(|_rows| found))
        })
    }

    /// Runs one read on a connection of its own. `read` must not keep anything of the view.
    ///
    /// # Errors
    /// What `read` or opening a connection says. The connection of a failed read is not used again.
    pub fn read<T>(&self, read: impl FnOnce(View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                schema::reading(&connection)?;
                connection
            }
        };
        let found = read(View::of(&connection))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < Self::KEPT {
            idle.push(connection);
        }
        Ok(found)
    }
}
