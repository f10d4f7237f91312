//! A bad PIN: one attempt over three restarts, and the token is not locked.

use proto::reason::Reason;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use softhsm::{Shape, Token, Wire};
use tests::PATIENCE;
use tests::world::Plan;

use crate::site::{BLOB, message, refusal_of, says, standing};

#[test]
fn a_bad_pin_is_tried_once_over_three_restarts_and_the_token_is_not_locked() {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    let wire = Wire::build(token.directory(), token.module()).unwrap();
    let pin = token.pin().to_owned();
    let plan = Plan::new().token(token, Some(wire.module()));
    let mut world = plan.token_key(BLOB, "linux", "ecdsa-p256-sha256", &["blob"]).make();
    let logins = wire.calls("Login").unwrap();
    assert!(logins > 0, "the key's ceremony logged in, and the wire counts it");
    world.token().unwrap().write_pin("000000").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for start in 1..=3 {
        world.start();
        let before = standing(&world);
        // The cause is said where its operator looks, on every start.
        let _said = world.process().says("PIN", PATIENCE);
        let status = runtime.block_on(async {
            SigningServiceClient::new(world.channel()).sign(message(BLOB, "hello")).await.unwrap_err()
        });
        let refusal = refusal_of(&status);
        assert!(
            [Reason::BackendUnavailable, Reason::BackendBroken, Reason::KeyMissing].contains(&refusal.reason),
            "{refusal:?}"
        );
        assert!(!refusal.message.contains("000000"), "{refusal:?}");
        assert_eq!(wire.calls("Login").unwrap(), logins + 1, "start {start}");
        assert_eq!(standing(&world).2, before.2, "no intent is left open");
        assert!(!world.process().said().contains("000000"));
        assert!(world.stop().success());
    }
    // The right PIN in the file clears the mark by itself, and the token takes it.
    world.token().unwrap().write_pin(&pin).unwrap();
    world.start();
    runtime.block_on(async {
        let mut client = SigningServiceClient::new(world.channel());
        // As every caller does: while waiting helps, again after the time that the answer says.
        let mut attempts = 0;
        let answer = loop {
            match client.sign(message(BLOB, "hello")).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => {
                    let refusal = refusal_of(&status);
                    attempts += 1;
                    assert!(attempts < 600, "{refusal:?}");
                    tokio::time::sleep(refusal.retry_after.unwrap_or_else(|| panic!("{refusal:?}"))).await;
                }
            }
        };
        assert_eq!(answer.signatures.len(), 1);
    });
    assert_eq!(world.ledger().complaints(), Vec::<String>::new());
    says(&world.done(&["keys", "list"]), &[BLOB]);
}
