//! The table against the design's rows, written out, and the hard limits one by one.

use super::*;

/// The design's rows: kind, officers, witnesses, expires, approval age, vetoes, emergency.
const ROWS: &str = "
    genesis               | N of N                | 2 | 72 h | 72 h | 1 |
    key.generate          | M of N                | 2 | 72 h | 24 h | 1 |
    key.adopt             | M of N                | 2 | 72 h | 24 h | 1 |
    key.rotate            | M of N                | 2 | 14 d | 24 h | 1 |
    key.rotate.emergency  | 2 of N                | 1 | 8 h  | 2 h  | 2 | emergency
    key.compromise        | 1 and one other       | 0 | 8 h  | 2 h  | 1 | emergency
    key.resume            | M of N                | 1 | 72 h | 24 h | 2 |
    stop.lift             | M of N                | 1 | 72 h | 24 h | 2 |
    key.remove            | M of N                | 2 | 72 h | 24 h | 1 |
    key.destroy           | M of N                | 2 | 72 h | 24 h | 1 |
    roster.change         | M of old and M of new | 2 | 72 h | 24 h | 1 |
    policy.change         | M of N                | 1 | 72 h | 24 h | 1 |
    grant.change          | 2 of N                | 0 | 24 h | 24 h | 1 |
    sign.break-glass      | 1 named               | 1 | 4 h  | 1 h  | 1 |
    resolve               | 2 of N                | 1 | 24 h | 2 h  | 1 |
    backend.rebind        | 2 of N                | 1 | 72 h | 24 h | 1 |
    clock.reset           | 2 of N                | 1 | 24 h | 2 h  | 1 |
    log.rekey             | M of N                | 1 | 72 h | 24 h | 2 |
    log.recover           | M of N                | 1 | 72 h | 24 h | 2 |
";

fn period(text: &str) -> Duration {
    text.replace(' ', "").parse::<Period>().map(Period::duration).unwrap_or_default()
}

#[test]
fn the_table_is_the_designs() {
    let rows: Vec<Vec<&str>> =
        ROWS.trim().lines().map(|row| row.split('|').map(str::trim).collect()).collect();
    assert_eq!(rows.len(), Kind::ALL.len());
    for (row, rule) in rows.iter().zip(SHIPPED) {
        let officers = match rule.officers {
            Officers::All => "N of N".to_owned(),
            Officers::Quorum => "M of N".to_owned(),
            Officers::OldAndNew => "M of old and M of new".to_owned(),
            Officers::Count(count) => format!("{count} of N"),
            Officers::OneAndAnother => "1 and one other".to_owned(),
            Officers::Named => "1 named".to_owned(),
        };
        let of = [rule.kind.name(), officers.as_str()];
        assert_eq!([row[0], row[1]], of);
        assert_eq!((row[2], row[5]), (&*rule.witnesses.to_string(), &*rule.vetoes.to_string()), "{}", row[0]);
        assert_eq!((period(row[3]), period(row[4])), (rule.expires, rule.approval_age), "{}", row[0]);
        assert_eq!(row[6] == "emergency", rule.emergency, "{}", row[0]);
    }
    assert!(SHIPPED.iter().map(|rule| rule.kind).eq(Kind::ALL.iter().copied()));
    let with = |has: fn(&Rule) -> bool| {
        SHIPPED.iter().filter(|rule| has(rule)).map(|rule| rule.kind).collect::<Vec<_>>()
    };
    // "at least one belongs to another unit than every approver where keys are made, adopted or the roster changes"
    assert_eq!(
        with(|rule| rule.other_unit),
        [Kind::Genesis, Kind::KeyGenerate, Kind::KeyAdopt, Kind::RosterChange]
    );
    assert_eq!(with(|rule| rule.any_clock), [Kind::KeyCompromise, Kind::ClockReset]);
}

