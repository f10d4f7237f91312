//! Rehearsals have tokens of their own: the other half of scenario 19.

use std::time::Duration;

use ceremonies::act::Deed;
use ceremonies::genesis::Mode;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use softhsm::Token;

use crate::recover_others::here;
use crate::room::{new_key, now, told};
use crate::site::Site;

const KEY: &str = "release/linux";

#[test]
fn s19_a_production_ceremony_on_a_rehearsals_token_does_not_start() {
    for label in ["rehearsal", "release"] {
        let directory = tempfile::tempdir().unwrap();
        let token = Token::create_in(directory.path(), label, "746251").unwrap();
        let room = Site::on(token, Mode::Production).start();
        let open = room.proposed(&here(&room, &new_key(KEY, "hsm")));
        for officer in ["ada", "cyd"] {
            room.approves(officer, &open).unwrap();
        }
        for witness in ["fay", "gus"] {
            room.attests(witness, &open).unwrap();
        }
        if label == "release" {
            room.executes(&open).unwrap();
            for witness in ["fay", "gus"] {
                room.attests_after(witness, &open).unwrap();
            }
            room.until(&open, State::Completed);
            assert_eq!(room.births(), 1);
            room.ends_well();
            continue;
        }
        let before = room.mark();
        let end = now().later(tests::PATIENCE);
        let status = loop {
            // While the host starts the backend has another cause.
            let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
            let status = room.send_start(act).unwrap_err();
            assert_eq!(told(&status).0, Reason::BackendUnavailable, "{status}");
            if status.message().contains("is not used") || now() > end {
                break status;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let said = "the token `rehearsal` is not used: its label begins with `rehearsal`, and this is a production instance";
        assert!(status.message().contains(said), "{status}");
        assert_eq!(room.mark(), before);
        assert_eq!(room.state(&open), State::Armed);
        room.ends_well();
    }
}
