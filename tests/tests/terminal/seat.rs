//! A person at a terminal of 80 columns: settings of his own, a key of his own, a memory of his own.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use tests::PATIENCE;
use tests::binaries::program;

use crate::room::Room;

/// Where somebody sits.
pub struct Seat {
    person: String,
    home: PathBuf,
}

impl Seat {
    /// Settings and key are where people have them.
    pub fn take(room: &Room, person: &str) -> Self {
        let home = room.world.scratch().join(person);
        let config = home.join(".config/countersign");
        std::fs::create_dir_all(&config).unwrap();
        let key = room.world.place().join("people").join(person);
        for ending in ["", ".pub"] {
            let from = PathBuf::from(format!("{}{ending}", key.display()));
            std::fs::copy(from, home.join(format!("key{ending}"))).unwrap();
        }
        let first = std::fs::read_to_string(room.world.place().join("client.toml")).unwrap();
        let lines = first.lines().filter(|line| !line.starts_with("address") && !line.starts_with('#'));
        let text = format!(
            "address = \"{}\"\nperson = \"{person}\"\nsigning_key = \"../../key\"\n{}\n",
            room.world.address(),
            lines.collect::<Vec<_>>().join("\n")
        );
        std::fs::write(config.join("config.toml"), text).unwrap();
        Self { person: person.to_owned(), home }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Puts a passphrase on the key.
    pub fn locks(&self, passphrase: &str) {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-p", "-P", "", "-N", passphrase, "-f"]).arg(self.home.join("key"));
        let _said = tests::process::Process::output(keygen);
    }

    /// Types a command line at the prompt.
    pub fn types(&self, line: &str) -> Terminal {
        let programs = program("countersign").parent().unwrap().to_owned();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut script = Command::new("script");
        script
            .args(["-qec", &format!("stty cols 80; {line}"), "/dev/null"])
            .current_dir(&self.home)
            .env_clear();
        script.env("PATH", path).env("HOME", &self.home).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        script.env("TMPDIR", &self.home).env("SHELL", "/bin/sh");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = script.spawn().expect("`script` is needed: apt install bsdutils");
        let (give, news) = channel();
        let mut out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut bytes) {
                if give.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keyboard = child.stdin.take();
        Terminal {
            prompt: format!("{}$ {line}", self.person),
            child,
            keyboard,
            news,
            shown: Vec::new(),
            seen: 0,
        }
    }
}

/// A command that runs on a terminal.
pub struct Terminal {
    prompt: String,
    child: Child,
    keyboard: Option<ChildStdin>,
    news: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    /// Up to where what is waited for was found.
    seen: usize,
}

impl Terminal {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Waits until these words are shown, however their line was broken.
    #[track_caller]
    pub fn shows(&mut self, words: &str) {
        let wanted: Vec<u8> = words.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let plain = plain(&self.shown);
            if let Some(at) = find(&plain, &wanted, self.seen) {
                self.seen = at;
                return;
            }
            let left = end.saturating_duration_since(std::time::Instant::now());
            match self.news.recv_timeout(left) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{}: `{words}` was never shown:\n{}", self.prompt, self.text())
                }
            }
        }
    }

    /// Waits until something is asked, and types the answer.
    #[track_caller]
    pub fn answers(&mut self, question: &str, answer: &str) {
        self.shows(question);
        self.keyboard.as_mut().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    /// Waits for its end, which has this code, and gives prompt and screen.
    #[track_caller]
    pub fn ends(&mut self, code: i32) -> String {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            match self.news.recv_timeout(end.saturating_duration_since(std::time::Instant::now())) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end:\n{}", self.prompt, self.text()),
            }
        }
        self.keyboard = None;
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{}:\n{}", self.prompt, self.text());
        format!("{}\n{}", self.prompt, self.text())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What is read, without blanks and without the colours.
fn plain(shown: &[u8]) -> Vec<u8> {
    crate::screen::uncoloured(&String::from_utf8_lossy(shown))
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect()
}

/// Where the words end, if they are there after this place.
fn find(text: &[u8], words: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(words.len()).position(|window| window == words).map(|at| from + at + words.len())
}
