//! `cargo xtask demo`: the main job on real input, from an empty directory to a refused signature.
//!
//! A SoftHSM token is made, `countersignd` started over mTLS, a key born in it by a ceremony of seven people, a real file and the manifest digest of a real OCI image
//! layout are signed, both are verified with `openssl` and with `countersign verify` offline, the log is shown, the key
//! stopped, the refusal shown, and the ceremony's transcript judged offline. Every command is printed before it is run, as anyone could type it.

mod layout;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ceremony::{self, Ceremony};
use crate::instance::{self, Instance};
use crate::{heading, run, tools};

/// The key of the demo.
const KEY: &str = "release/linux";

/// Runs the demo. With `keep`, the instance goes on running in that directory.
pub fn run(keep: Option<PathBuf>) -> Result<bool, String> {
    tools::for_demo()?;
    heading("Build the daemon and the client");
    instance::build()?;

    let temporary = tempfile::tempdir().map_err(|e| format!("cannot make a directory: {e}"))?;
    let directory = match &keep {
        Some(directory) => absolute(directory)?,
        None => temporary.path().join("demo"),
    };
    heading("Make a throw-away HSM");
    let instance = Instance::make(&directory)?;

    heading("One command makes an instance with seven people that uses it, a first key, and runs it");
    let running = instance.start()?;

    heading("Another key is born, step by step: people decide, and a transcript is left");
    Ceremony::hold(&instance, KEY)?;

    heading("Sign a file");
    let file = run::root().join("Cargo.lock");
    let out = directory.join("out");
    std::fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    let artefact = out.join("artefact");
    std::fs::copy(&file, &artefact).map_err(|e| format!("cannot copy {}: {e}", file.display()))?;
    let client = |arguments: &[&str]| {
        let mut command = Command::new(instance.client());
        command.arg("--config").arg(instance.client_config()).args(arguments).current_dir(&out);
        command
    };
    run::shown(client(&["sign", KEY, "artefact", "--out", "artefact.sig", "--receipt", "artefact.receipt"]))?;

    heading("Sign an image: the manifest digest of an OCI image layout, built here");
    let manifest = layout::build(&out.join("image"), &file)?;
    let reference = format!("registry.example.org/demo/app@{manifest}");
    let image = [
        "sign",
        KEY,
        "--image",
        &reference,
        "--out",
        "image.sig",
        "--payload",
        "image.payload",
        "--receipt",
        "image.receipt",
    ];
    run::shown(client(&image))?;

    heading("Verify both with openssl");
    written(client(&["keys", "public", KEY]), &out.join("key.pem"))?;
    let openssl = |signature: &str, file: &str| {
        let mut command = Command::new("openssl");
        command
            .args(["dgst", "-sha256", "-verify", "key.pem", "-signature", signature, file])
            .current_dir(&out);
        command
    };
    run::shown(openssl("artefact.sig", "artefact"))?;
    run::shown(openssl("image.sig", "image.payload"))?;

    heading("Verify both offline with countersign: signature, inclusion proof, checkpoint");
    let log_key = instance.log_key();
    let verify = |signature: &str, receipt: &str, what: &[&str]| {
        let mut command = Command::new(instance.client());
        command.args(["verify", "--key", "key.pem", "--signature", signature]).args(what);
        command.args(["--receipt", receipt, "--log-key"]).arg(&log_key).current_dir(&out);
        command
    };
    run::shown(verify("artefact.sig", "artefact.receipt", &["artefact"]))?;
    run::shown(verify("image.sig", "image.receipt", &["--image", &reference, "--payload", "image.payload"]))?;

    heading("What the log holds");
    run::shown(client(&["log", "tail"]))?;

    if keep.is_some() {
        let (home, config) = (instance.directory().to_owned(), instance.client_config());
        let pid = instance.pid_file();
        let client = instance.client();
        running.leave();
        heading("The instance is running. Commands to try next");
        for arguments in [
            format!("sign {KEY} FILE --out FILE.sig --receipt FILE.receipt"),
            "log tail --follow".to_owned(),
            format!("stop {KEY} --reason \"trying it out\""),
        ] {
            println!("{} --config {} {arguments}", client.display(), config.display());
        }
        let people = instance.home().join("people");
        println!("\nAs one of the people, for instance to see what waits for Ada:");
        let key = people.join("ada");
        println!(
            "{} --config {} --person ada --signing-key {} inbox",
            client.display(),
            config.display(),
            key.display()
        );
        println!("\nEverything is in {}. End it with: kill $(cat {})", home.display(), pid.display());
        return Ok(true);
    }

    heading("Stop the key, and see the refusal");
    run::shown(client(&["stop", KEY, "--reason", "the demo is over"]))?;
    let refused = client(&["sign", KEY, "artefact", "--out", "refused.sig", "--receipt", "refused.receipt"]);
    println!("{}", run::folded(&format!("$ {}", run::spelled(&refused))));
    expect_refusal(refused)?;
    running.end()?;
    heading("Judge the transcript of the key's ceremony offline, by the genesis digest");
    ceremony::verify(&instance)?;
    heading("Done: born, signed, recorded, verified by others, stopped");
    Ok(true)
}

fn absolute(directory: &Path) -> Result<PathBuf, String> {
    std::path::absolute(directory).map_err(|e| format!("{}: {e}", directory.display()))
}

/// Says and runs a command, with its standard output going into a file.
fn written(mut command: Command, file: &Path) -> Result<(), String> {
    let name = run::spelled(&command);
    let to = file.file_name().unwrap_or(file.as_os_str()).display();
    println!("{}", run::folded(&format!("$ {name} > {to}")));
    let to = std::fs::File::create(file).map_err(|e| format!("cannot make {}: {e}", file.display()))?;
    let status = command.stdout(to).status().map_err(|e| format!("cannot start `{name}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}")) }
}

/// The demo has failed if a stopped key signs.
fn expect_refusal(mut command: Command) -> Result<(), String> {
    let name = run::spelled(&command);
    let output = command.output().map_err(|e| format!("cannot start `{name}`: {e}"))?;
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr).contains("KEY_SUSPENDED");
    match output.status.code() {
        Some(1) if said => Ok(()),
        _ => Err(format!(
            "`{name}` should have been refused with KEY_SUSPENDED, and ended with {}",
            output.status
        )),
    }
}
