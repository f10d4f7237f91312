//! The search index's file: rebuildable, with a writer of its own, never synced for its own sake.
//!
//! Postings come in segments of consecutive records, sorted in memory, and are stored in chunks of neighbours: inserting
//! is appending, and costs a fraction of a row each. A file that does not belong to the log, or that cannot be read, is
//! deleted and made again.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::append::blob;
use super::connect::connect;
use super::{Readers, StoreError, from_sql, schema, to_sql};

/// Postings in a chunk: a row of less than a quarter of a page.
const CHUNK: usize = 48;
/// Bytes of a posting: term and offset, in the order in which they are sorted.
const POSTING: usize = 18;

/// A search term: 16 bytes that stand for a kind and a value, so that the index holds no names. Ordered as its bytes are.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Term(pub [u8; 16]);

/// As one number: sorting is what the index mostly does, and comparing numbers is no call.
impl Ord for Term {
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One term found in one record.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Posting {
    /// The term.
    pub term: Term,
    /// The record, counted from the segment's first.
    pub offset: u16,
}

impl Posting {
    fn bytes(&self) -> [u8; POSTING] {
        let mut bytes = [0; POSTING];
        bytes[..16].copy_from_slice(&self.term.0);
        bytes[16..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }
}

/// The connection that writes the index.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
    path: PathBuf,
}

/// A segment: the records from `first` to `last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// From 0.
    pub number: u64,
    /// First index.
    pub first: u64,
    /// Last index.
    pub last: u64,
    /// Leaf hash of the last record: which log this belongs to.
    pub anchor: [u8; 32],
}

impl Index {
    /// The file inside a state directory.
    pub fn path_in(directory: &Path) -> PathBuf {
        directory.join("index.db")
    }

    /// Opens the index, or makes an empty one. `format` is a number from 1 for the terms that are kept in it.
    ///
    /// # Errors
    /// [`StoreError::Format`] where it was made with another number, or what SQLite says. [`Index::remove`] and open again.
    pub fn open(directory: &Path, format: i32) -> Result<Self, StoreError> {
        let path = Self::path_in(directory);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::set(&connection, "journal_mode", "WAL")?;
        schema::set(&connection, "synchronous", "NORMAL")?;
        schema::set(&connection, "secure_delete", "ON")?;
        schema::set(&connection, "cache_size", "-4096")?;
        connection
            .busy_timeout(std::time::Duration::from_secs(5))
            .map_err(|e| StoreError::of("setting the time to wait for a lock", e))?;
        let application = schema::pragma(&connection, "application_id")?;
        if application == 0 {
            connection.execute_batch(schema::INDEX).map_err(|e| StoreError::of("making the index", e))?;
            schema::set(&connection, "application_id", &schema::INDEX_APPLICATION.to_string())?;
            schema::set(&connection, "user_version", &format.to_string())?;
        } else if application != schema::INDEX_APPLICATION {
            return Err(StoreError::Foreign { path, found: application });
        }
        let found = schema::pragma(&connection, "user_version")?;
        if found != format {
            return Err(StoreError::Format { path, found, known: format });
        }
        Ok(Self { connection, path })
    }

    /// Deletes the index's files: it is built again from the log.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(directory: &Path) -> Result<(), StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = Self::path_in(directory).into_os_string();
            path.push(suffix);
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io("deleting", path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The newest segment.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest(&self) -> Result<Option<Segment>, StoreError> {
        self.connection
            .query_row(
                "select number, first, last, anchor from segment order by number desc limit 1",
                (),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, blob(row, 3))),
            )
            .optional()
            .map_err(|e| StoreError::of("reading the index", e))?
            .map(|(number, first, last, anchor)| {
                Ok(Segment {
                    number: from_sql(number)?,
                    first: from_sql(first)?,
                    last: from_sql(last)?,
                    anchor: anchor?,
                })
            })
            .transpose()
    }

    /// Adds a segment. `postings` are sorted.
    ///
    /// # Errors
    /// What SQLite says; then nothing of it is there.
    pub fn add(&mut self, segment: Segment, postings: &[Posting]) -> Result<(), StoreError> {
        let fill = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction
                    .prepare_cached("insert into sought(segment, first, postings) values(?1, ?2, ?3)")?;
                for chunk in postings.chunks(CHUNK) {
                    let bytes: Vec<u8> = chunk.iter().flat_map(Posting::bytes).collect();
                    insert.execute(params![to_sql(segment.number), &bytes[..POSTING], bytes])?;
                }
                transaction.execute(
                    "insert into segment(number, first, last, anchor) values(?1, ?2, ?3, ?4)",
                    params![
                        to_sql(segment.number),
                        to_sql(segment.first),
                        to_sql(segment.last),
                        segment.anchor
                    ],
                )?;
            }
            transaction.commit()
        };
        fill(&mut self.connection).map_err(|e| StoreError::of("writing the index", e))
    }

    /// Removes these terms of one record and empties the WAL, so that they are gone from the file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erase(&mut self, index: u64, terms: &[Term]) -> Result<(), StoreError> {
        let erase = |connection: &mut Connection| -> rusqlite::Result<()> {
            let segment: Option<(i64, i64)> = connection
                .query_row(
                    "select number, first from segment where first <= ?1 and last >= ?1",
                    [to_sql(index)],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((number, first)) = segment else { return Ok(()) };
            let offset = u16::try_from(to_sql(index) - first).unwrap_or(u16::MAX);
            let transaction = connection.transaction()?;
            for term in terms {
                erase_posting(&transaction, number, Posting { term: *term, offset })?;
            }
            transaction.commit()?;
            connection.query_row("pragma wal_checkpoint(TRUNCATE)", (), |_row| Ok(()))
        };
        erase(&mut self.connection).map_err(|e| StoreError::of("erasing terms from the index", e))
    }

    /// A pool of connections that only read.
    pub fn readers(&self) -> IndexReader {
        IndexReader(Readers::of(self.path.clone()))
    }
}

