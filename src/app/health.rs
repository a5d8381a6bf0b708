//! What `/readyz` says: how each part of the node is, from facts that are looked up for it. Pure.
//!
//! A part that is down makes the node unready: it can do nothing for anybody. A CRM that is away does not, because the others
//! and all people are served on; nor does a certificate that will end.

use crate::admin::{Part, PartState};

/// A certificate with fewer days left is told.
const SOON_DAYS: i64 = 14;

const DAY: i64 = 24 * 3600;

/// What is looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Why the store could not write the last time; `None`: it could.
    pub(super) store_trouble: Option<String>,
    /// How many facts wait for it.
    pub(super) store_waiting: i64,
    /// Which links are up; `None`: the Hub does not answer.
    pub(super) links: Option<Vec<bool>>,
    /// Whether the telephone system is there.
    pub(super) telephone: bool,
    /// Until when the certificates are valid, seconds since 1970.
    pub(super) certificates: Vec<i64>,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// Whether the node stops.
    pub(super) stopping: bool,
    /// Whether it is being emptied.
    pub(super) draining: bool,
    /// Connections now, and how many there may be (0: no bound).
    pub(super) room: (usize, usize),
}

/// How each part is, always in this order.
pub(super) fn parts(facts: &Facts) -> Vec<Part> {
    let part = |name, (state, detail)| Part { name, state, detail };
    vec![
        part("store", store(facts)),
        part("links", links(facts)),
        part("telephone", telephone(facts)),
        part("certificate", certificate(facts)),
        part("web", web(facts)),
    ]
}

fn store(facts: &Facts) -> (PartState, String) {
    match &facts.store_trouble {
        None => (PartState::Ok, String::new()),
        Some(why) => (PartState::Down, format!("it cannot write: {why}; facts waiting: {}", facts.store_waiting)),
    }
}

fn links(facts: &Facts) -> (PartState, String) {
    let Some(links) = &facts.links else { return (PartState::Down, "the Hub does not answer".to_owned()) };
    let up = links.iter().filter(|up| **up).count();
    let state = if up == links.len() { PartState::Ok } else { PartState::Degraded };
    (state, format!("{up} of {} up", links.len()))
}

fn telephone(facts: &Facts) -> (PartState, String) {
    match facts.telephone {
        true => (PartState::Ok, String::new()),
        false => (PartState::Down, "the telephone system is away".to_owned()),
    }
}

fn certificate(facts: &Facts) -> (PartState, String) {
    let Some(first) = facts.certificates.iter().min() else {
        return (PartState::Ok, "none in use".to_owned());
    };
    let left = first - facts.now;
    let days = format!("days left: {}", left.div_euclid(DAY));
    match left {
        ..0 => (PartState::Down, "it has expired".to_owned()),
        _ if left < SOON_DAYS * DAY => (PartState::Degraded, days),
        _ => (PartState::Ok, days),
    }
}

fn web(facts: &Facts) -> (PartState, String) {
    let (now, most) = facts.room;
    match facts.stopping {
        true => (PartState::Down, "the node stops".to_owned()),
        false if facts.draining => (PartState::Down, "draining".to_owned()),
        false if most != 0 && now >= most => (PartState::Degraded, format!("all {most} connections are taken")),
        false => (PartState::Ok, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Facts {
        Facts {
            links: Some(vec![true]),
            telephone: true,
            certificates: vec![2_000_000_000, 1_900_000_000],
            now: 1_800_000_000,
            room: (3, 10),
            ..Facts::default()
        }
    }

    /// Name, state and detail of what is not well.
    fn ill(facts: &Facts) -> Vec<(&'static str, &'static str, String)> {
        let all = parts(facts).into_iter();
        all.filter(|part| part.state != PartState::Ok).map(|part| (part.name, part.state.word(), part.detail)).collect()
    }

    #[test]
    fn when_all_is_well_each_part_says_so() {
        let parts = parts(&well());
        let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
        assert_eq!(names, ["store", "links", "telephone", "certificate", "web"]);
        assert_eq!(parts[1].detail, "1 of 1 up");
        assert_eq!(parts[3].detail, "days left: 1157", "of the one that ends first");
        assert!(ill(&well()).is_empty());
        assert!(ill(&Facts { links: Some(Vec::new()), certificates: Vec::new(), room: (10, 0), ..well() }).is_empty());
    }

    #[test]
    fn each_part_can_fail_alone() {
        let soon = 1_800_000_000 + 14 * DAY - 1;
        for (facts, part, state, detail) in [
            (
                Facts { store_trouble: Some("the disk is full".to_owned()), store_waiting: 7, ..well() },
                "store",
                "down",
                "it cannot write: the disk is full; facts waiting: 7",
            ),
            (Facts { links: Some(vec![true, false]), ..well() }, "links", "degraded", "1 of 2 up"),
            (Facts { links: None, ..well() }, "links", "down", "the Hub does not answer"),
            (Facts { telephone: false, ..well() }, "telephone", "down", "the telephone system is away"),
            (Facts { certificates: vec![soon], ..well() }, "certificate", "degraded", "days left: 13"),
            (Facts { certificates: vec![1_799_999_999], ..well() }, "certificate", "down", "it has expired"),
            (Facts { stopping: true, ..well() }, "web", "down", "the node stops"),
            (Facts { draining: true, ..well() }, "web", "down", "draining"),
            (Facts { room: (10, 10), ..well() }, "web", "degraded", "all 10 connections are taken"),
        ] {
            assert_eq!(ill(&facts), [(part, state, detail.to_owned())]);
        }
    }
}
