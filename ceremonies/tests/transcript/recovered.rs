//! A log that takes the place of a lost one: what its old genesis shows, what its new one shows, and everything that recovers
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, SeenHead, namespace};
use ceremonies::genesis::Mode;
use ceremonies::recovery::Carried;
use ceremonies::statement::target::LogRecover;
use ceremonies::statement::{CeremonyId, Common, Head, Kind, Statement, Target, Version};
use ceremonies::transcript::recovery::{self, BEGINS, BEGINS_DETAIL, KNOWN, KNOWN_KEYS, Recovered};
use ceremonies::transcript::{Files, Governs, Invalid, Step, Verdict, name, verify};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::proof::note;
use proto::proof::receipt::Receipt;
use proto::record::ceremony::document;
use proto::record::{Body, StopTarget};
use proto::term::Term;

use super::valid::kept_as_written;
use crate::log::Log;
use crate::others::by_the_second_roster;
use crate::rekeyed::{by_the_second_log_key, rekeys};
use crate::stage::{GRANTS, GUARDRAILS, KEY, Stage, roster, ssh_sign};
use crate::suspended::suspends;

const NEW: &str = "rehearsal.second.example.org";
const OTHER: &str = "spiffe://example.org/ci/other";

/// An instance with a key, a second roster, a stop and a suspension, whose log went on after what is left of it.
struct Lost {
    stage: Stage,
    evidence: Files,
    left: recovery::Lost,
}

fn lost() -> Lost {
    let (mut stage, _) = by_the_second_roster();
    suspends(&mut stage, "ada", "dan");
    let target = StopTarget::Caller(OTHER.into());
    stage.log.control_with(Body::Stopped { act: None, target }, vec![], |record| {
        record.stops = vec![Term::Caller(OTHER.into())];
    });
    let mut later = stage.log.clone();
    later.control(Body::Anchor { place: "file:/later".into() }, vec![]);
    Lost::new(stage, later.checkpoint(), &[])
}

/// The end of a key that the transcript of a `log.rekey` holds.
fn end_of(files: &Files) -> Receipt {
    String::from_utf8(files[name::COMPLETED].clone()).unwrap().parse().unwrap()
}

fn evidence(stage: &Stage, known: String, ends: &[Receipt]) -> Files {
    let wanted = |index: &u64| {
        let leaf = &stage.log.leaves[usize::try_from(*index).unwrap()];
        *index == 0 || matches!(crate::log::read(leaf).body, Body::Suspend(_) | Body::Clock(_))
    };
    let details = stage.log.details.iter().filter(|(index, _)| wanted(index));
    let details: BTreeMap<u64, Vec<u8>> = details.map(|(index, bytes)| (*index, bytes.clone())).collect();
    let known = (known, ends);
    recovery::evidence(stage.log.chain(), details, stage.log.checkpoint(), known, &stage.made).unwrap()
}

/// What is drafted and signed, before somebody changes something.
struct Plan {
    common: Common,
    target: LogRecover,
    carried: Carried,
    documents: Vec<(String, String)>,
    /// Who does what.
    acts: Vec<(&'static str, &'static str)>,
    /// The log that acts name.
    about: String,
    /// What they are about, where it is not the statement.
    other: Option<Hash>,
}

impl Lost {
    fn new(stage: Stage, known: String, ends: &[Receipt]) -> Self {
        let evidence = evidence(&stage, known, ends);
        let left = recovery::lost(&evidence, stage.genesis_sha256()).unwrap();
        Self { stage, evidence, left }
    }

    fn plan(&self) -> Plan {
        let carried = self.left.carried([KeyId::of_spki(b"a birth that failed")], self.stage.log.now);
        let log = Log::new(NEW, self.stage.log.now);
        let target = LogRecover {
            allow_software_backend: false,
            allow_software_officer_keys: true,
            carried: carried.digest(),
            gap: "One record is missing, as its anchor shows.".parse().unwrap(),
            genesis: self.stage.genesis_sha256(),
            grants: Hash::of(GRANTS.as_bytes()),
            last: self.left.known,
            log_key: log.log_key().parse().unwrap(),
            origin: NEW.parse().unwrap(),
            replaces: self.stage.log.log_key().parse().unwrap(),
        };
        let common = self.stage.common(Kind::LogRecover, CeremonyId::from([0x1e; 16]));
        let roster = String::from_utf8(self.stage.roster.encode()).unwrap();
        let documents = vec![
            (document::ROSTER.to_owned(), roster),
            (document::GUARDRAILS.to_owned(), GUARDRAILS.to_owned()),
            (document::GRANTS.to_owned(), GRANTS.to_owned()),
        ];
        let acts = vec![("ada", "approve"), ("bob", "approve"), ("kim", "approve"), ("fay", "attest")];
        let about = self.stage.log.origin.clone();
        Plan { common, target, carried, documents, acts, about, other: None }
    }

