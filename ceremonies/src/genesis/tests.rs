#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use proto::record::ceremony::document;

use super::*;
use crate::act::{Act, Decision, Deed, SeenHead};
use crate::cast::{Beginning, Begun, Cast};
use crate::person::Role;
use crate::roster::RosterDocument;
use crate::statement::{Common, StatementError, Target, Version, target};

const GUARDRAILS: &str = "[log]\nleaves = \"private\"\n";

fn now() -> Time {
    "2026-11-21T05:00:00.000000Z".parse().unwrap()
}

fn cast(mode: Mode) -> Cast {
    Cast::new([9; 32], mode)
}

fn origin(mode: Mode) -> &'static str {
    if mode == Mode::Production { "log.example.org" } else { "rehearsal.example.org" }
}

fn begun(mode: Mode) -> Begun {
    let key = Ed25519Signer::from_seed(origin(mode), &[7; 32]).unwrap();
    let begun = cast(mode).begin(Beginning {
        allow_software_backend: false,
        at: now(),
        environment: &"test".parse().unwrap(),
        grants: "grants",
        guardrails: GUARDRAILS,
        instance: &"signing.example.org".parse().unwrap(),
        log_key: &key.verifier().to_string().parse().unwrap(),
        origin: &origin(mode).parse().unwrap(),
    });
    begun.unwrap()
}

/// A genesis before it is written down: whatever is changed here, the rest follows, so that one thing alone is wrong.
struct Desk {
    mode: Mode,
    common: Common,
    target: target::Genesis,
    roster: RosterDocument,
    guardrails: String,
    /// Who signs what.
    deeds: BTreeMap<&'static str, Act>,
    at: Time,
}

impl Desk {
    fn new(mode: Mode) -> Self {
        let Begun { genesis, .. } = begun(mode);
        let deeds = genesis.acts().iter().map(|act| {
            let (id, ..) = crate::cast::PEOPLE.iter().find(|(id, ..)| *id == act.person().as_str()).unwrap();
            (*id, act.act().clone())
        });
        Self {
            mode,
            common: genesis.statement().common().clone(),
            target: match genesis.statement().target() {
                Target::Genesis(target) => target.clone(),
                other => panic!("{other:?}"),
            },
            roster: genesis.roster().document(),
            guardrails: GUARDRAILS.into(),
            deeds: deeds.collect(),
            at: now(),
        }
    }

    fn written(&self) -> Result<(Value, Map<String>), StatementError> {
        let roster = String::from_utf8(canonical::to_vec(&self.roster).unwrap()).unwrap();
        let mut common = self.common.clone();
        common.roster.sha256 = Hash::of(roster.as_bytes());
        common.guardrails = Version { sha256: Hash::of(self.guardrails.as_bytes()), version: 1 };
        let statement = Statement::new(common, Target::Genesis(self.target.clone()))?;
        let mut documents = Map::default();
        documents.insert(document::ROSTER.into(), roster);
        documents.insert(document::GUARDRAILS.into(), self.guardrails.clone());
        documents.insert(document::GRANTS.into(), "grants".into());
        let before = begun(self.mode).genesis.digest();
        for (person, act) in &self.deeds {
            let mut act = act.clone();
            // What was about the statement is about this one; what was not stays so.
            match &mut act.deed {
                Deed::Approve { statement: about, .. }
                | Deed::Attest { statement: about, .. }
                | Deed::Veto { statement: about }
                    if *about == before =>
                {
                    *about = statement.digest();
                }
                _ => {}
            }
            let (document, signature) = cast(self.mode).sign(person, &act).unwrap().unwrap();
            documents.insert(format!("{ACT}{person}"), document);
            documents.insert(format!("{SIGNATURE}{person}"), signature);
        }
        Ok((statement.to_value(), documents))
    }

    fn begin(&self) -> Result<Genesis, GenesisError> {
        let (statement, documents) = self.written()?;
        Genesis::begin(&statement, &documents, self.at)
    }
}

