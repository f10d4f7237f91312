//! `init --rehearsal`: people with keys in files, who have signed the genesis.

use std::os::unix::fs::PermissionsExt as _;

use ceremonies::act::namespace;
use ceremonies::cast::PEOPLE;
use ceremonies::genesis::Mode;
use tests::openssh::{done, ssh_keygen};
use tests::world::Plan;

use crate::site::begun;

#[test]
fn a_rehearsal_has_people_whose_keys_are_ssh_keygens() {
    let world = Plan::new().make();
    let people = world.place().join("people");
    let genesis = begun(&world.ledger());
    let read = |name: &str| std::fs::read_to_string(world.place().join(name)).unwrap();
    assert_eq!(read("genesis.json").into_bytes(), genesis.statement().encode());
    assert_eq!(read("roster.json").into_bytes(), genesis.roster().encode());
    let written = ceremonies::roster::Roster::read(
        &read("roster.toml"),
        ceremonies::roster::Terms { allow_software_officer_keys: false, mode: Mode::Rehearsal },
    );
    assert_eq!(&written.unwrap(), genesis.roster());
    assert!(read("countersignd.toml").contains(&genesis.digest().to_string()));
    let mut allowed = String::new();
    for (id, _, unit, role) in PEOPLE {
        let rights = std::fs::metadata(people.join(id)).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600, "{id}");
        let public = std::fs::read_to_string(people.join(format!("{id}.pub"))).unwrap();
        let shown = done(ssh_keygen(&people, &["-y", "-f", id], b""));
        assert_eq!(shown.trim_end(), public.trim_end(), "{id}");
        let person = genesis.roster().person(&id.parse().unwrap()).unwrap();
        assert_eq!(person.unit.as_str(), unit);
        assert_eq!(person.roles.iter().map(|role| role.name()).collect::<Vec<_>>(), [role]);
        assert_eq!(person.keys, [public.trim_end().parse().unwrap()]);
        allowed.push_str(&format!("{id} {public}"));
    }
    // What was signed in the daemon's own process is good for stock OpenSSH.
    std::fs::write(people.join("allowed"), allowed).unwrap();
    assert_eq!(genesis.acts().len(), 5);
    for act in genesis.acts() {
        std::fs::write(people.join("sig"), act.armor()).unwrap();
        let (person, namespace) = (act.person().as_str(), namespace(Mode::Rehearsal));
        let arguments = ["-Y", "verify", "-f", "allowed", "-I", person, "-n", namespace, "-s", "sig"];
        done(ssh_keygen(&people, &arguments, act.document()));
    }
    // And what stock OpenSSH signs with such a key is good here.
    let armor = done(ssh_keygen(&people, &["-Y", "sign", "-f", "ada", "-n", "here"], b"message"));
    let signature = ceremonies::ssh::signature::SshSignature::parse(&armor).unwrap();
    signature.verify("here", b"message").unwrap();
    assert_eq!(genesis.roster().owner(signature.key().id()).unwrap().0.id.as_str(), "ada");
    // No two instances have the same people.
    let other = begun(&Plan::new().make().ledger());
    assert!(other.roster().people().all(|person| genesis.roster().owner(person.keys[0].id()).is_none()));
}
