//! The programs that building and the tests call and that cargo does not bring.
//!
//! As root (a container, a CI machine) missing Debian packages are installed; anybody else is told the command. Nothing
//! is downloaded that Debian and crates.io do not carry.

use std::path::Path;
use std::process::Command;

use crate::run;

/// A program, the Debian package that holds it, and what needs it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "make", package: "make", purpose: "building the daemon's allocator" },
    Tool { program: "softhsm2-util", package: "softhsm2", purpose: "a PKCS#11 token to sign with" },
    Tool { program: "pkcs11-tool", package: "opensc", purpose: "a second opinion on what is in the token" },
    Tool { program: "openssl", package: "openssl", purpose: "a second opinion on signatures" },
    Tool {
        program: "ssh-keygen",
        package: "openssh-client",
        purpose: "signing acts, and a second opinion on their signatures",
    },
    Tool { program: "script", package: "bsdutils", purpose: "a terminal on which somebody types yes" },
    Tool { program: "strace", package: "strace", purpose: "killing the daemon at an exact system call" },
    Tool { program: "jq", package: "jq", purpose: "a second opinion on JSON" },
    Tool { program: "systemd-analyze", package: "systemd", purpose: "rating the service unit" },
];

/// The version of cargo-deny that `deny.toml` is written for.
const DENY_VERSION: &str = "0.20.2";

/// What the demo calls.
const DEMO: [&str; 4] = ["make", "softhsm2-util", "openssl", "ssh-keygen"];

/// Makes sure that every program is there; installs what is missing if it may.
pub fn debian() -> Result<(), String> {
    install(&TOOLS.iter().collect::<Vec<_>>())
}

/// The same for the programs that the demo calls.
pub fn for_demo() -> Result<(), String> {
    install(&TOOLS.iter().filter(|tool| DEMO.contains(&tool.program)).collect::<Vec<_>>())
}

fn install(tools: &[&Tool]) -> Result<(), String> {
    let missing: Vec<&Tool> =
        tools.iter().copied().filter(|tool| run::on_path(tool.program).is_none()).collect();
    if missing.is_empty() {
        println!("all there: {}", names(tools.iter().copied()));
        return Ok(());
    }
    for tool in &missing {
        println!("missing: {} (Debian package {}), {}", tool.program, tool.package, tool.purpose);
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if run::on_path("apt-get").is_none() {
        return Err(format!(
            "install these programs with your system's packages: {}",
            names(missing.into_iter())
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(format!("run `sudo apt-get install --no-install-recommends {}`", packages.join(" ")));
    }
    // The package lists of a fresh machine are empty or old: they are fetched only if the first attempt fails.
    if let Err(first) = run::shown(apt_get(&["install", "-y", "--no-install-recommends"], &packages)) {
        println!("{first}; fetching the package lists first");
        run::shown(apt_get(&["update"], &[]))?;
        run::shown(apt_get(&["install", "-y", "--no-install-recommends"], &packages))?;
    }
    match tools.iter().find(|tool| run::on_path(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => {
            Err(format!("package {} is installed, but {} is not on the path", tool.package, tool.program))
        }
    }
}

/// Makes sure that cargo-deny is there; installs it, which takes a few minutes once per machine.
pub fn cargo_deny() -> Result<(), String> {
    if let Some(version) = run::asked(run::cargo(&["deny", "--version"])) {
        println!("{version} is there");
        return Ok(());
    }
    println!("cargo-deny is missing: it is built from crates.io, once per machine, in a few minutes");
    let mut install = run::cargo(&["install", "cargo-deny", "--version", DENY_VERSION, "--locked"]);
    // Not into the project's target directory: nothing of it is wanted again.
    install.env_remove("CARGO_TARGET_DIR").current_dir(Path::new("/"));
    run::shown(install)
}

fn apt_get(task: &[&str], packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(task).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn names<'a>(tools: impl Iterator<Item = &'a Tool>) -> String {
    tools.map(|tool| tool.program).collect::<Vec<_>>().join(", ")
}
