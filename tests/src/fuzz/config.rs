//! The daemon's configuration: read or refused with everything that is wrong, each problem within the text; what is
//! accepted is within its bounds. A secret in the wrong place is never repeated.

use ceremonies::form::Problem;
use daemon::backend::Settings;
use daemon::config;
use daemon::log::AnchorPlace;

/// Words of configurations.
pub const WORDS: &[&str] = &[
    "[instance]\n",
    "[listen.network]\n",
    "[backend.hsm-b]\n",
    "[[backend]]\n",
    "[limits]\nconnections = 10\n",
    "\"10s\"",
    "\"64MiB\"",
    "= 99999999999999999999\n",
    "= -1\n",
    "= [",
    "{ file = \"/x\" }",
    "{ credential = \"../x\" }",
    "{ pkcs11 = \"pkcs11:token=release;object=a\", backend = \"hsm-a\" }",
    "\"\"\"",
    "\0",
    "\u{feff}",
    "name = \"a\"\n",
];

/// What no message may repeat: it stands in a seed where a reference belongs.
const SECRET: &str = "hunter2-8675309";

/// The configuration beside the systemd unit, the same with an anchor in the token, and one of the software backend.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let unit = super::golden("daemon/systemd", "countersignd.toml").remove(0);
    let text = String::from_utf8(unit.clone()).unwrap();
    let at = text.find("[backend").unwrap();
    let software = format!(
        "{}[backend.software]\nkind = \"software\"\nidentity = {{ file = \"/k\" }}\n[telemetry]\nformat = \"json\"\n",
        &text[..at]
    );
    let anchor = "{ pkcs11 = \"pkcs11:object=anchor;token=release\", backend = \"hsm-a\" }";
    let token = text.replace("anchors = [", &format!("anchors = [{anchor}, "));
    assert_ne!(token, text);
    vec![unit, token.into_bytes(), software.into_bytes()]
}

/// A configuration with a PIN in the place of its reference: it is refused, whatever else happens to it.
#[must_use]
pub fn careless() -> String {
    let unit = String::from_utf8(seeds().remove(0)).unwrap();
    unit.replace("{ credential = \"hsm-a.pin\" }", &format!("\"{SECRET}\""))
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    // The bent text before the careless one: whatever it breaks, the secret behind it is not shown.
    if let Err(problems) = config::check(&format!("{text}\n{}", careless())) {
        said(&problems, text.lines().count() + careless().lines().count() + 1);
        let shown = problems.iter().any(|problem| problem.to_string().contains(SECRET));
        assert!(!shown, "the secret is shown: {problems:#?}");
    }
    let read = match config::check(text) {
        Ok(read) => read,
        Err(problems) => {
            said(&problems, text.lines().count());
            return false;
        }
    };
    assert!((1..=253).contains(&read.instance.name.len()));
    assert!(read.instance.state_directory.is_absolute());
    assert!(read.policy.guardrails.is_absolute() && read.policy.grants.is_absolute());
    assert!(read.listen.network.is_some() || read.listen.local.is_some());
    assert!(!read.backends.is_empty() && read.limits.connections > 0);
    for settings in read.backends.values() {
        if let Settings::Pkcs11(settings) = settings {
            assert_eq!(settings.problems(), Vec::<String>::new());
        }
    }
    for anchor in &read.log.settings.anchors {
        if let AnchorPlace::Object(name) = anchor {
            let token = &read.log.tokens[&**name];
            assert!(matches!(read.backends.get(&token.backend), Some(Settings::Pkcs11(_))), "{token:?}");
        }
    }
    true
}

/// There is at least one problem, each says something and lies in the text.
pub(super) fn said(problems: &[Problem], lines: usize) {
    assert!(!problems.is_empty(), "refused without a word");
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        assert!(
            problem.line.is_none_or(|line| (1..=lines + 1).contains(&line)),
            "beyond {lines} lines: {problem:?}"
        );
    }
}
