//! Configurations: everything that is wrong is said at once, and nothing is opened.

use std::process::Command;

use tests::binaries::program;

use crate::site::{fails, says};

/// The configuration beside the systemd unit, in a directory of its own. None of the files that it names are there.
struct Written {
    directory: tempfile::TempDir,
    text: String,
}

impl Written {
    fn new() -> Self {
        let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/systemd/countersignd.toml");
        Self { directory: tempfile::tempdir().unwrap(), text: std::fs::read_to_string(unit).unwrap() }
    }

    fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{from}");
        self.text = self.text.replace(from, to);
        self
    }

    fn check(&self) -> Command {
        let file = self.directory.path().join("countersignd.toml");
        std::fs::write(&file, &self.text).unwrap();
        let mut command = Command::new(program("countersignd"));
        command.arg("--config").arg(file).arg("--check-config").current_dir(self.directory.path());
        command
    }

    fn refused(&self) -> String {
        let (code, said) = fails(self.check());
        assert_eq!(code, 1, "{said}");
        let left = std::fs::read_dir(self.directory.path()).unwrap().count();
        assert_eq!(left, 1, "something was made beside the configuration");
        said
    }
}

#[test]
fn the_configuration_of_the_unit_is_good_although_nothing_it_names_is_here() {
    let output = Written::new().check().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    says(&said, &["good", "signing.example.org"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_a_suggestion() {
    let said = Written::new().with("client_certificate =", "client_certficate =").refused();
    says(&said, &["countersignd.toml: 1 problem", "listen.network.client_certficate", "did you mean `client_certificate`?"]);
    let written = Written::new().with("sessions =", "session =");
    let line = 1 + written.text.lines().position(|line| line.starts_with("session =")).unwrap();
    let said = written.refused();
    says(&said, &[&format!("line {line}: "), "backend.hsm-a.session", "did you mean `sessions`?"]);
    let said = Written::new().with("[policy]", "[polici]").refused();
    says(&said, &["polici: unknown; did you mean `policy`?", "[policy] names the guardrails and the grants"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let written = Written::new()
        .with("name = \"signing.example.org\"", "name = \"Signing\"")
        .with("call_limit = \"10s\"", "call_limit = 10")
        .with("state_directory = \"/var/lib/countersign\"", "state_directory = \"lib\"");
    let said = written.refused();
    says(&said, &["instance.name: expected", "not an absolute path", "call_limit", "\"10s\""]);
}

#[test]
fn a_pin_in_the_place_of_its_reference_is_refused_and_not_shown() {
    let said = Written::new().with("{ credential = \"hsm-a.pin\" }", "\"87654321\"").refused();
    says(&said, &["backend.hsm-a.pin", "{ file = \"/path\" } or { credential = \"name\" }", "never the secret itself"]);
    assert!(!said.contains("87654321"), "{said}");
    let said = Written::new().with("pkcs11:token=release", "pkcs11:token=release?pin-value=87654321").refused();
    says(&said, &["pin-value", "never stands in a URI"]);
    assert!(!said.contains("87654321"), "{said}");
}

#[test]
fn a_text_that_is_no_toml_and_a_file_that_is_not_there_are_refused() {
    says(&Written::new().with("sessions = 8", "sessions = = 8").refused(), &["line "]);
    let mut absent = Command::new(program("countersignd"));
    absent.args(["--config", "/nonexistent/countersignd.toml", "--check-config"]);
    let (code, said) = fails(absent);
    assert_eq!(code, 1);
    says(&said, &["/nonexistent/countersignd.toml", "cannot read the configuration"]);
}
