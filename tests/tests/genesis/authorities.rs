//! Whose certificates are believed: the authorities that the logged guardrails name, whatever lies on the disk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ceremonies::genesis::Mode;
use proto::hash::Hash;
use rustix::process::Signal;
use tests::PATIENCE;
use tests::binaries::program;
use tests::process::Process;
use tests::world::{Plan, World};

use crate::desk::{Desk, good};

/// Everybody with a certificate sees keys.
const GRANTS: &str = "@id(\"local\")\npermit (principal in Callers::\"unix\", action, resource);\n\
    @id(\"everybody\")\npermit (principal in Callers::\"spiffe://example.org\", action == Action::\"list-keys\", resource);\n";

/// An authority with a client of the same name, made by openssl in a directory; a server's certificate of it too.
struct Authority(PathBuf);

impl Authority {
    fn new(directory: &Path, name: &str) -> Self {
        let own = directory.join(format!("authority-{name}"));
        std::fs::create_dir(&own).unwrap();
        let authority = Self(own);
        let subject = format!("/CN=authority {name}");
        let curve = "ec_paramgen_curve:P-256";
        let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem"];
        let begin = ["req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-days", "30", "-subj"];
        authority.openssl(&[&begin[..], &[&subject], &ca[..]].concat());
        authority.issue("client", &format!("URI:spiffe://example.org/{name}"), "clientAuth");
        authority.issue("server", "DNS:localhost,IP:127.0.0.1", "serverAuth");
        authority
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments).current_dir(&self.0);
        let _said = Process::output(openssl);
    }

    fn issue(&self, name: &str, subject: &str, usage: &str) {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        std::fs::write(self.0.join("names"), format!("subjectAltName={subject}\nextendedKeyUsage={usage}\n"))
            .unwrap();
        let curve = "ec_paramgen_curve:P-256";
        let ask = ["req", "-new", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-subj", "/CN=x", "-keyout"];
        self.openssl(&[&ask[..], &[&key, "-out", &request]].concat());
        let issue = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30", "-extfile", "names"];
        self.openssl(&[&issue[..], &["-in", &request, "-out", &certificate]].concat());
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn ca(&self) -> Vec<u8> {
        std::fs::read(self.0.join("ca.pem")).unwrap()
    }

    /// Whether its client is let in where `server` vouches for the server, and sees keys.
    fn is_let_in(&self, world: &World, server: &str) -> Result<(), String> {
        let mut command = Command::new(program("countersign"));
        command.args(["keys", "list", "--deadline", "3s", "--address", &world.address(), "--ca", server]);
        command.args([
            "--client-certificate",
            &self.file("client.pem"),
            "--client-key",
            &self.file("client.key"),
        ]);
        command.arg("--state").arg(world.scratch().join("client-state"));
        command.env("COUNTERSIGN_CONFIG", "/dev/null").current_dir(world.scratch());
        let output = command.output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn names(authority: &[u8]) -> String {
    format!("\n[[client_ca]]\nfile = \"clients.pem\"\nsha256 = \"{}\"\n", Hash::of(authority))
}

/// Tells the daemon to read its files again, and waits for a line with these words, once more than before.
fn reload(world: &mut World, words: &str) -> String {
    let said = |world: &mut World| -> Vec<String> {
        let said = world.process().said();
        said.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    };
    let before = said(world).len();
    world.process().signal(Signal::HUP);
    let end = Instant::now() + PATIENCE;
    loop {
        match said(world).get(before) {
            Some(line) => return line.clone(),
            None => assert!(Instant::now() < end, "{words:?} is not said:\n{}", world.process().said()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends a start that must fail, and gives what it said.
fn refused_start(world: &World) -> String {
    let mut daemon = Process::start(world.daemon());
    assert!(!daemon.finished(PATIENCE).success());
    daemon.said()
}

#[test]
fn production_believes_the_logged_authorities_whatever_lies_on_the_disk() {
    let mut desk = Desk::new(Mode::Production);
    let (ours, other) =
        (Authority::new(desk.world.scratch(), "ours"), Authority::new(desk.world.scratch(), "other"));
    std::fs::write(desk.path("clients.pem"), ours.ca()).unwrap();
    let guardrails = std::fs::read_to_string(desk.path("guardrails.toml")).unwrap() + &names(&ours.ca());
    std::fs::write(desk.path("guardrails.toml"), &guardrails).unwrap();
    std::fs::write(desk.path("grants.cedar"), GRANTS).unwrap();
    good(desk.draft(&["--allow-software-officer-keys", "--allow-software-backend"]));
    desk.sign_all(&["ada", "bob", "cyd", "fay", "gus"]);
    good(desk.complete());
    let network = format!(
        "[listen.network]\naddress = \"127.0.0.1:0\"\ncertificate = {{ file = {:?} }}\nkey = {{ file = {:?} }}\n\n[listen.local]",
        ours.file("server.pem"),
        ours.file("server.key")
    );
    desk.world.configure("[listen.local]", &network);
    desk.world.configure("[log]\n", "[log]\nreserve = \"1MiB\"\n");
    desk.world.start();
    let server = ours.file("ca.pem");
    let believes = |world: &World, when: &str| {
        assert_eq!(ours.is_let_in(world, &server), Ok(()), "{when}");
        assert!(other.is_let_in(world, &server).is_err(), "{when}: another authority's client is let in");
    };
    believes(&desk.world, "at the start");
    // The file is another one, while it runs: nobody reads it.
    std::fs::write(desk.made("clients.pem"), other.ca()).unwrap();
    believes(&desk.world, "with the file edited");
    let said = reload(&mut desk.world, "the policy in force stays in force");
    assert!(said.contains("clients.pem has SHA-256"), "{said}");
    believes(&desk.world, "after a SIGHUP over the edited file");
    // Guardrails that name it are not the logged ones.
    let edited = guardrails.replace(&Hash::of(&ours.ca()).to_string(), &Hash::of(&other.ca()).to_string());
    std::fs::write(desk.made("guardrails.toml"), &edited).unwrap();
    let said = reload(&mut desk.world, "the guardrails file has SHA-256");
    assert!(said.contains("only a ceremony changes it"), "{said}");
    believes(&desk.world, "after a SIGHUP over edited guardrails");
    assert!(desk.world.stop().success());
    let size = desk.world.ledger().size;
    // Neither pair of files starts, and nothing is recorded.
    let said = refused_start(&desk.world);
    assert!(said.contains("the guardrails file has SHA-256"), "{said}");
    std::fs::write(desk.made("guardrails.toml"), &guardrails).unwrap();
    let said = refused_start(&desk.world);
    assert!(said.contains("clients.pem has SHA-256"), "{said}");
    std::fs::remove_file(desk.made("clients.pem")).unwrap();
    let said = refused_start(&desk.world);
    assert!(said.contains("cannot read") && said.contains("clients.pem"), "{said}");
    assert_eq!(desk.world.ledger().size, size);
    std::fs::write(desk.made("clients.pem"), ours.ca()).unwrap();
    desk.world.start();
    believes(&desk.world, "with the right file back");
    assert!(desk.world.stop().success());
    let ledger = desk.world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    for record in ledger.records.iter().filter(|record| record.body["kind"] == "config") {
        let named = serde_json::json!([Hash::of(&ours.ca()).to_string()]);
        assert_eq!((&record.body["client_ca"], record.body["cause"].as_str()), (&named, Some("start")));
    }
}

#[test]
fn a_rehearsal_records_another_authority_before_it_believes_it() {
    let mut world = Plan::new().start();
    let other = Authority::new(world.scratch(), "other");
    let server = world.place().join("tls/ca.pem").display().to_string();
    let grants = world.place().join("grants.cedar");
    let rules = std::fs::read_to_string(&grants).unwrap();
    std::fs::write(&grants, format!("{rules}\n{}", &GRANTS[GRANTS.find("@id(\"everybody\")").unwrap()..]))
        .unwrap();
    let _said = reload(&mut world, "changed policy files are recorded and in force");
    let guardrails = world.place().join("guardrails.toml");
    let text = std::fs::read_to_string(&guardrails).unwrap();
    // A file in place of the named one is refused by its digest in a rehearsal, too.
    let own = world.place().join("tls/ca.pem");
    let before = std::fs::read(&own).unwrap();
    std::fs::write(&own, other.ca()).unwrap();
    let said = reload(&mut world, "the policy in force stays in force");
    assert!(said.contains("tls/ca.pem has SHA-256"), "{said}");
    std::fs::write(&own, before).unwrap();
    // One that is named and not recorded yet vouches for nobody.
    std::fs::write(world.place().join("clients.pem"), other.ca()).unwrap();
    std::fs::write(&guardrails, text + &names(&other.ca())).unwrap();
    assert!(other.is_let_in(&world, &server).is_err());
    let size = world.ledger().size;
    let _said = reload(&mut world, "changed policy files are recorded and in force");
    let _said = world.process().says("certificates are reloaded", PATIENCE);
    let end = Instant::now() + PATIENCE;
    while let Err(why) = other.is_let_in(&world, &server) {
        assert!(Instant::now() < end, "{why}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(world.stop().success());
    let ledger = world.ledger();
    let added = &ledger.records[usize::try_from(size).unwrap()..];
    let kinds: Vec<&str> = added.iter().filter_map(|record| record.body["kind"].as_str()).take(2).collect();
    assert_eq!(kinds, ["policy", "config"]);
    let named = added[1].body["client_ca"].as_array().unwrap();
    assert!(named.contains(&Hash::of(&other.ca()).to_string().into()) && named.len() == 2, "{named:?}");
    assert_eq!(ledger.complaints(), Vec::<String>::new());
}