    /// The new log up to what comes over, and what shows how it began.
    fn begins(&self, mut plan: Plan) -> (Log, Statement, Files) {
        plan.target.carried = plan.carried.digest();
        let statement = Statement::new(plan.common, Target::LogRecover(plan.target)).unwrap();
        let carried = String::from_utf8(plan.carried.encode()).unwrap();
        plan.documents.push((document::CARRIED.to_owned(), carried));
        for (nth, (who, what)) in (0..).zip(&plan.acts) {
            let digest = plan.other.unwrap_or_else(|| statement.digest());
            let deed = match *what {
                "approve" => Deed::Approve { decision: Decision::Accept, statement: digest },
                "refuse" => Deed::Approve { decision: Decision::Refuse, statement: digest },
                "attest" => Deed::Attest { decision: Decision::Accept, outcome: None, statement: digest },
                "abort" => Deed::Abort { statement: digest },
                _ => Deed::Veto { statement: digest },
            };
            let common = statement.common();
            let silent = ["approve", "attest"].contains(what);
            let act = Act {
                deed,
                environment: common.environment.to_string(),
                expires: common.expires,
                head: SeenHead {
                    origin: plan.about.parse().unwrap(),
                    root: common.log.root,
                    size: common.log.size,
                },
                instance: common.instance.to_string(),
                nonce: [nth; 32].into(),
                reason: if silent { String::new() } else { "no".into() },
            };
            let text = String::from_utf8(act.encode().unwrap()).unwrap();
            let armor = ssh_sign(who, namespace(common.mode), text.as_bytes());
            let of = if *what == "veto" { format!("veto_{who}") } else { (*who).to_owned() };
            plan.documents.push((format!("act.{of}"), text));
            plan.documents.push((format!("signature.{of}"), armor));
        }
        let mut log = Log::new(NEW, self.stage.log.now.later(Duration::from_secs(60)));
        let documents = plan.documents.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        log.control(Body::Genesis { statement: statement.to_value() }, documents);
        let mut files = self.evidence.clone();
        files.insert(BEGINS.to_owned(), log.leaves[0].clone());
        files.insert(BEGINS_DETAIL.to_owned(), log.details[&0].clone());
        for key in self.left.survey.keys() {
            let stops = vec![Term::Key(key.key.key.clone())];
            log.control_with(Body::Carried(Box::new(key.clone())), vec![], |record| record.stops = stops);
        }
        for stop in &plan.carried.stops {
            let body = Body::Stopped { act: None, target: stop.target.clone() };
            log.control_with(body, vec![], |record| record.stops = stop.terms.clone());
        }
        (log, statement, files)
    }

    fn judged(&self, change: impl FnOnce(&mut Plan)) -> Result<Recovered, Invalid> {
        let mut plan = self.plan();
        change(&mut plan);
        let (_, _, files) = self.begins(plan);
        recovery::verify(&files, self.stage.genesis_sha256())
    }
}

#[test]
fn a_recovery_is_shown_by_the_old_logs_genesis() {
    let lost = lost();
    let (_, statement, files) = lost.begins(lost.plan());
    let recovered = recovery::verify(&files, lost.stage.genesis_sha256()).unwrap();
    assert_eq!(recovered.genesis.digest(), statement.digest());
    assert_eq!(recovered.genesis.origin().as_str(), NEW);
    assert_eq!(recovered.lost.known.size, recovered.lost.log.size + 1);
    let signed: Vec<String> = recovered.genesis.acts().iter().map(|act| act.person().to_string()).collect();
    assert_eq!(signed, ["ada", "bob", "fay", "kim"]);
    let carried = recovered.genesis.carried().unwrap();
    assert_eq!((carried.keys.len(), carried.stops.len(), carried.key_ids.len()), (1, 1, 1));
    assert_eq!(carried.suspended[0].person.as_str(), "dan");
    assert_eq!((carried.guardrails_made, carried.grants_made, carried.births.len()), (false, false, 0));
    let key = &recovered.keys[0];
    assert_eq!((key.key.key.as_str(), key.born.origin.as_str()), (KEY, lost.stage.log.origin.as_str()));
    assert!(matches!(
        crate::log::read(&lost.stage.log.leaves[usize::try_from(key.born.index).unwrap()]).body,
        Body::Ceremony(_)
    ));
}

