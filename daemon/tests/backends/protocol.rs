//! The host, spoken to by hand.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use daemon::backend::pkcs11::message::{
    Answer, Ask, Class, FromDaemon, FromHost, Hello, Open, PinPlace, Reply, Request,
};
use daemon::backend::pkcs11::octets::Octets;
use daemon::backend::pkcs11::{HOST_ARGUMENT, frame};
use softhsm::{Shape, Token};

use crate::rig::{self, ALGORITHM};

struct Host {
    child: Child,
    socket: UnixStream,
    next: u64,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Host {
    fn start(token: &Token) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(rig::LONG)).unwrap();
        let (name, value) = token.environment();
        let mut command = Command::new(rig::program());
        command.arg(HOST_ARGUMENT).env(name, value).stdin(Stdio::from(OwnedFd::from(theirs)));
        Self { child: command.stderr(Stdio::piped()).spawn().unwrap(), socket: ours, next: 0 }
    }

    fn say(&mut self, message: &FromDaemon) {
        let mut bytes = Vec::new();
        frame::write(message, &mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn hear(&mut self) -> Option<FromHost> {
        frame::read_payload(&mut self.socket).unwrap().map(|payload| frame::value(&payload).unwrap())
    }

    fn ask(&mut self, body: Ask) -> Reply {
        self.next += 1;
        let id = self.next;
        self.say(&FromDaemon::Request(Request { id, timeout: 0, body }));
        loop {
            match self.hear().unwrap() {
                FromHost::Reply(reply) => {
                    assert_eq!(reply.id, id);
                    return reply;
                }
                FromHost::Notice(_) => {}
                FromHost::Hello(_) => panic!("greeted twice"),
            }
        }
    }

    fn open(token: &Token, memory: &std::path::Path) -> Self {
        let mut host = Self::start(token);
        host.say(&FromDaemon::Hello(Hello::ours()));
        assert_eq!(host.hear(), Some(FromHost::Hello(Hello::ours())));
        let reply = host.ask(Ask::Open(Box::new(Open {
            module: token.module().to_owned(),
            token: token.uri().parse().unwrap(),
            mode: None,
            pin: Some(PinPlace::File(token.pin_file())),
            backend: "hsm-a".into(),
            memory: memory.to_owned(),
            sessions: 1,
            call_limit: 10_000,
            epoch: 41,
        })));
        assert!(matches!(&reply.body, Answer::Ready(found) if found.serial == token.serial()), "{reply:?}");
        assert_eq!(reply.epoch, 42);
        host
    }

    /// What it wrote before it ended, and that it ended.
    fn ended(mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!self.child.wait().unwrap().success());
        said
    }
}

#[test]
fn a_number_of_an_old_epoch_is_stale() {
    let (token, state) = (Token::create().unwrap(), tempfile::tempdir().unwrap());
    token.generate("linux", &[1], Shape::P256).unwrap();
    let mut host = Host::open(&token, state.path());
    let Answer::Listed(seen) = host.ask(Ask::List { place: "pkcs11:".parse().unwrap() }).body else {
        panic!()
    };
    let [seen] = seen.try_into().unwrap();
    let find = Ask::FindKey { place: seen.place, expected: seen.public_key };
    let found = host.ask(find.clone());
    let Answer::Key(key) = found.body else { panic!("{found:?}") };
    let sign =
        |epoch, key, length| Ask::Sign { epoch, key, algorithm: ALGORITHM, input: Octets(vec![7; length]) };
    assert!(
        matches!(host.ask(sign(found.epoch, key, 32)).body, Answer::Signed(bytes) if bytes.as_bytes().len() == 64)
    );
    for length in [0, 20, 31, 33, 64] {
        let refused = host.ask(sign(found.epoch, key, length)).body;
        assert!(matches!(&refused, Answer::Failed(fault) if fault.class == Class::Refused), "{refused:?}");
    }

    // The token goes away and comes back: the module is initialised again.
    token.remove().unwrap();
    let down = host.ask(Ask::Probe);
    assert!(matches!(&down.body, Answer::Failed(fault) if fault.class == Class::Unavailable), "{down:?}");
    token.put_back().unwrap();
    let back = host.ask(Ask::Probe);
    assert!(matches!(back.body, Answer::Ready(_)) && back.epoch > found.epoch, "{back:?}");

    for (epoch, key) in [(found.epoch, key), (found.epoch + 1000, key), (back.epoch, key)] {
        let stale = host.ask(sign(epoch, key, 32)).body;
        assert!(matches!(&stale, Answer::Failed(fault) if fault.class == Class::Stale), "{stale:?}");
    }
    let again = host.ask(find);
    let Answer::Key(key) = again.body else { panic!("{again:?}") };
    assert!(matches!(host.ask(sign(again.epoch, key, 32)).body, Answer::Signed(_)));
}

#[test]
fn another_build_is_refused_by_the_host_too() {
    let token = Token::create().unwrap();
    let mut host = Host::start(&token);
    host.say(&FromDaemon::Hello(Hello { protocol: 1, build: "another".to_owned() }));
    let said = host.ended();
    assert!(said.contains("another build"), "{said}");
}

#[test]
fn hostile_bytes_and_requests_out_of_order_end_the_host() {
    let (token, state) = (Token::create().unwrap(), tempfile::tempdir().unwrap());
    let mut host = Host::start(&token);
    host.say(&FromDaemon::Request(Request { id: 1, timeout: 0, body: Ask::Probe }));
    assert!(host.ended().contains("greeting"));

    let mut host = Host::start(&token);
    host.socket.write_all(&[0xff; 64]).unwrap();
    assert!(host.ended().contains("131072"));

    let mut host = Host::open(&token, state.path());
    host.socket.write_all(&[3, 0, 0, 0, 9, 9, 9]).unwrap();
    assert_eq!(host.hear(), None, "the host ends");
}

#[test]
fn the_end_of_the_stream_ends_the_host() {
    let (token, state) = (Token::create().unwrap(), tempfile::tempdir().unwrap());
    let mut host = Host::open(&token, state.path());
    host.socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(host.hear(), None);
    host.child.wait().unwrap();
}
