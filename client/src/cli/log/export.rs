//! `countersign log export`: a file that `log verify` proves offline, or an endless feed.

use std::path::Path;

use serde_json::json;

use crate::cli::args::log::Export as Arguments;
use crate::cli::complaint::Complaint;
use crate::cli::progress::Progress;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::files::Growing;
use crate::log::export::{Export, ExportError, line_of};
use crate::log::read::{Range, Records};

/// Exports.
///
/// # Errors
/// What is wrong with the range, why it cannot be read or written, or that it does not lead to the checkpoint.
pub async fn run(
    arguments: &Arguments,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if arguments.follow {
        return follow(arguments, connection, screen).await;
    }
    match &arguments.out {
        Some(path) => to_file(path, arguments, connection, screen).await,
        None => to_screen(arguments, connection, screen).await,
    }
}

async fn begin(arguments: &Arguments, connection: &mut Connection) -> Result<(Export, Vec<u8>), Complaint> {
    let export = Export::begin(connection, arguments.start, arguments.end, connection.patience()).await?;
    let mut header =
        serde_json::to_vec(export.header()).map_err(|cause| Complaint::failed(cause.to_string()))?;
    header.push(b'\n');
    Ok((export, header))
}

async fn to_file(
    path: &Path,
    arguments: &Arguments,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let mut file = Growing::create(path, arguments.force)?;
    let (export, header) = begin(arguments, connection).await?;
    let records = export.header().end - export.header().start;
    let progress = Progress::over(screen, records, "exporting");
    file.write(&header)?;
    let head = export
        .run(connection, |line| {
            progress.more(1);
            file.write(line)
        })
        .await
        .map_err(Complaint::from)?;
    drop(progress);
    // Safe now: the whole is proven and on the disk under another name; giving it its own is the last step.
    file.finish()?;
    if screen.is_json() {
        return Ok(screen.json(&json!({ "file": path, "records": records, "size": head.checkpoint.size }))?);
    }
    screen.headline(Tone::Good, "exported", &format!("{records} records to {}", path.display()))?;
    Ok(screen.facts(&[
        (
            "proven",
            format!("they lead to the tree of {} records that the log key signed", head.checkpoint.size),
        ),
        ("check", format!("countersign log verify {} --log-key KEY, anywhere and offline", path.display())),
    ])?)
}

async fn to_screen(
    arguments: &Arguments,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let (export, header) = begin(arguments, connection).await?;
    screen.raw(&header)?;
    let ended = export.run(connection, |line| screen.raw(line)).await;
    match ended {
        Ok(_head) => Ok(()),
        Err(ExportError::Call(error)) => Err(error.into()),
        Err(ExportError::Write(cause)) => Err(cause.into()),
    }
}

/// A feed for other systems: at least once, the index as offset. Nothing in it is proven.
async fn follow(
    arguments: &Arguments,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    if arguments.out.is_some() {
        return Err(Complaint::usage("a feed has no end, so it cannot be written whole")
            .advise("leave --out away and redirect the output"));
    }
    let mut records = Records::of(connection, Range { start: arguments.start, end: None, follow: true });
    while let Some(record) = records.next().await? {
        screen.raw(&line_of(&record)?)?;
    }
    Ok(())
}
