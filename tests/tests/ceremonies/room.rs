//! A room in which everybody of an instance is at hand: each asks the real daemon, now by the local socket, now by mTLS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use ceremonies::act::{Act, Decision, Deed, Outcome, SeenHead, namespace};
use ceremonies::birth::BirthNames;
use ceremonies::genesis::Mode;
use ceremonies::ssh::private::PrivateKey;
use ceremonies::statement::Statement;
use daemon::clock::{Clock as _, ManualClock};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::time::Time;
use proto::wire::v1::ceremony_service_client::CeremonyServiceClient;
use proto::wire::v1::{self, CeremonyState};
use softhsm::{Token, Wire};
use tests::ask;
use tests::world::{Plan, World};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The room.
pub struct Room {
    pub world: World,
    /// In front of the token, where there is one: it counts what reaches the device.
    pub wire: Option<Wire>,
    pub genesis: Statement,
    people: BTreeMap<String, PrivateKey>,
    runtime: Runtime,
    nonce: AtomicU64,
    /// Whether it has no certificate for anybody, so that all come by the local socket.
    local: bool,
    /// The clock that everybody goes by, where it is not the machine's.
    clock: Option<Arc<ManualClock>>,
}

/// A ceremony that somebody has proposed.
#[derive(Clone)]
pub struct Open {
    pub id: String,
    pub statement: Statement,
}

impl Open {
    pub fn digest(&self) -> Hash {
        self.statement.digest()
    }
}

/// A template of this kind, with its target in TOML.
pub fn template(kind: &str, target: &str) -> String {
    format!(
        "kind = \"{kind}\"\nmode = \"rehearsal\"\nenvironment = \"rehearsal\"\nlives = \"1h\"\npurpose = \"a test\"\n\
         justification = \"to see whether it holds\"\nticket = \"none\"\n[target]\n{target}"
    )
}

/// A template of a new key on this backend.
pub fn new_key(name: &str, backend: &str) -> String {
    template(
        "key.generate",
        &format!(
            "activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"{backend}\"\n\
             extractable = false\nkey = \"{name}\"\nowner = \"team\"\npurpose = [\"blob\"]\nretirement = \"never\"\n\
             standby = false\nversion = 1\n"
        ),
    )
}

/// This moment, as the tests' own clock has it.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time::from_microseconds(i64::try_from(since.as_micros()).unwrap())
}

/// The reason of a refusal and, where it has one, the guard that refused. Every refusal explains itself.
#[track_caller]
pub fn told(status: &Status) -> (Reason, String) {
    ask::explained(status);
    let info = status.get_details_error_info().unwrap();
    (ask::reason(status), info.metadata.get("guard").cloned().unwrap_or_default())
}

impl Room {
    /// A rehearsal with software keys alone.
    pub fn software() -> Self {
        Self::of(Plan::new().start(), None)
    }

    /// A rehearsal on SoftHSM, with a module in front that counts calls.
    pub fn token() -> Self {
        let token = Token::create().unwrap();
        let wire = Wire::build(token.directory(), token.module()).unwrap();
        wire.count().unwrap();
        let module = wire.module();
        Self::of(Plan::new().token(token, Some(module)).start(), Some(wire))
    }

    /// Everybody of an instance that runs, whose people have their keys in `<instance>/people`.
    pub fn of(world: World, wire: Option<Wire>) -> Self {
        let mut people = BTreeMap::new();
        for entry in std::fs::read_dir(world.place().join("people")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.contains('.') {
                let key = PrivateKey::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
                people.insert(name, key);
            }
        }
        let genesis = std::fs::read(world.place().join("genesis.json")).unwrap();
        let genesis = Statement::parse(&genesis).unwrap();
        let local = !world.place().join("client.toml").exists();
        let (runtime, nonce) = (Runtime::new().unwrap(), AtomicU64::new(0));
        Self { world, wire, genesis, people, runtime, nonce, local, clock: None }
    }

