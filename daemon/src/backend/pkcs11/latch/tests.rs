#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use std::os::unix::fs::PermissionsExt as _;

use super::memory::LOOK;
use super::*;

fn pin(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn token(label: &str, serial: &str) -> Token {
    let (manufacturer, model) = ("SoftHSM project".to_owned(), "SoftHSM v2".to_owned());
    Token { label: label.to_owned(), manufacturer, model, serial: serial.to_owned() }
}

fn release() -> Token {
    token("release", "26b00fbc")
}

/// One backend's view of a directory, and how its configuration names the token.
struct Seen {
    latch: Latch,
    uri: Uri,
}

impl Seen {
    fn of(directory: &tempfile::TempDir, backend: &str, uri: &str) -> Self {
        Self { latch: Latch::of(directory.path().join("deep"), backend), uri: uri.parse().unwrap() }
    }

    fn announce(&self, token: &Token, text: &str) -> Result<Attempt, LatchError> {
        self.latch.announce(token, &self.uri, &pin(text))
    }

    fn knows(&self, token: &Token, text: &str) -> bool {
        match self.announce(token, text) {
            Err(LatchError::KnownWrong) => true,
            Ok(attempt) => {
                attempt.forget().unwrap();
                false
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn one() -> (tempfile::TempDir, Seen) {
    let directory = tempfile::tempdir().unwrap();
    let seen = Seen::of(&directory, "hsm-a", "pkcs11:token=release;serial=26b00fbc");
    (directory, seen)
}

fn left(seen: &Seen, ending: &str) -> Vec<PathBuf> {
    memory::files(seen.latch.directory(), ending).unwrap().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn a_refused_pin_is_not_tried_again_until_it_is_unlocked_and_others_are() {
    let (_directory, seen) = one();
    seen.announce(&release(), "1111").unwrap().refused().unwrap();
    assert!(seen.latch.is_latched().unwrap());
    assert!(seen.knows(&release(), "1111"));
    assert!(!seen.knows(&token("release", "other"), "1111"), "a PIN may be right for another token");
    seen.announce(&release(), "2222").unwrap().refused().unwrap();
    assert!(!seen.knows(&release(), "3333"));
    assert!(seen.knows(&release(), "1111") && seen.knows(&release(), "2222"), "a right one unlocks no other");

    assert!(seen.latch.unlock().unwrap() && !seen.latch.unlock().unwrap());
    assert!(!seen.latch.is_latched().unwrap());
    assert!(!seen.knows(&release(), "1111") && !seen.knows(&release(), "2222"));
    assert_eq!(left(&seen, "pins"), [] as [PathBuf; 0], "nothing about a PIN that works is kept");
}

#[test]
fn what_is_known_of_a_token_is_known_whatever_the_backend_is_called_and_however_it_is_named() {
    let (directory, seen) = one();
    seen.announce(&release(), "1111").unwrap().refused().unwrap();
    let others = [
        Seen::of(&directory, "hsm-z", "pkcs11:token=release;serial=26b00fbc"),
        Seen::of(&directory, "hsm-a", "pkcs11:serial=26b00fbc"),
        Seen::of(&directory, "hsm-b", "pkcs11:model=SoftHSM%20v2"),
    ];
    for other in &others {
        assert!(other.knows(&release(), "1111"));
        assert!(other.knows(&token("another label", "26b00fbc "), "1111"));
    }
    // Two backends with two wrong PINs do not make each other forget.
    let [named, _, model] = &others;
    model.announce(&release(), "2222").unwrap().refused().unwrap();
    for backend in [&seen, named, model] {
        assert!(backend.knows(&release(), "1111") && backend.knows(&release(), "2222"));
    }
    // Whoever was kept from it unlocks it, and a PIN that he never met stays known.
    named.announce(&release(), "4444").unwrap().refused().unwrap();
    assert!(model.latch.unlock().unwrap());
    assert!(named.latch.is_latched().unwrap() && !model.latch.is_latched().unwrap());
    assert!(!seen.knows(&release(), "1111") && seen.knows(&release(), "4444"));
}

#[test]
fn tokens_without_a_serial_number_are_told_apart_by_their_labels() {
    let (_directory, seen) = one();
    for serial in ["", "0000000000000000"] {
        seen.announce(&token("one", serial), "1111").unwrap().refused().unwrap();
        assert!(seen.knows(&token("one", serial), "1111"));
        assert!(!seen.knows(&token("two", serial), "1111"));
    }
}

#[test]
fn more_refused_pins_than_are_kept_stop_all_of_them() {
    let (_directory, seen) = one();
    for number in 0..MOST {
        seen.announce(&release(), &number.to_string()).unwrap().refused().unwrap();
    }
    let full = seen.announce(&release(), "new").unwrap_err();
    assert!(matches!(&full, LatchError::Full { .. }) && full.to_string().contains("hsm-a"), "{full}");
    assert!(seen.knows(&release(), "0"));
    assert!(seen.latch.unlock().unwrap());
    assert!(!seen.knows(&release(), "new"));
}

#[test]
fn one_host_waits_for_the_log_in_of_another_and_learns_its_outcome() {
    let (directory, seen) = one();
    let first = seen.announce(&release(), "1111").unwrap();
    let other = Seen::of(&directory, "hsm-b", "pkcs11:token=release");
    assert!(matches!(other.announce(&release(), "1111"), Err(LatchError::Busy)));
    assert!(matches!(other.latch.unlock(), Err(LatchError::Busy)));
    let waiting =
        std::thread::Builder::new().spawn(move || other.announce(&release(), "1111").map(drop)).unwrap();
    std::thread::sleep(5 * LOOK);
    first.refused().unwrap();
    assert!(matches!(waiting.join().unwrap(), Err(LatchError::KnownWrong)));
}

#[test]
fn log_ins_that_nobody_saw_the_end_of_count_as_wrong_after_two() {
    let (_directory, seen) = one();
    for _ in 0..2 {
        drop(seen.announce(&release(), "1111").unwrap());
    }
    assert!(matches!(seen.announce(&release(), "1111"), Err(LatchError::KnownWrong)));
    assert!(!seen.knows(&release(), "2222"));
    // One that did not matter leaves what was known before: nothing.
    drop(seen.announce(&release(), "3333").unwrap());
    seen.announce(&release(), "3333").unwrap().forget().unwrap();
    drop(seen.announce(&release(), "3333").unwrap());
    assert!(!seen.knows(&release(), "3333"));
}

#[test]
fn a_memory_that_cannot_be_read_stops_all_pins_and_no_pin_is_in_it() {
    let (_directory, seen) = one();
    seen.announce(&release(), "987654").unwrap().refused().unwrap();
    let [file] = left(&seen, "pins").try_into().unwrap();
    assert!(!fs::read_to_string(&file).unwrap().contains("987654"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for broken in
        ["{", r#"{"pins":[],"salt":"xx","token":{"label":"","manufacturer":"","model":"","serial":""}}"#]
    {
        fs::write(&file, broken).unwrap();
        assert!(matches!(seen.announce(&release(), "1"), Err(LatchError::Memory { .. })));
    }
    fs::write(&file, "{").unwrap();
    let said = seen.latch.unlock().unwrap_err().to_string();
    assert!(said.contains(&file.display().to_string()), "{said}");
}

/// As the version before wrote it for 987654 at `pkcs11:token=release;serial=26b00fbc`.
fn old(wrong: bool, lost: u8) -> String {
    format!(
        r#"{{"hash":"dd51c916d57d2f313c1a884fb5ca4fcb0cda4d737bcf35c428d9948cad461819","lost":{lost},"salt":"000102030405060708090a0b0c0d0e0f","wrong":{wrong}}}"#
    )
}

fn keep_old(seen: &Seen, backend: &str, text: &str) -> PathBuf {
    fs::create_dir_all(seen.latch.directory()).unwrap();
    let path = seen.latch.directory().join(format!("{backend}.pin"));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_mark_of_an_earlier_version_is_taken_over() {
    // By the backend that wrote it, one of another name, and one whose URI was changed with the upgrade.
    for (backend, uri) in [
        ("hsm-a", "pkcs11:token=release;serial=26b00fbc"),
        ("hsm-b", "pkcs11:token=release;serial=26b00fbc"),
        ("hsm-b", "pkcs11:token=release"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let seen = Seen::of(&directory, backend, uri);
        let path = keep_old(&seen, "hsm-a", &old(true, 0));
        assert!(!seen.knows(&release(), "another"), "it says nothing of another PIN");
        assert!(path.exists(), "and nobody knows yet which one it is of");
        assert!(seen.knows(&release(), "987654"));
        assert!(!path.exists() && seen.knows(&release(), "987654"), "now the token's memory knows it");
        assert!(seen.latch.unlock().unwrap() && !seen.knows(&release(), "987654"));
    }
}

#[test]
fn lost_log_ins_of_an_earlier_version_count() {
    let (_directory, seen) = one();
    keep_old(&seen, "hsm-a", &old(false, 2));
    assert!(seen.latch.is_latched().unwrap() && seen.knows(&release(), "987654"));
    assert!(seen.latch.unlock().unwrap());
    keep_old(&seen, "hsm-a", &old(false, 1));
    drop(seen.announce(&release(), "987654").unwrap());
    assert!(seen.knows(&release(), "987654"));
}

#[test]
fn an_old_mark_is_unlocked_and_one_that_cannot_be_read_stops_all_pins() {
    let (_directory, seen) = one();
    let path = keep_old(&seen, "hsm-a", &old(true, 0));
    assert!(seen.latch.is_latched().unwrap() && seen.latch.unlock().unwrap());
    assert!(!path.exists() && !seen.knows(&release(), "987654"));
    keep_old(&seen, "hsm-a", "{");
    assert!(matches!(seen.announce(&release(), "1"), Err(LatchError::Memory { path: at, .. }) if at == path));
}
