//! Tables and how a connection is set up.

use rusqlite::Connection;

use super::StoreError;

/// `CSLG`: SQLite's application id of a log.
pub(super) const APPLICATION: i32 = 0x4353_4c47;
/// `CSIX`: of its search index.
pub(super) const INDEX_APPLICATION: i32 = 0x4353_4958;
/// The schema that this version writes and the newest that it reads. Migrations go forward only.
pub(super) const VERSION: i32 = 1;

/// The log's tables. `record.leaf` is authoritative, everything else can be checked against it.
pub(super) const LOG: &str = "
create table meta(name text primary key, value text not null) strict, without rowid;
create table head(
  one integer primary key check(one = 1), size integer not null, root blob not null, checkpoint text not null,
  frontier blob not null, epoch integer not null, control integer not null
) strict;
create table counter(one integer primary key check(one = 1), number integer not null) strict;
create table record(idx integer primary key, leaf blob not null, detail blob) strict;
create table tile(level integer not null, number integer not null, hashes blob not null, primary key(level, number))
  strict, without rowid;
create table control(idx integer primary key, kind text not null, subject text not null) strict;
create table intent(
  number integer primary key, operation blob not null, owner blob not null, at integer not null, body blob not null
) strict;
create table request(
  id text not null, caller text not null, operation blob not null, input_hash blob not null, idx integer,
  at integer not null, primary key(id, caller)
) strict, without rowid;
insert into counter(one, number) values(1, 0);
";

/// The search index's tables: rebuildable, so it is dropped rather than migrated. A chunk holds neighbouring postings of
/// one segment, 18 bytes each; `first` is the first of them.
pub(super) const INDEX: &str = "
create table sought(segment integer not null, first blob not null, postings blob not null, primary key(segment, first))
  strict, without rowid;
create table segment(number integer primary key, first integer not null, last integer not null, anchor blob not null)
  strict;
";

/// Settings of a connection that writes the log.
///
/// `secure_delete`: an intent's and a detail's bytes are overwritten where they lay, so that erasing one needs nothing
/// more than emptying the WAL. `wal_autocheckpoint=0`: an inline checkpoint is five syncs in somebody's latency; the
/// background does it.
pub(super) fn writing(connection: &Connection) -> Result<(), StoreError> {
    for (name, value) in [
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", "0"),
        ("secure_delete", "ON"),
        ("cache_size", "-8192"),
        ("temp_store", "MEMORY"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
    ] {
        set(connection, name, value)?;
    }
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .map_err(|e| StoreError::of("setting the time to wait for a lock", e))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Settings of a connection that only reads.
pub(super) fn reading(connection: &Connection) -> Result<(), StoreError> {
    for (name, value) in [("query_only", "ON"), ("cache_size", "-2048"), ("trusted_schema", "OFF")] {
        set(connection, name, value)?;
    }
    connection
        .busy_timeout(std::time::Duration::from_secs(2))
        .map_err(|e| StoreError::of("setting the time to wait for a lock", e))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

pub(super) fn set(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection
        .pragma_update_and_check(None, name, value, |_row| Ok(()))
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            other => Err(other),
        })
        .map_err(|e| StoreError::of("setting up the connection", e))
}

pub(super) fn pragma(connection: &Connection, name: &str) -> Result<i32, StoreError> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(|e| StoreError::of("reading the file's header", e))
}
