//! The texts of a new instance: policy and configuration, as a person would write and go on editing them.

use ceremonies::genesis::{Genesis, Mode};
use proto::hash::Hash;

use super::files::Files;
use crate::app::arguments::Init;

/// Rules that no grant overrides.
pub(super) const FORBID: &str = "\
// Guardrails: what no grant overrides. Each rule needs an id: records name it as the rule that decided.

@id(\"details-are-erased-on-this-machine\")
forbid (principal, action == Action::\"redact\", resource)
unless { principal in Callers::\"unix\" };
";

/// The guardrails document.
pub(super) fn guardrails(ca: &str) -> String {
    format!(
        "\
# Guardrails: what only a quorum changes. A rehearsal instance records a changed file itself, at start and on SIGHUP.

[forbid]
file = \"forbid.cedar\"
sha256 = \"{forbid}\"

[[client_ca]]
file = \"tls/ca.pem\"
sha256 = \"{ca}\"

[log]
leaves = \"private\"
record_claims = []
",
        forbid = Hash::of(FORBID.as_bytes()),
        ca = Hash::of(ca.as_bytes()),
    )
}

/// Grants of the first client and of whoever made the instance.
pub(super) fn grants(first_client: &str, uid: u32) -> String {
    format!(
        "\
// Grants: who may ask for what, inside the guardrails. Check with `countersign policy check`.

@id(\"first-client\")
permit (principal == Caller::\"{first_client}\", action, resource);

@id(\"local-operator\")
permit (principal == Caller::\"unix:{uid}\", action, resource);

// Whoever may invite a caller can become it, so inviting is permitted only where a grant names it.
@id(\"first-client-invites\")
permit (principal == Caller::\"{first_client}\", action == Action::\"invite\", resource);

@id(\"local-operator-invites\")
permit (principal == Caller::\"unix:{uid}\", action == Action::\"invite\", resource);
"
    )
}

/// What the configurations name.
pub(super) struct Names<'a> {
    pub(super) files: &'a Files,
    pub(super) arguments: &'a Init,
    pub(super) genesis: &'a Genesis,
}

impl Names<'_> {
    fn path(&self, name: &str) -> String {
        quoted(&self.files.path(name).display().to_string())
    }

    /// The daemon's configuration.
    pub(super) fn daemon(&self) -> String {
        let Init { web, .. } = self.arguments;
        let mut text = format!(
            "\
{about}

[instance]
name = {name}
genesis_sha256 = \"{genesis}\"
state_directory = {state}

{network}
[listen.local]
socket = {socket}

[web]
address = {web}

[log]
key = {{ file = {log_key} }}
anchors = [{{ file = {anchor} }}]

[policy]
guardrails = {guardrails}
grants = {grants}
",
            about = match self.genesis.mode() {
                Mode::Rehearsal => {
                    "# A rehearsal instance: nothing that it signs is worth anything to anyone else."
                }
                Mode::Production => "# A production instance.",
            },
            name = quoted(self.genesis.instance().as_str()),
            genesis = self.genesis.digest(),
            state = self.path("state"),
            network = self.network(),
            socket = self.path("state/sign.sock"),
            web = quoted(web),
            log_key = self.path("state/log.key"),
            anchor = self.path("anchor/countersign.anchor"),
            guardrails = self.path("guardrails.toml"),
            grants = self.path("grants.cedar"),
        );
        if self.genesis.mode() == Mode::Rehearsal || self.genesis.allow_software_backend() {
            text.push_str(&format!(
                "\n[backend.software]\nkind = \"software\"\nidentity = {{ file = {} }}\n",
                self.path("state/software.identity")
            ));
        }
        if self.arguments.rehearsal {
            text.push_str(&format!(
                "\n[enrollment]\nca = {{ file = {} }}\nkey = {{ file = {} }}\n",
                self.path("tls/ca.pem"),
                self.path("tls/ca.key")
            ));
        }
        if let (Some(module), Some(token), Some(pin)) =
            (&self.arguments.pkcs11, &self.arguments.token, &self.arguments.pin_file)
        {
            let pin = std::path::absolute(pin).unwrap_or_else(|_unknown| pin.clone());
            text.push_str(&format!(
                "\n[backend.hsm]\nkind = \"pkcs11\"\nmodule = {}\ntoken = {}\npin = {{ file = {} }}\n",
                quoted(&module.display().to_string()),
                quoted(token),
                quoted(&pin.display().to_string()),
            ));
            let pairs = self.arguments.module_environment.iter().filter_map(|pair| pair.split_once('='));
            let pairs: Vec<_> =
                pairs.map(|(name, value)| format!("{} = {}", quoted(name), quoted(value))).collect();
            if !pairs.is_empty() {
                text.push_str(&format!("environment = {{ {} }}\n", pairs.join(", ")));
            }
        }
        text
    }

    /// Where callers from elsewhere come in: with the certificates that a rehearsal has made itself, or as whoever knows
    /// the organisation's CA will say.
    fn network(&self) -> String {
        let listen = quoted(&self.arguments.listen);
        let section = |certificate: &str, key: &str| {
            format!(
                "[listen.network]\naddress = {listen}\ncertificate = {{ file = {certificate} }}\n\
                 key = {{ file = {key} }}\nclient_certificate = \"optional\"\n"
            )
        };
        if self.arguments.rehearsal {
            return section(&self.path("tls/server.pem"), &self.path("tls/server.key"));
        }
        let lines = section("\"server.pem\"", "\"server.key\"");
        let commented: Vec<String> = lines.lines().map(|line| format!("# {line}\n")).collect();
        format!("# Callers from elsewhere, by a certificate of your own CA:\n{}", commented.concat())
    }

    /// The first client's configuration. Where the daemon chooses its port itself, it writes the address at each start.
    pub(super) fn client(&self) -> String {
        let port = self.arguments.listen.rsplit_once(':').map_or("7443", |(_, port)| port);
        format!(
            "\
# The first client of this instance: countersign --config {path} …

address = \"https://localhost:{port}\"
ca = {ca}
certificate = {certificate}
key = {key}
log_key = {log_key}
genesis_sha256 = \"{genesis}\"
",
            path = self.files.path("client.toml").display(),
            ca = self.path("tls/ca.pem"),
            certificate = self.path("tls/client.pem"),
            key = self.path("tls/client.key"),
            log_key = quoted(self.genesis.log_key()),
            genesis = self.genesis.digest(),
        )
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