    /// Everybody goes by this clock.
    pub fn under(self, clock: &Arc<ManualClock>) -> Self {
        Self { clock: Some(Arc::clone(clock)), ..self }
    }

    /// From now on all come by the local socket.
    pub fn only_local(&mut self) {
        self.local = true;
    }

    fn now(&self) -> Time {
        self.clock.as_ref().map_or_else(now, |clock| clock.wall())
    }

    /// The private key of a file of `people`.
    pub fn key(&self, file: &str) -> &PrivateKey {
        self.people.get(file).unwrap_or_else(|| panic!("nobody has the key {file}"))
    }

    /// Somebody whom no roster knows yet comes with a key of his own.
    pub fn enters(&mut self, file: &str) {
        let seed = Hash::of(format!("{}/{file}", self.world.scratch().display()).as_bytes());
        let key = PrivateKey::from_seed(*seed.as_bytes()).unwrap();
        let path = self.world.place().join("people").join(file);
        std::fs::write(&path, key.file(file)).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(path.with_extension("pub"), format!("{} {file}\n", key.public())).unwrap();
        self.people.insert(file.to_owned(), key);
    }

    fn fresh(&self) -> u64 {
        self.nonce.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs what asks the daemon.
    pub fn wait<T>(&self, asking: impl Future<Output = T>) -> T {
        self.runtime.block_on(asking)
    }

    /// Asks, and goes on meanwhile.
    pub fn beside<T: Send + 'static>(
        &self,
        asking: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(asking)
    }

    /// A connection: by turns the local socket and mTLS. Needs the runtime around it.
    pub fn channel(&self) -> Channel {
        let _entered = self.runtime.enter();
        if self.local || self.fresh().is_multiple_of(2) { self.world.local() } else { self.world.channel() }
    }

    pub fn client(&self) -> CeremonyServiceClient<Channel> {
        CeremonyServiceClient::new(self.channel()).max_decoding_message_size(64 << 20)
    }

    /// What the instance says of itself.
    pub fn instance(&self) -> v1::GetInstanceResponse {
        let mut client = self.client();
        self.wait(async { client.get_instance(v1::GetInstanceRequest {}).await.unwrap().into_inner() })
    }

    /// The newest head of the log.
    pub fn head(&self) -> SeenHead {
        let checkpoint = self.instance().checkpoint;
        let mut lines = checkpoint.lines();
        let origin = lines.next().unwrap().parse().unwrap();
        let size = lines.next().unwrap().parse().unwrap();
        let root = base64::engine::general_purpose::STANDARD.decode(lines.next().unwrap()).unwrap();
        SeenHead { origin, root: hex::encode(root).parse().unwrap(), size }
    }

    /// The act of a deed over the newest head.
    pub fn act(&self, deed: Deed) -> Act {
        let common = self.genesis.common();
        let silent = matches!(
            deed,
            Deed::Approve { decision: Decision::Accept, .. }
                | Deed::Attest { decision: Decision::Accept, .. }
                | Deed::Execute { .. }
                | Deed::Propose { .. }
        );
        let nonce = Hash::of(format!("{}", self.fresh()).as_bytes());
        Act {
            deed,
            environment: common.environment.to_string(),
            expires: self.now().later(Duration::from_secs(3600)),
            head: self.head(),
            instance: common.instance.to_string(),
            nonce: (*nonce.as_bytes()).into(),
            reason: if silent { String::new() } else { "because of a test".to_owned() },
        }
    }

    /// The act, signed with the key in this file.
    pub fn sign(&self, file: &str, act: &Act) -> v1::SignedAct {
        self.sign_text(file, act.encode().unwrap(), namespace(self.genesis.common().mode))
    }

    /// Whatever it is, signed in whatever namespace.
    pub fn sign_text(&self, file: &str, document: Vec<u8>, namespace: &str) -> v1::SignedAct {
        let signature = self.key(file).sign(namespace, &document);
        v1::SignedAct { document, signature }
    }

    /// A deed as an act, signed.
    pub fn signed(&self, file: &str, deed: Deed) -> v1::SignedAct {
        self.sign(file, &self.act(deed))
    }

