//! Bad input at the door of ceremonies: a clear error with a stable reason, nothing recorded, and the service goes on.

use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, namespace};
use ceremonies::genesis::Mode;
use proto::reason::Reason;
use proto::wire::v1::{CeremonyState, SignedAct};
use tests::openssh::{done, ssh_keygen};

use crate::room::{OTHER, Open, Room, new_key, now, told};

const KEY: &str = "release/linux";
const OWN: &str = namespace(Mode::Rehearsal);

/// A ceremony that is open, and what must not change by what is refused.
struct Desk {
    room: Room,
    open: Open,
    before: (u64, Vec<(String, String)>, usize),
}

impl Desk {
    fn new() -> Self {
        let room = Room::software();
        let open = room.proposed(&new_key(KEY, "software"));
        let before = room.mark();
        Self { room, open, before }
    }

    fn approve(&self) -> Act {
        self.room.act(Deed::Approve { decision: Decision::Accept, statement: self.open.digest() })
    }

    /// An approval, with its text changed before it is signed.
    fn written(&self, change: impl FnOnce(String) -> String) -> SignedAct {
        let before = String::from_utf8(self.approve().encode().unwrap()).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after);
        self.room.sign_text("ada", after.into_bytes(), OWN)
    }

    /// An act that is none.
    #[track_caller]
    fn refuses(&self, act: SignedAct, reason: Reason, guard: &str, words: &str) {
        let status = self.room.submit(act.clone()).unwrap_err();
        assert_eq!(told(&status), (reason, guard.to_owned()), "{status}");
        assert!(status.message().contains(words), "{words:?} is not in: {status}");
        assert!(status.message().len() < 2000, "a refusal is for reading: {}", status.message().len());
        // The same act starts nothing either, whatever is the first thing that is wrong with it.
        assert!(self.room.send_start(act).is_err());
        assert_eq!(self.room.mark(), self.before, "something was recorded");
    }

    /// Everything goes on: the ceremony takes a good act.
    #[track_caller]
    fn goes_on(self) {
        assert_eq!(self.room.mark(), self.before);
        self.room.approves("ada", &self.open).unwrap();
        assert_eq!(self.room.ceremony(&self.open).approvers, ["ada"]);
        assert_eq!(self.room.state(&self.open), CeremonyState::Proposed);
        self.room.ends_well();
    }
}

#[test]
fn statements_that_a_hand_has_changed_are_not_opened() {
    let desk = Desk::new();
    let room = &desk.room;
    let statement = room.draft("oskar", &new_key(KEY, "software")).unwrap();
    let text = String::from_utf8(statement.encode()).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let send = |text: &str| told(&room.send_proposal(text.as_bytes().to_vec(), act.clone()).unwrap_err());
    // One byte: a good statement, and not the one that was signed.
    let other = text.replacen("a test", "a tesT", 1);
    assert_eq!(send(&other), (Reason::ActRefused, "other-statement".to_owned()));
    let invalid = (Reason::StatementInvalid, String::new());
    for (what, bad) in [
        ("an unknown field", text.replacen("{", "{\"aaa\":1,", 1)),
        ("a key twice", text.replacen("\"ceremony\":", "\"ceremony\":\"x\",\"ceremony\":", 1)),
        ("a blank", text.replacen(":", ": ", 1)),
        (
            "another order",
            text.replacen("{\"ceremony\"", "{\"schema\":\"countersign.statement.v0\",\"ceremony\"", 1),
        ),
        ("a missing end", text[..text.len() - 1].to_owned()),
        ("nothing", String::new()),
        ("no object", "[]".to_owned()),
        ("no text", "\u{0}".to_owned()),
        ("deep nesting", "[".repeat(100_000)),
        ("too much", format!("{text}{}", " ".repeat(1 << 20))),
    ] {
        assert_ne!(bad, text, "{what}");
        assert_eq!(send(&bad), invalid, "{what}");
    }
    // A document that nothing names.
    let request = proto::wire::v1::ProposeCeremonyRequest {
        statement: statement.encode(),
        act: Some(act.clone()),
        documents: [("roster".to_owned(), b"{}".to_vec())].into(),
    };
    let mut client = room.client();
    assert_eq!(told(&room.wait(client.propose_ceremony(request)).unwrap_err()), invalid);
    // Templates, too.
    for (what, bad) in [
        ("no TOML", "kind = ".to_owned()),
        ("another field", format!("surprise = 1\n{}", new_key(KEY, "software"))),
        ("no target", "kind = \"key.generate\"\n".to_owned()),
        ("a kind that there is not", new_key(KEY, "software").replace("key.generate", "key.borrow")),
    ] {
        assert_eq!(told(&room.draft("oskar", &bad).unwrap_err()), invalid, "{what}");
    }
    desk.goes_on();
}

