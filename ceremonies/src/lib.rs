//! What a quorum decides, and how anyone reads it.
//!
//! Now: how an instance begins ([`genesis`]), the guardrails, the grants, and the access policy that guardrails and grants
//! make together ([`access`]); the people of an instance ([`roster`]), what they decide and sign ([`act`], [`ssh`]), and
//! what of it counts ([`tally`]); what a ceremony asks for ([`statement`]), how each kind is held ([`rules`]), and how one
//! goes from proposal to completion ([`session`]); how one roster follows another ([`succession`]), whose acts count no
//! more meanwhile ([`suspension`]), and how one version of the guardrails follows another ([`amendment`]); what anyone keeps
//! of a completed one, and verifies offline ([`transcript`]); and what comes over into a log that takes the place of a lost
//! one ([`recovery`]). The daemon decides with exactly this code, and so does whoever checks something at a desk: it
//! holds its ceremonies in these sessions, and the verifier plays them again. People who have throw-away keys, for rehearsals
//! and tests, are in [`cast`].
//!
//! What this crate promises: no IO, no clock, no network; every parser of text that people write says everything that is
//! wrong at once, where it is, and what was expected.

#[macro_use]
mod text;

pub mod access;
pub mod act;
pub mod amendment;
pub mod birth;
pub mod cast;
pub mod form;
pub mod genesis;
pub mod guardrails;
pub mod nonce;
pub mod outputs;
pub mod person;
pub mod record;
pub mod recovery;
pub mod roster;
pub mod rules;
pub mod session;
pub mod ssh;
pub mod statement;
pub mod succession;
pub mod suspension;
pub mod tally;
pub mod transcript;
pub mod words;
