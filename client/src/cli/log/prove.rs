//! `countersign log prove`: a receipt, checked, for keeping; and the detail that says who asked. Of a leaf hash alone it proves
//! that the log holds the leaf, which needs no right to read the record.

use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use serde_json::json;

use crate::cli::args::log::Prove;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::files::{self, Planned};
use crate::log::prove::{Included, Which, detail_of, included, operation_of, receipt_of};

/// Fetches, checks, and writes what was asked for.
///
/// # Errors
/// What is wrong with the command, or why nothing is proven.
pub async fn run(
    arguments: &Prove,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let sought = sought(&arguments.record)?;
    let names: Vec<_> = [&arguments.out, &arguments.detail].into_iter().flatten().cloned().collect();
    files::look_ahead(&names, arguments.force)?;
    let which = match sought {
        Sought::Record(which) => which,
        Sought::Leaf(hash) => {
            let found = included(connection, hash, connection.patience()).await?;
            if names.is_empty() {
                return show_leaf(hash, &found, screen);
            }
            Which::Leaf { index: found.index, hash }
        }
    };
    let proven = receipt_of(connection, which, connection.patience()).await?;
    let mut planned = Vec::new();
    if let Some(path) = &arguments.out {
        planned.push(Planned { path: path.clone(), content: proven.receipt.to_string().into_bytes() });
    }
    if let Some(path) = &arguments.detail {
        planned.push(Planned { path: path.clone(), content: detail_of(connection, &proven.verified).await? });
    }
    files::write(&planned, arguments.force)?;
    let verified = &proven.verified;
    if screen.is_json() {
        return Ok(screen.json(&json!({
            "index": verified.index(),
            "origin": verified.checkpoint().origin,
            "size": verified.checkpoint().size,
            "operation": operation_of(verified.leaf()),
            "receipt": proven.receipt.to_string(),
        }))?);
    }
    let mut facts = vec![say(verified.index(), verified.checkpoint(), screen)?];
    facts.extend(operation_of(verified.leaf()).map(|operation| ("operation", operation)));
    facts.extend(arguments.out.as_ref().map(|path| ("receipt", path.display().to_string())));
    facts.extend(arguments.detail.as_ref().map(|path| ("detail", path.display().to_string())));
    screen.facts(&facts)?;
    if arguments.out.is_none() {
        screen.note("nothing was written: --out FILE keeps the receipt")?;
    }
    Ok(())
}

/// Says what is proven, and gives the fact that proves it.
fn say(
    index: u64,
    checkpoint: &Checkpoint,
    screen: &mut Screen,
) -> Result<(&'static str, String), Complaint> {
    screen.headline(Tone::Good, "proven", &format!("record {index} is in {}", checkpoint.origin))?;
    let tree = checkpoint.size;
    Ok(("by", format!("an inclusion proof that leads to the tree of {tree} records that the log key signed")))
}

/// A leaf that is in the log, without its record.
fn show_leaf(hash: Hash, found: &Included, screen: &mut Screen) -> Result<(), Complaint> {
    let Included { index, checkpoint } = found;
    if screen.is_json() {
        return Ok(screen.json(&json!({
            "index": index,
            "leaf_hash": hash,
            "origin": checkpoint.origin,
            "size": checkpoint.size,
        }))?);
    }
    let by = say(*index, checkpoint, screen)?;
    screen.facts(&[by, ("leaf hash", hash.to_string())])?;
    Ok(screen.note("the record was not read: --out FILE keeps it with its receipt, for who may read it")?)
}

/// What was named.
#[derive(Debug)]
enum Sought {
    /// A record.
    Record(Which),
    /// A leaf, by its hash.
    Leaf(Hash),
}

/// An index, an operation id of 32 digits, or a leaf hash of 64.
fn sought(text: &str) -> Result<Sought, Complaint> {
    if let Ok(hash) = text.parse() {
        return Ok(Sought::Leaf(hash));
    }
    if let Ok(operation) = text.parse() {
        return Ok(Sought::Record(Which::Operation(operation)));
    }
    text.parse().map(|index| Sought::Record(Which::Index(index))).map_err(|_nothing| {
        Complaint::usage(format!(
            "`{text}` names no record: expected an index like 4711, an operation id of 32 lower-case hexadecimal digits, or a leaf \
             hash of 64"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_an_operation_or_a_leaf_hash_names_a_record() {
        assert!(matches!(sought("4711"), Ok(Sought::Record(Which::Index(4711)))));
        let operation = "019aa3c0de7f7abc8def0123456789ab";
        assert!(matches!(sought(operation), Ok(Sought::Record(Which::Operation(_)))));
        let hash = Hash::of(b"leaf");
        assert!(matches!(sought(&hash.to_string()), Ok(Sought::Leaf(read)) if read == hash));
        let (upper, short) = (hash.to_string().to_uppercase(), &hash.to_string()[1..]);
        for bad in ["019aa3", "-1", "", &upper, short] {
            assert!(sought(bad).is_err(), "{bad}");
        }
    }
}
