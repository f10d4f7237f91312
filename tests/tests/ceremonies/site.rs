//! Instances whose people are others than those of `init --rehearsal`: two roles for one, two keys for one, production.

use ceremonies::act::{Act, Decision, Deed, SeenHead, namespace};
use ceremonies::genesis::Mode;
use ceremonies::ssh::private::PrivateKey;
use ceremonies::statement::Statement;
use proto::hash::Hash;
use softhsm::{Token, Wire};
use tests::process::Process;
use tests::world::World;

use crate::room::Room;

/// Id, unit, roles, keys: `dan` and `oskar` have two roles, `ada` has two keys.
const PEOPLE: [(&str, &str, &[&str], &[&str]); 7] = [
    ("ada", "platform", &["officer"], &["ada", "ada-spare"]),
    ("bob", "platform", &["officer"], &["bob"]),
    ("cyd", "security", &["officer"], &["cyd"]),
    ("dan", "platform", &["officer", "witness"], &["dan"]),
    ("fay", "audit", &["witness"], &["fay"]),
    ("gus", "platform", &["witness"], &["gus"]),
    ("oskar", "platform", &["operator", "witness"], &["oskar"]),
];

/// What a site is drafted with.
pub struct Site {
    world: World,
    mode: Mode,
    keys: Vec<(&'static str, PrivateKey)>,
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

impl Site {
    /// The files of a draft, with these guardrails beside the usual ones.
    pub fn new(mode: Mode, guardrails: &str) -> Self {
        Self::over(World::vacant(None, None), mode, guardrails)
    }

    /// The same on this token, as backend `hsm`.
    pub fn on(token: Token, mode: Mode) -> Self {
        Self::over(World::vacant(None, Some(token)), mode, "")
    }

    /// The same over this world, with these guardrails beside the usual ones.
    pub fn over(world: World, mode: Mode, guardrails: &str) -> Self {
        // No two sites have the same keys: the directory has a name of its own.
        let seed =
            |file: &str| *Hash::of(format!("{}/{file}", world.scratch().display()).as_bytes()).as_bytes();
        let files = PEOPLE.iter().flat_map(|(.., files)| files.iter());
        let keys: Vec<_> = files.map(|file| (*file, PrivateKey::from_seed(seed(file)).unwrap())).collect();
        let mut roster = format!("version = 1\nmode = \"{mode}\"\napprovals = 2\n");
        for (person, unit, roles, files) in PEOPLE {
            let own = keys.iter().filter(|(file, _)| files.contains(file));
            let own: Vec<String> = own.map(|(file, key)| format!("{} {file}", key.public())).collect();
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            roster.push_str(&format!(
                "[[person]]\nperson = \"{person}\"\nname = \"{person}\"\nunit = \"{unit}\"\nroles = [{}]\nkeys = [{}]\n",
                quoted(roles),
                quoted(&own)
            ));
        }
        let forbid = "// nothing is forbidden\n";
        let guardrails = format!(
            "[forbid]\nfile = \"forbid.cedar\"\nsha256 = \"{}\"\n{guardrails}",
            Hash::of(forbid.as_bytes())
        );
        let grants = "@id(\"local\")\npermit (principal in Callers::\"unix\", action, resource);\n";
        for (name, text) in [
            ("roster.toml", roster.as_str()),
            ("guardrails.toml", &guardrails),
            ("grants.cedar", grants),
            ("forbid.cedar", forbid),
        ] {
            std::fs::write(world.scratch().join(name), text).unwrap();
        }
        Self { world, mode, keys }
    }

    /// Changes the roster before it is drafted.
    pub fn roster(&self, change: impl FnOnce(&str) -> String) {
        let path = self.world.scratch().join("roster.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed);
        std::fs::write(path, changed).unwrap();
    }

    /// `init --draft`.
    pub fn draft(&self) -> std::process::Command {
        let mut command = self.world.countersignd("init");
        command.args(["--draft", "--name", "signing.example.org", "--initiator", "oskar"]);
        command.args(["--mode", self.mode.name(), "--ticket", "OPS-4711", "--justification", "We begin."]);
        if self.mode == Mode::Production {
            command.args(["--allow-software-officer-keys", "--allow-software-backend"]);
        }
        for (flag, name) in
            [("--roster", "roster.toml"), ("--guardrails", "guardrails.toml"), ("--grants", "grants.cedar")]
        {
            command.arg(flag).arg(self.world.scratch().join(name));
        }
        command.arg("--directory").arg(self.world.place());
        command
    }

    fn signs_genesis(&self, person: &str, witness: bool) {
        let statement = std::fs::read(self.world.place().join("genesis.json")).unwrap();
        let statement = Statement::parse(&statement).unwrap();
        let (decision, digest, common) = (Decision::Accept, statement.digest(), statement.common());
        let act = Act {
            deed: match witness {
                true => Deed::Attest { decision, outcome: None, statement: digest },
                false => Deed::Approve { decision, statement: digest },
            },
            environment: common.environment.to_string(),
            expires: common.expires,
            head: SeenHead { origin: common.log.origin.clone(), root: common.log.root, size: 0 },
            instance: common.instance.to_string(),
            nonce: (*Hash::of(person.as_bytes()).as_bytes()).into(),
            reason: String::new(),
        };
        let document = act.encode().unwrap();
        let key = &self.keys.iter().find(|(file, _)| *file == person).unwrap().1;
        let armor = key.sign(namespace(self.mode), &document);
        let acts = self.world.place().join("acts");
        std::fs::write(acts.join(format!("genesis.{person}.act.json")), document).unwrap();
        std::fs::write(acts.join(format!("genesis.{person}.act.json.sig")), armor).unwrap();
    }

    /// Drafts, signs, completes and starts it.
    pub fn start(mut self) -> Room {
        let _said = Process::output(self.draft());
        for officer in ["ada", "bob", "cyd", "dan"] {
            self.signs_genesis(officer, false);
        }
        for witness in ["fay", "gus"] {
            self.signs_genesis(witness, true);
        }
        let mut complete = self.world.countersignd("init");
        complete.args(["--complete", "--web", "127.0.0.1:0", "--directory"]).arg(self.world.place());
        let wire = self.world.token().map(|token| {
            let wire = Wire::build(token.directory(), token.module()).unwrap();
            wire.count().unwrap();
            let (name, value) = token.environment();
            complete.arg("--pkcs11").arg(wire.module()).args(["--token", &token.uri()]);
            complete.arg("--pin-file").arg(token.pin_file());
            complete.args(["--module-environment", &format!("{name}={value}")]);
            wire
        });
        let _said = Process::output(complete);
        self.world.configure("[log]\n", "[log]\nreserve = \"1MiB\"\n");
        let people = self.world.place().join("people");
        std::fs::create_dir(&people).unwrap();
        for (file, key) in &self.keys {
            std::fs::write(people.join(file), key.file(file)).unwrap();
        }
        self.world.start();
        Room::of(self.world, wire)
    }
}
