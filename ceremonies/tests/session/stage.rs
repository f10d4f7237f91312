//! A history as it is played: each move of the scheduler, and what is checked after each record.

mod turns;

use std::collections::BTreeMap;
use std::time::Duration;

use ceremonies::session::{Decision, Event, SignedAct, State, Step, deviations_digest};
use proto::hash::Hash;

use crate::casts::{NAMES, Setting, name};
use crate::model::Model;
use crate::oracle::Oracle;
use crate::room::{Room, key, person};
use crate::undone::{Counts, c11_what_people_did_no_more_undo};

// What people decide.
const APPROVE: u8 = 0;
const ATTEST: u8 = 1;
const AFTER: u8 = 2;
const REFUSE: u8 = 3;
const ABORT: u8 = 4;
const WITHDRAW: u8 = 5;
const VETO: u8 = 6;

// What is wrong with an act, where others name it.
const OLD_HEAD: u8 = 3;
const SHORT: u8 = 7;
const OTHER_OUTPUTS: u8 = 9;
const FEWER_DEVIATIONS: u8 = 10;
const GOOD: u8 = u8::MAX;

/// A history as it is played.
pub struct Stage {
    pub room: Room,
    pub oracle: Oracle,
    setting: Setting,
    /// Acts that were sent, and acts that were kept.
    acts: Vec<SignedAct>,
    pub reached: BTreeMap<Step, u32>,
    /// How many people did, and undid.
    pub people: Counts,
    rosters: u64,
}

impl Stage {
    pub fn new(room: Room, model: Model, setting: Setting) -> Self {
        let (reached, people) = (BTreeMap::new(), Counts::new());
        Self { room, oracle: Oracle::new(model), setting, acts: Vec::new(), reached, people, rosters: 2 }
    }

    fn decision(&self, who: usize, number: u8, twist: u8) -> Decision {
        match number {
            APPROVE => Decision::Approve,
            ATTEST => Decision::Attest,
            AFTER => {
                let (mut deviations, mut outputs) = (self.deviations(), Hash::of(b"outputs"));
                match twist {
                    OTHER_OUTPUTS => outputs = Hash::of(b"other outputs"),
                    FEWER_DEVIATIONS => drop(deviations.pop()),
                    _ => {}
                }
                Decision::AttestAfter { outputs, deviations: deviations_digest(&deviations) }
            }
            REFUSE => Decision::Refuse,
            ABORT => Decision::Abort,
            WITHDRAW => {
                // One of the person's acts, or one that nobody knows.
                let own: Vec<_> = self.acts.iter().filter(|act| act.person.as_str() == name(who)).collect();
                let nth = own.len().checked_sub(1 + usize::from(twist % 3));
                Decision::Withdraw { act: nth.map_or(Hash::ZERO, |nth| own[nth].act) }
            }
            _ => Decision::Veto,
        }
    }

    fn deviations(&self) -> Vec<Hash> {
        match self.room.session.state() {
            State::Executed(executed) => executed.execution.deviations.clone(),
            State::Executing(execution) => execution.deviations.clone(),
            _ => Vec::new(),
        }
    }

    fn append(&mut self, event: Event) {
        self.room.index += 1;
        self.append_at(self.room.index, event);
    }

    fn append_at(&mut self, index: u64, event: Event) {
        let (before, step) = (self.room.session.clone(), self.room.step());
        let outcome = self.room.append_at(index, event.clone());
        let (_, stamp) = *self.room.records.last().unwrap();
        match (outcome, self.oracle.model.after(&event, stamp)) {
            (Ok(()), Ok(model)) => {
                self.oracle.saw(&self.room.session, model, &event, stamp, step);
                c11_what_people_did_no_more_undo(&mut self.room, &self.oracle, &mut self.people);
                if self.room.step() != step {
                    *self.reached.entry(self.room.step()).or_default() += 1;
                }
            }
            (Ok(()), Err(broken)) => panic!("{broken}: {event:?}, {stamp:?} when it was {step}"),
            (Err(refusal), Ok(_)) => {
                let enables = match &event {
                    Event::Act(act) => matches!(
                        act.decision,
                        Decision::Approve | Decision::Attest | Decision::AttestAfter { .. }
                    ),
                    event => matches!(event, Event::Start { .. }),
                };
                // What may count does, in whatever order it comes; what protects is never held back.
                let broken = if enables { "C2" } else { "C10, C11" };
                panic!("{broken}: {event:?} was refused when it was {step}: {refusal}");
            }
            // A refusal has no effect, and says something.
            (Err(refusal), Err(_)) => {
                assert_eq!(self.room.session, before, "a refusal had an effect");
                assert!(!refusal.to_string().is_empty());
            }
        }
    }

    fn send(&mut self, act: SignedAct) {
        let known = self.acts.contains(&act) && {
            // Sent before with effect: it counts no second time.
            self.oracle
                .effects
                .iter()
                .any(|effect| matches!(&effect.event, Event::Act(sent) if **sent == act))
        };
        let before = self.room.session.clone();
        self.acts.push(act.clone());
        self.append(Event::Act(act.into()));
        assert!(!known || self.room.session == before, "C2: a replayed act had an effect");
    }

    fn act(&mut self, who: usize, decision: u8, twist: u8) {
        let decision = self.decision(who, decision, twist);
        let mut act = self.room.act(name(who), decision);
        match twist {
            0 => act.target = Hash::of(b"another statement"),
            1 => act.key = key(&person("ada"), 0),
            2 => act.key = key(&act.person, 1),
            OLD_HEAD => act.head.size = 45,
            4 => act.head.size = 41,
            5 => act.overtaken = Some(self.room.now.earlier(Duration::from_secs(3600))),
            6 => act.overtaken = Some(self.room.now.earlier(Duration::from_secs(15 * 60))),
            SHORT => act.expires = self.room.now.later(Duration::from_secs(1800)),
            8 => act.expires = self.room.now,
            // Another act with a nonce that the person has used.
            11 => {
                if let Some(own) = self.acts.iter().rfind(|own| own.person == act.person) {
                    act.nonce = own.nonce;
                }
            }
            12 => act.person = person("mallory"),
            _ => {}
        }
        self.send(act);
    }

    fn good(&mut self, who: usize, decision: u8) {
        self.act(who, decision, GOOD);
    }

    fn all(&mut self, of: u32, decision: u8) {
        (0..NAMES).filter(|who| of >> who & 1 == 1).for_each(|who| self.good(who, decision));
    }
}
