//! Acts signed by the real `ssh-keygen`, with keys that are files: what it makes is taken here, what is taken here it takes
//! too, and what differs is said (FIDO flags are in the unit tests of `ceremonies`, with an authenticator in software).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ceremonies::act::{Act, ActError, Decision, Deed, SeenHead, Setting, Unverified, VerifiedAct, namespace};
use ceremonies::genesis::Mode;
use ceremonies::roster::{Roster, Terms};
use ceremonies::ssh::key::{KeyError, SshKey};
use ceremonies::ssh::signature::SshSignatureError;
use proto::hash::Hash;
use proto::origin::Origin;
use tests::openssh::{done, ssh_keygen};

const NAMESPACE: &str = namespace(Mode::Rehearsal);

/// Who signs, with keys that `ssh-keygen` makes.
const PEOPLE: [(&str, &str, &str, &[&str]); 4] = [
    ("ada", "officer", "platform", &["-t", "ed25519"]),
    ("bob", "officer", "platform", &["-t", "ecdsa", "-b", "256"]),
    ("cyd", "officer", "security", &["-t", "ed25519"]),
    ("fay", "witness", "audit", &["-t", "ecdsa", "-b", "256"]),
];

struct Desk {
    directory: tempfile::TempDir,
    roster: Roster,
    origin: Origin,
}

fn make(directory: &Path, name: &str, kind: &[&str]) -> String {
    let arguments = [kind, &["-q", "-N", "", "-C", "a comment", "-f", name]].concat();
    done(ssh_keygen(directory, &arguments, b""));
    std::fs::read_to_string(directory.join(format!("{name}.pub"))).unwrap().trim_end().to_owned()
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut text = "version = 1\nmode = \"rehearsal\"\napprovals = 2\n".to_owned();
        let mut allowed = String::new();
        for (person, role, unit, kind) in PEOPLE {
            let key = make(directory.path(), person, kind);
            text.push_str(&format!(
                "[[person]]\nperson = \"{person}\"\nname = \"{person}\"\nunit = \"{unit}\"\nroles = [\"{role}\"]\nkeys = [\"{key}\"]\n"
            ));
            allowed.push_str(&format!("{person} namespaces=\"{NAMESPACE}\" {key}\n"));
        }
        std::fs::write(directory.path().join("allowed_signers"), allowed).unwrap();
        let terms = Terms { allow_software_officer_keys: false, mode: Mode::Rehearsal };
        let roster = Roster::read(&text, terms).unwrap();
        Self { directory, roster, origin: "rehearsal.example.org".parse().unwrap() }
    }

    fn sign(&self, person: &str, namespace: &str, more: &[&str], document: &[u8]) -> String {
        let arguments = [&["-Y", "sign", "-f", person, "-n", namespace], more].concat();
        done(ssh_keygen(self.directory.path(), &arguments, document))
    }

    /// What stock OpenSSH says.
    fn stock(&self, person: &str, document: &[u8], armor: &str) -> bool {
        std::fs::write(self.directory.path().join("sig"), armor).unwrap();
        let arguments = ["-Y", "verify", "-f", "allowed_signers", "-I", person, "-n", NAMESPACE, "-s", "sig"];
        ssh_keygen(self.directory.path(), &arguments, document).status.success()
    }

    fn ours(&self, document: &[u8], armor: &str) -> Result<VerifiedAct, Unverified> {
        let setting = Setting {
            environment: "staging",
            instance: "signing.example.org",
            mode: Mode::Rehearsal,
            origin: &self.origin,
        };
        VerifiedAct::verify(document, armor, setting, &self.roster)
    }
}

fn act(deed: Deed) -> Vec<u8> {
    let act = Act {
        deed,
        environment: "staging".into(),
        expires: "2026-11-22T15:06:40.000000Z".parse().unwrap(),
        head: SeenHead {
            origin: "rehearsal.example.org".parse().unwrap(),
            root: Hash::of(b"root"),
            size: 12,
        },
        instance: "signing.example.org".into(),
        nonce: [7; 32].into(),
        reason: "für das Protokoll".into(),
    };
    act.encode().unwrap()
}

fn approve() -> Vec<u8> {
    act(Deed::Approve { decision: Decision::Accept, statement: Hash::of(b"a statement") })
}

#[test]
fn what_ssh_keygen_signs_is_taken_by_both() {
    let desk = Desk::new();
    for (person, role, ..) in PEOPLE {
        for more in [&[][..], &["-O", "hashalg=sha256"]] {
            let statement = Hash::of(b"a statement");
            let document = match role {
                "witness" => act(Deed::Attest { decision: Decision::Accept, outcome: None, statement }),
                _ => approve(),
            };
            let armor = desk.sign(person, NAMESPACE, more, &document);
            assert!(desk.stock(person, &document, &armor), "{person}");
            let verified = desk.ours(&document, &armor).unwrap();
            assert_eq!(verified.person().as_str(), person);
            assert_eq!((verified.document(), verified.armor()), (document.as_slice(), armor.as_str()));
            // Another byte, and neither takes it.
            let mut other = document.clone();
            let at = other.len() - 10;
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert!(!desk.stock(person, &other, &armor));
            let error = desk.ours(&other, &armor).unwrap_err();
            assert!(matches!(error, Unverified::Signature(SshSignatureError::Wrong)), "{error}");
        }
    }
}

