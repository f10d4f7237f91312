#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