#[test]
fn no_table_goes_below_the_hard_limits() {
    assert!(SHIPPED.iter().all(|rule| rule.check() == Ok(())));
    let refused = |kind, change: fn(&mut Rule)| {
        let mut rule = Rules::default().of(kind);
        change(&mut rule);
        Rules::with([rule]).map_err(|bad| bad.broken)
    };
    let (generate, grant, resolve) = (Kind::KeyGenerate, Kind::GrantChange, Kind::Resolve);
    assert_eq!(refused(generate, |rule| rule.witnesses = 0), Err(HardLimit::Witnesses));
    assert_eq!(refused(generate, |rule| rule.officers = Officers::Count(2)), Err(HardLimit::Shape));
    assert_eq!(refused(generate, |rule| rule.other_unit = false), Err(HardLimit::Shape));
    assert_eq!(refused(generate, |rule| rule.emergency = true), Err(HardLimit::Shape));
    assert_eq!(refused(Kind::Genesis, |rule| rule.officers = Officers::Quorum), Err(HardLimit::Shape));
    assert_eq!(refused(grant, |rule| rule.officers = Officers::Count(1)), Err(HardLimit::TwoPersons(1)));
    assert_eq!(refused(resolve, |rule| rule.officers = Officers::Count(0)), Err(HardLimit::TwoPersons(1)));
    assert_eq!(refused(Kind::SignBreakGlass, |rule| rule.witnesses = 0), Err(HardLimit::TwoPersons(1)));
    assert_eq!(refused(grant, |rule| rule.vetoes = 0), Err(HardLimit::Vetoes(0)));
    assert_eq!(refused(grant, |rule| rule.vetoes = 3), Err(HardLimit::Vetoes(3)));
    let zero = Duration::ZERO;
    assert_eq!(refused(grant, |rule| rule.expires = Duration::ZERO), Err(HardLimit::Lives { found: zero }));
    assert_eq!(
        refused(grant, |rule| rule.approval_age = Duration::ZERO),
        Err(HardLimit::Age { found: zero })
    );
    assert!(matches!(refused(grant, |rule| rule.expires = hours(31 * 24)), Err(HardLimit::Lives { .. })));
    assert!(matches!(refused(grant, |rule| rule.approval_age = hours(25)), Err(HardLimit::Age { .. })));
    assert!(refused(grant, |rule| rule.officers = Officers::Quorum).is_ok());
    assert!(refused(generate, |rule| (rule.witnesses, rule.expires) = (3, hours(100))).is_ok());
}

#[test]
fn quorums_below_the_hard_limits_are_told_apart() {
    let limit =
        |kind, approvals, officers, witnesses| hard_limits(kind, Quorum { approvals, officers, witnesses });
    assert_eq!(limit(Kind::KeyGenerate, 3, 5, 2), Ok(()));
    assert_eq!(limit(Kind::KeyGenerate, 1, 5, 2), Err(HardLimit::Approvals(1)));
    assert_eq!(limit(Kind::KeyGenerate, 3, 3, 2), Err(HardLimit::Spare { approvals: 3, officers: 3 }));
    assert_eq!(limit(Kind::KeyGenerate, 4, 3, 2), Err(HardLimit::TooFew { approvals: 4, officers: 3 }));
    assert_eq!(limit(Kind::KeyGenerate, 3, 5, 0), Err(HardLimit::Witnesses));
    assert_eq!(limit(Kind::Genesis, 3, 5, 2), Err(HardLimit::All { approvals: 3, officers: 5 }));
    assert_eq!(limit(Kind::Genesis, 5, 5, 2), Ok(()));
    assert_eq!(limit(Kind::KeyCompromise, 1, 5, 0), Ok(()));
    assert_eq!(limit(Kind::GrantChange, 1, 5, 0), Err(HardLimit::TwoPersons(1)));
    assert_eq!(limit(Kind::Resolve, 0, 5, 1), Err(HardLimit::TwoPersons(1)));
    assert_eq!(limit(Kind::GrantChange, 2, 2, 0), Ok(()));
}
