//! `countersignd dev`: one command to a running rehearsal instance with a key in it.
//!
//! The key is born as every key is, by a ceremony; this machine plays all its people, with the throw-away keys that `init`
//! has made for them. What an earlier run has made is taken as it is, and what it did not come to is made now: a wrong PIN
//! costs a run, not the instance. What is asked for and is otherwise there is refused by name.

use std::path::Path;
use std::sync::Arc;

use proto::algorithm::Algorithm;
use proto::purpose::Kind;

use super::arguments::{Dev, Init, RehearseKey};
use super::{Failed, config, init, rehearse, serve};
use crate::backend;
use crate::backend::pkcs11::uri::Uri;
use crate::clock::Clock;
use crate::config::Config;
use crate::secret::{SecretReference, Unmet};

/// The key of a development instance.
const KEY: &str = "dev/first";
/// The backend of a token that was named.
const HSM: &str = "hsm";
/// The backend where none was.
const SOFTWARE: &str = "software";
/// Where it listens, and where it serves checkpoints.
const PLACES: (&str, &str) = ("127.0.0.1:7443", "127.0.0.1:7480");

/// Makes of the instance what is not there, and runs it.
pub(super) fn run(arguments: &Dev, clock: Arc<dyn Clock>, unmet: &[Unmet]) -> Result<(), Failed> {
    let file = arguments.directory.join("countersignd.toml");
    let was_there = file.exists();
    if !was_there {
        make(arguments, clock.as_ref())?;
    }
    let config = config(&file)?;
    if was_there {
        same(arguments, &config)?;
    }
    let backend = if config.backends.contains_key(HSM) { HSM } else { SOFTWARE };
    let key = RehearseKey {
        name: KEY.parse()?,
        algorithm: Algorithm::EcdsaP256Sha256,
        purpose: vec![Kind::Blob, Kind::Oci],
        owner: "rehearsal".into(),
        backend: Some(backend.to_owned()),
        adopt: arguments.key.clone(),
        people: None,
        config: file,
    };
    rehearse::if_missing(&config, &key, Arc::clone(&clock))?;
    say(&config.instance.state_directory.with_file_name("client.toml"));
    serve::run(config, clock, unmet)
}

fn make(arguments: &Dev, clock: &dyn Clock) -> Result<(), Failed> {
    let (pkcs11, token) = match arguments.pkcs11.as_deref() {
        Some([module, token]) => (Some(module.into()), Some(token.clone())),
        _ => (None, None),
    };
    let made = Init {
        rehearsal: true,
        directory: arguments.directory.clone(),
        name: Some("dev.countersign.example".into()),
        listen: arguments.listen.as_deref().unwrap_or(PLACES.0).into(),
        web: arguments.web.as_deref().unwrap_or(PLACES.1).into(),
        pkcs11,
        token,
        pin_file: arguments.pin_file.clone(),
        module_environment: arguments.module_environment.clone(),
        ..Init::default()
    };
    init::make(&made, clock)?;
    Ok(())
}

/// What was asked for is what is there: an instance that exists is not made otherwise by a word on the command line.
fn same(arguments: &Dev, config: &Config) -> Result<(), Failed> {
    let hsm = match config.backends.get(HSM) {
        Some(backend::Settings::Pkcs11(hsm)) => Some(hsm),
        _ => None,
    };
    let shown = |path: &Path| path.display().to_string();
    let [module, token] = match arguments.pkcs11.as_deref() {
        Some([module, token]) => [Some(module.clone()), Some(token.parse::<Uri>()?.to_string())],
        _ => [None, None],
    };
    let pin = arguments.pin_file.as_deref().map(std::path::absolute).transpose()?;
    let network = config.listen.network.as_ref();
    let asked_and_there = [
        ("the module", module, hsm.map(|hsm| shown(&hsm.module))),
        ("the token", token, hsm.map(|hsm| hsm.token.to_string())),
        (
            "the PIN",
            pin.map(|path| SecretReference::File { path }.to_string()),
            hsm.and_then(|hsm| Some(hsm.pin.as_ref()?.to_string())),
        ),
        ("--listen", arguments.listen.clone(), network.map(|network| network.address.to_string())),
        ("--web", arguments.web.clone(), config.web.map(|web| web.to_string())),
    ];
    for (what, asked, there) in asked_and_there {
        if let Some(asked) = asked
            && there.as_ref() != Some(&asked)
        {
            let there = there.as_deref().unwrap_or("none");
            return Err(Failed::new(format!(
                "{} was made before: {what} is {there} there, and {asked} is asked for. Leave that out, or name another --directory",
                shown(&arguments.directory)
            )));
        }
    }
    Ok(())
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
