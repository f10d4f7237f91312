//! What people have signed, as files: `acts/<anything>.act.json`, and beside each its signature, `….act.json.sig`.
//!
//! Whose an act is, its signature says, not the name of its file.

use std::path::Path;

use ceremonies::act::{self, Act, ActKind};
use ceremonies::genesis::{ACT, SIGNATURE, VETO};
use ceremonies::roster::Roster;
use ceremonies::ssh::signature::{self, SshSignature};
use proto::canonical::Map;

use super::InitError;

/// How the names of acts end.
const ENDS: &str = ".act.json";

/// How the names of their signatures end.
const SIGNED: &str = ".act.json.sig";

/// Adds every act, with its signature, to the documents under the name of whoever signed it. Returns what is wrong with
/// files; what is wrong with acts is for the genesis to say.
pub(in crate::app) fn read(
    directory: &Path,
    roster: &Roster,
    documents: &mut Map<String>,
) -> Result<Vec<String>, InitError> {
    let file = |source| InitError::File { path: directory.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(file)? {
        names.push(entry.map_err(file)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut problems = Vec::new();
    for name in &names {
        let partner = match (name.strip_suffix(SIGNED), name.ends_with(ENDS)) {
            (Some(act), _) => format!("{act}{ENDS}"),
            (None, true) => format!("{name}.sig"),
            (None, false) => {
                problems
                    .push(format!("{name} is no act: expected files whose names end in {ENDS} and {SIGNED}"));
                continue;
            }
        };
        if !names.contains(&partner) {
            problems.push(format!("{name} is there and {partner} is not"));
        } else if name.ends_with(ENDS)
            && let Err(problem) = add(directory, name, roster, documents)
        {
            problems.push(problem);
        }
    }
    Ok(problems)
}

fn add(directory: &Path, name: &str, roster: &Roster, documents: &mut Map<String>) -> Result<(), String> {
    let document = text(directory, name, act::LARGEST)?;
    let signed = format!("{name}.sig");
    let armor = text(directory, &signed, signature::LONGEST)?;
    let key = SshSignature::parse(&armor).map_err(|why| format!("{signed}: {why}"))?.key().id();
    let Some((person, _)) = roster.owner(key) else {
        return Err(format!("{signed}: nobody of the roster has the key {key}"));
    };
    // Whoever says no to a recovery may have approved it before.
    let veto = Act::parse(document.as_bytes()).is_ok_and(|act| act.deed.kind() == ActKind::Veto);
    let of = if veto { format!("{VETO}{}", person.id) } else { person.id.to_string() };
    if documents.find(&format!("{ACT}{of}")).is_some() {
        return Err(format!("{name}: there is another act of `{}`: keep one", person.id));
    }
    documents.insert(format!("{ACT}{of}"), document);
    documents.insert(format!("{SIGNATURE}{of}"), armor);
    Ok(())
}

/// A file that is not longer than it may be.
fn text(directory: &Path, name: &str, most: usize) -> Result<String, String> {
    let path = directory.join(name);
    let length = std::fs::metadata(&path).map_err(|error| format!("{name}: {error}"))?.len();
    if length > most as u64 {
        return Err(format!("{name}: expected at most {most} bytes, found {length}"));
    }
    std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))
}
