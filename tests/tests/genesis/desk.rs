//! A desk at which an instance is drafted, and people with the real `ssh-keygen`.

use std::path::PathBuf;
use std::process::Command;

use ceremonies::act::{Act, Decision, Deed, SeenHead, namespace};
use ceremonies::genesis::Mode;
use ceremonies::statement::Statement;
use proto::hash::Hash;
use tests::openssh::{done, ssh_keygen};
use tests::process::Process;
use tests::world::World;

/// Id, role, unit.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("ada", "officer", "platform"),
    ("bob", "officer", "platform"),
    ("cyd", "officer", "security"),
    ("fay", "witness", "audit"),
    ("gus", "witness", "platform"),
    ("oskar", "operator", "platform"),
];

pub const GRANTS: &str = "@id(\"local\")\npermit (principal in Callers::\"unix\", action, resource);\n";

/// What is drafted, and by whom.
pub struct Desk {
    pub world: World,
    pub mode: Mode,
}

impl Desk {
    /// People have keys, and the files of a draft lie on the desk.
    pub fn new(mode: Mode) -> Self {
        let desk = Self { world: World::vacant(None, None), mode };
        let mut roster = format!("version = 1\nmode = \"{mode}\"\napprovals = 2\n");
        for (person, role, unit) in PEOPLE {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", person];
            done(ssh_keygen(desk.world.scratch(), &arguments, b""));
            let key = std::fs::read_to_string(desk.path(&format!("{person}.pub"))).unwrap();
            roster.push_str(&format!(
                "[[person]]\nperson = \"{person}\"\nname = \"{person}\"\nunit = \"{unit}\"\nroles = [\"{role}\"]\n\
                 keys = [\"{}\"]\n",
                key.trim_end()
            ));
        }
        let forbid = "// nothing is forbidden\n";
        let guardrails = format!(
            "[forbid]\nfile = \"rules/forbid.cedar\"\nsha256 = \"{}\"\n\n[ceremony.genesis]\nexpires = \"48h\"\n\
             approval_age = \"48h\"\n",
            Hash::of(forbid.as_bytes())
        );
        std::fs::create_dir(desk.path("rules")).unwrap();
        for (name, text) in [
            ("roster.toml", roster.as_str()),
            ("guardrails.toml", &guardrails),
            ("grants.cedar", GRANTS),
            ("rules/forbid.cedar", forbid),
        ] {
            std::fs::write(desk.path(name), text).unwrap();
        }
        desk
    }

    /// A file on the desk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.world.scratch().join(name)
    }

    /// A file of the instance.
    pub fn made(&self, name: &str) -> PathBuf {
        self.world.place().join(name)
    }

    /// `init --draft`, with what every draft says and more.
    pub fn draft(&self, more: &[&str]) -> Command {
        let mut command = self.init(&["--draft", "--name", "signing.example.org", "--initiator", "oskar"]);
        command.args(["--mode", self.mode.name(), "--ticket", "OPS-4711", "--justification", "We begin."]);
        for (flag, name) in
            [("--roster", "roster.toml"), ("--guardrails", "guardrails.toml"), ("--grants", "grants.cedar")]
        {
            command.arg(flag).arg(self.path(name));
        }
        command.args(more);
        command
    }

    /// `init --complete`.
    pub fn complete(&self) -> Command {
        self.init(&["--complete", "--web", "127.0.0.1:0"])
    }

    pub fn init(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.countersignd("init");
        command.args(arguments).arg("--directory").arg(self.world.place());
        command
    }

    pub fn statement(&self) -> Statement {
        Statement::parse(&std::fs::read(self.made("genesis.json")).unwrap()).unwrap()
    }

    /// The act of an officer or a witness about what was drafted.
    pub fn act(&self, person: &str) -> Act {
        let statement = self.statement();
        let (decision, digest) = (Decision::Accept, statement.digest());
        let witness = PEOPLE.iter().any(|(id, role, _)| *id == person && *role == "witness");
        let common = statement.common();
        Act {
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
        }
    }

    /// Signs an act with somebody's key and puts both files where acts belong.
    pub fn sign(&self, person: &str, act: &Act, namespace: &str) {
        let document = act.encode().unwrap();
        let arguments = ["-Y", "sign", "-f", person, "-n", namespace];
        let armor = done(ssh_keygen(self.world.scratch(), &arguments, &document));
        std::fs::write(self.made(&format!("acts/genesis.{person}.act.json")), document).unwrap();
        std::fs::write(self.made(&format!("acts/genesis.{person}.act.json.sig")), armor).unwrap();
    }

    /// All of them sign as they should.
    pub fn sign_all(&self, people: &[&str]) {
        for person in people {
            self.sign(person, &self.act(person), namespace(self.mode));
        }
    }
}

/// What a command said that must go well.
pub fn good(command: Command) -> String {
    Process::output(command)
}

/// What a command said on standard error that must not go well.
pub fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    said
}