/// What is said against a genesis in which this is changed.
fn refused(mode: Mode, change: impl FnOnce(&mut Desk)) -> String {
    let mut desk = Desk::new(mode);
    assert_eq!(desk.begin().unwrap(), begun(mode).genesis, "nothing but the change is wrong");
    change(&mut desk);
    desk.begin().unwrap_err().to_string()
}

/// What is said against the documents of a good genesis after this.
fn spoilt(change: impl FnOnce(&mut BTreeMap<String, String>)) -> String {
    let Begun { genesis, documents } = begun(Mode::Rehearsal);
    let mut spoilt = documents.iter().map(|(name, text)| (name.to_owned(), text.clone())).collect();
    change(&mut spoilt);
    let documents = spoilt.into_iter().collect();
    Genesis::begin(&genesis.statement().to_value(), &documents, now()).unwrap_err().to_string()
}

#[test]
fn the_same_people_sign_the_same_genesis() {
    let genesis = begun(Mode::Rehearsal).genesis;
    assert_eq!(genesis.to_golden(), include_str!("golden.txt"));
    for mode in [Mode::Rehearsal, Mode::Production] {
        let Begun { genesis, documents } = begun(mode);
        let detail = ControlDetail { documents, reason: None, salt: [1; 16].into() }.encode().unwrap().0;
        let statement = genesis.statement().to_value();
        assert_eq!(Genesis::of_record(&statement, Some(&detail), now()).unwrap(), genesis);
        let last = genesis.statement().common().expires.earlier(std::time::Duration::from_micros(1));
        assert_eq!(Genesis::of_record(&statement, Some(&detail), last).unwrap(), genesis);
        assert_eq!((genesis.mode(), genesis.origin().as_str()), (mode, origin(mode)));
        assert_eq!(
            (genesis.instance().as_str(), genesis.environment().as_str()),
            ("signing.example.org", "test")
        );
        assert_eq!(genesis.guardrails().sha256, Hash::of(GUARDRAILS.as_bytes()));
        assert_eq!(genesis.grants(), Hash::of(b"grants"));
        assert!(genesis.log_key().starts_with(origin(mode)));
        assert!(!genesis.allow_software_backend() && genesis.terms().allow_software_officer_keys);
        assert_eq!(genesis.roster(), cast(mode).roster());
        let signed: Vec<&str> = genesis.acts().iter().map(|act| act.person().as_str()).collect();
        assert_eq!(signed, ["ada", "bob", "carol", "walter", "wanda"]);
    }
}

impl Genesis {
    fn to_golden(&self) -> String {
        let statement = String::from_utf8(self.statement().encode()).unwrap();
        let roster = String::from_utf8(self.roster().encode()).unwrap();
        format!("{statement}\n{roster}\n{}\n{}\n", self.digest(), self.words())
    }
}

#[test]
fn what_begins_no_instance() {
    let said = |expected: &str, change: fn(&mut Desk)| {
        let error = refused(Mode::Rehearsal, change);
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    };
    said("begin with `rehearsal.`", |desk| desk.common.mode = Mode::Production);
    said("`target.log_key`: the log key's hash is", |desk| {
        desk.target.log_key = desk.target.log_key.as_str().replace("+a1e5", "+a1e6").parse().unwrap();
    });
    said("has version 2, the statement names version 1", |desk| desk.roster.version = 2);
    said("`grants` has SHA-256", |desk| desk.target.grants = Hash::of(b"others"));
    said("the guardrails: line 1: logs: unknown", |desk| desk.guardrails = "[logs]".into());
    said("takes 3 of 3 officers and 2 witnesses, the statement says 3 of 3 and 1", |desk| {
        desk.common.quorum.witnesses = 1;
    });
    said("the statement says 2 of 2", |desk| {
        (desk.common.quorum.approvals, desk.common.quorum.officers) = (2, 2);
    });
    said("lives at most 3d, this one", |desk| {
        desk.common.expires = desk.common.expires.later(std::time::Duration::from_secs(1));
    });
    said("`rita` cannot propose", |desk| desk.common.initiator = "rita".parse().unwrap());
    said("`nobody` cannot propose", |desk| desk.common.initiator = "nobody".parse().unwrap());
    said("people stand in the order", |desk| desk.roster.people.reverse());
    said("2 others attest", |desk| {
        desk.roster.people[0].roles.push("witness".into());
        desk.roster.people[5].roles = vec!["operator".into()];
    });
    said("good from", |desk| desk.at = desk.common.expires);
    said("good from", |desk| desk.at = desk.at.earlier(std::time::Duration::from_micros(1)));
    let error = refused(Mode::Production, |desk| desk.target.allow_software_officer_keys = false);
    assert!(error.contains("takes keys on FIDO tokens only"), "{error}");
}

