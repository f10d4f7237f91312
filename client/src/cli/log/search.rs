//! `countersign log search`.

use proto::wire::{time, v1};

use crate::cli::args::log::Search;
use crate::cli::complaint::Complaint;
use crate::cli::screen::Screen;
use crate::cli::{input, records};
use crate::clock;
use crate::connection::Connection;
use crate::log::read::search;

/// Searches, prints what was found, and says how far the index has come.
///
/// # Errors
/// What is wrong with a term, or why there is no answer.
pub async fn run(arguments: &Search, connection: &Connection, screen: &mut Screen) -> Result<(), Complaint> {
    let found = search(connection, request(arguments, clock::wall_micros())?).await?;
    for record in &found.records {
        records::show(record, screen)?;
    }
    let number = found.records.len();
    let reach = found.indexed_to.map_or_else(String::new, |to| format!(" below index {to}"));
    if !screen.is_json() && number == 0 {
        screen.line(&format!("No record{reach} matches."))?;
    } else if arguments.limit > 0 && number as u64 >= u64::from(arguments.limit) {
        screen
            .note(&format!("there may be more than these {number}: give a higher --limit, or 0 for all"))?;
    }
    if let Some(to) = found.indexed_to.filter(|to| *to < found.tree_size) {
        let newest = found.tree_size - 1;
        screen.note(&format!("records {to} to {newest} are not searched yet: search again in a moment"))?;
    }
    Ok(())
}

/// The terms as they are sent.
fn request(arguments: &Search, now: i64) -> Result<v1::SearchRecordsRequest, Complaint> {
    let (key, version) = match &arguments.key {
        Some(text) => {
            let (key, version) = input::key_or_version(text)?;
            (key.to_string(), version.unwrap_or(0))
        }
        None => (String::new(), 0),
    };
    let digest = match &arguments.digest {
        Some(text) => {
            input::digests(std::slice::from_ref(text))?.iter().next().map(|digest| digest.value().to_vec())
        }
        None => None,
    };
    let moment = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| input::time(flag, text, now).map(time::to_wire)).transpose()
    };
    Ok(v1::SearchRecordsRequest {
        digest: digest.unwrap_or_default(),
        key,
        version,
        caller: arguments.caller.clone().unwrap_or_default(),
        kinds: arguments.kinds.clone(),
        since: moment("since", &arguments.since)?,
        until: moment("until", &arguments.until)?,
        limit: arguments.limit,
        oldest_first: arguments.oldest_first,
        request_id: arguments.request_id.clone().unwrap_or_default(),
        receipt: v1::ReceiptDetail::None as i32,
        subject: arguments.subject.clone().unwrap_or_default(),
        repository: arguments.repository.clone().unwrap_or_default(),
        predicate_type: arguments.predicate_type.clone().unwrap_or_default(),
    })
}
