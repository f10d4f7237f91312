//! What the adversarial scheduler does.

use proptest::prelude::*;

use crate::casts::NAMES;
use crate::room::PEOPLE;

/// Something that the scheduler does.
#[derive(Clone, Debug)]
pub enum Move {
    /// A person decides something; `twist` may spoil the act.
    Act {
        who: usize,
        decision: u8,
        twist: u8,
    },
    /// These approve, and these attest, whether they may or not.
    Many {
        approve: u32,
        attest: u32,
    },
    /// Whoever may approve does, so many left out, then whoever may attest.
    Honest(usize),
    /// Everybody does all of his part, from consent to the second attestation.
    Straight,
    /// An act of before, again, or one that was signed and not sent yet.
    Replay(prop::sample::Index),
    /// A record of before, at its place in the log.
    Again(prop::sample::Index),
    /// An act is signed and kept for later.
    Keep {
        who: usize,
        decision: u8,
    },
    /// An act is signed; its person takes back what he said, or is suspended for a moment; then it comes.
    Late {
        who: usize,
        decision: u8,
        suspended: bool,
    },
    Wait(u16),
    /// Until something happens by itself, or a little before or after.
    Until(i8),
    Back(u16),
    Clock(bool),
    Tick,
    Start {
        operator: Option<usize>,
        found: u64,
    },
    Output,
    /// Something happens to a witness, who then attests what came of it; then others do.
    After {
        who: usize,
        between: Between,
        then: u32,
    },
    /// A witness attests what came of it, something happens to him, then others do.
    SeenBy {
        who: usize,
        between: Between,
        then: u32,
    },
    /// Somebody objects, something happens to him, then another one objects, or he again.
    Object {
        first: usize,
        between: Between,
        then: usize,
    },
    /// It is interrupted, something happens to somebody who agreed, and it is cleared up.
    Clear {
        who: usize,
        between: Between,
    },
    /// Who said something so long ago that it does not count any more runs the tool when others have agreed.
    Forgotten {
        who: usize,
        decision: u8,
    },
    /// It starts and is interrupted as often as it can be; whoever ran the tool would like to agree then.
    Twice {
        operator: usize,
    },
    /// Where guardrails wait, somebody objects who may or may not, perhaps one who has joined meanwhile.
    Cancel {
        who: usize,
        joins: bool,
    },
    /// Somebody joins or gets further roles while it waits for people, and takes part at once.
    Joins(usize),
    /// Whoever would leave by it objects.
    Leaver,
    /// Somebody refuses, and objects.
    Refuser(usize),
    /// Two who sign with one key object.
    OneKey,
    /// Its output comes while the clock is unsound.
    UnsoundOutput,
    /// Everybody does all of his part, and one thing is wrong.
    Nearly(Wrong),
    /// Another act with the nonce of one before.
    Nonce(prop::sample::Index),
    /// Somebody who agreed to what is being done goes, or loses something.
    Parts {
        nth: usize,
        how: u8,
    },
    Broken(u8),
    Deviate(usize),
    Resolve(bool),
    /// Another roster: of the person it lacks something.
    Roster {
        who: usize,
        how: u8,
        keeps: bool,
    },
    /// A roster without witnesses, and the one before it again, by an unsound clock.
    Flicker,
    Guardrails(bool),
    Suspend(usize),
}

/// What is wrong where everything else is right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// What is under the label.
    Found,
    /// What is attested afterwards.
    Outputs,
    /// How many deviations are.
    Deviations,
    /// Approvals end by their own word before it starts.
    Ended,
    /// Witnesses have not seen the proposal in the log.
    Head,
}

/// What happens between two moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Between {
    Nothing,
    Deviation,
    Suspended,
    Role,
    Leaves,
    Key,
    OtherOutputs,
    FewerDeviations,
    /// The person himself objects.
    Vetoes,
    /// Two others object.
    Objected,
    Rules,
    End,
    TakesBack,
}

/// Something that happens while it waits for people, or while people look at it.
fn between() -> impl Strategy<Value = Between> {
    use Between::{
        Deviation, End, FewerDeviations, Key, Leaves, Nothing, Objected, OtherOutputs, Role, Rules,
        Suspended, TakesBack, Vetoes,
    };
    prop::sample::select(vec![
        Nothing,
        Nothing,
        Nothing,
        Nothing,
        Deviation,
        Suspended,
        Role,
        Leaves,
        Key,
        OtherOutputs,
        FewerDeviations,
        Vetoes,
        Objected,
        Rules,
        End,
        TakesBack,
    ])
}