#[test]
fn a_statement_of_another_kind_begins_nothing() {
    let genesis = begun(Mode::Rehearsal).genesis;
    let mut common = genesis.statement().common().clone();
    (common.log.size, common.log.root) = (1, Hash::of(b"root"));
    common.quorum.approvals = 2;
    let target =
        Target::GrantChange(target::GrantChange { grants: Hash::of(b"a"), replaces: Hash::of(b"b") });
    let other = Statement::new(common, target).unwrap();
    let error = Genesis::begin(&other.to_value(), &Map::default(), now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the statement is of kind `grant.change`: a log begins with one of kind `genesis`, or `log.recover` where another one \
         was lost"
    );
}

#[test]
fn documents_are_exactly_these() {
    let said = |expected: &str, change: fn(&mut BTreeMap<String, String>)| {
        let error = spoilt(change);
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    };
    said("the document `roster` is missing", |documents| drop(documents.remove("roster")));
    said("the document `guardrails` has SHA-256", |documents| {
        documents.get_mut("guardrails").unwrap().push('\n');
    });
    said("`letter` is no document of a genesis", |documents| {
        documents.insert("letter".into(), String::new());
    });
    said("`act.bob` is there and `signature.bob` is not", |documents| {
        drop(documents.remove("signature.bob"))
    });
    said("`signature.bob` is there and `act.bob` is not", |documents| drop(documents.remove("act.bob")));
    // Everything that is wrong is said at once, and nobody twice.
    let error = spoilt(|documents| {
        for gone in ["act.ada", "signature.ada", "act.wanda", "signature.wanda", "act.carol"] {
            documents.remove(gone);
        }
        let moved = documents["signature.walter"].clone();
        documents.insert("signature.bob".into(), moved);
    });
    assert_eq!(
        error,
        "the genesis is not signed by all: `act.bob`: the SSH signature is wrong: it was not made by its key over these \
         bytes; `signature.carol` is there and `act.carol` is not; the approval of `ada` is missing: every officer \
         approves a genesis; 1 of 2 witnesses have attested"
    );
}

