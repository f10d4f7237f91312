//! 10,000 malformed and random requests: no panic, no growth, and the service goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use prost::Message;
use tests::load::{request, sign};
use tests::world::{Plan, World};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

const KEY: &str = "release/linux";

/// SplitMix64: the same bytes in every run, so that a failure can be looked at again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A gRPC frame with its prefix.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0], &length[..], payload].concat()
}

/// One of seven ways to be wrong.
fn frame(chance: &mut Chance) -> Vec<u8> {
    let good = request(KEY, &chance.bytes(64)).encode_to_vec();
    match chance.below(7) {
        0 => chance.bytes(64),
        1 => framed(&chance.bytes(256)),
        2 => {
            // A length that is not there.
            let mut frame = framed(&good);
            frame[1..5].copy_from_slice(&chance.next().to_be_bytes()[..4]);
            frame
        }
        3 => {
            let mut frame = framed(&good);
            frame.truncate(chance.below(frame.len()));
            frame
        }
        4 => {
            // Compressed, with no such encoding agreed.
            let mut frame = framed(&good);
            frame[0] = 1;
            frame
        }
        5 => {
            let mut payload = good;
            for _ in 0..=chance.below(4) {
                let at = chance.below(payload.len());
                payload[at] ^= 1 << chance.below(8);
            }
            framed(&payload)
        }
        _ => framed(&[good.clone(), chance.bytes(32)].concat()),
    }
}

const CALLS: &[&str] = &[
    "countersign.v1.SigningService/Sign",
    "countersign.v1.SigningService/SignBatch",
    "countersign.v1.KeyService/GetKey",
    "countersign.v1.LogService/GetReceipt",
    "countersign.v1.LogService/PresentCheckpoint",
    "countersign.v1.IncidentService/Nothing",
    "nowhere/Nothing",
];

/// Sends one, and reads the answer to its end. Whatever it is, there is one.
async fn throw(channel: &mut Channel, call: &str, frame: Vec<u8>) {
    let request = http::Request::post(format!("/{call}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(Bytes::from(frame))))
        .unwrap();
    let answer = channel.ready().await.unwrap().call(request).await.unwrap();
    // A stream that the daemon resets is an answer too.
    answer.into_body().collect().await.ok();
}

#[test]
fn ten_thousand_bad_frames_leave_no_trace() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut chance = Chance(1);
    let mut volley = |world: &World, count: usize| {
        runtime.block_on(async {
            let mut channel = world.channel();
            for _ in 0..count {
                let call = CALLS[chance.below(CALLS.len())];
                throw(&mut channel, call, frame(&mut chance)).await;
            }
            sign(&channel, request(KEY, b"still there")).await.unwrap();
        });
    };
    // The first ones fill caches and pools; from then on nothing grows.
    volley(&world, 2_000);
    let (before, descriptors) = world.size();
    volley(&world, 8_000);
    let (after, left) = world.size();
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
    assert!(left <= descriptors + 2, "descriptors grew from {descriptors} to {left}");
    assert!(!world.process().said().contains("panicked"), "{}", world.process().said());
    assert!(world.stop().success());
    assert_eq!(world.ledger().complaints(), Vec::<String>::new());
}
