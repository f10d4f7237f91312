//! Stops: no record above a stop releases what it covers.
//!
//! Key, version and "everything" are in the leaves; caller, claims and backend only where the details are. What a range does not
//! show (a stop before its beginning) is not judged.

use std::collections::BTreeMap;

use proto::record::{Detail, Outcome, Record};
use proto::term::Term;

/// The stops in force.
#[derive(Default)]
pub struct Stops(BTreeMap<u64, Vec<Term>>);

impl Stops {
    /// What a record releases although it is stopped.
    pub fn record(&mut self, index: u64, record: &Record, detail: Option<&[u8]>) -> Vec<String> {
        match record {
            Record::Control(control) => {
                for lift in &control.lifts {
                    if let Some(terms) = self.0.get_mut(&lift.index) {
                        terms.retain(|term| !lift.terms.contains(term));
                    }
                }
                self.0.retain(|_, terms| !terms.is_empty());
                if !control.stops.is_empty() {
                    self.0.insert(index, control.stops.clone());
                }
                Vec::new()
            }
            Record::Sign(sign) if !self.0.is_empty() => {
                let detail = detail.and_then(|bytes| proto::canonical::from_slice::<Detail>(bytes).ok());
                let shared = detail.as_ref().map(terms_of).unwrap_or_default();
                let released = sign.signatures.iter().filter(|entry| entry.outcome == Outcome::Released);
                released
                    .filter_map(|entry| {
                        let own = [Term::Key(sign.key.clone()), Term::KeyId(entry.key_id)];
                        let (stop, term) = self.covering(own.iter().chain(&shared))?;
                        Some(format!(
                            "releases a signature of {}@{}, though record {stop} stops {term}",
                            sign.key, entry.version
                        ))
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn covering<'a>(&self, required: impl Iterator<Item = &'a Term>) -> Option<(u64, Term)> {
        let required: Vec<&Term> = required.collect();
        self.0.iter().find_map(|(index, terms)| {
            let term = terms.iter().find(|term| required.iter().any(|required| term.covers(required)))?;
            Some((*index, term.clone()))
        })
    }
}

fn terms_of(detail: &Detail) -> Vec<Term> {
    let mut terms = vec![Term::Caller(detail.caller.id.clone())];
    terms.extend(detail.backend.clone().map(Term::Backend));
    terms.extend(
        detail
            .caller
            .claims
            .iter()
            .map(|(name, value)| Term::Claim { name: name.to_owned(), value: value.clone() }),
    );
    terms
}
