#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proptest::prelude::*;
use proto::term::Term;

use super::*;
use crate::person::Role;
use crate::roster::tests::{REHEARSAL, document, roster, signer};
use crate::roster::{Roster, RosterDocument};
use crate::ssh::key::SshKind;
use crate::ssh::signature::SshSignatureError;
use crate::ssh::signer::Signer;

pub(crate) const STATEMENT: &[u8] = b"a statement";

pub(crate) fn statement() -> Hash {
    Hash::of(STATEMENT)
}

pub(crate) fn origin() -> Origin {
    "rehearsal.example.org".parse().unwrap()
}

pub(crate) fn time(hours: i64) -> Time {
    Time::from_microseconds(1_795_000_000_000_000 + hours * 3_600_000_000)
}

pub(crate) fn act(deed: Deed, nonce: u8) -> Act {
    let reason = match deed.kind() {
        ActKind::Approve | ActKind::Attest if deed.decision() == Decision::Accept => "",
        _ => "there is a reason",
    };
    Act {
        deed,
        environment: "staging".into(),
        expires: time(100),
        head: SeenHead { origin: origin(), root: Hash::of(b"root"), size: 12 },
        instance: "signing.example.org".into(),
        nonce: [nonce; 32].into(),
        reason: reason.into(),
    }
}

pub(crate) fn approve() -> Deed {
    Deed::Approve { decision: Decision::Accept, statement: statement() }
}

pub(crate) fn attest() -> Deed {
    Deed::Attest { decision: Decision::Accept, outcome: None, statement: statement() }
}

fn setting(origin: &Origin) -> Setting<'_> {
    Setting { environment: "staging", instance: "signing.example.org", mode: Mode::Rehearsal, origin }
}

/// The act, signed by somebody.
pub(crate) fn signed(act: &Act, signer: &Signer, roster: &Roster) -> Result<VerifiedAct, Unverified> {
    let bytes = act.encode().unwrap();
    let armor = signer.sign(namespace(Mode::Rehearsal), &bytes);
    VerifiedAct::verify(&bytes, &armor, setting(&origin()), roster)
}

/// The act of the person with this number.
pub(crate) fn by(number: usize, deed: Deed, nonce: u8) -> VerifiedAct {
    signed(&act(deed, nonce), &signer(number), &roster()).unwrap()
}

fn deeds() -> Vec<Deed> {
    let (act, statement) = (Hash::of(b"act"), statement());
    let outcome = Some(Outcome { deviations: Hash::of(b"none"), outputs: Hash::of(b"key") });
    vec![
        Deed::Abort { statement },
        Deed::AcceptClock { clock: time(0) },
        approve(),
        Deed::Approve { decision: Decision::Refuse, statement },
        attest(),
        Deed::Attest { decision: Decision::Accept, outcome, statement },
        Deed::Attest { decision: Decision::Refuse, outcome, statement },
        Deed::Deviation { statement },
        Deed::Execute { statement },
        Deed::Propose { statement },
        Deed::Stop { stops: vec![Term::Key("release/linux".parse().unwrap())] },
        Deed::Suspend { person: "bob".parse().unwrap() },
        Deed::Veto { statement },
        Deed::Withdraw { act, statement },
    ]
}

#[test]
fn the_canonical_bytes_are_these() {
    let bytes = act(approve(), 0xa7).encode().unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        format!(
            "{{\"act\":\"approve\",\"decision\":\"accept\",\"environment\":\"staging\",\
             \"expires\":\"2026-11-22T15:06:40.000000Z\",\"head\":{{\"origin\":\"rehearsal.example.org\",\
             \"root\":\"4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2\",\"size\":12}},\
             \"instance\":\"signing.example.org\",\"nonce\":\"{}\",\"reason\":\"\",\"target\":{{\"statement\":\
             \"{}\"}}}}",
            "a7".repeat(32),
            statement()
        )
    );
}

