//! `countersignd dev`: one command to a running rehearsal instance with a key in it.
//!
//! The key is born as every key is, by a ceremony; this machine plays all its people, with the throw-away keys that `init`
//! has made for them.

use std::path::Path;
use std::sync::Arc;

use proto::algorithm::Algorithm;
use proto::purpose::Kind;

use super::arguments::{Dev, Init, RehearseKey};
use super::{Failed, config, init, rehearse, serve};
use crate::clock::Clock;

/// The key of a development instance.
const KEY: &str = "dev/first";

/// Makes the instance if it is not there, and runs it.
pub(super) fn run(arguments: &Dev, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    let file = arguments.directory.join("countersignd.toml");
    if !file.exists() {
        make(arguments, &file, &clock)?;
    }
    let config = config(&file)?;
    say(&config.instance.state_directory.with_file_name("client.toml"));
    serve::run(config, clock)
}

fn make(arguments: &Dev, file: &Path, clock: &Arc<dyn Clock>) -> Result<(), Failed> {
    let (module, token) = match arguments.pkcs11.as_deref() {
        Some([module, token]) => (Some(module.into()), Some(token.clone())),
        _ => (None, None),
    };
    let backend = if module.is_some() { "hsm" } else { "software" };
    let made = Init {
        rehearsal: true,
        directory: arguments.directory.clone(),
        name: Some("dev.countersign.example".into()),
        listen: "127.0.0.1:7443".into(),
        web: "127.0.0.1:7480".into(),
        pkcs11: module,
        token,
        pin_file: arguments.pin_file.clone(),
        ..Init::default()
    };
    init::make(&made, clock.as_ref())?;
    let key = RehearseKey {
        name: KEY.parse()?,
        algorithm: Algorithm::EcdsaP256Sha256,
        purpose: vec![Kind::Blob, Kind::Oci],
        owner: "rehearsal".into(),
        backend: Some(backend.to_owned()),
        adopt: arguments.key.clone(),
        people: None,
        config: file.to_owned(),
    };
    rehearse::before(&config(file)?, &key, Arc::clone(clock))
}

#[expect(clippy::print_stdout, reason = "what to try, for whoever started it")]
fn say(client: &Path) {
    let with = format!("countersign --config {}", client.display());
    println!("\nREHEARSAL: nothing that this instance signs counts. It never becomes a production instance.");
    println!("Three commands to try:\n");
    println!("  {with} sign {KEY} FILE --out FILE.sig --receipt FILE.receipt");
    println!("  {with} log tail");
    println!("  {with} stop {KEY} --reason \"trying it out\"\n");
}
