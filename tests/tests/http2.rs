//! Frames below gRPC, by hand, over TLS and over the Unix socket: no panic, nothing that grows, and the service goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use client::connect::tls::Connector;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
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

/// Sends frames until the daemon closes the connection or there are no more, then reads to the end. How many were sent.
async fn throw(mut stream: impl AsyncRead + AsyncWrite + Unpin, chance: &mut Chance, most: usize) -> usize {
    // Most connections get far enough for the frames to be read as frames.
    if chance.below(8) > 0 {
        stream.write_all(PREFACE).await.ok();
        stream.write_all(&frame(4, 0, 0, &[])).await.ok();
    }
    let mut sent = 0;
    for _ in 0..most {
        sent += 1;
        // The other side may have closed: that is an answer.
        if stream.write_all(&chance.frame()).await.is_err() {
            break;
        }
    }
    stream.shutdown().await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    sent
}

/// Throws this many frames over connections of both kinds in turn.
async fn volley(world: &World, chance: &mut Chance, frames: usize) {
    let settings = world.settings();
    let connector = Connector::new(settings.tls.as_ref().unwrap(), "localhost").unwrap();
    let address = world.address();
    let (name, port) = address.strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let mut left = frames;
    while left > 0 {
        let most = left.min(1 + chance.below(20) as usize);
        left -= if chance.below(2) == 0 {
            throw(connector.dial(name, port.parse().unwrap()).await.unwrap(), chance, most).await
        } else {
            throw(UnixStream::connect(world.state().join("sign.sock")).await.unwrap(), chance, most).await
        };
    }
    sign(&world.channel(), request(KEY, b"still there")).await.unwrap();
}

/// Resident memory in KiB, and open descriptors.
fn size(world: &mut World) -> (u64, usize) {
    let process = format!("/proc/{}", world.process().number());
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let memory = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (memory, std::fs::read_dir(format!("{process}/fd")).unwrap().count())
}

#[test]
fn ten_thousand_bad_frames_over_tls_and_the_socket_leave_no_trace() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The same frames in every run, so that a failure can be looked at again.
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runtime.block_on(volley(&world, &mut chance, FRAMES / 5));
    let (before, descriptors) = size(&mut world);
    runtime.block_on(volley(&world, &mut chance, FRAMES - FRAMES / 5));
    let (after, left) = size(&mut world);
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
    assert!(left <= descriptors + 2, "descriptors grew from {descriptors} to {left}");
    assert!(!world.process().said().contains("panicked"), "{}", world.process().said());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.released().len(), 2, "what was thrown was signed");
    assert!(world.stop().success());
}
