#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use proptest::prelude::*;

use super::*;
use crate::rules::HardLimit;
use crate::ssh::key::{KeyError, SshKind};
use crate::ssh::signer::Signer;

pub(crate) const REHEARSAL: Terms = Terms { allow_software_officer_keys: false, mode: Mode::Rehearsal };
pub(crate) const PRODUCTION: Terms = Terms { allow_software_officer_keys: false, mode: Mode::Production };

/// Who has a number, and with it a key.
pub(crate) const PEOPLE: [(&str, &[&str], &str); 9] = [
    ("ada", &["officer"], "platform"),
    ("bob", &["officer"], "platform"),
    ("cyd", &["officer"], "security"),
    ("dan", &["officer"], "security"),
    ("eve", &["officer", "witness"], "security"),
    ("fay", &["witness"], "audit"),
    ("gus", &["witness"], "platform"),
    ("hal", &["responder"], "operations"),
    ("ivy", &["operator"], "operations"),
];

/// The key of the person with this number.
pub(crate) fn signer(number: usize) -> Signer {
    let kind = if number.is_multiple_of(2) { SshKind::SkEd25519 } else { SshKind::SkEcdsaP256 };
    Signer::new(kind, u8::try_from(number).unwrap() + 1)
}

/// Three of five officers, FIDO keys, good in both modes.
pub(crate) fn document() -> RosterDocument {
    let person = |(number, (id, roles, unit)): (usize, &(&str, &[&str], &str))| RosterPerson {
        keys: vec![signer(number).line()],
        name: format!("{}{} Person", id[..1].to_uppercase(), &id[1..]),
        person: (*id).to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        unit: (*unit).to_owned(),
    };
    let people = PEOPLE.iter().enumerate().map(person).collect();
    RosterDocument { approvals: 3, mode: Mode::Rehearsal, people, schema: SCHEMA.to_owned(), version: 1 }
}

pub(crate) fn roster() -> Roster {
    Roster::new(&document(), REHEARSAL).unwrap()
}

fn flaws(change: impl Fn(&mut RosterDocument)) -> Vec<(String, Fault)> {
    let mut document = document();
    change(&mut document);
    let flaws = Roster::new(&document, REHEARSAL).unwrap_err();
    flaws.into_iter().map(|flaw| (flaw.place.to_string(), flaw.fault)).collect()
}

#[track_caller]
fn broken(change: impl Fn(&mut RosterDocument), place: &str, fault: Fault) {
    assert_eq!(flaws(change), [(place.to_owned(), fault)]);
}

#[test]
fn a_good_roster_is_what_it_says() {
    let roster = roster();
    assert_eq!((roster.approvals(), roster.officers(), roster.version()), (3, 5, 1));
    assert_eq!(roster.with(Role::Witness).map(|p| p.id.as_str()).collect::<Vec<_>>(), ["eve", "fay", "gus"]);
    let (owner, key) = roster.owner(signer(3).public().id()).unwrap();
    assert_eq!((owner.id.as_str(), key), ("dan", &signer(3).public()));
    assert!(roster.owner(signer(9).public().id()).is_none());
    assert_eq!(roster.person(&"fay".parse().unwrap()).unwrap().name.as_str(), "Fay Person");
    assert_eq!(roster.software_keys().count(), 0);
    assert_eq!(Roster::parse(&roster.encode(), REHEARSAL).unwrap(), roster);
    assert_eq!(roster.digest(), Hash::of(&roster.encode()));
}

#[test]
fn the_canonical_bytes_begin_so() {
    let text = String::from_utf8(roster().encode()).unwrap();
    assert!(text.starts_with(
        "{\"approvals\":3,\"mode\":\"rehearsal\",\"people\":[{\"keys\":[\"sk-ssh-ed25519@openssh.com AAAA"
    ));
    assert!(text.contains(
        "\"],\"name\":\"Ada Person\",\"person\":\"ada\",\"roles\":[\"officer\"],\"unit\":\"platform\"},"
    ));
    assert!(text.ends_with("],\"schema\":\"countersign.roster.v0\",\"version\":1}"));
}

#[test]
fn two_must_approve() {
    broken(|d| d.approvals = 0, "approvals", HardLimit::Approvals(0).into());
    broken(|d| d.approvals = 1, "approvals", HardLimit::Approvals(1).into());
}

#[test]
fn one_officer_may_be_away() {
    broken(|d| d.approvals = 5, "approvals", HardLimit::Spare { approvals: 5, officers: 5 }.into());
    broken(|d| d.approvals = 7, "approvals", HardLimit::Spare { approvals: 7, officers: 5 }.into());
    let mut document = document();
    document.approvals = 4;
    assert!(Roster::new(&document, REHEARSAL).is_ok());
}

