//! What there is before a page begins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ceremonies::act::{Decision, Deed};
use proto::wire::v1::CeremonyState as State;
use softhsm::Shape;
use tests::world::World;

use crate::room::{Open, Room, new_key};

const KEY: &str = "release/linux";

/// The situation.
pub struct Given {
    place: Place,
    variables: BTreeMap<&'static str, String>,
}

enum Place {
    Bare(Box<World>, bool),
    Room(Box<Room>),
}

impl Given {
    /// An empty directory.
    pub fn nothing() -> Self {
        let world = World::vacant(None, None);
        std::fs::create_dir(world.scratch().join("people")).unwrap();
        Self { place: Place::Bare(Box::new(world), false), variables: BTreeMap::new() }
    }

    /// An instance on SoftHSM with its people.
    pub fn instance() -> Self {
        let mut room = Room::token();
        room.enters("dora");
        let token = room.world.token().unwrap();
        let mut variables = BTreeMap::from([
            ("MODULE", token.module().display().to_string()),
            ("TOKEN", token.label().to_owned()),
            ("PIN", token.pin().to_owned()),
        ]);
        for (name, file) in
            [("ROSTER", "roster.toml"), ("GRANTS", "grants.cedar"), ("GUARDRAILS", "guardrails.toml")]
        {
            variables.insert(name, room.world.place().join(file).display().to_string());
        }
        variables.insert("CONFIG", room.world.config().display().to_string());
        // Her key is made by the page.
        for ending in ["", ".pub"] {
            std::fs::remove_file(room.world.place().join(format!("people/dora{ending}"))).unwrap();
        }
        Self { place: Place::Room(Box::new(room)), variables }
    }

    fn room(&mut self) -> &mut Room {
        match &mut self.place {
            Place::Room(room) => room,
            Place::Bare(..) => panic!("there is no instance"),
        }
    }

    fn world(&self) -> &World {
        match &self.place {
            Place::Room(room) => &room.world,
            Place::Bare(world, _) => world,
        }
    }

    /// A key in force.
    pub fn with_a_key(mut self) -> Self {
        let room = self.room();
        let open = room.proposed(&new_key(KEY, "hsm"));
        room.arm(&open);
        room.executes(&open).unwrap();
        room.complete(&open);
        self
    }

    /// A key that somebody made in the token, under the label `linux`.
    pub fn with_a_key_in_the_token(mut self) -> Self {
        self.room().world.token().unwrap().generate("linux", &[1], Shape::P256).unwrap();
        self
    }

    fn birth(&mut self, open: &Open) {
        self.variables.insert("BIRTH", open.id.clone());
    }

    /// A birth that a witness has refused.
    pub fn with_a_failed_birth(mut self) -> Self {
        let room = self.room();
        let open = room.proposed(&new_key(KEY, "hsm"));
        room.arm(&open);
        room.executes(&open).unwrap();
        let outcome = Some(room.outcome(&open));
        let refuse = Deed::Attest { decision: Decision::Refuse, outcome, statement: open.digest() };
        room.does("wanda", refuse).unwrap();
        assert_eq!(room.state(&open), State::Failed);
        self.birth(&open);
        self
    }

    /// A birth during which the process that hosts the device's library went away.
    pub fn with_an_interrupted_birth(mut self) -> Self {
        let room = self.room();
        let open = room.proposed(&new_key(KEY, "hsm"));
        room.arm(&open);
        let wire = room.wire.as_ref().unwrap();
        wire.crash("GenerateKeyPair").unwrap();
        let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
        let _unheard = room.send_start(act);
        wire.clear().unwrap();
        room.until(&open, State::Indeterminate);
        self.birth(&open);
        self
    }

    /// The token has another serial number, and the configuration names it; the daemon still runs as before.
    pub fn on_another_device(mut self) -> Self {
        const SERIAL: &str = "00112233445566aa";
        let room = self.room();
        let before = room.world.token().unwrap().serial().to_owned();
        assert!(room.world.stop().success());
        room.world.token_to_change().renumber(SERIAL).unwrap();
        room.world.configure(&before, SERIAL);
        room.world.start();
        self.variables.extend([("OLD_SERIAL", before), ("NEW_SERIAL", SERIAL.to_owned())]);
        self
    }

    /// A signature that only the anchor and some people know of: the store is an older copy, and nothing runs.
    pub fn with_a_lost_log(mut self) -> Self {
        let room = self.room();
        assert!(room.world.stop().success());
        let (store, copy) = (room.world.state().join("log.db"), room.world.scratch().join("copy.db"));
        std::fs::copy(&store, &copy).unwrap();
        room.world.start();
        room.uses(KEY).unwrap();
        for person in ["ada", "carol", "wanda"] {
            let mut seen = room.world.countersign(&["log", "head"]);
            seen.arg("--state").arg(room.world.scratch().join(format!("seen-{person}")));
            let _said = tests::process::Process::output(seen);
        }
        assert!(room.world.stop().success());
        for end in ["-wal", "-shm"] {
            let _there = std::fs::remove_file(store.with_file_name(format!("log.db{end}")));
        }
        std::fs::copy(&copy, &store).unwrap();
        self
    }

    /// Something that ada has approved.
    pub fn with_an_open_ceremony(mut self) -> Self {
        let room = self.room();
        let open = room.proposed(&new_key("release/other", "hsm"));
        room.approves("ada", &open).unwrap();
        self.variables.insert("ID", open.id);
        self
    }

    /// The script without what the service manager does, which is done with the process itself.
    pub fn service(&mut self, script: &str) -> String {
        let mut rest = Vec::new();
        for line in script.lines() {
            let Some(task) =
                line.strip_prefix("systemctl ").and_then(|line| line.strip_suffix(" countersignd"))
            else {
                rest.push(line);
                continue;
            };
            let world = match &mut self.place {
                Place::Room(room) => &mut room.world,
                Place::Bare(world, runs) => {
                    *runs = true;
                    world
                }
            };
            match task {
                "start" => world.start(),
                "stop" => assert!(world.stop().success()),
                "restart" => {
                    assert!(world.stop().success());
                    world.start();
                }
                other => panic!("systemctl {other} is not done here"),
            }
        }
        rest.join("\n")
    }

    pub fn scratch(&self) -> &Path {
        self.world().scratch()
    }

    /// Where the people's keys are.
    pub fn keys(&self) -> PathBuf {
        match &self.place {
            Place::Room(room) => room.world.place().join("people"),
            Place::Bare(world, _) => world.scratch().join("people"),
        }
    }

    /// How everybody reaches the daemon, and what the page is about.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings: BTreeMap<String, String> =
            self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let world = self.world();
        if let Some(token) = world.token() {
            settings.extend([token.environment()]);
        }
        match &self.place {
            Place::Room(_) => {
                let config = world.place().join("client.toml");
                settings.insert("COUNTERSIGN_CONFIG".to_owned(), config.display().to_string());
                settings.insert("COUNTERSIGN_ADDRESS".to_owned(), world.address());
            }
            Place::Bare(_, true) => {
                settings.insert("COUNTERSIGN_ADDRESS".to_owned(), world.socket());
            }
            Place::Bare(_, false) => {}
        }
        settings
    }

    /// The log holds what is promised of every log.
    pub fn ends_well(self) {
        let mut world = match self.place {
            Place::Room(room) => return room.ends_well(),
            Place::Bare(world, _) => world,
        };
        assert!(world.stop().success());
        assert_eq!(world.ledger().complaints(), Vec::<String>::new());
    }
}