    pub fn draft(&self, initiator: &str, template: &str) -> Result<Statement, Status> {
        let request = v1::DraftStatementRequest {
            template: template.to_owned(),
            initiator: initiator.to_owned(),
            ..Default::default()
        };
        let mut client = self.client();
        let answer = self.wait(client.draft_statement(request))?;
        Ok(Statement::parse(&answer.into_inner().statement).unwrap())
    }

    /// Sends a proposal as it is.
    pub fn send_proposal(&self, statement: Vec<u8>, act: v1::SignedAct) -> Result<v1::Ceremony, Status> {
        self.send_proposal_with(statement, act, BTreeMap::new())
    }

    /// Sends a proposal with documents.
    pub fn send_proposal_with(
        &self,
        statement: Vec<u8>,
        act: v1::SignedAct,
        documents: BTreeMap<String, Vec<u8>>,
    ) -> Result<v1::Ceremony, Status> {
        let documents = documents.into_iter().collect();
        let request = v1::ProposeCeremonyRequest { statement, act: Some(act), documents };
        let mut client = self.client();
        Ok(self.wait(client.propose_ceremony(request))?.into_inner().ceremony.unwrap())
    }

    pub fn propose(&self, statement: &Statement) -> Result<Open, Status> {
        let initiator = statement.common().initiator.to_string();
        let act = self.signed(&initiator, Deed::Propose { statement: statement.digest() });
        let ceremony = self.send_proposal(statement.encode(), act)?;
        Ok(Open { id: ceremony.id, statement: statement.clone() })
    }

    /// A ceremony that oskar has proposed.
    #[track_caller]
    pub fn proposed(&self, template: &str) -> Open {
        self.propose(&self.draft("oskar", template).unwrap()).unwrap()
    }

    /// Sends an act as it is.
    pub fn submit(&self, act: v1::SignedAct) -> Result<u64, Status> {
        let mut client = self.client();
        let request = v1::SubmitActRequest { act: Some(act) };
        Ok(self.wait(client.submit_act(request))?.into_inner().log_index)
    }

    /// Signs a deed and sends it.
    pub fn does(&self, file: &str, deed: Deed) -> Result<u64, Status> {
        self.submit(self.signed(file, deed))
    }

    pub fn approves(&self, file: &str, open: &Open) -> Result<u64, Status> {
        self.does(file, Deed::Approve { decision: Decision::Accept, statement: open.digest() })
    }

    pub fn attests(&self, file: &str, open: &Open) -> Result<u64, Status> {
        let statement = open.digest();
        self.does(file, Deed::Attest { decision: Decision::Accept, outcome: None, statement })
    }

    /// What the witnesses see of an execution.
    pub fn outcome(&self, open: &Open) -> Outcome {
        let ceremony = self.ceremony(open);
        let deviations = hex::encode(&ceremony.deviations_sha256).parse().unwrap();
        Outcome { deviations, outputs: Hash::of(&ceremony.outputs) }
    }

    pub fn attests_after(&self, file: &str, open: &Open) -> Result<u64, Status> {
        let outcome = Some(self.outcome(open));
        self.does(file, Deed::Attest { decision: Decision::Accept, outcome, statement: open.digest() })
    }

    /// Attests whatever came out, where nothing did or nobody may.
    pub fn attests_after_blindly(&self, file: &str, open: &Open) -> Result<u64, Status> {
        let outcome = Some(Outcome { deviations: Hash::ZERO, outputs: Hash::ZERO });
        self.does(file, Deed::Attest { decision: Decision::Accept, outcome, statement: open.digest() })
    }

    pub fn vetoes(&self, file: &str, open: &Open) -> Result<u64, Status> {
        self.does(file, Deed::Veto { statement: open.digest() })
    }

    /// Ada and bob approve, wanda and walter attest.
    #[track_caller]
    pub fn arm(&self, open: &Open) {
        for officer in ["ada", "bob"] {
            self.approves(officer, open).unwrap();
        }
        for witness in ["wanda", "walter"] {
            self.attests(witness, open).unwrap();
        }
        assert_eq!(self.state(open), CeremonyState::Armed);
    }

