#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use super::*;
use crate::log::AnchorPlace;
use crate::secret::SecretReference;

/// The one of the documentation.
const GOOD: &str = r#"
[instance]
name = "signing.example.org"
genesis_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
state_directory = "/var/lib/countersign"

[listen.network]
address = "0.0.0.0:7443"
certificate = { file = "/etc/countersign/tls.pem" }
key = { credential = "tls.key" }
client_certificate = "optional"

[listen.local]
socket = "/run/countersign/sign.sock"

[web]
address = "127.0.0.1:7480"

[log]
key = { credential = "log.key" }
anchors = [{ file = "/srv/other-disk/countersign.anchor" }]

[policy]
guardrails = "/etc/countersign/guardrails.toml"
grants = "/etc/countersign/grants.cedar"

[backend.hsm-a]
kind = "pkcs11"
module = "/usr/lib/softhsm/libsofthsm2.so"
token = "pkcs11:token=release;serial=0a1b2c3d"
pin = { credential = "hsm-a.pin" }
sessions = 8
call_limit = "10s"
"#;

fn problems(text: &str) -> Vec<String> {
    check(text).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_documented_configuration_is_read() {
    let config = check(GOOD).unwrap();
    assert_eq!(config.instance.name, "signing.example.org");
    let network = config.listen.network.unwrap();
    assert_eq!(network.address.port(), 7443);
    assert_eq!(network.key, SecretReference::credential("tls.key").unwrap());
    assert_eq!(config.listen.local.unwrap().socket, Path::new("/run/countersign/sign.sock"));
    assert_eq!(config.web.unwrap().port(), 7480);
    assert_eq!(config.log.settings.state_directory, Path::new("/var/lib/countersign"));
    assert_eq!(config.log.settings.anchors, [AnchorPlace::File("/srv/other-disk/countersign.anchor".into())]);
    match config.backends.get("hsm-a") {
        Some(crate::backend::Settings::Pkcs11(settings)) => {
            assert_eq!((settings.sessions, settings.call_limit.as_secs()), (8, 10))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(config.limits.connections, rpc::limit::Limits::default().connections);
}

#[test]
fn the_next_log_key_is_another_one_or_none() {
    assert_eq!(check(GOOD).unwrap().log.next_key, None);
    let with = |line: &str| GOOD.replace("anchors = [{", &format!("{line}\nanchors = [{{"));
    let config = check(&with("next_key = { file = \"/var/lib/countersign/next.key\" }")).unwrap();
    let next = SecretReference::File { path: "/var/lib/countersign/next.key".into() };
    assert_eq!(config.log.next_key, Some(next));
    let said = problems(&with("next_key = { credential = \"log.key\" }"));
    assert!(said.len() == 1 && said[0].contains("next_key: is the same as key"), "{said:?}");
    assert_eq!(problems(&with("next_key = \"next.key\"")).len(), 1);
}

#[test]
fn what_may_be_chosen_otherwise_is_taken() {
    let more =
        "[limits]\nconnections = 10\nlongest = \"5s\"\n[telemetry]\nformat = \"json\"\nfilter = \"debug\"\n";
    let text = GOOD.replace("[policy]", "reserve = \"64MiB\"\nclock_skew = \"5s\"\n[policy]");
    let config = check(&format!("{text}{more}")).unwrap();
    assert_eq!((config.limits.connections, config.limits.longest.as_secs()), (10, 5));
    assert_eq!(
        (config.log.settings.limits.reserve, config.log.settings.limits.skew.as_secs()),
        (64 << 20, 5)
    );
    assert_eq!(
        (config.telemetry.format, config.telemetry.filter.as_str()),
        (telemetry::Format::Json, "debug")
    );
}

#[test]
fn an_empty_file_says_all_that_is_needed() {
    assert_eq!(
        problems(""),
        [
            "instance: is missing: [instance] says which instance this is",
            "listen: is missing: [listen.network] or [listen.local]: where callers come in",
            "log: is missing: [log] says where the log's key and anchors are",
            "policy: is missing: [policy] names the guardrails and the grants",
        ]
    );
    let without = GOOD.split("[backend").next().unwrap();
    assert_eq!(
        problems(without),
        ["no [backend.NAME]: keys live in backends, and without one nothing could sign"]
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let text = r#"[instance]
name = "Signing"
genesis_sha256 = "abc"
state_directory = "var/lib"

[listen.network]
adress = "0.0.0.0:7443"
certificate = "/etc/tls.pem"
key = { path = "/etc/tls.key" }
client_certificate = "maybe"

[web]
address = "localhost"

[log]
key = { credential = "../key" }
anchors = [{ file = "a" }, { file = "/b" }, { file = "/b" }]
reserve = "1GB"
clock_skew = "1h"

[policy]
guardrails = "/etc/guardrails.toml"
grant = "/etc/grants.cedar"

[backend.HSM]
kind = "pkcs12"

[backend.hsm-b]
kind = "pkcs11"
module = 5
tokn = "pkcs11:token=a"
pin = "123456"

[backend.hsm-c]
kind = "pkcs11"
module = "m.so"
token = "pkcs11:object=k"

[limits]
connections = 0

[telemetry]
format = "xml"

[backends.x]
"#;
    let found = problems(text);
    assert_eq!(
        found,
        [
            "line 2: instance.name: expected 1 to 253 lower-case letters, digits, `.` and `-`, for instance \"signing.example.org\"",
            "line 3: instance.genesis_sha256: expected 64 lower-case hexadecimal digits",
            "line 4: instance: state_directory: `var/lib` is not an absolute path",
            "line 6: listen.network.address: is missing: for instance \"0.0.0.0:7443\"",
            "line 7: listen.network.adress: unknown; did you mean `address`?",
            "line 8: listen.network.certificate: expected { file = \"/path\" } or { credential = \"name\" }, never the secret itself",
            "line 9: listen.network.key: expected { file = \"/path\" } or { credential = \"name\" }, never the secret itself",
            "line 10: listen.network.client_certificate: unknown variant `maybe`, expected `optional` or `required`",
            "line 13: web.address: invalid socket address syntax",
            "line 16: log.key: expected the name of a systemd credential: 1 to 255 bytes, a file name without '/'",
            "line 17: log.anchors[0]: file: `a` is not an absolute path",
            "line 17: log: anchors: /b is given twice",
            "line 18: log.reserve: `1GB` is no size: expected a whole number with B, KiB, MiB, GiB or TiB, for instance \"64MiB\"",
            "line 19: log.clock_skew: expected 100ms to 300s",
            "line 21: policy.grants: is missing: for instance \"/etc/countersign/grants.cedar\"",
            "line 23: policy.grant: unknown; did you mean `grants`?",
            "line 25: backend.HSM: a backend's name has 1 to 64 lower-case letters, digits and `-`: it is in every record of its keys",
            "line 25: backend.HSM: kind = \"pkcs12\": expected \"software\" or \"pkcs11\"",
            "line 30: backend.hsm-b.module: invalid type: integer `5`, expected path string",
            "line 31: backend.hsm-b.tokn: unknown; did you mean `token`?",
            "line 32: backend.hsm-b.pin: expected { file = \"/path\" } or { credential = \"name\" }, never the secret itself",
            "line 34: backend.hsm-c: module is an absolute path, like /usr/lib/softhsm/libsofthsm2.so",
            "line 34: backend.hsm-c: token names the token: pkcs11:token=LABEL;serial=NUMBER",
            "line 34: backend.hsm-c: token names a token, not a key: leave out object, id and type",
            "line 40: limits.connections: expected 1 to 1000000 connections",
            "line 43: telemetry.format: unknown variant `xml`, expected `text` or `json`",
            "line 45: backends: unknown; did you mean `backend`?",
        ],
        "{found:#?}"
    );
    assert!(!found.join("").contains("123456"), "a secret in the wrong place is not shown");
}

#[test]
fn a_pin_in_the_uri_of_a_token_is_refused_and_not_shown() {
    let found = problems(&GOOD.replace("serial=0a1b2c3d\"", "serial=0a1b2c3d?pin-value=987654\""));
    assert!(found.len() == 1 && found[0].starts_with("line 30: backend.hsm-a.token: "), "{found:#?}");
    assert!(!found[0].contains("987654"), "{found:#?}");
}

#[test]
fn one_port_serves_one_thing() {
    let found = problems(&GOOD.replace("127.0.0.1:7480", "0.0.0.0:7443"));
    assert_eq!(found, ["web.address: 0.0.0.0:7443 is that of [listen.network] already"]);
}

#[test]
fn an_anchor_beside_the_log_is_refused() {
    let text = GOOD.replace("/srv/other-disk/", "/var/lib/countersign/");
    assert_eq!(
        problems(&text),
        [
            "line 21: log: anchors: /var/lib/countersign/countersign.anchor lies in the state directory, and would be lost or \
          rolled back with it"
        ]
    );
}

/// The documented configuration with these anchors.
fn anchored(anchors: &str) -> String {
    GOOD.replace("[{ file = \"/srv/other-disk/countersign.anchor\" }]", anchors)
}

#[test]
fn an_anchor_off_the_host_is_read_with_how_it_is_reached() {
    let file = "{ file = \"/srv/a\" }";
    let text = anchored(&format!(
        "[{{ https = \"https://a.example.org/log\", ca = {{ file = \"/ca.pem\" }}, certificate = {{ file = \"/c.pem\" }}, \
         key = {{ credential = \"a.key\" }}, bearer = {{ credential = \"a.token\" }}, query = {{ file = \"/sas\" }}, \
         headers = {{ x-ms-blob-type = \"BlockBlob\" }} }}, {file}]"
    ));
    let anchors = check(&text).unwrap().log.settings.anchors;
    assert_eq!(anchors[1], AnchorPlace::File("/srv/a".into()));
    assert_eq!(anchors[0].to_string(), "https://a.example.org/log");
    let AnchorPlace::Https(access) = &anchors[0] else { panic!("{anchors:?}") };
    let secret = |name| SecretReference::credential(name).unwrap();
    assert_eq!(access.ca, SecretReference::file("/ca.pem"));
    assert_eq!(access.identity, Some((SecretReference::file("/c.pem"), secret("a.key"))));
    assert_eq!(access.authorization, Some(crate::log::Authorization::Bearer(secret("a.token"))));
    assert_eq!(access.query, Some(SecretReference::file("/sas")));
    assert_eq!(access.headers.len(), 1);
}

#[test]
fn an_anchor_off_the_host_that_cannot_be_is_refused() {
    let file = "{ file = \"/srv/a\" }";
    let ca = "ca = { file = \"/ca.pem\" }";
    let good = format!("{{ https = \"https://a.example.org/log\", {ca} }}");
    for (anchors, words) in [
        (format!("[{good}]"), "at least one file"),
        (format!("[{file}, {good}, {good}]"), "https://a.example.org/log is given twice"),
        (format!("[{file}, {{ https = \"https://a.example.org/log\" }}]"), "ca: is missing"),
        (
            format!("[{file}, {{ https = \"http://a.example.org/log\", {ca} }}]"),
            "expected the address of one object",
        ),
        (
            format!("[{file}, {{ https = \"https://u:hunter2@a.example.org/log\", {ca} }}]"),
            "it is recorded and shown",
        ),
        (
            format!("[{file}, {{ https = \"https://a.example.org/log?sig=hunter2\", {ca} }}]"),
            "it is recorded and shown",
        ),
        (
            format!("[{file}, {{ https = \"https://a.example.org/log\", file = \"/b\", {ca} }}]"),
            "one of `file`, `https` and `pkcs11`",
        ),
        (format!("[{file}, {{ htps = \"https://a.example.org/log\" }}]"), "htps: unknown"),
        (
            format!("[{file}, {{ https = \"https://a.example.org/log\", {ca}, key = {{ file = \"/k\" }} }}]"),
            "`certificate` and `key` belong together",
        ),
        (
            format!(
                "[{file}, {{ https = \"https://a.example.org/log\", {ca}, bearer = {{ file = \"/k\" }}, basic = {{ file = \"/k\" }} }}]"
            ),
            "one of `bearer` and `basic`",
        ),
        (
            format!("[{file}, {{ https = \"https://a.example.org/log\", {ca}, bearer = \"hunter2\" }}]"),
            "never the secret itself",
        ),
        (
            format!(
                "[{file}, {{ https = \"https://a.example.org/log\", {ca}, headers = {{ Authorization = \"hunter2\" }} }}]"
            ),
            "is no header's name, or one that is set already",
        ),
        (
            format!(
                "[{file}, {{ https = \"https://a.example.org/log\", {ca}, headers = {{ x-a = \"hunter2\\n\" }} }}]"
            ),
            "cannot be a header's",
        ),
    ] {
        let found = problems(&anchored(&anchors));
        assert!(found.iter().any(|problem| problem.contains(words)), "{words}: {found:#?}");
        assert!(found.iter().all(|problem| problem.starts_with("line 21: ")), "{found:#?}");
        assert!(!found.join("").contains("hunter2"), "{found:#?}");
    }
}

#[test]
fn an_anchor_in_a_token_is_read_with_the_backend_that_reaches_it() {
    let uri = "pkcs11:token=release;object=countersign%20log";
    let text = anchored(&format!("[{{ file = \"/srv/a\" }}, {{ pkcs11 = \"{uri}\", backend = \"hsm-a\" }}]"));
    let log = check(&text).unwrap().log;
    assert_eq!(log.settings.anchors[1], AnchorPlace::Object(uri.into()));
    let token = TokenAnchor { object: uri.parse().unwrap(), backend: "hsm-a".to_owned() };
    assert_eq!(log.tokens, [(uri.to_owned(), token)].into());
}

#[test]
fn an_anchor_in_a_token_that_cannot_be_is_refused() {
    let soft = "[backend.soft]\nkind = \"software\"\nidentity = { file = \"/k\" }\n";
    let good = "{ pkcs11 = \"pkcs11:token=release;object=a\", backend = \"hsm-a\" }";
    for (anchor, words) in [
        (format!("{good}, {good}"), "pkcs11:token=release;object=a is given twice"),
        (good.replace("hsm-a", "hsm-b"), "there is no [backend.hsm-b]"),
        (good.replace("hsm-a", "soft"), "[backend.soft] has no token"),
        (good.replace(", backend = \"hsm-a\"", ""), "backend: is missing"),
        (good.replace("token=release", "token=other"), "another token than that of [backend.hsm-a]"),
        (good.replace("token=release", "serial=77"), "another token than that of [backend.hsm-a]"),
        (good.replace("token=release;", ""), "expected a token and a label in it"),
        (good.replace(";object=a", ""), "expected a token and a label in it"),
        (good.replace("object=a", "object=a;id=%01"), "without `id` and `type`"),
        (good.replace("object=a", "object=a;type=private"), "without `id` and `type`"),
        (good.replace("object=a", "object=a?pin-value=hunter2"), "never stands in a URI"),
        (good.replace("backend", "https"), "one of `file`, `https` and `pkcs11`"),
    ] {
        let found = problems(&(anchored(&format!("[{{ file = \"/srv/a\" }}, {anchor}]")) + soft));
        assert!(found.iter().any(|problem| problem.contains(words)), "{words}: {found:#?}");
        assert!(found.iter().all(|problem| problem.starts_with("line 21: ")), "{found:#?}");
        assert!(!found.join("").contains("hunter2"), "{found:#?}");
    }
    // What is wrong with the backend is not said of the anchor too.
    let found = problems(
        &anchored(&format!("[{{ file = \"/srv/a\" }}, {good}]")).replace("sessions = 8", "sessions = 0"),
    );
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn nobody_could_come_in() {
    let text =
        GOOD.replace("[listen.network]", "[listen]\n[x.network]").replace("[listen.local]", "[x.local]");
    let found = problems(&text);
    assert!(found.iter().any(|p| p.contains("neither [listen.network] nor [listen.local]")), "{found:#?}");
}

#[test]
fn a_filter_that_cannot_be_read_is_said_with_its_line() {
    let found = problems(&format!("{GOOD}\n[telemetry]\nfilter = \"daemon=loud\"\n"));
    assert!(found.len() == 1 && found[0].starts_with("line 36: telemetry: filter: "), "{found:#?}");
}

#[test]
fn a_file_is_named_with_the_count_of_its_problems() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("countersignd.toml");
    std::fs::write(&file, "[instance]\nname = 1 2\n").unwrap();
    let error = load(&file).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: 1 problem\n  line 2: ", file.display())), "{error}");
    let error = load(&directory.path().join("none")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration "), "{error}");
    std::fs::write(&file, GOOD).unwrap();
    assert!(load(&file).is_ok());
}