/// A key.generate in the log that took the place of a lost one, whose recovery one person had vetoed in vain.
fn in_the_recovered_log(lost: &Lost) -> (Stage, Files) {
    let mut plan = lost.plan();
    plan.acts.push(("gus", "veto"));
    let (log, statement, _) = lost.begins(plan);
    let mut stage = Stage { log, genesis: statement, made: BTreeMap::new(), ..lost.stage.clone() };
    stage.statement = stage.key_generate(CeremonyId::from([0xb8; 16]), |_, key| {
        key.key = "release/mac".parse().unwrap();
    });
    stage.propose();
    // Dan is suspended since before, and counts as little as he did.
    for officer in ["dan", "ada", "bob", "kim"] {
        stage.approve(officer);
    }
    for witness in ["fay", "gus"] {
        stage.attest(witness);
    }
    stage.start("ivy");
    stage.birth(|_, record| record.key = "release/mac".parse().unwrap());
    stage.executed();
    let files = stage.rest_executed();
    (stage, files)
}

#[test]
fn the_golden_transcript_after_a_recovery_is_valid_and_is_what_is_written() {
    let (stage, written) = in_the_recovered_log(&lost());
    assert!(written.contains_key("genesis/vetoes/gus.json.sig"));
    kept_as_written("transcript-recovered", &stage, &written);
}

#[test]
fn ceremonies_of_the_new_log_stand_on_how_it_began() {
    let lost = lost();
    let (stage, files) = in_the_recovered_log(&lost);
    match verify(&files, stage.genesis_sha256()) {
        Verdict::Valid(verified) => assert_eq!(verified.kind, Kind::KeyGenerate),
        other => panic!("{other}"),
    }
    assert!(files.contains_key("genesis/carried.json"));
    let Verdict::Invalid(other) = verify(&files, lost.stage.genesis_sha256()) else {
        panic!("the old digest")
    };
    assert_eq!(other.step, Step::GenesisDigest);
    // Without him two are too few.
    let (log, statement, _) = lost.begins(lost.plan());
    let mut stage = Stage { log, genesis: statement, made: BTreeMap::new(), ..lost.stage.clone() };
    stage.statement = stage.key_generate(CeremonyId::from([0xb8; 16]), |_, _| {});
    stage.propose();
    for officer in ["dan", "ada", "bob"] {
        stage.approve(officer);
    }
    let files = stage.rest();
    crate::invalid(&stage, &files, Step::Session, "");
    // A key of the old log is there.
    let (log, statement, _) = lost.begins(lost.plan());
    let mut stage = Stage { log, genesis: statement, made: BTreeMap::new(), ..lost.stage.clone() };
    stage.statement = stage.key_generate(CeremonyId::from([0xb8; 16]), |_, _| {});
    stage.propose();
    for officer in ["ada", "bob", "kim"] {
        stage.approve(officer);
    }
    let files = stage.rest();
    crate::invalid(&stage, &files, Step::Effect, "was there before");
}

#[test]
fn a_log_that_took_the_place_of_another_can_be_lost_itself() {
    let lost = lost();
    let (log, statement, _) = lost.begins(lost.plan());
    let digest = statement.digest();
    let stage = Stage { log, genesis: statement, made: BTreeMap::new(), ..lost.stage.clone() };
    let again = recovery::lost(&evidence(&stage, stage.log.checkpoint(), &[]), digest).unwrap();
    assert_eq!((again.log.origin.as_str(), again.known.size), (NEW, again.log.size));
    let key = again.survey.keys().next().unwrap();
    assert_eq!((key.key.key.as_str(), key.born.origin.as_str()), (KEY, lost.stage.log.origin.as_str()));
    let carried = again.carried([], stage.log.now);
    // The stop by which a key came is not put in force twice; what was seen stays seen.
    assert_eq!((carried.keys.len(), carried.stops.len(), carried.key_ids.len()), (1, 1, 1));
    assert_eq!(carried.suspended[0].person.as_str(), "dan");
    assert_eq!(carried.stops[0].terms, [Term::Caller(OTHER.into())]);
}

