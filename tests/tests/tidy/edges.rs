//! Which crate may depend on which, and what must not come in below the offline ones.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::source::{caught, clean, root};

/// Ours, with those of ours that each may use.
const EDGES: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("ceremonies", &["proto"]),
    ("pkcs11-call", &[]),
    ("daemon", &["ceremonies", "proto", "pkcs11-call"]),
    ("client", &["ceremonies", "proto"]),
    ("softhsm", &[]),
    ("tests", &["ceremonies", "client", "daemon", "pkcs11-call", "proto", "softhsm"]),
    ("xtask", &["ceremonies", "client", "daemon", "proto", "softhsm"]),
];

/// A throw-away token may help any crate's own tests, never its product.
const FOR_TESTS: &[(&str, &str)] = &[("daemon", "softhsm"), ("pkcs11-call", "softhsm")];

/// What must not be below a crate that checks things offline.
const NOT_OFFLINE: &[&str] =
    &["tokio", "tonic", "hyper", "prost", "rusqlite", "cryptoki", "cryptoki-sys", "rustls"];

/// Complaints about a workspace as `cargo metadata --no-deps` describes it.
fn complaints(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = EDGES.iter().find(|(own, _)| *own == name) else {
            complaints.push(format!("crate `{name}` is not in the table of crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            if !ours.contains(on) || allowed.contains(&on) {
                let wire = dependency["features"].as_array().unwrap().iter().any(|feature| feature == "wire");
                if name == "ceremonies" && on == "proto" && wire {
                    complaints.push("`ceremonies` takes `proto` with its feature `wire`".to_owned());
                }
                continue;
            }
            if dependency["kind"] == "dev" && FOR_TESTS.contains(&(name, on)) {
                continue;
            }
            complaints.push(format!("crate `{name}` must not depend on `{on}`"));
        }
    }
    complaints
}

/// Complaints about what `cargo tree` shows below an offline crate.
fn below(name: &str, tree: &str) -> Vec<String> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|found| NOT_OFFLINE.contains(found))
        .map(|found| format!("`{found}` is below `{name}`, which works offline"))
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn crates_depend_only_on_those_below_them() {
    let metadata = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    clean(&complaints(&metadata));
}

#[test]
fn what_checks_offline_brings_no_network_and_no_hsm() {
    for name in ["ceremonies", "proto"] {
        let tree = cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none"]);
        assert!(tree.starts_with(name), "{tree}");
        clean(&below(name, &tree));
    }
}

#[test]
fn a_wrong_edge_is_noticed() {
    let edge = |from: &str, to: &str, kind: Option<&str>, features: &[&str]| {
        let dependencies = serde_json::json!([{ "name": to, "kind": kind, "features": features }]);
        serde_json::json!({ "packages": [
            { "name": from, "dependencies": dependencies },
            { "name": to, "dependencies": [] },
        ] })
    };
    caught(&complaints(&edge("daemon", "client", None, &[])), "`daemon` must not depend on `client`");
    caught(&complaints(&edge("client", "daemon", Some("dev"), &[])), "`client` must not depend on `daemon`");
    caught(&complaints(&edge("proto", "ceremonies", Some("build"), &[])), "`proto` must not");
    caught(&complaints(&edge("ceremonies", "proto", None, &["wire"])), "`wire`");
    caught(&complaints(&edge("daemon", "softhsm", None, &[])), "`daemon` must not depend on `softhsm`");
    caught(&complaints(&edge("extra", "proto", None, &[])), "`extra` is not in the table");
    clean(&complaints(&edge("daemon", "softhsm", Some("dev"), &[])));
    clean(&complaints(&edge("ceremonies", "proto", None, &[])));
}

#[test]
fn an_async_runtime_below_an_offline_crate_is_noticed() {
    caught(&below("proto", "proto v0.1.0\nhex v0.4.3\ntokio v1.54.0 (*)\n"), "`tokio` is below `proto`");
}
