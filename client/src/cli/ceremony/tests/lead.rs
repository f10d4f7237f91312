//! The operator's side.

use std::io::{self, BufRead, Read};
use std::sync::mpsc;

use super::*;
use crate::cli::tests::expect;

/// Answers that are typed when the test says so.
struct Typed {
    from: mpsc::Receiver<String>,
    line: Vec<u8>,
}

impl Read for Typed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Typed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.line.is_empty() {
            self.line = self.from.recv().map(String::into_bytes).unwrap_or_default();
        }
        Ok(&self.line)
    }

    fn consume(&mut self, bytes: usize) {
        self.line.drain(..bytes);
    }
}

/// Waits until the ceremony is in this state.
fn until(daemon: &Daemon, state: &str) {
    for _ in 0..2_000 {
        let now = daemon.state().council.as_ref().unwrap().shown(0).state();
        if crate::people::open::state_name(now) == state {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the ceremony is not {state}");
}

#[test]
fn an_operator_is_led_from_the_first_approval_to_the_end() {
    let daemon = opened();
    let (typing, from) = mpsc::channel();
    let typed = Typed { from, line: Vec::new() };
    let paper = Paper::new(Output::Table);
    let out = std::thread::scope(|scope| {
        let (daemon, paper) = (&daemon, &paper);
        let lead = scope.spawn(move || {
            set_wall(at(120).microseconds());
            let mut words = vec!["countersign".to_owned()];
            words.extend(super::words(daemon, &format!("ceremony run {ID}")));
            let (key, genesis) = {
                let state = daemon.state();
                (state.log.key().to_string(), state.council.as_ref().unwrap().genesis.digest().to_string())
            };
            for (flag, value) in [
                ("--address", format!("unix:{}", daemon.path("sock").display())),
                ("--log-key", key),
                ("--state", daemon.path("state-oda").display().to_string()),
                ("--person", "oda".to_owned()),
                ("--signing-key", daemon.path("oda").display().to_string()),
                ("--genesis-sha256", genesis),
            ] {
                words.extend([flag.to_owned(), value]);
            }
            let mut screen = paper.screen().answered_by(Box::new(typed));
            let arguments = Arguments::try_parse_from(words).unwrap();
            let exit = crate::cli::execute(&arguments, &mut screen, &|_| None);
            assert_eq!(exit, Exit::Done, "{}\n{}", paper.out(), paper.err());
            paper.out()
        });
        let say = |line: &str| typing.send(format!("{line}\n")).unwrap();
        let shows = |words: &str| {
            let mut waits = 0;
            while !paper.out().contains(words) {
                waits += 1;
                assert!(waits < 2_000, "`{words}` is never shown:\n{}", paper.out());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        };
        shows("attested   nobody");
        say("yes");
        for (person, verb) in [("ada", "approve"), ("bob", "approve"), ("wim", "attest"), ("wes", "attest")] {
            done(daemon, person, &format!("{verb} {ID}"), "yes\n");
        }
        until(daemon, "armed");
        shows("then type yes to execute");
        say("yes");
        until(daemon, "executed");
        say("d the printer jammed");
        shows("recorded in record");
        done(daemon, "wim", &format!("attest {ID}"), "yes\n");
        done(daemon, "wes", &format!("attest {ID}"), "yes\n");
        lead.join().unwrap()
    });
    let text = flat(&out);
    for words in [
        "Nothing is executed: the ceremony is proposed.",
        "officers can still act: Ada Lovelace (ada), Bob Noyce (bob), Cyd Charisse (cyd)",
        "then type yes to execute",
        "Executing. This may take minutes",
        "recorded in record",
        "oda (deviation, record",
        "the printer jammed",
        "completed: ceremony",
    ] {
        assert!(text.contains(words), "{words}:\n{out}");
    }
}

#[test]
fn nobody_executes_what_nobody_confirms() {
    let daemon = armed();
    let said = run(&daemon, "oda", &format!("ceremony run {ID}"), "");
    assert_eq!(said.exit, Exit::Failed);
    assert!(flat(&said.err).contains("nobody is there to type yes"), "{}", said.err);
    let out = done(&daemon, "oda", &format!("ceremony run {ID}"), "no\nq\n");
    expect("ceremony-run.txt", &faded(&daemon, &out));
    assert_eq!(daemon.state().council.as_ref().unwrap().held[0].wire.outputs.len(), 0);
    let out = done(&daemon, "oda", &format!("ceremony run {ID} --yes"), "q\n");
    assert!(out.contains("Executing."), "{out}");
}