#[test]
fn somebody_attests() {
    let nobody = |d: &mut RosterDocument| d.people.iter_mut().for_each(|p| p.roles = vec!["officer".into()]);
    broken(nobody, "people", Fault::NoWitness);
}

#[test]
fn a_witness_is_independent_of_every_officer() {
    broken(|d| d.people[5].unit = "security".into(), "people", Fault::NoOtherUnit);
    broken(|d| d.people[0].unit = "audit".into(), "people", Fault::NoOtherUnit);
}

#[test]
fn versions_begin_with_one() {
    broken(|d| d.version = 0, "version", Fault::Version(0));
    broken(|d| d.version = 1 << 53, "version", Fault::Version(1 << 53));
}

#[test]
fn rehearsal_and_production_are_not_mixed() {
    broken(|d| d.mode = Mode::Production, "mode", Fault::Mode);
    let flaws = Roster::new(&document(), PRODUCTION).unwrap_err();
    assert_eq!(
        flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["mode: the roster is for another mode than the instance: rehearsal and production are never mixed"]
    );
}

#[test]
fn production_takes_tokens_unless_genesis_allows_files() {
    let mut document = document();
    document.mode = Mode::Production;
    assert!(Roster::new(&document, PRODUCTION).is_ok());
    let soft = Signer::new(SshKind::Ed25519, 77);
    document.people[1].keys.push(soft.line());
    let flaws = Roster::new(&document, PRODUCTION).unwrap_err();
    assert_eq!(flaws.len(), 1);
    assert_eq!(
        (flaws[0].place.to_string().as_str(), &flaws[0].fault),
        ("people[1].keys[1]", &Fault::Software(SshKind::Ed25519))
    );
    let allowed = Roster::new(&document, Terms { allow_software_officer_keys: true, ..PRODUCTION }).unwrap();
    let soft_keys: Vec<_> =
        allowed.software_keys().map(|(person, key)| (person.id.as_str(), key.clone())).collect();
    assert_eq!(soft_keys, [("bob", soft.public())]);
}

#[test]
fn a_person_has_a_name_a_role_and_a_key() {
    broken(|d| d.people[8].roles.clear(), "people[8].roles", Fault::NoRole);
    broken(|d| d.people[8].keys.clear(), "people[8].keys", Fault::NoKey);
    broken(|d| d.people[8].person = "Ivy".into(), "people[8].person", PersonError::Id("Ivy".into()).into());
    broken(|d| d.people[8].unit = String::new(), "people[8].unit", PersonError::Unit(String::new()).into());
    broken(
        |d| d.people[8].name = "I\u{200b}".into(),
        "people[8].name",
        PersonError::NameCharacter(0x200b).into(),
    );
    broken(
        |d| d.people[8].roles.push("boss".into()),
        "people[8].roles[1]",
        "boss".parse::<Role>().unwrap_err().into(),
    );
    broken(
        |d| d.people[8].roles.push("operator".into()),
        "people[8].roles[1]",
        Fault::RoleTwice(Role::Operator),
    );
    let many = |d: &mut RosterDocument| {
        d.people[8].keys = (30..39).map(|n| Signer::new(SshKind::Ed25519, n).line()).collect()
    };
    broken(many, "people[8].keys", Fault::Keys(9));
}

use crate::person::PersonError;

#[test]
fn a_person_is_there_once() {
    broken(|d| d.people[8].person = "hal".into(), "people[8].person", Fault::PersonTwice("hal".into()));
    // An officer who is listed again is no second officer.
    let again = |d: &mut RosterDocument| {
        d.people.truncate(7);
        d.people[3].person = "cyd".into();
        d.people[4].person = "cyd".into();
    };
    let found = flaws(again);
    assert_eq!(found.iter().filter(|(_, fault)| *fault == Fault::PersonTwice("cyd".into())).count(), 2);
    assert!(found.contains(&("approvals".into(), HardLimit::Spare { approvals: 3, officers: 3 }.into())));
}

#[test]
fn a_roster_is_not_a_crowd() {
    let crowd = |d: &mut RosterDocument| {
        let more = (0..120).map(|n| RosterPerson {
            keys: vec![Signer::new(SshKind::Ed25519, 100 + n).line()],
            person: format!("z{n}"),
            ..d.people[8].clone()
        });
        let more: Vec<_> = more.collect();
        d.people.extend(more);
    };
    broken(crowd, "people", Fault::People(129));
}

#[test]
fn a_key_has_one_person_whatever_its_form() {
    let id = signer(0).public().id();
    let forms = [
        signer(0).line(),
        format!("{} another comment", signer(0).line()),
        Signer { application: "ssh:other".into(), ..signer(0) }.line(),
        Signer { kind: SshKind::Ed25519, ..signer(0) }.line(),
    ];
    for form in forms {
        let of_two = Fault::KeyOfTwo { key: id, owner: "ada".into() };
        broken(|d| d.people[1].keys.push(form.clone()), "people[1].keys[1]", of_two);
        broken(|d| d.people[0].keys.push(form.clone()), "people[0].keys[1]", Fault::KeyTwice(id));
    }
}

