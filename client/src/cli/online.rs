//! What every command that talks to a daemon begins with: settings, a connection, a runtime.

use proto::reason::Reason;

use crate::address::Address;
use crate::cli::args::connection::Connection as Flags;
use crate::cli::complaint::Complaint;
use crate::connection::{Connection, News};
use crate::exit::Exit;
use crate::settings::{Partial, Setting, Settings, file};

/// The places that settings come from, the strongest first.
///
/// # Errors
/// Where the configuration file cannot be read or is not understood.
pub fn places(flags: &Flags, look: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Partial>, Complaint> {
    Ok(file::places(flags.partial(), flags.config.as_deref(), look)?)
}

/// Runs one command with a connection. A complaint about reaching the daemon names its address.
///
/// # Errors
/// The command's complaint, or one about the settings.
pub fn run<'c, F>(
    flags: &Flags,
    look: &dyn Fn(&str) -> Option<String>,
    command: impl FnOnce(Connection) -> F + 'c,
) -> Result<Exit, Complaint>
where
    F: Future<Output = Result<Exit, Complaint>>,
{
    let settings = Settings::settle(&places(flags, look)?)?;
    let address = settings.address.clone();
    let shows_nothing = settings.tls.as_ref().is_some_and(|tls| tls.own.is_none());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Complaint::failed("the program could not be set up").because(cause.to_string()))?;
    let ended = runtime.block_on(async {
        let connection = Connection::open(settings)?;
        let news = connection.news();
        let ended = command(connection).await;
        say(&news);
        ended
    });
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    ended.map_err(|complaint| {
        let complaint = if shows_nothing { wants_certificate(complaint) } else { complaint };
        name_address(complaint, &address)
    })
}

/// What happened beside what was asked for.
#[expect(clippy::print_stderr, reason = "said after the answer, for people; standard output is the answer's")]
fn say(news: &News) {
    for text in news.take() {
        eprintln!("note: {text}");
    }
}

/// A refusal of a client that showed no certificate says which settings would have shown one.
fn wants_certificate(mut complaint: Complaint) -> Complaint {
    let unknown = complaint.reason.as_deref() == Some(Reason::Unauthenticated.name());
    let demanded =
        complaint.about_connection && complaint.why.iter().any(|why| why.contains("received fatal alert"));
    if unknown || demanded {
        let [certificate, key] = [Setting::Certificate, Setting::Key];
        complaint.advice = vec![format!(
            "no client certificate is set, and this call needs one: write `{}` and `{}` into the configuration file, or \
             give --{} FILE and --{} FILE",
            certificate.in_file(),
            key.in_file(),
            certificate.flag(),
            key.flag()
        )];
    }
    complaint
}

fn name_address(mut complaint: Complaint, address: &Address) -> Complaint {
    if complaint.about_connection {
        complaint.more.push(("address".to_owned(), address.to_string()));
    }
    complaint
}

#[cfg(all(test, unix))]
mod tests;
