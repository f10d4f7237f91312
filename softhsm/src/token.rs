//! One token in a directory of its own.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{TokenError, file, module, run};

const SO_PIN: &str = "5713920648";

/// What kind of key pair to generate, in `pkcs11-tool`'s words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA of so many bits.
    Rsa(u16),
}

impl Shape {
    fn word(self) -> String {
        match self {
            Self::P256 => "EC:prime256v1".to_owned(),
            Self::P384 => "EC:secp384r1".to_owned(),
            Self::P521 => "EC:secp521r1".to_owned(),
            Self::Ed25519 => "EC:edwards25519".to_owned(),
            Self::Rsa(bits) => format!("rsa:{bits}"),
        }
    }
}

/// A SoftHSM token. Removed with its directory when dropped, unless it was made by [`Token::create_in`].
#[derive(Debug)]
pub struct Token {
    root: PathBuf,
    module: PathBuf,
    label: String,
    pin: String,
    serial: String,
    _temporary: Option<tempfile::TempDir>,
}

impl Token {
    /// A fresh token with the label `rehearsal`, as instances of rehearsals want it; gone when dropped.
    ///
    /// # Errors
    /// If SoftHSM is not installed or fails.
    pub fn create() -> Result<Self, TokenError> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = file(
            "making a directory for the token",
            tempfile::Builder::new().prefix("softhsm-").tempdir_in(parent),
        )?;
        let mut token = Self::create_in(directory.path(), "rehearsal", "746251")?;
        token._temporary = Some(directory);
        Ok(token)
    }

    /// A fresh token in this directory, which stays.
    ///
    /// # Errors
    /// If SoftHSM is not installed or fails.
    pub fn create_in(root: &Path, label: &str, pin: &str) -> Result<Self, TokenError> {
        let module = module()?;
        file("making the token's directory", std::fs::create_dir_all(root.join("tokens")))?;
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            root.join("tokens").display()
        );
        file("writing softhsm2.conf", std::fs::write(root.join("softhsm2.conf"), configuration))?;
        let mut token = Self {
            root: root.to_owned(),
            module,
            label: label.to_owned(),
            pin: pin.to_owned(),
            serial: String::new(),
            _temporary: None,
        };
        token.serial = token.initialise()?;
        token.write_pin(pin)?;
        Ok(token)
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The user PIN.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// The serial number, 16 hexadecimal digits.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Path of the module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// The directory of everything here.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// The file that holds the user PIN, readable by its owner only.
    pub fn pin_file(&self) -> PathBuf {
        self.root.join("pin")
    }

    /// The environment that a process needs to see this token: a name and a value.
    pub fn environment(&self) -> (String, String) {
        ("SOFTHSM2_CONF".to_owned(), self.root.join("softhsm2.conf").display().to_string())
    }

    /// Gives the token another serial number, of 16 hexadecimal digits, as a device has that was cloned or replaced: its
    /// objects stay, with labels, ids and keys. Processes that have the token open see it when they open it anew.
    ///
    /// # Errors
    /// If the token's own file cannot be read, does not hold the serial number, or cannot be written.
    pub fn renumber(&mut self, serial: &str) -> Result<(), TokenError> {
        let doing = "giving the token another serial number";
        let mut written = 0;
        for entry in file(doing, std::fs::read_dir(self.root.join("tokens")))? {
            let path = file(doing, entry)?.path().join("token.object");
            let mut bytes = file(doing, std::fs::read(&path))?;
            let own = self.serial.as_bytes();
            let found = bytes.windows(own.len()).position(|window| window == own);
            if let Some(at) = found.filter(|_| serial.len() == own.len()) {
                bytes[at..at + own.len()].copy_from_slice(serial.as_bytes());
                file(doing, std::fs::write(&path, bytes))?;
                written += 1;
            }
        }
        let found =
            if written == 1 { Ok(()) } else { Err(std::io::Error::from(std::io::ErrorKind::NotFound)) };
        file(doing, found)?;
        self.serial = serial.to_owned();
        Ok(())
    }

    /// The token as an RFC 7512 URI, with label and serial.
    pub fn uri(&self) -> String {
        format!("pkcs11:token={};serial={}", self.label, self.serial)
    }

    /// A key of the token as an RFC 7512 URI, by its label.
    pub fn key_uri(&self, label: &str) -> String {
        format!("{};object={label};type=private", self.uri())
    }

    /// Writes another PIN into the PIN file. The token keeps its own.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_pin(&self, pin: &str) -> Result<(), TokenError> {
        use std::io::Write as _;
        let path = self.root.join("pin.new");
        let mut options = std::fs::OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut out = file("writing the PIN file", opened)?;
        file("writing the PIN file", out.write_all(pin.as_bytes()))?;
        file("the PIN file's rights", out.set_permissions(std::fs::Permissions::from_mode(0o600)))?;
        file("renaming the PIN file", std::fs::rename(path, self.pin_file()))
    }

    /// Generates a key pair in the token.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn generate(&self, label: &str, id: &[u8], shape: Shape) -> Result<(), TokenError> {
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = shape.word();
        self.tool(&[
            "--keypairgen",
            "--sensitive",
            "--usage-sign",
            "--key-type",
            &kind,
            "--label",
            label,
            "--id",
            &id,
        ])
        .map(|_said| ())
    }

    /// The public key with this label, DER SubjectPublicKeyInfo for elliptic curves.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn public_key(&self, label: &str) -> Result<Vec<u8>, TokenError> {
        let path = self.root.join(format!("{label}.der"));
        let name = path.display().to_string();
        self.tool(&["--read-object", "--type", "pubkey", "--label", label, "--output-file", &name])?;
        file("reading the public key", std::fs::read(path))
    }

    /// Destroys the key pairs with this label.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn destroy(&self, label: &str) -> Result<(), TokenError> {
        self.tool(&["--delete-object", "--type", "privkey", "--label", label])?;
        self.tool(&["--delete-object", "--type", "pubkey", "--label", label]).map(|_said| ())
    }

    /// The labels of the token's data objects, private ones too; a label twice where two objects have it.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn data_labels(&self) -> Result<Vec<String>, TokenError> {
        let text = self.tool(&["--list-objects", "--type", "data"])?;
        let labels = text.lines().filter_map(|line| line.trim().strip_prefix("label:"));
        Ok(labels.map(|label| label.trim().trim_matches('\'').to_owned()).collect())
    }

    /// What the data object of this application and label holds; of several, any. Nothing where there is none.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn data(&self, application: &str, label: &str) -> Result<Option<String>, TokenError> {
        if !self.data_labels()?.iter().any(|other| other == label) {
            return Ok(None);
        }
        let named = ["--type", "data", "--label", label, "--application-label", application];
        self.tool(&[&["--read-object"], &named[..]].concat()).map(Some)
    }

    /// Destroys every data object with this label, and makes one with this value if there is one.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn put_data(&self, application: &str, label: &str, value: Option<&str>) -> Result<(), TokenError> {
        let named = ["--type", "data", "--label", label];
        while self.data_labels()?.iter().any(|other| other == label) {
            self.tool(&[&["--delete-object"], &named[..]].concat())?;
        }
        let Some(value) = value else { return Ok(()) };
        let path = self.root.join("data");
        file("writing what a data object is to hold", std::fs::write(&path, value))?;
        let path = path.display().to_string();
        let new = ["--write-object", &path, "--private", "--application-label", application];
        self.tool(&[&new[..], &named[..]].concat()).map(|_said| ())
    }

    /// Changes the token's user PIN. The PIN file keeps the old one.
    ///
    /// # Errors
    /// If `pkcs11-tool` is not installed or fails.
    pub fn change_pin(&mut self, to: &str) -> Result<(), TokenError> {
        self.tool(&["--change-pin", "--new-pin", to])?;
        to.clone_into(&mut self.pin);
        Ok(())
    }

    /// Takes the token's directory away.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn remove(&self) -> Result<(), TokenError> {
        file("taking the token away", std::fs::rename(self.root.join("tokens"), self.root.join("away")))?;
        file("making an empty directory", std::fs::create_dir(self.root.join("tokens")))
    }

    /// Puts the token's directory back.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn put_back(&self) -> Result<(), TokenError> {
        file("removing what lies there", std::fs::remove_dir_all(self.root.join("tokens")))?;
        file("putting the token back", std::fs::rename(self.root.join("away"), self.root.join("tokens")))
    }

    /// Puts another token with the same label and PIN, but its own serial and no keys, in this one's place.
    ///
    /// # Errors
    /// If SoftHSM fails.
    pub fn replace(&mut self) -> Result<(), TokenError> {
        self.remove()?;
        self.serial = self.initialise()?;
        Ok(())
    }

    fn initialise(&self) -> Result<String, TokenError> {
        let arguments =
            ["--init-token", "--free", "--label", &self.label, "--so-pin", SO_PIN, "--pin", &self.pin];
        self.util(&arguments)?;
        let slots = self.util(&["--show-slots"])?;
        let mut serial = None;
        for line in slots.lines().map(str::trim) {
            if let Some(found) = line.strip_prefix("Serial number:") {
                serial = Some(found.trim().to_owned());
            }
            if line.strip_prefix("Label:").is_some_and(|label| label.trim() == self.label) {
                break;
            }
        }
        serial.filter(|serial| !serial.is_empty()).ok_or_else(|| TokenError::NotShown(self.label.clone()))
    }

    fn util(&self, arguments: &[&str]) -> Result<String, TokenError> {
        let (name, value) = self.environment();
        run("softhsm2-util", Command::new("softhsm2-util").env(name, value).args(arguments))
    }

    fn tool(&self, arguments: &[&str]) -> Result<String, TokenError> {
        let (name, value) = self.environment();
        let mut command = Command::new("pkcs11-tool");
        command.env(name, value).arg("--module").arg(&self.module);
        command.args(["--token-label", &self.label, "--login", "--pin", &self.pin]).args(arguments);
        run("pkcs11-tool", &mut command)
    }
}
