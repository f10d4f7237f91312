//! Frames below gRPC, by hand, over TLS and over the Unix socket: no panic, nothing that grows, and the service goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use client::connect::tls::Connector;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tests::PATIENCE;
use tests::load::{request, sign};
use tests::world::{Plan, World};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

const KEY: &str = "release/linux";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many frames in all; the first fifth fills caches and pools.
const FRAMES: usize = 10_000;

/// A head of HPACK without Huffman codes or indexing: names and values as they are.
fn head(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend([0, u8::try_from(name.len()).unwrap()]);
        out.extend(name.bytes());
        out.push(u8::try_from(value.len()).unwrap());
        out.extend(*value);
    }
    out
}

/// A frame of RFC 9113, section 4.1, whatever it says.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

struct Chance(TestRng);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }

    fn byte(&mut self) -> u8 {
        self.0.next_u32().to_le_bytes()[0]
    }

    fn bytes(&mut self, most: u32) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most + 1) as usize];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A request on a stream of its own: a head that may be odd, a message that is none, and what a stream may get beside.
    fn call(&mut self, stream: u32) -> Vec<u8> {
        let mut out = frame(1, 0x4, stream, &self.request());
        let mut payload = self.bytes(60);
        payload.splice(0..0, [self.byte() % 3, 0, 0, 0, self.byte()]);
        match self.below(6) {
            // Given up in the middle.
            0 => out.extend(frame(3, 0, stream, &8_u32.to_be_bytes())),
            // Ended twice.
            1 => out.extend([frame(0, 1, stream, &payload), frame(0, 1, stream, &payload)].concat()),
            // A kind that nobody knows between head and message, which is to be ignored.
            2 => out
                .extend([frame(0x77, self.byte(), stream, &payload), frame(0, 1, stream, &payload)].concat()),
            // Never ended.
            3 => out.extend(frame(0, 0, stream, &payload)),
            _ => out.extend(frame(0, 1, stream, &payload)),
        }
        out
    }

    /// A head as a gRPC client sends it, sometimes with one field that is wrong.
    fn request(&mut self) -> Vec<u8> {
        let odd = self.bytes(40);
        let mut fields: Vec<(&str, &[u8])> = vec![
            (":method", b"POST"),
            (":scheme", b"https"),
            (":path", b"/countersign.v1.SigningService/Sign"),
            (":authority", b"localhost"),
            ("content-type", b"application/grpc"),
            ("te", b"trailers"),
        ];
        match self.below(6) {
            0 => drop(fields.remove(self.below(6) as usize)),
            1 => fields.push(("grpc-timeout", &odd)),
            2 => fields.insert(self.below(6) as usize, (":path", b"")),
            3 => fields.push(("x-request-id", &odd)),
            4 => fields.push(("Connection", b"close")),
            _ => {}
        }
        head(&fields)
    }

    /// One frame of nine kinds of wrong, or a good one in a wrong place.
    fn frame(&mut self) -> Vec<u8> {
        let stream = [0, 1, 1, 3, 5, 2, 0x7fff_ffff][self.below(7) as usize];
        match self.below(9) {
            // Anything.
            0 => self.bytes(64),
            // A good head of a frame before anything.
            1 => {
                let (kind, flags) = (self.byte() % 12, self.byte());
                let payload = self.bytes(64);
                frame(kind, flags, stream, &payload)
            }
            // A request, ended or not, whole or continued by nobody.
            2 => {
                let flags = [0x4, 0x5, 0x0, 0x1][self.below(4) as usize];
                let payload = self.request();
                frame(1, flags, stream, &payload)
            }
            // A message that lies about its length.
            3 => {
                let mut payload = self.bytes(60);
                payload.splice(0..0, [self.byte() % 3, 0, self.byte(), self.byte(), self.byte()]);
                frame(0, self.byte() % 2, stream, &payload)
            }
            // Settings: of odd lengths, unknown, beyond their bounds.
            4 => {
                let payload = self.bytes(24);
                frame(4, self.byte() % 2, 0, &payload)
            }
            // Windows: of nothing, or opened until they overflow.
            5 => {
                let by = [0, 1, 0x7fff_ffff, u32::MAX][self.below(4) as usize];
                frame(8, 0, stream, &by.to_be_bytes())
            }
            // Resets and pings, of right and wrong lengths.
            6 => {
                let payload = self.bytes(9);
                frame([3, 6, 7][self.below(3) as usize], 0, stream, &payload)
            }
            // A head without end: continuations.
            7 => {
                let payload = self.bytes(200);
                frame(9, self.byte() & 0x4, stream, &payload)
            }
            // A length that is not there.
            _ => {
                let mut bytes = frame(0, 0, stream, &self.bytes(20));
                bytes[..3].copy_from_slice(&[self.byte(), self.byte(), self.byte()]);
                bytes
            }
        }
    }
}

