//! A log that lies behind what is known of it, and the people who recover it over files.

use std::path::PathBuf;
use std::process::Command;

use ceremonies::act::{Act, Decision, Deed, SeenHead, namespace};
use ceremonies::genesis::Mode;
use ceremonies::statement::Statement;
use proto::hash::Hash;
use tests::PATIENCE;
use tests::process::Process;
use tests::world::Plan;

use crate::people::done;
use crate::room::Room;
use crate::suspend::suspends;

pub const KEY: &str = "release/linux";
pub const OTHER: &str = "release/mac";
pub const ORIGIN: &str = "rehearsal.second.example.org";
pub const CI: &str = "spiffe://countersign.example.org/ci/old";

/// What a command said that must go well.
#[track_caller]
pub fn good(command: Command) -> String {
    Process::output(command)
}

/// What a command said on standard error that must not go well.
#[track_caller]
pub fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    said
}

#[track_caller]
pub fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// An instance whose log lies behind what is known of it, and the people who recover it.
pub struct Desk {
    pub room: Room,
    /// Its genesis until then.
    pub old: Hash,
    /// The new log's name.
    pub origin: &'static str,
}

impl Desk {
    /// Two keys and a suspension; a backup, and a signature since that nobody's store has.
    pub fn lost() -> Self {
        let plan = Plan::new().key(KEY, "ed25519", &["blob"]).key(OTHER, "ecdsa-p256-sha256", &["blob"]);
        let room = Room::of(plan.start(), None);
        room.uses(KEY).unwrap();
        suspends(&room, "carol", "bob").unwrap();
        let stop = ["stop", "--caller", CI, "--reason", "its runner is gone"];
        room.world.done(&stop);
        Self::after(room, |room| {
            room.uses(KEY).unwrap();
            // Ada's machine has seen the newest head.
            done(room, "ada", &["ceremony", "list"]);
        })
    }

    /// An instance of which a backup is made, and then this happens that nobody's store has.
    pub fn after(mut room: Room, gap: impl FnOnce(&mut Room)) -> Self {
        let copy = room.world.scratch().join("copy");
        let mut backup = room.world.countersignd("backup");
        backup.arg("--config").arg(room.world.config()).arg(&copy);
        good(backup);
        gap(&mut room);
        assert!(room.world.stop().success());
        let state = room.world.state();
        for entry in std::fs::read_dir(&state).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("log.db") || name.starts_with("index.db") {
                std::fs::remove_file(&path).unwrap();
            }
        }
        std::fs::copy(copy.join("log.db"), state.join("log.db")).unwrap();
        Self::of(room)
    }

    /// An instance as it lies there.
    pub fn of(room: Room) -> Self {
        let old = room.genesis.digest();
        let origin = match room.genesis.common().mode {
            Mode::Rehearsal => ORIGIN,
            Mode::Production => "second.example.org",
        };
        Self { room, old, origin }
    }

    fn namespace(&self) -> &'static str {
        namespace(self.room.genesis.common().mode)
    }

    pub fn directory(&self) -> PathBuf {
        self.room.world.scratch().join("second")
    }

    pub fn recover(&self, words: &[&str]) -> Command {
        let mut command = self.room.world.countersignd("recover");
        command.args(words).arg("--config").arg(self.room.world.config());
        command.arg("--directory").arg(self.directory());
        command
    }

    pub fn draft(&self, more: &[&str]) -> Command {
        let mut command = self.recover(&["--draft", "--initiator", "oskar", "--ticket", "OPS-4711"]);
        command.args(["--justification", "The disk was lost.", "--gap", "Everything since the last backup."]);
        if !more.contains(&"--origin") {
            command.args(["--origin", self.origin]);
        }
        command.args(more);
        command
    }

    pub fn complete(&self) -> Command {
        self.recover(&["--complete"])
    }

    pub fn statement(&self) -> Statement {
        Statement::parse(&std::fs::read(self.directory().join("recover.json")).unwrap()).unwrap()
    }

    /// Somebody's act about what was drafted.
    pub fn act(&self, person: &str, deed: Deed) -> Act {
        let statement = self.statement();
        let common = statement.common();
        let accepts = matches!(deed, Deed::Approve { .. } | Deed::Attest { .. });
        Act {
            deed,
            environment: common.environment.to_string(),
            expires: common.expires,
            head: SeenHead {
                origin: common.log.origin.clone(),
                root: common.log.root,
                size: common.log.size,
            },
            instance: common.instance.to_string(),
            nonce: (*Hash::of(person.as_bytes()).as_bytes()).into(),
            reason: if accepts { String::new() } else { "we do not know enough".into() },
        }
    }

    pub fn put(&self, person: &str, file: &str, act: &Act, namespace: &str) {
        let document = act.encode().unwrap();
        let armor = self.room.key(person).sign(namespace, &document);
        let acts = self.directory().join("acts");
        std::fs::write(acts.join(format!("{file}.act.json")), document).unwrap();
        std::fs::write(acts.join(format!("{file}.act.json.sig")), armor).unwrap();
    }

    pub fn approves(&self, person: &str) {
        let deed = Deed::Approve { decision: Decision::Accept, statement: self.statement().digest() };
        self.put(person, person, &self.act(person, deed), self.namespace());
    }

    pub fn attests(&self, person: &str) {
        let statement = self.statement().digest();
        let deed = Deed::Attest { decision: Decision::Accept, outcome: None, statement };
        self.put(person, person, &self.act(person, deed), self.namespace());
    }

    pub fn vetoes(&self, person: &str) {
        let deed = Deed::Veto { statement: self.statement().digest() };
        let mut act = self.act(person, deed);
        act.nonce = (*Hash::of(format!("veto {person}").as_bytes()).as_bytes()).into();
        self.put(person, &format!("no-{person}"), &act, self.namespace());
    }

    pub fn takes_back(&self, files: &[&str]) {
        for file in files {
            for end in ["act.json", "act.json.sig"] {
                std::fs::remove_file(self.directory().join(format!("acts/{file}.{end}"))).unwrap();
            }
        }
    }

    /// Nothing of a new log is there.
    #[track_caller]
    pub fn nothing_is_made(&self) {
        for name in ["state/log.db", "anchor", "countersignd.toml", "recovery/begins.json"] {
            assert!(!self.directory().join(name).exists(), "{name} was made");
        }
    }

    /// The world goes on with the new log's configuration.
    pub fn moves(&mut self) {
        let config = self.room.world.config();
        std::fs::rename(&config, config.with_extension("old")).unwrap();
        std::fs::copy(self.directory().join("countersignd.toml"), &config).unwrap();
    }

    pub fn pins(&self, genesis: Hash, key: &str) {
        let path = self.room.world.place().join("client.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.lines().filter(|line| !line.starts_with("log_key") && !line.starts_with("genesis"));
        let kept: Vec<&str> = kept.collect();
        let text = format!("{}\nlog_key = {key:?}\ngenesis_sha256 = \"{genesis}\"\n", kept.join("\n"));
        std::fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub fn refuses_to_start(&mut self) -> String {
        let mut daemon = Process::start(self.room.world.daemon());
        assert!(!daemon.finished(PATIENCE).success());
        daemon.said()
    }
}