#[test]
fn acts_that_do_not_count() {
    let said = |expected: &str, change: fn(&mut Desk)| {
        let error = refused(Mode::Rehearsal, change);
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    };
    fn act<'a>(desk: &'a mut Desk, person: &str) -> &'a mut Act {
        desk.deeds.get_mut(person).unwrap()
    }
    said("the approval of `carol` is missing", |desk| drop(desk.deeds.remove("carol")));
    said("1 of 2 witnesses", |desk| drop(desk.deeds.remove("walter")));
    said("the act of `bob` names a log of 1 records", |desk| {
        let origin = desk.common.log.origin.clone();
        act(desk, "bob").head = SeenHead { origin, root: Hash::of(b"root"), size: 1 };
    });
    said("the act of `bob` is veto: officers approve", |desk| {
        let Deed::Approve { statement, .. } = act(desk, "bob").deed else { panic!("bob approves") };
        *act(desk, "bob") =
            Act { deed: Deed::Veto { statement }, reason: "no".into(), ..act(desk, "bob").clone() };
    });
    said("the act of `bob` does not count: it refuses", |desk| {
        let Deed::Approve { statement, .. } = act(desk, "bob").deed else { panic!("bob approves") };
        act(desk, "bob").deed = Deed::Approve { decision: Decision::Refuse, statement };
        act(desk, "bob").reason = "no".into();
    });
    said("the act of `bob`: the act is about the statement", |desk| {
        act(desk, "bob").deed =
            Deed::Approve { decision: Decision::Accept, statement: Hash::of(b"another statement") };
    });
    said("the act of `bob`: the act expired", |desk| act(desk, "bob").expires = now());
    said("`act.bob`: the act is for the instance", |desk| {
        act(desk, "bob").instance = "other.example.org".into();
    });
    said("the act of `oskar`: `oskar` has not the role officer", |desk| {
        let bobs = act(desk, "bob").clone();
        desk.deeds.insert("oskar", bobs);
    });
    said("`act.bob`: `bob` may not attest", |desk| {
        let wandas = act(desk, "wanda").clone();
        desk.deeds.insert("bob", wandas);
    });
    // An officer who is a witness too attests: that is counted, and his approval is missing.
    said("the approval of `bob` is missing", |desk| {
        desk.roster.people[1].roles.push("witness".into());
        let wandas = act(desk, "wanda").clone();
        desk.deeds.insert("bob", wandas);
    });
    said("no witness who has attested is of another unit", |desk| {
        for at in [3, 6] {
            desk.roster.people[at].unit = "platform".into();
        }
        desk.roster.people[3].roles.push("witness".into());
        let walters = desk.deeds.remove("walter").unwrap();
        desk.deeds.insert("oskar", walters);
    });
    assert_eq!(cast(Mode::Rehearsal).roster().with(Role::Witness).count(), 2);
}

#[test]
fn whoever_signs_is_whom_the_name_says() {
    let error = spoilt(|documents| {
        for kind in ["act", "signature"] {
            let bobs = documents.remove(&format!("{kind}.bob")).unwrap();
            documents.insert(format!("{kind}.bill"), bobs);
        }
    });
    assert!(error.contains("`act.bill` is signed by `bob`; the approval of `bob` is missing"), "{error}");
    let rehearsed = begun(Mode::Rehearsal);
    let produced = begun(Mode::Production);
    let mixed = produced.documents.iter().map(|(name, text)| {
        let other = (name == "act.bob" || name == "signature.bob").then(|| rehearsed.documents.find(name));
        (name.to_owned(), other.flatten().unwrap_or(text).clone())
    });
    let error =
        Genesis::begin(&produced.genesis.statement().to_value(), &mixed.collect(), now()).unwrap_err();
    assert!(error.to_string().contains("`act.bob`:"), "{error}");
    assert!(error.to_string().contains("countersign.act.rehearsal.v1"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_begins_no_instance(which in 0..13_usize, at in any::<prop::sample::Index>(), with in 0..128_u8) {
        let Begun { genesis, documents } = begun(Mode::Rehearsal);
        let names: Vec<String> = documents.iter().map(|(name, _)| name.to_owned()).collect();
        prop_assert_eq!(names.len(), 13);
        let changed: Map<String> = documents.iter().enumerate().map(|(place, (name, text))| {
            let mut bytes = text.clone().into_bytes();
            if place == which {
                let at = at.index(bytes.len());
                bytes[at] = if bytes[at] == with { with ^ 1 } else { with };
            }
            (name.to_owned(), String::from_utf8(bytes).unwrap())
        }).collect();
        prop_assert!(Genesis::begin(&genesis.statement().to_value(), &changed, now()).is_err(), "{}", names[which]);
    }
}