    /// Sends an act that starts something, as it is.
    pub fn send_start(&self, act: v1::SignedAct) -> Result<v1::Ceremony, Status> {
        let mut client = self.client();
        let request = v1::ExecuteCeremonyRequest { act: Some(act) };
        Ok(self.wait(client.execute_ceremony(request))?.into_inner().ceremony.unwrap())
    }

    /// Oskar starts it, again and again while the device is only coming up.
    pub fn executes(&self, open: &Open) -> Result<v1::Ceremony, Status> {
        let end = now().later(tests::PATIENCE);
        loop {
            let answer = self.send_start(self.signed("oskar", Deed::Execute { statement: open.digest() }));
            match answer {
                Err(status) if ask::reason(&status) == Reason::BackendUnavailable && now() < end => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                answer => return answer,
            }
        }
    }

    /// The same, while the test goes on: what comes of the first start that the device was up for.
    pub fn executes_beside(
        &self,
        open: &Open,
    ) -> tokio::task::JoinHandle<Result<tonic::Response<v1::ExecuteCeremonyResponse>, Status>> {
        let start = self.signed("oskar", Deed::Execute { statement: open.digest() });
        let request = v1::ExecuteCeremonyRequest { act: Some(start) };
        let (mut client, end) = (self.client(), now().later(tests::PATIENCE));
        // A daemon that dies meanwhile gives no reason.
        let reason = |status: &Status| status.get_details_error_info()?.reason.parse().ok();
        self.beside(async move {
            loop {
                match client.execute_ceremony(request.clone()).await {
                    Err(status) if reason(&status) == Some(Reason::BackendUnavailable) && now() < end => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    answer => return answer,
                }
            }
        })
    }

    /// Both witnesses of before attest what came out.
    #[track_caller]
    pub fn complete(&self, open: &Open) {
        for witness in ["wanda", "walter"] {
            self.attests_after(witness, open).unwrap();
        }
        assert_eq!(self.state(open), CeremonyState::Completed);
    }

    pub fn find(&self, id: &str) -> Result<v1::Ceremony, Status> {
        let mut client = self.client();
        let request = v1::GetCeremonyRequest { id: id.to_owned() };
        Ok(self.wait(client.get_ceremony(request))?.into_inner().ceremony.unwrap())
    }

    pub fn ceremony(&self, open: &Open) -> v1::Ceremony {
        self.find(&open.id).unwrap()
    }

    pub fn state(&self, open: &Open) -> CeremonyState {
        self.ceremony(open).state()
    }

    /// Waits until the ceremony stands there; the daemon says each change.
    #[track_caller]
    pub fn until(&self, open: &Open, state: CeremonyState) {
        let mut client = self.client();
        let request = v1::WatchCeremonyRequest { id: open.id.clone() };
        let reached = self.wait(async {
            tokio::time::timeout(tests::PATIENCE, async {
                let mut changes = client.watch_ceremony(request).await?.into_inner();
                while let Some(change) = changes.message().await? {
                    if change.ceremony.unwrap().state() == state {
                        return Ok(true);
                    }
                }
                Ok::<_, Status>(false)
            })
            .await
        });
        assert!(reached.unwrap().unwrap(), "it ended as {:?}", self.state(open));
    }

    /// Waits until the token's module was asked so often.
    #[track_caller]
    pub fn until_called(&self, function: &str, times: usize) {
        tests::until_called(self.wire.as_ref().unwrap(), function, times);
    }

    /// The files of a transcript.
    pub fn transcript(&self, open: &Open) -> Result<BTreeMap<String, Vec<u8>>, Status> {
        let mut client = self.client();
        let request = v1::GetTranscriptRequest { id: open.id.clone() };
        self.wait(async {
            let mut parts = client.get_transcript(request).await?.into_inner();
            let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
            while let Some(part) = parts.message().await? {
                files.entry(part.path).or_default().extend(part.content);
            }
            Ok(files)
        })
    }