#[test]
fn acts_that_are_no_acts_are_refused_however_well_they_are_signed() {
    let desk = Desk::new();
    let (refuses, invalid) = (|act, words: &str| desk.refuses(act, Reason::ActInvalid, "", words), "");
    refuses(desk.written(|text| text.replacen("{", "{\"aaa\":1,", 1)), invalid);
    refuses(desk.written(|text| text.replacen("\"act\":", "\"act\":\"veto\",\"act\":", 1)), invalid);
    refuses(desk.written(|text| text.replacen("{\"act\"", "{ \"act\"", 1)), invalid);
    refuses(desk.written(|text| format!("{text}\n")), invalid);
    refuses(desk.written(|_| "{}".to_owned()), invalid);
    refuses(desk.written(|_| "[".repeat(16_000)), invalid);
    refuses(
        desk.written(|text| text.replacen("\"decision\":\"accept\"", "\"decision\":\"maybe\"", 1)),
        invalid,
    );
    // One byte of a good act, under the signature of before.
    let mut signed = desk.room.sign("ada", &desk.approve());
    let at = signed.document.len() - 10;
    signed.document[at] ^= 1;
    refuses(signed, invalid);
    // A signature that is none.
    let good = desk.room.sign("ada", &desk.approve());
    for signature in
        ["-", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", &good.signature[..90]]
    {
        refuses(SignedAct { signature: signature.to_owned(), ..good.clone() }, invalid);
    }
    for empty in [
        SignedAct { signature: String::new(), ..good.clone() },
        SignedAct { document: Vec::new(), ..good.clone() },
    ] {
        desk.refuses(empty, Reason::MalformedRequest, "", "act");
    }
    desk.goes_on();
}

#[test]
fn acts_of_other_modes_instances_times_and_heads_are_refused() {
    let desk = Desk::new();
    let room = &desk.room;
    // For production, although this is a rehearsal.
    let document = desk.approve().encode().unwrap();
    desk.refuses(room.sign_text("ada", document.clone(), OTHER), Reason::ActInvalid, "", OTHER);
    desk.refuses(room.sign_text("ada", document, "file"), Reason::ActInvalid, "", OWN);
    let instance = Act { instance: "other.example.org".into(), ..desk.approve() };
    desk.refuses(room.sign("ada", &instance), Reason::ActInvalid, "", "other.example.org");
    let environment = Act { environment: "production".into(), ..desk.approve() };
    desk.refuses(room.sign("ada", &environment), Reason::ActInvalid, "", "production");
    // Somebody else's instance, whole: its people, its log, its statement.
    let elsewhere = Room::software();
    let theirs = elsewhere.proposed(&new_key(KEY, "software"));
    let approve = Deed::Approve { decision: Decision::Accept, statement: theirs.digest() };
    desk.refuses(elsewhere.signed("ada", approve), Reason::ActInvalid, "", "");
    let act = elsewhere.signed("oskar", Deed::Propose { statement: theirs.digest() });
    let status = room.send_proposal(theirs.statement.encode(), act).unwrap_err();
    assert_eq!(told(&status), (Reason::ActInvalid, String::new()));
    let late = Act { expires: now(), ..desk.approve() };
    desk.refuses(room.sign("ada", &late), Reason::ActRefused, "act-expired", "expired");
    let late = Act { expires: now().earlier(Duration::from_secs(86_400)), ..desk.approve() };
    desk.refuses(room.sign("ada", &late), Reason::ActRefused, "act-expired", "expired");
    let act = desk.approve();
    let future = ceremonies::act::SeenHead { size: act.head.size + 1, ..act.head.clone() };
    desk.refuses(
        room.sign("ada", &Act { head: future, ..act.clone() }),
        Reason::ActInvalid,
        "head-unknown",
        "",
    );
    let forked = ceremonies::act::SeenHead { root: proto::hash::Hash::of(b"?"), ..act.head.clone() };
    desk.refuses(
        room.sign("ada", &Act { head: forked, ..act }),
        Reason::ActInvalid,
        "head-other",
        "another log",
    );
    desk.goes_on();
}

#[test]
fn keys_of_other_kinds_and_of_strangers_sign_nothing() {
    let desk = Desk::new();
    let place = tempfile::tempdir().unwrap();
    let document = desk.approve().encode().unwrap();
    for (name, kind, words) in [
        ("rsa", &["-t", "rsa", "-b", "2048"][..], "RSA"),
        ("p384", &["-t", "ecdsa", "-b", "384"], "nistp384"),
        ("stranger", &["-t", "ed25519"], ""),
    ] {
        let arguments = [kind, &["-q", "-N", "", "-f", name]].concat();
        done(ssh_keygen(place.path(), &arguments, b""));
        let arguments = ["-Y", "sign", "-f", name, "-n", OWN];
        let signature = done(ssh_keygen(place.path(), &arguments, &document));
        let act = SignedAct { document: document.clone(), signature };
        desk.refuses(act, Reason::ActInvalid, "", words);
    }
    desk.goes_on();
}

#[test]
fn an_act_of_ten_megabytes_is_turned_away_and_one_below_the_limit_of_requests_too() {
    let desk = Desk::new();
    for (size, reason) in
        [(10 << 20, Reason::InputTooLarge), (7 << 20, Reason::ActInvalid), (20 << 10, Reason::ActInvalid)]
    {
        let act = SignedAct { document: vec![b' '; size], ..desk.room.sign("ada", &desk.approve()) };
        let status = desk.room.submit(act).unwrap_err();
        assert_eq!(told(&status).0, reason, "{size}: {status}");
        let act = SignedAct { signature: "x".repeat(size), ..desk.room.sign("ada", &desk.approve()) };
        let status = desk.room.submit(act).unwrap_err();
        assert_eq!(told(&status).0, reason, "{size}: {status}");
        assert_eq!(desk.room.mark(), desk.before, "{size}");
    }
    desk.goes_on();
}

#[test]
fn ids_and_pages_that_are_none_are_said_to_be_none() {
    let desk = Desk::new();
    let room = &desk.room;
    for (id, reason) in [
        ("", Reason::MalformedRequest),
        ("../../etc/passwd", Reason::MalformedRequest),
        ("ZZ", Reason::MalformedRequest),
        ("00000000000000000000000000000000", Reason::UnknownCeremony),
    ] {
        assert_eq!(told(&room.find(id).unwrap_err()).0, reason, "{id:?}");
        let open = Open { id: id.to_owned(), statement: desk.open.statement.clone() };
        assert_eq!(told(&room.transcript(&open).unwrap_err()).0, reason, "{id:?}");
    }
    let request = proto::wire::v1::ListCeremoniesRequest { page_token: "x".into(), ..Default::default() };
    let mut client = room.client();
    let status = room.wait(client.list_ceremonies(request)).unwrap_err();
    assert_eq!(told(&status).0, Reason::MalformedRequest);
    let status = room.transcript(&desk.open).unwrap_err();
    assert_eq!(told(&status).1, "not-completed");
    desk.goes_on();
}