#[test]
fn what_comes_over_can_be_left_out_of_no_transcript() {
    let lost = lost();
    for left_out in [1, 2] {
        let (whole, statement, _) = lost.begins(lost.plan());
        let mut log = Log::new(NEW, whole.now);
        log.details.insert(0, whole.details[&0].clone());
        for (index, leaf) in whole.leaves.iter().enumerate().filter(|(index, _)| *index != left_out) {
            let record = crate::log::read(leaf);
            if index == 0 {
                log.now = record.time.sealed;
                log.seal(record.draft().unwrap());
            } else {
                let (body, stops) = (record.body.clone(), record.stops.clone());
                log.control_with(body, vec![], |made| made.stops = stops);
            }
        }
        let mut stage = Stage { log, genesis: statement, made: BTreeMap::new(), ..lost.stage.clone() };
        stage.statement = stage.key_generate(CeremonyId::from([0xb8; 16]), |_, key| {
            key.key = "release/mac".parse().unwrap();
        });
        stage.propose();
        for officer in ["ada", "bob", "kim"] {
            stage.approve(officer);
        }
        let files = stage.rest();
        crate::invalid(&stage, &files, Step::Genesis, "");
    }
}

#[test]
fn a_log_is_lost_with_the_key_that_its_ceremonies_put_in_force() {
    let (stage, _) = by_the_second_log_key();
    let first = stage.genesis.begins().unwrap().log_key.clone();
    let second = stage.log.log_key();
    assert_ne!(first.as_str(), second);
    let known = stage.log.checkpoint();
    let lost = Lost::new(stage, known, &[]);
    let signed = |plan: &mut Plan| plan.acts[2].0 = "cyd";
    let recovered = lost.judged(signed).unwrap();
    assert_eq!(recovered.lost.log_key, second);
    // The key of the genesis had ended.
    let error = lost.judged(|plan| {
        signed(plan);
        plan.target.replaces = first;
    });
    let error = error.unwrap_err();
    assert!(error.step == Step::Effect && error.reason.contains("`target.replaces`"), "{error}");
    let digest = lost.stage.genesis_sha256();
    let mut plan = lost.plan();
    signed(&mut plan);
    let (_, _, files) = lost.begins(plan);
    recovery::verify(&files, digest).unwrap();
    // A head by a key beyond its end.
    for path in [KNOWN, name::CHECKPOINT] {
        let mut changed = files.clone();
        let old = lost.stage.log.keys[0].0;
        changed.insert(path.to_owned(), lost.stage.log.checkpoint_by(&[old]).into_bytes());
        let error = recovery::verify(&changed, digest).unwrap_err();
        assert_eq!(error.step, Step::Checkpoint, "{path}: {error}");
    }
    // Without the ceremony that made the key.
    let mut without = files.clone();
    without.retain(|path, _| !path.starts_with("log-keys/"));
    let error = recovery::verify(&without, digest).unwrap_err();
    assert_eq!(error.step, Step::LogKeys, "{error}");
}