fn erase_posting(connection: &Connection, segment: i64, posting: Posting) -> rusqlite::Result<()> {
    let bytes = posting.bytes();
    let chunk: Option<(Vec<u8>, Vec<u8>)> = connection
        .query_row(
            "select first, postings from sought where segment = ?1 and first <= ?2 order by first desc limit 1",
            params![segment, bytes],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((first, postings)) = chunk else { return Ok(()) };
    let left: Vec<u8> = postings.chunks(POSTING).filter(|kept| *kept != bytes).flatten().copied().collect();
    connection.execute("delete from sought where segment = ?1 and first = ?2", params![segment, first])?;
    if let Some(first) = left.get(..POSTING) {
        connection.execute(
            "insert into sought(segment, first, postings) values(?1, ?2, ?3)",
            params![segment, first, left],
        )?;
    }
    Ok(())
}

/// Reads of the index.
#[derive(Debug)]
pub struct IndexReader(Readers);

impl IndexReader {
    /// The records with this term in one segment, counted from its first, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn find(&self, segment: u64, term: Term) -> Result<Vec<u16>, StoreError> {
        self.0.read(|view| view.postings(segment, term))
    }
}

impl super::View<'_> {
    fn postings(&self, segment: u64, term: Term) -> Result<Vec<u16>, StoreError> {
        let (low, high) = (Posting { term, offset: 0 }.bytes(), Posting { term, offset: u16::MAX }.bytes());
        let mut statement = self.statement(
            "select postings from sought where segment = ?1 and first <= ?3 and first >= coalesce(
               (select max(first) from sought where segment = ?1 and first <= ?2), x'') order by first",
        )?;
        let chunks: Vec<Vec<u8>> = statement
            .query_map(params![to_sql(segment), low, high], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(|e| StoreError::of("searching the index", e))?;
        let postings = chunks.iter().flat_map(|chunk| chunk.chunks_exact(POSTING));
        Ok(postings
            .filter(|posting| posting[..16] == term.0)
            .map(|posting| u16::from_be_bytes([posting[16], posting[17]]))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn what_was_added_is_found_until_it_is_erased() {
        let directory = tempfile::tempdir().unwrap();
        let mut index = Index::open(directory.path(), 1).unwrap();
        let term = |n: u8| Term([n; 16]);
        let mut postings: Vec<Posting> = (0..1000u16)
            .flat_map(|offset| [(1, offset), (2, offset / 3 * 3), (100 + (offset % 100) as u8, offset)])
            .map(|(n, offset)| Posting { term: term(n), offset })
            .collect();
        postings.sort_unstable();
        postings.dedup();
        for number in 0..2 {
            let segment =
                Segment { number, first: number * 1000, last: number * 1000 + 999, anchor: [0; 32] };
            index.add(segment, &postings).unwrap();
        }
        let reader = index.readers();
        let expected = |n: u8| -> Vec<u16> {
            postings.iter().filter(|posting| posting.term == term(n)).map(|posting| posting.offset).collect()
        };
        for n in [0, 1, 2, 50, 100, 150, 199, 255] {
            assert_eq!(reader.find(1, term(n)).unwrap(), expected(n), "{n}");
        }
        index.erase(1007, &[term(1), term(107), term(9)]).unwrap();
        assert!(!reader.find(1, term(1)).unwrap().contains(&7));
        assert_eq!(reader.find(1, term(1)).unwrap().len(), 999);
        assert_eq!(reader.find(1, term(107)).unwrap().len(), 9);
        assert_eq!(reader.find(0, term(107)).unwrap().len(), 10);
        assert_eq!(index.newest().unwrap().unwrap().last, 1999);
    }

    proptest::proptest! {
        #[test]
        fn postings_are_ordered_as_their_bytes_are(one: ([u8; 16], u16), other: ([u8; 16], u16), same: bool) {
            let posting = |(term, offset)| Posting { term: Term(term), offset };
            let (one, mut other) = (posting(one), posting(other));
            if same {
                other.term = one.term;
            }
            proptest::prop_assert_eq!(one.cmp(&other), one.bytes().cmp(&other.bytes()));
        }
    }
}