/// What was thrown, and the kinds of frames that came back.
#[derive(Default)]
struct Tally {
    sent: usize,
    kinds: BTreeSet<u8>,
}

impl Tally {
    /// Notes the frames that came back. Whether one of them ends this stream or the connection.
    fn note(&mut self, answer: &[u8], stream: u32) -> bool {
        let mut rest = answer;
        let mut over = false;
        while let Some((head, more)) = rest.split_first_chunk::<9>() {
            let [a, b, c, kind, flags, id @ ..] = *head;
            self.kinds.insert(kind);
            let ends = kind == 3 || (kind < 2 && flags & 1 == 1);
            over |= kind == 7 || (ends && u32::from_be_bytes(id) == stream);
            rest = more.get(u32::from_be_bytes([0, a, b, c]) as usize..).unwrap_or_default();
        }
        over
    }
}

/// Frames that break the connection sooner or later. Reads to the end.
async fn wild(mut stream: impl AsyncRead + AsyncWrite + Unpin, chance: &mut Chance, tally: &mut Tally) {
    // Most connections get far enough for the frames to be read as frames.
    if chance.below(8) > 0 {
        stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.ok();
    }
    for _ in 0..=chance.below(20) {
        tally.sent += 1;
        // The other side may have closed: that is an answer.
        if stream.write_all(&chance.frame()).await.is_err() {
            break;
        }
    }
    stream.shutdown().await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    tally.note(&answer, 0);
}

/// Requests that are wrong one by one, and a good one behind them on the same connection. Reads until that is answered.
async fn mild(mut stream: impl AsyncRead + AsyncWrite + Unpin, chance: &mut Chance, tally: &mut Tally) {
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
    let count = 1 + chance.below(20);
    let mut sent = Vec::new();
    for number in 0..count {
        tally.sent += 2;
        sent.extend(chance.call(2 * number + 1));
    }
    let last = 2 * count + 1;
    let good: [(&str, &[u8]); 6] = [
        (":method", b"POST"),
        (":scheme", b"https"),
        (":path", b"/grpc.health.v1.Health/Check"),
        (":authority", b"localhost"),
        ("content-type", b"application/grpc"),
        ("te", b"trailers"),
    ];
    sent.extend([frame(1, 0x4, last, &head(&good)), frame(0, 1, last, &[0; 5])].concat());
    // A daemon that gave the connection up says so: that is read below.
    stream.write_all(&sent).await.ok();
    let mut answer = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut answer).await {
        if tally.note(&answer, last) {
            break;
        }
    }
}

/// Throws this many frames over connections of both kinds in turn.
async fn volley(world: &World, chance: &mut Chance, frames: usize) -> BTreeSet<u8> {
    let settings = world.settings();
    let connector = Connector::new(settings.tls.as_ref().unwrap(), "localhost").unwrap();
    let address = world.address();
    let (name, port) = address.strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let mut tally = Tally::default();
    while tally.sent < frames {
        let over_tls = chance.below(2) == 0;
        let breaks = chance.below(2) == 0;
        let done = async {
            if over_tls {
                let stream = connector.dial(name, port.parse().unwrap()).await.unwrap();
                if breaks {
                    wild(stream, chance, &mut tally).await
                } else {
                    mild(stream, chance, &mut tally).await
                }
            } else {
                let stream = UnixStream::connect(world.state().join("sign.sock")).await.unwrap();
                if breaks {
                    wild(stream, chance, &mut tally).await
                } else {
                    mild(stream, chance, &mut tally).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, done).await.expect("every connection is answered or closed");
    }
    sign(&world.channel(), request(KEY, b"still there")).await.unwrap();
    tally.kinds
}

#[test]
fn ten_thousand_bad_frames_over_tls_and_the_socket_leave_no_trace() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The same frames in every run, so that a failure can be looked at again.
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runtime.block_on(volley(&world, &mut chance, FRAMES / 5));
    let (before, descriptors) = world.size();
    let kinds = runtime.block_on(volley(&world, &mut chance, FRAMES - FRAMES / 5));
    // Requests were answered (HEADERS, DATA), streams (RST_STREAM) and connections (GOAWAY) were given up.
    assert!(
        [0, 1, 3, 7].iter().all(|kind| kinds.contains(kind)),
        "only frames of the kinds {kinds:?} came back"
    );
    let (after, left) = world.size();
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
    assert!(left <= descriptors + 2, "descriptors grew from {descriptors} to {left}");
    assert!(!world.process().said().contains("panicked"), "{}", world.process().said());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.released().len(), 2, "what was thrown was signed");
    assert!(world.stop().success());
}
