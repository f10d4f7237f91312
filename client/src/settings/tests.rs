//! Which place wins, and what a wrong setting is told.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::proof::note::{Ed25519Signer, NoteSigner};

use super::*;

fn flags(pairs: &[(Setting, &str)]) -> Partial {
    Partial::from_flags(pairs.iter().map(|(setting, value)| (*setting, Some((*value).to_owned()))))
}

fn environment(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

fn verifier(origin: &str) -> String {
    Ed25519Signer::from_seed(origin, &[7; 32]).unwrap().verifier().to_string()
}

const FILE: &str = r#"
address = "https://file.example.org"
ca = "ca.pem"
certificate = "/abs/client.pem"
key = "client-key.pem"
deadline = "5s"
"#;

#[test]
fn flags_win_over_environment_and_environment_over_the_file() {
    let file = file::parse(Path::new("/etc/cs/config.toml"), FILE).unwrap();
    let variables = Partial::from_environment(environment(&[
        ("COUNTERSIGN_ADDRESS", "https://env.example.org"),
        ("COUNTERSIGN_CA", "env-ca.pem"),
        ("COUNTERSIGN_DEADLINE", ""),
        ("COUNTERSIGN_STATE", "/state"),
    ]));
    let flag = flags(&[(Setting::Address, "https://flag.example.org:1")]);
    let settings = Settings::settle(&[flag, variables.clone(), file.clone()]).unwrap();
    assert_eq!(settings.address.to_string(), "https://flag.example.org:1");
    let tls = settings.tls.unwrap();
    assert_eq!(
        tls.ca,
        PathBuf::from("env-ca.pem"),
        "as the environment says, relative to the working directory"
    );
    let own = tls.own.unwrap();
    assert_eq!(own.certificate, PathBuf::from("/abs/client.pem"));
    assert_eq!(own.key, PathBuf::from("/etc/cs/client-key.pem"), "relative to the file that says it");
    assert_eq!(settings.deadline, Duration::from_secs(5), "an empty variable says nothing");
    let settings = Settings::settle(&[variables, file]).unwrap();
    assert_eq!(settings.address.to_string(), "https://env.example.org:7443");
}

#[test]
fn what_is_missing_is_named_in_all_three_places() {
    let state = flags(&[(Setting::State, "/s")]);
    let error = Settings::settle(std::slice::from_ref(&state)).unwrap_err();
    assert!(matches!(error, SettingsError::NoAddress));
    for word in ["--address", "COUNTERSIGN_ADDRESS", "config.toml"] {
        assert!(error.advice().contains(word), "{}", error.advice());
    }
    let error = Settings::settle(&[flags(&[(Setting::Address, "https://a")]), state.clone()]).unwrap_err();
    assert!(matches!(error, SettingsError::Missing { name: Setting::Ca, .. }));
    for word in ["--ca", "COUNTERSIGN_CA", "`ca`"] {
        assert!(error.advice().contains(word), "{}", error.advice());
    }
    // A socket of this machine needs no certificates.
    let settings = Settings::settle(&[flags(&[(Setting::Address, "unix:/s")]), state]).unwrap();
    assert_eq!(settings.tls, None);
    assert_eq!(settings.deadline, DEFAULT_DEADLINE);
}

#[test]
fn a_certificate_and_its_key_are_there_both_or_neither() {
    let base = flags(&[(Setting::Address, "https://a"), (Setting::State, "/s"), (Setting::Ca, "ca.pem")]);
    let settings = Settings::settle(std::slice::from_ref(&base)).unwrap();
    assert_eq!(settings.tls.unwrap().own, None);
    for (given, words) in [
        (
            Setting::Certificate,
            ["client certificate (PEM) is set, from --client-certificate", "--client-key"],
        ),
        (Setting::Key, ["client key (PEM) is set, from --client-key", "`certificate`"]),
    ] {
        let error = Settings::settle(&[flags(&[(given, "f.pem")]), base.clone()]).unwrap_err();
        assert!(error.to_string().contains(words[0]), "{error}");
        assert!(error.advice().contains(words[1]), "{}", error.advice());
    }
}

#[test]
fn wrong_values_name_the_place_they_came_from() {
    let base = flags(&[(Setting::Address, "unix:/s"), (Setting::State, "/s")]);
    for (setting, value, words) in [
        (Setting::Address, "http://a", "--address: `http://a` is not an address"),
        (Setting::Deadline, "soon", "--deadline: `soon` is not a duration"),
        (Setting::Deadline, "0s", "--deadline: `0s` is not a duration"),
        (Setting::Deadline, "-1s", "--deadline: `-1s` is not a duration"),
        (Setting::LogKey, "/no/such/file", "--log-key: `/no/such/file` is neither"),
    ] {
        let error = Settings::settle(&[flags(&[(setting, value)]), base.clone()]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_log_key_is_a_text_or_a_file_and_of_the_expected_origin() {
    let directory = tempfile::tempdir().unwrap();
    let text = verifier("log.example.org");
    std::fs::write(directory.path().join("log.pub"), format!("{text}\n")).unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(
        &config,
        "address = \"unix:/s\"\nstate = \"state\"\nlog_key = \"log.pub\"\nlog_origin = \"log.example.org\"",
    )
    .unwrap();
    let places = file::places(Partial::default(), Some(&config), |_| None).unwrap();
    let settings = Settings::settle(&places).unwrap();
    assert_eq!(settings.log_key.unwrap().to_string(), text);
    assert_eq!(settings.state_directory, directory.path().join("state"));

    let error = log_key(&[flags(&[(Setting::LogKey, &text), (Setting::LogOrigin, "other.example.org")])])
        .unwrap_err();
    assert!(matches!(error, SettingsError::OtherOrigin { .. }), "{error}");
    assert!(log_key(&[Partial::default()]).unwrap().is_none());
}

#[test]
fn a_file_that_was_named_must_exist_and_the_usual_one_need_not() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().display().to_string();
    let look = |name: &str| (name == "HOME").then(|| home.clone());
    let places = file::places(Partial::default(), None, look).unwrap();
    let state = partial::first(&places, Setting::State).unwrap();
    assert_eq!(state.path(), directory.path().join(".local/state/countersign"));
    let error = file::places(Partial::default(), Some(&directory.path().join("none")), look).unwrap_err();
    assert!(matches!(error, SettingsError::Unreadable { .. }), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_those_that_are_known() {
    let error = file::parse(Path::new("c.toml"), "adress = \"unix:/s\"").unwrap_err().to_string();
    assert!(error.contains("adress") && error.contains("`address`"), "{error}");
}