#[test]
fn a_key_of_another_kind_is_named() {
    broken(
        |d| d.people[8].keys.push("ssh-rsa AAAAB3NzaC1yc2E=".into()),
        "people[8].keys[1]",
        Fault::Key(KeyError::Rsa),
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = flaws(|d| {
        d.approvals = 1;
        d.version = 0;
        d.people[0].keys[0] = "ssh-dss AAAAB3NzaC1kc3M=".into();
        d.people[2].roles[0] = "chief".into();
        d.people[5].unit = "platform".into();
    });
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["version", "approvals", "people[0].keys[0]", "people[2].roles[0]", "people"]);
}

#[test]
fn one_form_is_read() {
    let text = String::from_utf8(roster().encode()).unwrap();
    let of = |text: &str| Roster::parse(text.as_bytes(), REHEARSAL).unwrap_err();
    for bad in [
        text.replace("{\"app", "{\"a\":1,\"app"),
        text.replace(",\"mode", ", \"mode"),
        text.replace("\"version\":1", "\"version\":1,\"version\":1"),
        text.replace("\"approvals\":3", "\"approvals\":3.0"),
        text[..text.len() - 1].to_owned(),
        text.replace("\"unit\":\"audit\"", "\"unit\":\"audit\",\"vote\":2"),
    ] {
        assert!(matches!(of(&bad), RosterError::Canonical(_)), "{bad}");
    }
    assert!(
        matches!(of(&text.replace("roster.v0", "roster.v1")), RosterError::Schema(schema) if schema == "countersign.roster.v1")
    );
    assert!(matches!(of(&" ".repeat(LARGEST + 1)), RosterError::Large(_)));
    assert!(
        matches!(of(&text.replace("\"approvals\":3", "\"approvals\":1")), RosterError::Flaws(flaws) if flaws.len() == 1)
    );
    let mut document = document();
    document.people.swap(0, 1);
    assert_eq!(Roster::new(&document, REHEARSAL).unwrap(), roster());
    let bytes = |document: &RosterDocument| canonical::to_vec(document).unwrap();
    assert!(matches!(Roster::parse(&bytes(&document), REHEARSAL), Err(RosterError::OneForm)));
    let mut document = self::document();
    document.people[4].roles.reverse();
    assert!(matches!(Roster::parse(&bytes(&document), REHEARSAL), Err(RosterError::OneForm)));
    let mut document = self::document();
    document.people[0].keys[0].push_str(" ada@laptop");
    assert!(matches!(Roster::parse(&bytes(&document), REHEARSAL), Err(RosterError::OneForm)));
}

#[test]
fn officers_and_witnesses_are_different_people() {
    let roster = roster();
    assert!(roster.can_seat(3, 2, true) && roster.can_seat(5, 2, true) && roster.can_seat(4, 3, true));
    assert!(!roster.can_seat(5, 3, false), "eve is officer or witness");
    assert!(!roster.can_seat(6, 1, false) && !roster.can_seat(1, 4, false));
    assert!(roster.can_seat(2, 0, false) && !roster.can_seat(2, 0, true));
}

#[test]
fn a_roster_follows_the_one_before() {
    let old = roster();
    let next = |change: fn(&mut RosterDocument)| {
        let mut document = document();
        document.version = 2;
        change(&mut document);
        Roster::new(&document, REHEARSAL).unwrap()
    };
    let same = next(|_| {});
    assert_eq!(same.follows(&old), Ok(()));
    assert_eq!(same.new_keys(&old).count(), 0);
    assert_eq!(old.follows(&old), Err(NotNext::Version { old: 1, found: 1 }));
    assert_eq!(next(|d| d.version = 3).follows(&old), Err(NotNext::Version { old: 1, found: 3 }));
    let key = signer(0).public().id();
    let moved = next(|d| {
        d.people[0].keys = vec![Signer::new(SshKind::Ed25519, 70).line()];
        d.people[1].keys.push(signer(0).line());
    });
    assert_eq!(
        moved.follows(&old),
        Err(NotNext::KeyMoved { key, old: "ada".parse().unwrap(), new: "bob".parse().unwrap() })
    );
    let added = next(|d| {
        d.people[1].keys.push(Signer::new(SshKind::Ed25519, 71).line());
        d.people[2].keys = vec![Signer { application: "ssh:x".into(), ..signer(2) }.line()];
    });
    assert_eq!(
        added.new_keys(&old).map(|(person, _)| person.id.as_str()).collect::<Vec<_>>(),
        ["bob", "cyd"]
    );
    let other_mode = Roster { mode: Mode::Production, ..same };
    assert_eq!(other_mode.follows(&old), Err(NotNext::Mode));
}

