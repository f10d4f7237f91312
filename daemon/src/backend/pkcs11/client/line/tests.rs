#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use super::super::super::message::Notice;
use super::super::super::octets::{Octets, SignatureOctets};
use super::super::played::{Host, ready};
use super::*;

fn open() -> Open {
    Open {
        module: "/m.so".into(),
        token: "pkcs11:token=t".parse().unwrap(),
        mode: None,
        pin: None,
        backend: "hsm-a".into(),
        memory: "/l".into(),
        sessions: 2,
        call_limit: 1000,
        epoch: 1,
    }
}

const LIMIT: Duration = Duration::from_secs(10);

async fn begun() -> (Arc<Line>, Host) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut host = Host::on(theirs);
    let playing = async {
        host.greet().await;
        let request = host.request().await;
        assert!(matches!(request.body, Ask::Open(_)));
        host.reply(request.id, ready()).await;
        host
    };
    let (line, host) = tokio::join!(Line::begin(ours, open(), LIMIT), playing);
    (line.unwrap().0, host)
}

fn sign() -> Ask {
    Ask::Sign { epoch: 1, key: 0, algorithm: proto::algorithm::Algorithm::Ed25519, input: Octets(vec![1]) }
}

#[tokio::test]
async fn answers_in_any_order_reach_whoever_asked() {
    let (line, mut host) = begun().await;
    let calls = async { tokio::join!(line.call(sign(), 0, LIMIT), line.call(sign(), 0, LIMIT)) };
    let playing = async {
        let (first, second) = (host.request().await, host.request().await);
        host.reply(second.id, Answer::Signed(SignatureOctets::from(&[2][..]))).await;
        host.reply(first.id, Answer::Signed(SignatureOctets::from(&[1][..]))).await;
    };
    let ((first, second), ()) = tokio::join!(calls, playing);
    assert_eq!(first.unwrap().body, Answer::Signed(SignatureOctets::from(&[1][..])));
    assert_eq!(second.unwrap().body, Answer::Signed(SignatureOctets::from(&[2][..])));
}

#[tokio::test]
async fn an_answer_to_nobody_or_a_broken_frame_ends_the_line_and_every_call_learns_it() {
    for hostile in [false, true] {
        let (line, mut host) = begun().await;
        let playing = async {
            let request = host.request().await;
            if hostile {
                host.stream.write_all(&[0xff; 8]).await.unwrap();
            } else {
                host.reply(request.id + 1000, ready()).await;
            }
        };
        let (lost, ()) = tokio::join!(line.call(sign(), 0, LIMIT), playing);
        let lost = lost.unwrap_err();
        assert!(lost.sent, "{lost:?}");
        let after = line.call(sign(), 0, LIMIT).await.unwrap_err();
        assert!(!after.sent, "nothing is sent on a line that is over");
    }
}

#[tokio::test]
async fn only_calls_that_a_worker_has_in_hand_run_against_the_limit() {
    let (line, mut host) = begun().await;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let line = line.clone();
            tokio::spawn(async move { line.call(sign(), 0, LIMIT).await })
        })
        .collect();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(host.request().await.id);
    }
    assert!(!line.pass(LIMIT - Duration::from_secs(1)), "two in hand, nine seconds each");
    for id in &ids[..2] {
        host.reply(*id, Answer::Signed(SignatureOctets::from(&[][..]))).await;
    }
    while line.locked().open.len() > 2 {
        tokio::task::yield_now().await;
    }
    assert!(!line.pass(Duration::from_secs(2)), "the other two are in hand for two seconds only");
    assert!(line.pass(LIMIT), "and now they are not");
    line.end(Lost::Timeout, "hangs".to_owned());
    let mut lost = 0;
    for call in calls {
        lost += usize::from(matches!(call.await.unwrap(), Err(Gone { sent: true, how: Lost::Timeout, .. })));
    }
    assert_eq!(lost, 2);
}

#[tokio::test]
async fn another_build_is_refused_by_name() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut host = Host::on(theirs);
    let other = Hello { build: "0.0.9 abc".to_owned(), ..Hello::ours() };
    host.say(&FromHost::Hello(other)).await;
    let said = Line::begin(ours, open(), LIMIT).await.map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("0.0.9 abc") && said.contains("another build"), "{said}");
}

#[tokio::test]
async fn the_hosts_word_on_its_token_is_heard() {
    let (line, mut host) = begun().await;
    let mut down = line.down();
    assert_eq!(*down.borrow_and_update(), None);
    let fault = Fault { class: Class::Unavailable, cause: "gone".to_owned() };
    host.say(&FromHost::Notice(Notice { epoch: 7, down: Some(fault.clone()) })).await;
    down.changed().await.unwrap();
    assert_eq!((down.borrow_and_update().clone(), line.epoch()), (Some(fault), 7));
    host.say(&FromHost::Notice(Notice { epoch: 8, down: None })).await;
    down.changed().await.unwrap();
    assert_eq!(*down.borrow(), None);
}