#[test]
fn a_key_that_came_after_what_is_left_is_believed_by_the_ends_that_lead_to_it() {
    let (stage, _) = by_the_second_log_key();
    let mut later = stage.clone();
    let ends: Vec<Receipt> = [79, 80].map(|seed| end_of(&rekeys(&mut later, seed))).into();
    let known_at_the_end = later.log.checkpoint();
    later.log.control(Body::Anchor { place: "file:/later".into() }, vec![]);
    let known = later.log.checkpoint();
    for text in [&known, &known_at_the_end] {
        let lost = Lost::new(stage.clone(), text.clone(), &ends);
        let recovered = lost.judged(|plan| plan.acts[2].0 = "cyd").unwrap();
        // What breaks off has the key that it had.
        assert_eq!(recovered.lost.log_key, stage.log.log_key());
        assert!(recovered.lost.known.size > recovered.lost.log.size);
    }
    let digest = stage.genesis_sha256();
    let refused = |known: &str, ends: &[Receipt], step: Step, reason: &str| {
        let files = evidence(&stage, known.to_owned(), ends);
        let error = recovery::lost(&files, digest).unwrap_err();
        assert!(error.step == step && error.reason.contains(reason), "{error}");
    };
    refused(&known, &[], Step::Checkpoint, "");
    refused(&known, &ends[..1], Step::Checkpoint, "");
    refused(&known, &ends[1..], Step::LogKeys, "in force is");
    let with = |checkpoint: String| vec![ends[0].clone(), Receipt { checkpoint, ..ends[1].clone() }];
    let note = || note::parse(&ends[1].checkpoint).unwrap();
    for seed in [79, 80] {
        let by_one = note().only(&stage.log.key_of(seed).parse().unwrap()).to_string();
        refused(&known, &with(by_one), Step::LogKeys, "end 2");
    }
    let mut more = note();
    more.add(&stage.log.signer(81)).unwrap();
    refused(&known, &with(more.to_string()), Step::LogKeys, "carries more");
    // More than it takes: an end that is known, and one beyond the head.
    let own = end_of(&stage.made[&Governs::LogKey(2)]);
    refused(&known, &[&[own], &ends[..]].concat(), Step::LogKeys, "more than what leads");
    let beyond = end_of(&rekeys(&mut later, 81));
    refused(&known, &[&ends[..], &[beyond]].concat(), Step::LogKeys, "more than what leads");
    // Another way to write it.
    let mut files = evidence(&stage, known, &ends);
    files.get_mut(KNOWN_KEYS).unwrap().push(b'\n');
    assert_eq!(recovery::lost(&files, digest).unwrap_err().step, Step::LogKeys);
    let mut files = evidence(&stage, later.log.checkpoint(), &[]);
    files.insert(KNOWN_KEYS.to_owned(), vec![]);
    assert_eq!(recovery::lost(&files, digest).unwrap_err().step, Step::Checkpoint);
}

#[test]
fn one_veto_ends_nothing_and_two_do() {
    let lost = lost();
    let recovered = lost.judged(|plan| plan.acts.push(("gus", "veto"))).unwrap();
    assert_eq!(recovered.genesis.acts().len(), 5);
    // Whoever approved may say no later.
    let error = lost.judged(|plan| plan.acts.extend([("gus", "veto"), ("bob", "veto")])).unwrap_err();
    assert!(error.reason.contains("vetoed by `bob` and `gus`"), "{error}");
}

