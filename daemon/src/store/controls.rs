//! Control records a page at a time, for whoever reads all of them: a page is three pieces of memory, not three a record.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Row, params};

use super::{StoreError, View, from_sql, to_sql};

/// Rows of the table of control records with their records, in order.
#[derive(Debug, Default)]
pub struct ControlPage {
    rows: Vec<Place>,
    kinds: String,
    leaves: Vec<u8>,
    details: Bytes,
}

/// Where in the page a row is.
#[derive(Debug)]
struct Place {
    index: u64,
    kind: Range<usize>,
    leaf: Option<Range<usize>>,
    detail: Option<Range<usize>>,
}

/// A row of that table, and of the record that it names what was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlStored<'p> {
    /// Index in the tree.
    pub index: u64,
    /// Record kind, by the table.
    pub kind: &'p str,
    /// The leaf; absent where there is no such record.
    pub leaf: Option<&'p [u8]>,
    /// The detail. It keeps those of its page.
    pub detail: Option<Bytes>,
}

impl ControlPage {
    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = ControlStored<'_>> {
        self.rows.iter().map(|place| ControlStored {
            index: place.index,
            kind: &self.kinds[place.kind.clone()],
            leaf: place.leaf.clone().map(|leaf| &self.leaves[leaf]),
            detail: place.detail.clone().map(|detail| self.details.slice(detail)),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The index of the last one.
    pub fn last(&self) -> Option<u64> {
        self.rows.last().map(|place| place.index)
    }
}

/// Appends what is there, and says where it is.
fn put(all: &mut Vec<u8>, piece: Option<&[u8]>) -> Option<Range<usize>> {
    let first = all.len();
    all.extend_from_slice(piece?);
    Some(first..all.len())
}

/// Pages of the file that are kept while all are read once, in KiB: few, and the same memory again and again.
const ONCE: i64 = 256;

impl View<'_> {
    /// Runs a read that goes through the file once: of what it has read it keeps little.
    ///
    /// # Errors
    /// What `read` says, or SQLite of its cache.
    pub fn once_through<T, E: From<StoreError>>(&self, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let usual = self.cache()?;
        self.set_cache(-ONCE)?;
        let found = read();
        let restored = self.set_cache(usual);
        // What the read says is what is wrong.
        let found = found?;
        restored?;
        Ok(found)
    }

    /// Rows of the table of control records from `first` on with their records: at most `count` and about `bytes`, but at least one;
    /// none after the last. `detailed` says of which kinds details are read.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn control_records(
        &self,
        first: u64,
        count: u32,
        bytes: usize,
        detailed: fn(&str) -> bool,
    ) -> Result<ControlPage, StoreError> {
        let failed = |cause| StoreError::of("reading control records", cause);
        let mut statement = self.statement(
            "select c.idx, c.kind, r.leaf, r.detail from control c left join record r on r.idx = c.idx
             where c.idx >= ?1 order by c.idx limit ?2",
        )?;
        let mut rows = statement.query(params![to_sql(first), count]).map_err(failed)?;
        let (mut page, mut details) = (ControlPage::default(), Vec::new());
        while let Some(row) = rows.next().map_err(failed)? {
            let index = from_sql(row.get(0).map_err(failed)?)?;
            let place = page.put(index, row, &mut details, detailed).map_err(failed)?;
            page.rows.push(place);
            if page.leaves.len() + details.len() >= bytes {
                break;
            }
        }
        page.details = details.into();
        Ok(page)
    }
}

impl ControlPage {
    fn put(
        &mut self,
        index: u64,
        row: &Row<'_>,
        details: &mut Vec<u8>,
        detailed: fn(&str) -> bool,
    ) -> rusqlite::Result<Place> {
        let kind = row.get_ref(1)?.as_str()?;
        let detail = if detailed(kind) { row.get_ref(3)?.as_blob_or_null()? } else { None };
        let first = self.kinds.len();
        self.kinds.push_str(kind);
        let leaf = put(&mut self.leaves, row.get_ref(2)?.as_blob_or_null()?);
        Ok(Place { index, kind: first..self.kinds.len(), leaf, detail: put(details, detail) })
    }
}