/// Some of these people: a bit for each.
fn some() -> impl Strategy<Value = u32> {
    prop_oneof![2 => any::<u32>(), 1 => (0..6u32).prop_map(|few| (1 << few) - 1)]
}

pub fn moves() -> impl Strategy<Value = Move> {
    use Move::{
        Act, After, Again, Back, Broken, Cancel, Clear, Clock, Deviate, Flicker, Forgotten, Guardrails,
        Honest, Joins, Keep, Late, Leaver, Many, Nearly, Nonce, Object, OneKey, Output, Parts, Refuser,
        Replay, Resolve, Roster, SeenBy, Start, Straight, Suspend, Tick, Twice, UnsoundOutput, Until, Wait,
    };
    let who = 0..NAMES;
    // Consent most, objections least: they end it.
    let decision = || prop::sample::select(vec![0u8, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 5, 5, 6]);
    let operator = prop_oneof![
        4 => Just(None),
        4 => Just(Some(10)),
        2 => Just(Some(11)),
        2 => (0..NAMES).prop_map(Some),
    ];
    let found = prop_oneof![3 => Just(0u64), 1 => 1..3u64];
    let objector = prop_oneof![2 => 0..9usize, 1 => Just(4)];
    let again = any::<prop::sample::Index>;
    prop_oneof![
        10 => (who.clone(), decision(), 0..28u8).prop_map(|(who, decision, twist)| Act { who, decision, twist }),
        3 => (some(), some()).prop_map(|(approve, attest)| Many { approve, attest }),
        5 => (0..5usize).prop_map(Honest),
        1 => Just(Straight),
        3 => again().prop_map(Replay),
        1 => again().prop_map(Again),
        2 => (who.clone(), decision()).prop_map(|(who, decision)| Keep { who, decision }),
        1 => (who.clone(), 0..3u8, any::<bool>())
            .prop_map(|(who, decision, suspended)| Late { who, decision, suspended }),
        2 => prop_oneof![4 => 1..90u16, 1 => 90..2000u16].prop_map(Wait),
        2 => (-1..2i8).prop_map(Until),
        1 => (1..300u16).prop_map(Back),
        1 => any::<bool>().prop_map(Clock),
        1 => Just(Tick),
        8 => (operator, found).prop_map(|(operator, found)| Start { operator, found }),
        5 => Just(Output),
        2 => (5..9usize, between(), some()).prop_map(|(who, between, then)| After { who, between, then }),
        2 => (5..9usize, between(), some()).prop_map(|(who, between, then)| SeenBy { who, between, then }),
        3 => (objector, between(), 0..9usize, 0..3u8).prop_map(|(first, between, then, how)| {
            let then = [then, first, first ^ 1][usize::from(how)];
            Object { first, between, then }
        }),
        2 => (0..9usize, between()).prop_map(|(who, between)| Clear { who, between }),
        1 => (prop::sample::select(vec![0usize, 10, 11]), 0..2u8)
            .prop_map(|(who, decision)| Forgotten { who, decision }),
        1 => prop::sample::select(vec![10usize, 11]).prop_map(|operator| Twice { operator }),
        3 => (prop::sample::select(vec![0usize, 5, 9, 10, 15]), any::<bool>())
            .prop_map(|(who, joins)| Cancel { who, joins }),
        1 => prop::sample::select(vec![6usize, 9, 12]).prop_map(Joins),
        3 => Just(Leaver),
        2 => Just(OneKey),
        1 => Just(UnsoundOutput),
        2 => prop::sample::select(vec![Wrong::Found, Wrong::Outputs, Wrong::Deviations, Wrong::Ended, Wrong::Head])
            .prop_map(Nearly),
        1 => again().prop_map(Nonce),
        2 => (0..6usize, prop::sample::select(vec![1u8, 2, 6])).prop_map(|(nth, how)| Parts { nth, how }),
        2 => (0..4u8).prop_map(Broken),
        1 => who.clone().prop_map(Deviate),
        2 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Resolve),
        1 => (0..PEOPLE.len(), 0..8u8, any::<bool>()).prop_map(|(who, how, keeps)| Roster { who, how, keeps }),
        2 => Just(Flicker),
        1 => (0..9usize).prop_map(Refuser),
        1 => any::<bool>().prop_map(Guardrails),
        1 => prop_oneof![3 => 0..PEOPLE.len(), 1 => Just(10)].prop_map(Suspend),
    ]
}