#[test]
fn what_recovers_no_log() {
    let lost = lost();
    type Change = fn(&mut Plan);
    let table: &[(Step, &str, Change)] = &[
        // People.
        (Step::Genesis, "2 of 3 officers", |plan| plan.acts.retain(|(who, _)| *who != "kim")),
        (Step::Genesis, "0 of 1 witnesses", |plan| plan.acts.retain(|(who, _)| *who != "fay")),
        (Step::Genesis, "1 of 3 officers", |plan| plan.acts.truncate(1)),
        (Step::Genesis, "suspended", |plan| plan.acts[0].0 = "dan"),
        (Step::Genesis, "`hal`", |plan| plan.acts[0].0 = "hal"),
        (Step::Genesis, "act.mallory", |plan| plan.acts.push(("mallory", "approve"))),
        (Step::Genesis, "refuses", |plan| plan.acts.push(("eve", "refuse"))),
        (Step::Genesis, "abort", |plan| plan.acts.push(("eve", "abort"))),
        (Step::Genesis, "one statement only", |plan| plan.other = Some(Hash::of(b"another"))),
        (Step::Genesis, "names a head of the log", |plan| plan.about = NEW.into()),
        // The statement.
        (Step::Effect, "`log`", |plan| plan.common.log.root = Hash::of(b"another tree")),
        (Step::Effect, "`instance`", |plan| plan.common.instance = "other.example.org".parse().unwrap()),
        (Step::Effect, "`environment`", |plan| plan.common.environment = "production".parse().unwrap()),
        (Step::Effect, "`target.genesis`", |plan| plan.target.genesis = Hash::of(b"another")),
        (Step::Effect, "`target.last`", |plan| {
            plan.target.last = Head { size: plan.target.last.size + 9, ..plan.target.last };
        }),
        (Step::Effect, "`target.replaces`", |plan| {
            let other = proto::proof::note::Ed25519Signer::from_seed(&plan.about, &[1; 32]).unwrap();
            plan.target.replaces =
                proto::proof::note::NoteSigner::verifier(&other).to_string().parse().unwrap();
        }),
        (Step::Effect, "`target.allow_software_backend`", |plan| plan.target.allow_software_backend = true),
        (Step::Effect, "`target.grants`", |plan| {
            let text = "// all\n".to_owned();
            plan.target.grants = Hash::of(text.as_bytes());
            plan.documents[2].1 = text;
        }),
        (Step::Effect, "`guardrails`", |plan| {
            let text = "[log]\nleaves = \"public\"\n".to_owned();
            plan.common.guardrails = Version { sha256: Hash::of(text.as_bytes()), version: 1 };
            plan.documents[1].1 = text;
        }),
        // What comes over.
        (Step::Effect, "come over", |plan| plan.carried.keys.clear()),
        (Step::Effect, "come over", |plan| plan.carried.stops.clear()),
        (Step::Effect, "come over", |plan| plan.carried.suspended.clear()),
        (Step::Effect, "come over", |plan| plan.carried.control.index += 1),
        (Step::Effect, "come over", |plan| plan.carried.guardrails_made = true),
        (Step::Effect, "sealed", |plan| plan.carried.sealed = plan.common.not_before.earlier_by_a_day()),
        // Its documents.
        (Step::Genesis, "`roster`", |plan| plan.documents[0].1.push(' ')),
        (Step::Genesis, "`guardrails` is missing", |plan| drop(plan.documents.remove(1))),
        (Step::Genesis, "`extra`", |plan| plan.documents.push(("extra".into(), String::new()))),
    ];
    for (step, reason, change) in table {
        let error = lost.judged(change).unwrap_err();
        assert!(error.step == *step && error.reason.contains(reason), "{reason}: {error}");
    }
    // The roster of before: those who have left it decide nothing.
    let error = lost.judged(|plan| {
        let first = roster(Mode::Rehearsal, 1, &crate::stage::PEOPLE);
        plan.common.roster = Version { sha256: first.digest(), version: 1 };
        plan.common.quorum.officers = first.officers();
        plan.documents[0].1 = String::from_utf8(first.encode()).unwrap();
        plan.acts = vec![("ada", "approve"), ("bob", "approve"), ("eve", "approve"), ("fay", "attest")];
    });
    let error = error.unwrap_err();
    assert!(error.step == Step::Effect && error.reason.contains("`roster`"), "{error}");
}

/// A moment before what there was.
trait Earlier {
    fn earlier_by_a_day(self) -> Self;
}

impl Earlier for proto::time::Time {
    fn earlier_by_a_day(self) -> Self {
        let day = i64::try_from(Duration::from_secs(24 * 3600).as_micros()).unwrap();
        Self::from_microseconds(self.microseconds() - day)
    }
}

#[test]
fn no_file_of_a_recovery_is_free() {
    let lost = lost();
    let (_, _, files) = lost.begins(lost.plan());
    let digest = lost.stage.genesis_sha256();
    recovery::verify(&files, digest).unwrap();
    let error = recovery::verify(&files, Hash::of(b"another")).unwrap_err();
    assert_eq!(error.step, Step::GenesisDigest, "{error}");
    for (nth, path) in files.keys().enumerate() {
        let mut changed = files.clone();
        let bytes = changed.get_mut(path).unwrap();
        let at = nth * 7919 % bytes.len();
        bytes[at] ^= 1;
        assert!(recovery::verify(&changed, digest).is_err(), "{path}, byte {at}");
        if !path.contains('/') && path != name::README {
            let mut without = files.clone();
            without.remove(path);
            recovery::verify(&without, digest).expect_err(path);
        }
    }
    let mut more = files.clone();
    more.insert("extra".into(), vec![]);
    let error = recovery::verify(&more, digest).unwrap_err();
    assert!(error.step == Step::Files && error.reason.contains("extra"), "{error}");
    // A head by another key, and one that is nobody's.
    let stranger = Log::new("rehearsal.stranger.example.org", lost.stage.log.now);
    let mut other = stranger.clone();
    other.control(Body::Anchor { place: "file:/a".into() }, vec![]);
    for known in [other.checkpoint(), "nothing".to_owned()] {
        let mut changed = files.clone();
        changed.insert(KNOWN.into(), known.into_bytes());
        let error = recovery::verify(&changed, digest).unwrap_err();
        assert_eq!(error.step, Step::Checkpoint, "{error}");
    }
}