    /// Private keys on the token under the derived label of this ceremony, or on the token at all.
    pub fn keys_of(&self, open: &Open) -> usize {
        let names = BirthNames::of(&open.statement);
        let id = hex::encode(names.id);
        self.objects().iter().filter(|(label, own)| *label == names.label || *own == id).count()
    }

    /// Label and id of every private key that the token holds.
    pub fn objects(&self) -> Vec<(String, String)> {
        private_keys(self.world.token().expect("there is a token"))
    }

    /// How often the device was told to make a key.
    pub fn births(&self) -> usize {
        self.wire.as_ref().expect("there is a wire").calls("GenerateKeyPair").unwrap()
    }

    /// What the device was asked to do so far: to look for an object, to sign, to destroy, to make a key. It is up.
    #[track_caller]
    pub fn asked(&self) -> [usize; 4] {
        self.until_called("Login", 1);
        let wire = self.wire.as_ref().unwrap();
        ["FindObjectsInit", "SignInit", "DestroyObject", "GenerateKeyPair"]
            .map(|function| wire.calls(function).unwrap())
    }

    /// What must be the same before and after a refusal: records in the log, keys on the token, keys ever made.
    pub fn mark(&self) -> (u64, Vec<(String, String)>, usize) {
        match self.world.token() {
            Some(_) => (self.head().size, self.objects(), self.births()),
            None => (self.head().size, Vec::new(), 0),
        }
    }

    /// Signs with a key: the first client does, or whoever comes by the local socket where nobody has a certificate.
    pub fn uses(&self, key: &str) -> Result<v1::SignResponse, Status> {
        let request = tests::load::request(key, b"a message");
        match self.local {
            true => self.wait(async { tests::load::sign(&self.world.local(), request).await }),
            false => ask::sign(&self.world, request),
        }
    }

    /// The kinds of the records from this index on.
    pub fn kinds(&self, from: u64) -> Vec<String> {
        let records = self.world.ledger().records;
        let kind = |record: &tests::ledger::Record| record.body["kind"].as_str().unwrap().to_owned();
        records.iter().skip(usize::try_from(from).unwrap()).map(kind).collect()
    }

    /// Stops the daemon and holds its log against what is promised of every log.
    #[track_caller]
    pub fn ends_well(mut self) {
        assert!(self.world.stop().success());
        let ledger = self.world.ledger();
        assert_eq!(ledger.complaints(), Vec::<String>::new());
        assert_eq!(ledger.open, Vec::<u64>::new());
    }
}

/// Label and id (hexadecimal) of every private key on a token.
pub fn private_keys(token: &Token) -> Vec<(String, String)> {
    objects(token, "privkey")
}

/// Label and id (hexadecimal) of every object of this type on a token: `privkey`, `pubkey`.
pub fn objects(token: &Token, kind: &str) -> Vec<(String, String)> {
    let (name, value) = token.environment();
    let mut tool = std::process::Command::new("pkcs11-tool");
    tool.env(name, value).arg("--module").arg(token.module());
    tool.args(["--token-label", token.label(), "--login", "--pin", token.pin()]);
    tool.args(["--list-objects", "--type", kind]);
    let said = tests::process::Process::output(tool);
    let mut keys: Vec<(String, String)> = Vec::new();
    for line in said.lines().map(str::trim) {
        if line.starts_with("Private Key Object") || line.starts_with("Public Key Object") {
            keys.push(Default::default());
        } else if let (Some(label), Some(last)) = (line.strip_prefix("label:"), keys.last_mut()) {
            last.0 = label.trim().to_owned();
        } else if let (Some(id), Some(last)) = (line.strip_prefix("ID:"), keys.last_mut()) {
            last.1 = id.trim().to_owned();
        }
    }
    keys.sort();
    keys
}

/// Whether a call that failed may have been answered by nobody: the daemon is gone.
pub fn is_gone(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal)
}

/// The other mode's name for acts.
pub const OTHER: &str = namespace(Mode::Production);