#[test]
fn every_deed_is_read_as_it_was_written() {
    for deed in deeds() {
        let act = act(deed, 1);
        let bytes = act.encode().unwrap();
        assert_eq!(Act::parse(&bytes).unwrap(), act, "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(ActKind::ALL.is_sorted_by_key(|kind| kind.name()));
    for kind in ActKind::ALL {
        assert!(deeds().iter().any(|deed| deed.kind() == kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
}

fn text() -> String {
    String::from_utf8(act(approve(), 1).encode().unwrap()).unwrap()
}

#[test]
fn one_form_is_read() {
    let text = text();
    let refused = |bad: String, why: &str| {
        let error = Act::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, ActError::Canonical(_)), "{bad}");
        assert!(error.to_string().contains(why), "{bad}: {error}");
    };
    refused(text.replace(",\"reason\"", ",\"quorum\":1,\"reason\""), "unknown field `quorum`");
    refused(text.replace("\"target\":{", "\"target\":{\"key\":\"a\","), "unknown field `key`");
    refused(text.replace(",\"reason\"", ",\"reason\":\"\",\"reason\""), "duplicate field `reason`");
    refused(text.replace("\"size\":12", "\"size\":12,\"size\":12"), "duplicate field `size`");
    refused(text.replace(",\"reason\":\"\"", ""), "missing field `reason`");
    refused(text.replace(",\"reason\"", ", \"reason\""), "not in canonical form");
    refused(text.replace("approve", "\\u0061pprove"), "not in canonical form");
    refused(format!("{text}\n"), "not in canonical form");
    refused(format!("{text}{text}"), "trailing");
    refused(format!("\u{feff}{text}"), "expected value");
    refused(text.replace("\"size\":12", "\"size\":12.0"), "floating");
    refused(text.replace("\"reason\":\"\"", "\"reason\":null"), "no null");
    refused(text.replace("\"approve\"", "\"agree\""), "unknown variant `agree`");
    refused(text.replace("\"accept\"", "\"maybe\""), "unknown variant `maybe`");
    refused(text.replace("2026-11-22T15:06:40.000000Z", "2026-11-22T15:06:40Z"), "expected a time like");
    refused(
        text.replace(&"01".repeat(32), &"01".repeat(16)),
        "a nonce of 64 lower-case hexadecimal digits (32 random bytes), found 32",
    );
    refused(text.replace(&"01".repeat(32), ""), "found 0 characters");
    refused(text.replace(&"01".repeat(32), &"0A".repeat(32)), "a nonce of 64 lower-case");
    refused(text.replace("rehearsal.example.org", "https://example.org"), "is no log origin");
    refused("[]".into(), "expected");
    refused(String::new(), "EOF");
}

#[test]
fn ten_megabytes_are_refused_before_they_are_read() {
    let bad = format!("{{\"act\":\"{}", "a".repeat(10 << 20));
    assert!(matches!(Act::parse(bad.as_bytes()), Err(ActError::Large(_))));
    let deed =
        Deed::Stop { stops: (0..32).map(|n| Term::Caller(format!("{n:02}{}", "c".repeat(600)))).collect() };
    assert!(matches!(act(deed, 1).encode(), Err(ActError::Large(_))));
}

fn faults(change: impl Fn(&mut Act)) -> Vec<ActFault> {
    let mut act = act(approve(), 1);
    change(&mut act);
    match act.encode() {
        Err(ActError::Faults(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_keep_their_rules() {
    assert_eq!(faults(|a| a.instance = String::new()), [ActFault::Name("instance")]);
    assert_eq!(faults(|a| a.environment = "Prod".into()), [ActFault::Name("environment")]);
    assert_eq!(faults(|a| a.head.size = 0), [ActFault::EmptyHead]);
    assert_eq!(faults(|a| a.head.size = 1 << 53), [ActFault::HeadSize(1 << 53)]);
    assert_eq!(faults(|a| a.reason = "r".repeat(4097)), [ActFault::ReasonLength(4097)]);
    assert_eq!(faults(|a| a.reason = "a\u{202e}b".into()), [ActFault::ReasonCharacter(0x202e)]);
    assert_eq!(faults(|a| a.reason = " ".into()), [ActFault::NoReason(ActKind::Approve)]);
    let veto = |a: &mut Act| (a.deed, a.reason) = (Deed::Veto { statement: statement() }, String::new());
    assert_eq!(faults(veto), [ActFault::NoReason(ActKind::Veto)]);
    let refuse = |a: &mut Act| a.deed = Deed::Approve { decision: Decision::Refuse, statement: statement() };
    assert_eq!(faults(refuse), [ActFault::NoReason(ActKind::Approve)]);
    let stops = |stops: &[Term]| {
        let stops = stops.to_vec();
        faults(move |a| (a.deed, a.reason) = (Deed::Stop { stops: stops.clone() }, "r".into()))
    };
    let all = Term::All;
    assert_eq!(stops(&[]), [ActFault::Stops(0)]);
    let many: Vec<Term> = (0..33).map(|n| Term::Caller(format!("{n:02}"))).collect();
    assert_eq!(stops(&many), [ActFault::Stops(33)]);
    assert_eq!(stops(&[all.clone(), all.clone()]), [ActFault::StopsOrder]);
    assert_eq!(stops(&[Term::Caller("a".into()), all]), [ActFault::StopsOrder]);
    let all_at_once = |a: &mut Act| {
        a.instance = "A".into();
        a.head.size = 0;
        a.reason = "\t".into();
    };
    assert_eq!(faults(all_at_once).len(), 4, "what is wrong is said at once");
    let mut empty = act(approve(), 1);
    (empty.head.size, empty.head.root) = (0, Hash::of(b""));
    assert!(empty.encode().is_ok(), "genesis is approved before there is a record");
}

#[test]
fn the_target_is_that_of_the_act() {
    let of = |text: String| match Act::parse(text.as_bytes()) {
        Err(ActError::Faults(faults)) => faults,
        other => panic!("{text}: {other:?}"),
    };
    let hash = Hash::of(b"x");
    let lacks = |act, field| ActFault::TargetLacks { act, field };
    let has = |act, field| ActFault::TargetHas { act, field };
    let target = format!("{{\"statement\":\"{}\"}}", statement());
    let with = |new: &str| text().replace(&target, new);
    assert_eq!(of(with("{}")), [lacks(ActKind::Approve, "statement")]);
    assert_eq!(
        of(with(&format!("{{\"outputs\":\"{hash}\",\"person\":\"bob\"}}"))),
        [
            has(ActKind::Approve, "person"),
            lacks(ActKind::Approve, "statement"),
            has(ActKind::Approve, "outputs")
        ]
    );
    let attests = |new: &str| with(new).replace("approve", "attest");
    let half = format!("{{\"outputs\":\"{hash}\",\"statement\":\"{hash}\"}}");
    assert_eq!(of(attests(&half)), [lacks(ActKind::Attest, "deviations")]);
    let half = format!("{{\"deviations\":\"{hash}\",\"statement\":\"{hash}\"}}");
    assert_eq!(of(attests(&half)), [lacks(ActKind::Attest, "outputs")]);
    let other = |kind: &str| text().replace("approve", kind).replace("\"reason\":\"\"", "\"reason\":\"r\"");
    assert_eq!(of(other("withdraw")), [lacks(ActKind::Withdraw, "act")]);
    assert_eq!(of(other("suspend")), [lacks(ActKind::Suspend, "person"), has(ActKind::Suspend, "statement")]);
    assert_eq!(of(other("stop")), [has(ActKind::Stop, "statement"), lacks(ActKind::Stop, "stops")]);
    assert_eq!(
        of(other("accept-clock")),
        [lacks(ActKind::AcceptClock, "clock"), has(ActKind::AcceptClock, "statement")]
    );
    assert_eq!(of(other("veto").replace("\"accept\"", "\"refuse\"")), [ActFault::Refuse(ActKind::Veto)]);
}

#[test]
fn a_good_act_is_verified_and_kept_as_it_came() {
    let roster = roster();
    let bytes = act(approve(), 1).encode().unwrap();
    let armor = signer(2).sign(namespace(Mode::Rehearsal), &bytes);
    let verified = VerifiedAct::verify(&bytes, &armor, setting(&origin()), &roster).unwrap();
    assert_eq!((verified.person().as_str(), verified.unit().as_str()), ("cyd", "security"));
    assert_eq!((verified.document(), verified.armor()), (bytes.as_slice(), armor.as_str()));
    assert_eq!((verified.digest(), verified.roster()), (Hash::of(&bytes), roster.digest()));
    assert_eq!(verified.key(), &signer(2).public());
    assert_eq!(verified.fido().map(|fido| (fido.flags, fido.counter)), Some((5, 7)));
    assert!(verified.is_by(Role::Officer) && !verified.is_by(Role::Witness));
    assert_eq!((verified.act(), verified.kind()), (&act(approve(), 1), ActKind::Approve));
}

fn unverified(change: impl Fn(&mut Act, &mut Signer)) -> Unverified {
    let (mut act, mut signer) = (act(approve(), 1), signer(2));
    change(&mut act, &mut signer);
    signed(&act, &signer, &roster()).unwrap_err()
}

#[test]
fn what_was_made_for_elsewhere_is_foreign() {
    let error = unverified(|a, _| a.instance = "other.example.org".into());
    assert!(
        matches!(&error, Unverified::OtherInstance { found, .. } if found == "other.example.org"),
        "{error}"
    );
    let error = unverified(|a, _| a.environment = "production".into());
    assert!(matches!(&error, Unverified::OtherEnvironment { found, .. } if found == "production"), "{error}");
    let error = unverified(|a, _| a.head.origin = "rehearsal.example.com".parse().unwrap());
    assert!(matches!(error, Unverified::OtherLog { .. }), "{error}");
    let bytes = act(approve(), 1).encode().unwrap();
    let with = |namespace: &str, mode| {
        let origin = origin();
        let setting = Setting { mode, ..setting(&origin) };
        VerifiedAct::verify(&bytes, &signer(2).sign(namespace, &bytes), setting, &roster()).map(|_| ())
    };
    let (production, rehearsal) = (namespace(Mode::Production), namespace(Mode::Rehearsal));
    assert!(matches!(with(production, Mode::Rehearsal), Err(Unverified::OtherMode { .. })));
    assert!(matches!(with(rehearsal, Mode::Production), Err(Unverified::OtherMode { .. })));
    for other in ["file", "git", "", "countersign.act.rehearsal.v2"] {
        let error = with(other, Mode::Rehearsal).unwrap_err();
        assert!(matches!(error, Unverified::Signature(SshSignatureError::Namespace { .. })), "{error}");
    }
    assert!(with(rehearsal, Mode::Rehearsal).is_ok());
}

#[test]
fn a_stranger_is_nobody() {
    let error = unverified(|_, s| *s = Signer::new(SshKind::SkEd25519, 99));
    assert!(matches!(error, Unverified::UnknownKey(_)), "{error}");
}

#[test]
fn a_key_signs_in_the_form_in_which_it_is_enrolled() {
    let error = unverified(|_, s| s.kind = SshKind::Ed25519);
    let expected = "`cyd` is in the roster with this key as `sk-ssh-ed25519@openssh.com`, and signed with it as `ssh-ed25519`";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Unverified::OtherForm { .. }));
    let error = unverified(|_, s| s.application = "ssh:other".into());
    let expected = "`cyd` is in the roster with this key for `ssh:`, and signed with it for `ssh:other`";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Unverified::OtherApplication { .. }));
    let error = unverified(|_, s| s.application = "https://example.org".into());
    assert!(matches!(error, Unverified::Signature(SshSignatureError::Key(_))), "{error}");
}

#[test]
fn touch_and_user_verification_are_demanded() {
    let error = unverified(|_, s| s.flags = 0x04);
    assert!(matches!(error, Unverified::Signature(SshSignatureError::NoTouch)), "{error}");
    let error = unverified(|_, s| s.flags = 0x01);
    assert!(matches!(error, Unverified::Signature(SshSignatureError::NoUserVerification)), "{error}");
}

#[test]
fn a_signature_over_another_act_is_wrong() {
    let (one, other) = (act(approve(), 1).encode().unwrap(), act(approve(), 2).encode().unwrap());
    let armor = signer(2).sign(namespace(Mode::Rehearsal), &one);
    let error = VerifiedAct::verify(&other, &armor, setting(&origin()), &roster()).unwrap_err();
    assert!(matches!(error, Unverified::Signature(SshSignatureError::Wrong)), "{error}");
}

#[test]
fn who_may_do_what() {
    // ada officer, fay witness, hal responder, ivy operator.
    let may = |number: usize, deed: Deed| match signed(&act(deed, 1), &signer(number), &roster()) {
        Ok(_) => true,
        Err(Unverified::Role { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    let people = [0, 5, 7, 8];
    for (deed, expected) in [
        (approve(), [true, true, true, true]),
        (attest(), [false, true, false, false]),
        (Deed::Veto { statement: statement() }, [true, true, false, false]),
        (Deed::Abort { statement: statement() }, [true, true, false, false]),
        (Deed::Deviation { statement: statement() }, [true, true, false, true]),
        (Deed::Execute { statement: statement() }, [false, false, false, true]),
        (Deed::Propose { statement: statement() }, [true, false, false, true]),
        (Deed::Stop { stops: vec![Term::All] }, [true, true, true, false]),
        (Deed::Suspend { person: "bob".parse().unwrap() }, [true, false, false, false]),
        (Deed::AcceptClock { clock: time(0) }, [true, false, false, false]),
        (Deed::Withdraw { act: Hash::of(b""), statement: statement() }, [true, true, true, true]),
    ] {
        assert_eq!(people.map(|number| may(number, deed.clone())), expected, "{}", deed.kind());
    }
    let error = signed(&act(attest(), 1), &signer(0), &roster()).unwrap_err();
    assert_eq!(error.to_string(), "`ada` may not attest: witness may");
}

#[test]
fn a_nonce_counts_once_for_its_person() {
    let mut nonces = Nonces::default();
    let first = by(0, approve(), 1);
    assert_eq!(nonces.spend(&first), Ok(()));
    let before = first.digest();
    assert_eq!(nonces.spend(&first), Err(Replayed { person: "ada".parse().unwrap(), before }));
    let again = by(0, Deed::Veto { statement: statement() }, 1);
    assert_eq!(nonces.check(&again), Err(Replayed { person: "ada".parse().unwrap(), before }));
    // Somebody who saw the nonce on its way and was faster takes nothing from its owner.
    assert_eq!(nonces.spend(&by(1, approve(), 1)), Ok(()));
    assert_eq!(nonces.spend(&by(0, approve(), 2)), Ok(()));
}

#[test]
fn software_keys_verify_where_the_roster_takes_them() {
    for kind in [SshKind::Ed25519, SshKind::EcdsaP256] {
        let mut document: RosterDocument = document();
        document.people[0].keys.push(Signer::new(kind, 50).line());
        let roster = Roster::new(&document, REHEARSAL).unwrap();
        let verified = signed(&act(approve(), 1), &Signer::new(kind, 50), &roster).unwrap();
        assert_eq!((verified.person().as_str(), verified.fido()), ("ada", None));
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_no_act_of_anybody(at: prop::sample::Index, byte: u8, armor: bool, who in 0usize..4) {
        let mut bytes = act(approve(), 1).encode().unwrap();
        let mut text = signer(who).sign(namespace(Mode::Rehearsal), &bytes).into_bytes();
        let changed = if armor { &mut text } else { &mut bytes };
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let text = String::from_utf8_lossy(&text);
        prop_assert!(VerifiedAct::verify(&bytes, &text, setting(&origin()), &roster()).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, cut: prop::sample::Index, with: String) {
        let _ = Act::parse(&bytes);
        let text = text();
        let at = cut.index(text.len());
        let _ = Act::parse(format!("{}{with}{}", &text[..at], &text[at..]).as_bytes());
    }
}