#[test]
fn the_other_mode_and_other_namespaces_are_refused_by_both() {
    let (desk, document) = (Desk::new(), approve());
    let production = desk.sign("ada", namespace(Mode::Production), &[], &document);
    assert!(!desk.stock("ada", &document, &production));
    assert!(matches!(desk.ours(&document, &production), Err(Unverified::OtherMode { .. })));
    let file = desk.sign("ada", "file", &[], &document);
    assert!(!desk.stock("ada", &document, &file));
    let error = desk.ours(&document, &file).unwrap_err();
    assert!(error.to_string().contains(&format!("sign with `-n {NAMESPACE}`")), "{error}");
}

#[test]
fn a_wrapping_that_stock_tools_overlook_is_refused() {
    let (desk, document) = (Desk::new(), approve());
    let armor = desk.sign("ada", NAMESPACE, &[], &document);
    let lines: Vec<&str> = armor.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    let wrapped: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let other = format!("{}\n{}\n{}\n", lines[0], wrapped.join("\n"), lines[lines.len() - 1]);
    assert!(desk.stock("ada", &document, &other), "OpenSSH does not mind");
    let error = desk.ours(&document, &other).unwrap_err();
    assert!(matches!(error, Unverified::Signature(SshSignatureError::Spelling)), "{error}");
}

#[test]
fn keys_that_are_not_taken_are_named() {
    let desk = Desk::new();
    let place = desk.directory.path();
    for (name, kind, expected) in [
        ("rsa", &["-t", "rsa", "-b", "2048"][..], KeyError::Rsa),
        ("p384", &["-t", "ecdsa", "-b", "384"], KeyError::Curve("nistp384".into())),
        ("p521", &["-t", "ecdsa", "-b", "521"], KeyError::Curve("nistp521".into())),
    ] {
        let line = make(place, name, kind);
        assert_eq!(SshKey::parse(&line), Err(expected.clone()), "{line}");
        let armor = desk.sign(name, NAMESPACE, &[], &approve());
        let error = desk.ours(&approve(), &armor).unwrap_err();
        assert!(matches!(error, Unverified::Signature(SshSignatureError::Key(found)) if found == expected));
    }
    make(place, "ca", &["-t", "ed25519"]);
    done(ssh_keygen(place, &["-q", "-s", "ca", "-I", "ada", "-n", "ada", "ada.pub"], b""));
    let certificate = std::fs::read_to_string(place.join("ada-cert.pub")).unwrap();
    let error = SshKey::parse(certificate.trim_end()).unwrap_err();
    assert!(matches!(error, KeyError::Certificate(_)), "{error}");
    let private = std::fs::read_to_string(place.join("ada")).unwrap();
    assert_eq!(SshKey::parse(&private), Err(KeyError::Private));
}

#[test]
fn a_stranger_and_a_damaged_document_are_refused() {
    let desk = Desk::new();
    make(desk.directory.path(), "eve", &["-t", "ed25519"]);
    let armor = desk.sign("eve", NAMESPACE, &[], &approve());
    assert!(!desk.stock("eve", &approve(), &armor));
    assert!(matches!(desk.ours(&approve(), &armor), Err(Unverified::UnknownKey(_))));
    // Well signed, and still no act: a hand has been at it.
    let edited = String::from_utf8(approve()).unwrap().replace("{\"act\"", "{ \"act\"");
    let armor = desk.sign("ada", NAMESPACE, &[], edited.as_bytes());
    assert!(desk.stock("ada", edited.as_bytes(), &armor));
    let error = desk.ours(edited.as_bytes(), &armor).unwrap_err();
    assert!(matches!(error, Unverified::Act(ActError::Canonical(_))), "{error}");
}

/// FIDO signatures too: those of the golden files are made by an authenticator in software, and OpenSSH takes them. It has no
/// question about touch, and so needs no token to verify.
#[test]
fn stock_openssh_takes_the_golden_signatures() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ceremonies/tests/golden/acts");
    let read = |name: &str| std::fs::read_to_string(golden.join(name)).unwrap();
    let (document, keys) = (read("act-approve.json"), read("keys.txt"));
    let place = tempfile::tempdir().unwrap();
    let allowed: String = keys.lines().map(|key| format!("ada {key}\n")).collect();
    std::fs::write(place.path().join("allowed_signers"), allowed).unwrap();
    for name in ["ed25519", "ed25519-sha256", "ecdsa", "sk-ed25519", "sk-ecdsa"] {
        std::fs::write(place.path().join("sig"), read(&format!("signature-{name}.sig"))).unwrap();
        let verify = ["-Y", "verify", "-f", "allowed_signers", "-I", "ada", "-n", NAMESPACE, "-s", "sig"];
        done(ssh_keygen(place.path(), &verify, document.as_bytes()));
    }
}