/// A roster as people write it.
fn written() -> String {
    let person = |p: &RosterPerson| {
        let list =
            |words: &[String]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        format!(
            "[[person]]\nperson = {:?}\nname = {:?}\nunit = {:?}\nroles = [{}]\nkeys = [{}]\n",
            p.person,
            p.name,
            p.unit,
            list(&p.roles),
            list(&p.keys)
        )
    };
    let people: String = document().people.iter().map(person).collect();
    format!("version = 1\nmode = \"rehearsal\"\napprovals = 3\n{people}")
}

#[test]
fn people_write_it_as_toml() {
    assert_eq!(Roster::read(&written(), REHEARSAL).unwrap(), roster());
    let commented = written().replacen("\"]\n", " ada@laptop\\n\"]\n", 3);
    assert!(Roster::read(&commented, REHEARSAL).is_err(), "a role has no comment");
    let text = written()
        .replace("approvals = 3", "approvals = 9")
        .replace("unit = \"audit\"", "unit = \"Audit\"")
        .replace("keys = [\"sk-ecdsa", "keys = [\"ssh-rsa AAAAB3NzaC1yc2E= me\", \"sk-ecdsa");
    let problems: Vec<String> =
        Roster::read(&text, REHEARSAL).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 6, "{problems:#?}");
    assert_eq!(
        problems[0],
        "line 3: approvals: there must be more officers than approvals needed, so that one may be away: 9 of 5"
    );
    assert!(
        problems[1]
            .starts_with("line 15: person[1].keys[0]: RSA keys are not taken: make one with `ssh-keygen"),
        "{}",
        problems[1]
    );
    assert!(problems[3].starts_with("line 37: person[5].unit: `Audit` is no unit"), "{}", problems[3]);
    let problems = Roster::read("version = 1\nmode = \"real\"\n[[person]]\nname = 3\nroll = []\n", REHEARSAL)
        .unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 8, "{problems:#?}");
    assert!(
        problems.iter().any(|problem| problem == "line 5: person[0].roll: unknown; did you mean `roles`?"),
        "{problems:#?}"
    );
}

proptest! {
    #[test]
    fn what_is_constructed_keeps_every_rule(
        approvals in 0u16..6,
        version in 0u64..3,
        people in prop::collection::vec((0usize..9, 0u8..16, 0usize..4, prop::collection::vec(1u8..40, 0..3)), 0..12),
    ) {
        let units = ["platform", "security", "audit", "operations"];
        let person = |(id, roles, unit, keys): (usize, u8, usize, Vec<u8>)| RosterPerson {
            keys: keys.iter().map(|n| Signer::new(SshKind::ALL[usize::from(n % 4)], *n).line()).collect(),
            name: "Some Body".into(),
            person: PEOPLE[id].0.into(),
            roles: (0u8..4).filter(|bit| roles >> bit & 1 == 1).map(|bit| Role::ALL[usize::from(bit)].name().into()).collect(),
            unit: units[unit].into(),
        };
        let document = RosterDocument { approvals, version, people: people.into_iter().map(person).collect(), ..document() };
        match Roster::new(&document, REHEARSAL) {
            Err(flaws) => prop_assert!(!flaws.is_empty()),
            Ok(roster) => {
                let bytes = roster.encode();
                prop_assert_eq!(&Roster::parse(&bytes, REHEARSAL).unwrap(), &roster);
                prop_assert!(roster.approvals() >= 2 && roster.officers() > roster.approvals() && roster.version() > 0);
                prop_assert!(roster.with(Role::Witness).any(|w| roster.with(Role::Officer).all(|o| o.unit != w.unit)));
                prop_assert!(roster.can_seat(roster.approvals(), 1, true));
                let keys: Vec<_> = roster.people().flat_map(|p| p.keys.iter().map(SshKey::id)).collect();
                let distinct: BTreeSet<_> = keys.iter().collect();
                prop_assert_eq!(keys.len(), distinct.len());
                prop_assert!(roster.people().all(|p| !p.roles.is_empty() && !p.keys.is_empty()));
            }
        }
    }

    #[test]
    fn a_changed_byte_is_another_roster_or_none(at: prop::sample::Index, byte: u8) {
        let roster = roster();
        let mut bytes = roster.encode();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(other) = Roster::parse(&bytes, REHEARSAL) {
            prop_assert_ne!(other.digest(), roster.digest());
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text: String) {
        let _ = Roster::parse(text.as_bytes(), REHEARSAL);
        let _ = Roster::read(&text, REHEARSAL);
    }
}
