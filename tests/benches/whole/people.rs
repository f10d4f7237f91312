//! The people of a rehearsal instance: they fill its log with ceremonies, each act signed by its person and brought to the
//! real daemon over the same gRPC and mTLS as everything else.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ceremonies::act::{Act, Decision, Deed, SeenHead, namespace};
use ceremonies::genesis::Mode;
use ceremonies::ssh::private::PrivateKey;
use ceremonies::statement::Statement;
use proto::hash::Hash;
use proto::time::Time;
use proto::wire::v1;
use proto::wire::v1::ceremony_service_client::CeremonyServiceClient;
use tonic::transport::Channel;

/// What is proposed, again and again: a key that nobody gets.
const TEMPLATE: &str = "kind = \"key.generate\"\nmode = \"rehearsal\"\nenvironment = \"rehearsal\"\nlives = \"1h\"\n\
    purpose = \"a key for the bench\"\njustification = \"to see how long a start takes\"\nticket = \"none\"\n[target]\n\
    activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"software\"\nextractable = false\n\
    key = \"bench/never\"\nowner = \"bench\"\npurpose = [\"blob\"]\nretirement = \"never\"\nstandby = false\nversion = 1\n";

/// Everybody of an instance, with a connection to its daemon.
pub struct People {
    keys: BTreeMap<String, PrivateKey>,
    genesis: Statement,
    client: CeremonyServiceClient<Channel>,
    acts: u64,
}

impl People {
    /// Those whose keys lie in `<instance>/people`.
    pub fn of(instance: &Path, channel: Channel) -> Self {
        let mut keys = BTreeMap::new();
        for entry in std::fs::read_dir(instance.join("people")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none() {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                keys.insert(name, PrivateKey::read(&std::fs::read_to_string(&path).unwrap()).unwrap());
            }
        }
        let genesis = Statement::parse(&std::fs::read(instance.join("genesis.json")).unwrap()).unwrap();
        Self { keys, genesis, client: CeremonyServiceClient::new(channel), acts: 0 }
    }

    /// Holds ceremonies until the log has so many records. Each is proposed, approved twice, attested, and vetoed.
    pub async fn fill(&mut self, records: u64) -> Result<(), String> {
        while self.head().await?.size < records {
            self.vetoed().await.map_err(|status| format!("a ceremony of the bench: {status}"))?;
        }
        Ok(())
    }

    async fn vetoed(&mut self) -> Result<(), tonic::Status> {
        let request = v1::DraftStatementRequest {
            template: TEMPLATE.to_owned(),
            initiator: "oskar".to_owned(),
            ..v1::DraftStatementRequest::default()
        };
        let bytes = self.client.draft_statement(request).await?.into_inner().statement;
        let statement = Statement::parse(&bytes).unwrap().digest();
        let head = self.head().await.map_err(tonic::Status::internal)?;
        let act = Some(self.signed("oskar", Deed::Propose { statement }, &head));
        let request = v1::ProposeCeremonyRequest { statement: bytes, act, documents: [].into() };
        self.client.propose_ceremony(request).await?;
        let head = self.head().await.map_err(tonic::Status::internal)?;
        let decision = Decision::Accept;
        for (who, deed) in [
            ("ada", Deed::Approve { decision, statement }),
            ("bob", Deed::Approve { decision, statement }),
            ("wanda", Deed::Attest { decision, outcome: None, statement }),
            ("carol", Deed::Veto { statement }),
        ] {
            let act = Some(self.signed(who, deed, &head));
            self.client.submit_act(v1::SubmitActRequest { act }).await?;
        }
        Ok(())
    }

    /// The newest head of the log.
    pub async fn head(&mut self) -> Result<SeenHead, String> {
        let asked = self.client.get_instance(v1::GetInstanceRequest {}).await;
        let checkpoint =
            asked.map_err(|status| format!("what the instance is: {status}"))?.into_inner().checkpoint;
        let mut lines = checkpoint.lines();
        let origin = lines.next().unwrap().parse().unwrap();
        let size = lines.next().unwrap().parse().unwrap();
        let root = STANDARD.decode(lines.next().unwrap()).unwrap();
        Ok(SeenHead { origin, root: hex::encode(root).parse().unwrap(), size })
    }

    fn signed(&mut self, who: &str, deed: Deed, head: &SeenHead) -> v1::SignedAct {
        self.acts += 1;
        let common = self.genesis.common();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let now = Time::from_microseconds(i64::try_from(since.as_micros()).unwrap());
        let reason = if matches!(deed, Deed::Veto { .. }) { "it was for the bench alone" } else { "" };
        let act = Act {
            deed,
            environment: common.environment.to_string(),
            expires: now.later(Duration::from_secs(3600)),
            head: head.clone(),
            instance: common.instance.to_string(),
            nonce: (*Hash::of(&self.acts.to_be_bytes()).as_bytes()).into(),
            reason: reason.to_owned(),
        };
        let document = act.encode().unwrap();
        let signature = self.keys[who].sign(namespace(Mode::Rehearsal), &document);
        v1::SignedAct { document, signature }
    }
}
