//! What the ledger keeps of a conversation, by scripted conversations: the truth table of `docs/ledger.md`, and that the
//! order in which facts come does not matter.

use ctigate_proto::calls::{Direction, Outcome as How};

use super::*;

/// Facts in another order.
pub(super) fn shuffled<T>(mut all: Vec<T>, seed: u64) -> Vec<T> {
    // xorshift: enough to mix, and the same every time.
    let mut state = seed | 1;
    for at in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.swap(at, usize::try_from(state % (at as u64 + 1)).unwrap());
    }
    all
}

/// The entries of all conversations that facts tell of.
pub(super) fn entries(facts: &[Fact]) -> Vec<Entry> {
    let mut calls = Calls::new(["101", "102", "103", "104"].map(Text::from_static));
    let mut ids = std::collections::BTreeSet::new();
    for fact in facts {
        if let Fact::Over { call, .. } = fact {
            ids.insert(call.clone());
        }
        calls.apply(Time::ZERO, vec![fact.clone()]);
    }
    ids.iter().filter_map(|call| calls.entry(call)).collect()
}

/// A story of one conversation or more, and what is kept of the first.
struct Story {
    name: &'static str,
    script: &'static str,
    outcome: How,
    direction: Direction,
    /// Seconds.
    wait: i64,
    talk: i64,
    /// Legs, talks and stays in queues.
    parts: (usize, usize, usize),
}

const ROWS: &[Story] = &[
    // Answered.
    Story {
        name: "somebody calls and is answered",
        script: "at 1s incoming 79001112233 101\nat 4s answer 101\nat 10s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 3,
        talk: 6,
        parts: (2, 1, 0),
    },
    Story {
        name: "the user calls somebody outside",
        script: "phone 101 answers after 1s\nphone 79001112233 answers after 3s talks 5s\nat 1s dial 101 79001112233",
        outcome: How::Answered,
        direction: Direction::Outgoing,
        wait: 4,
        talk: 5,
        parts: (2, 1, 0),
    },
    Story {
        name: "two insiders, the other first",
        script: "phone 101 answers after 1s\nphone 102 answers after 2s\nat 1s dial 101 102 abonent\nat 10s hangup 102",
        outcome: How::Answered,
        direction: Direction::Internal,
        wait: 3,
        talk: 6,
        parts: (2, 1, 0),
    },
    Story {
        name: "intercom",
        script: "phone 101 answers after 1s\nat 1s dial 101 102 intercom\nat 10s hangup 102",
        outcome: How::Answered,
        direction: Direction::Internal,
        wait: 1,
        talk: 8,
        parts: (2, 1, 0),
    },
    Story {
        name: "a queue, the second member answers",
        script: "phone 102 answers after 2s\nat 1s incoming 79001112233 601\nat 40s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 18,
        talk: 21,
        parts: (3, 1, 1),
    },
    Story {
        name: "a group, one answers and the others stop",
        script: "at 1s incoming 79001112233 600\nat 5s answer 103\nat 9s hangup 79001112233",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 4,
        talk: 4,
        parts: (4, 1, 1),
    },
    Story {
        name: "a menu, then a person",
        script: "on 500 \"Menu\" {\nanswer\nkeys k\nring 101\n}\nat 1s incoming 79001112233 500\nat 3s keys 79001112233 1\n\
                 at 5s answer 101\nat 8s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 4,
        talk: 3,
        parts: (2, 1, 0),
    },
    Story {
        name: "hold and back",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s hold 101\nat 9s resume 101\nat 12s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 6,
        parts: (2, 2, 0),
    },
    Story {
        name: "the other party holds",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s outside 79001112233 holds\n\
                 at 9s outside 79001112233 resumes\nat 12s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 6,
        parts: (2, 2, 0),
    },
    Story {
        name: "a consultation, then joined",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 7s answer 102\nat 10s join 101\n\
                 at 15s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 8,
        parts: (4, 3, 0),
    },
    Story {
        name: "a consultation, then back",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 7s answer 102\nat 10s return 101\n\
                 at 15s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 8,
        parts: (4, 3, 0),
    },
    Story {
        name: "a consultation with swapping",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 7s answer 102\nat 10s swap 101\n\
                 at 12s swap 101\nat 14s drop 101\nat 20s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 5,
        parts: (4, 4, 0),
    },
    Story {
        name: "the second number is busy",
        script: "phone 102 busy\nat 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 8s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 6,
        parts: (4, 2, 0),
    },
    Story {
        name: "a blind transfer that is answered",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s transfer 101 102\nat 8s answer 102\nat 10s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 5,
        parts: (3, 2, 0),
    },
    Story {
        name: "a blind transfer that nobody answers",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s transfer 101 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 3,
        parts: (3, 1, 0),
    },
    Story {
        name: "a transfer into a queue",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s transfer 101 602\nat 8s answer 101\nat 10s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 5,
        parts: (3, 2, 1),
    },
    Story {
        name: "a transfer out of the house",
        script: "phone 79004445566 answers after 2s talks 3s\nat 1s incoming 79001112233 101\nat 2s answer 101\n\
                 at 5s transfer 101 79004445566",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 6,
        parts: (3, 2, 0),
    },
    Story {
        name: "handed over while it rings",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 7s join 101\nat 9s answer 102\n\
                 at 12s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 6,
        parts: (4, 2, 0),
    },
    Story {
        name: "a conference of three",
        script: "phone 101 answers after 1s\nphone 102 answers after 2s\nphone 103 answers after 3s\n\
                 at 1s conference 101 102 103\nat 10s leave 101\nat 12s hangup 102",
        outcome: How::Answered,
        direction: Direction::Internal,
        wait: 2,
        talk: 7,
        parts: (3, 1, 0),
    },
    Story {
        name: "a conference with somebody outside and a kick",
        script: "phone 101 answers after 1s\nphone 79001112233 answers after 2s\nat 1s conference 101 79001112233 102\n\
                 at 10s kick 101 79001112233",
        outcome: How::Answered,
        direction: Direction::Outgoing,
        wait: 2,
        talk: 7,
        parts: (3, 1, 0),
    },
    Story {
        name: "a talk that becomes a conference",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s widen 101\nat 6s invite 101 102\nat 8s answer 102\n\
                 at 10s hangup 101\nat 12s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 10,
        parts: (3, 2, 0),
    },
    Story {
        name: "the held party comes into the conference",
        script: "at 1s incoming 79001112233 101\nat 2s answer 101\nat 5s dial 101 102\nat 6s answer 102\nat 8s widen 101\n\
                 at 9s takein 101\nat 12s hangup 101\nat 14s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 8,
        parts: (4, 3, 0),
    },
    Story {
        name: "somebody listens in",
        script: "phone 103 answers after 1s\nat 1s incoming 79001112233 101\nat 2s answer 101\nat 4s spy 103 101\n\
                 at 6s mode 103 help\nat 10s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 8,
        parts: (3, 1, 0),
    },
    Story {
        name: "redirected",
        script: "at 0s redirect 101 102\nat 1s incoming 79001112233 101\nat 4s answer 102\nat 10s hangup 102",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 3,
        talk: 6,
        parts: (2, 1, 0),
    },
    // Abandoned.
    Story {
        name: "the caller leaves a queue",
        script: "at 1s incoming 79001112233 601\nat 20s hangup 79001112233",
        outcome: How::Abandoned,
        direction: Direction::Incoming,
        wait: 19,
        talk: 0,
        parts: (3, 0, 1),
    },
    Story {
        name: "the caller leaves a queue in which nobody is",
        script: "at 0s away 101\nat 0s away 102\nat 0s away 103\nat 1s incoming 79001112233 600 for 30s",
        outcome: How::Abandoned,
        direction: Direction::Incoming,
        wait: 30,
        talk: 0,
        parts: (1, 0, 1),
    },
    // Cancelled.
    Story {
        name: "the caller gives up while phones ring",
        script: "at 1s incoming 79001112233 101 for 5s",
        outcome: How::Cancelled,
        direction: Direction::Incoming,
        wait: 5,
        talk: 0,
        parts: (2, 0, 0),
    },
    Story {
        name: "the user stops dialling",
        script: "at 1s dial 101 102 abonent\nat 5s stop 101",
        outcome: How::Cancelled,
        direction: Direction::Internal,
        wait: 4,
        talk: 0,
        parts: (2, 0, 0),
    },
    Story {
        name: "the user refuses the call-back",
        script: "at 1s dial 101 102\nat 5s decline 101",
        outcome: How::Cancelled,
        direction: Direction::Internal,
        wait: 4,
        talk: 0,
        parts: (1, 0, 0),
    },
    Story {
        name: "the user does not take the call-back",
        script: "phone 102 answers after 1s\nat 1s dial 101 102 abonent",
        outcome: How::Cancelled,
        direction: Direction::Internal,
        wait: 31,
        talk: 0,
        parts: (2, 0, 0),
    },
    // Not reached.
    Story {
        name: "nobody answers",
        script: "at 1s incoming 79001112233 101",
        outcome: How::NoAnswer,
        direction: Direction::Incoming,
        wait: 60,
        talk: 0,
        parts: (2, 0, 0),
    },
    Story {
        name: "a queue until the scenario has enough",
        script: "on 500 {\nqueue 601 for 20s\n}\nat 1s incoming 79001112233 500",
        outcome: How::NoAnswer,
        direction: Direction::Incoming,
        wait: 20,
        talk: 0,
        parts: (3, 0, 1),
    },
    Story {
        name: "busy",
        script: "phone 102 busy\nphone 101 answers after 1s\nat 1s dial 101 102",
        outcome: How::Busy,
        direction: Direction::Internal,
        wait: 1,
        talk: 0,
        parts: (2, 0, 0),
    },
    Story {
        name: "the first does not answer, the last is busy",
        script: "phone 102 busy\non 500 {\nring 101 for 5s\nring 102\n}\nat 1s incoming 79001112233 500",
        outcome: How::Busy,
        direction: Direction::Incoming,
        wait: 5,
        talk: 0,
        parts: (3, 0, 0),
    },
    Story {
        name: "refused",
        script: "at 1s incoming 79001112233 101\nat 3s decline 101",
        outcome: How::Refused,
        direction: Direction::Incoming,
        wait: 2,
        talk: 0,
        parts: (2, 0, 0),
    },
    Story {
        name: "unreachable",
        script: "phone 101 unreachable\nat 1s incoming 79001112233 101",
        outcome: How::Unreachable,
        direction: Direction::Incoming,
        wait: 0,
        talk: 0,
        parts: (2, 0, 0),
    },
    // A fax belongs to its talk, whether it comes or breaks off.
    Story {
        name: "a fax comes in a talk",
        script: "phone 101 answers after 1s\nat 0s incoming 79001112233 101\nat 2s fax 79001112233 2 pages\nat 20s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 19,
        parts: (2, 1, 0),
    },
    Story {
        name: "a fax breaks off",
        script: "phone 101 answers after 1s\nat 0s incoming 79001112233 101\nat 2s fax 101 9 pages\nat 5s hangup 101",
        outcome: How::Answered,
        direction: Direction::Incoming,
        wait: 1,
        talk: 4,
        parts: (2, 1, 0),
    },
    // Menu and failed.
    Story {
        name: "the caller never leaves the menu",
        script: "on 500 \"Menu\" {\nanswer\nkeys k for 30s\n}\nat 1s incoming 79001112233 500\nat 9s hangup 79001112233",
        outcome: How::Menu,
        direction: Direction::Incoming,
        wait: 8,
        talk: 0,
        parts: (1, 0, 0),
    },
    Story {
        name: "the menu ends by itself",
        script: "on 500 \"Menu\" {\nanswer\nwait 5s\n}\nat 1s incoming 79001112233 500",
        outcome: How::Menu,
        direction: Direction::Incoming,
        wait: 5,
        talk: 0,
        parts: (1, 0, 0),
    },
    Story {
        name: "nobody was tried",
        script: "on 500 {\nwait 5s\n}\nat 1s incoming 79001112233 500",
        outcome: How::Failed,
        direction: Direction::Incoming,
        wait: 5,
        talk: 0,
        parts: (1, 0, 0),
    },
    Story {
        name: "no outside line",
        script: "phone 101 answers after 1s\nlines 1\nat 0s dial 101 79001112233\nat 500ms incoming 79004445566 102 for 2s",
        outcome: How::Failed,
        direction: Direction::Outgoing,
        wait: 1,
        talk: 0,
        parts: (2, 0, 0),
    },
];

/// Everything that a story tells.
fn told(script: &str) -> Vec<Vec<Fact>> {
    let mut w = World::with(Settings { record: true, ..settings(script) });
    while let Some(at) = w.machine.poll_timeout() {
        w.now = at;
        w.machine.handle_timeout(at);
        w.told();
    }
    assert_eq!(w.odd(), [""; 0], "{script}");
    w.nothing_left();
    let facts = |event: &Event| if let Event::Facts(facts) = event { Some(facts.clone()) } else { None };
    w.events.iter().filter_map(facts).collect()
}

#[test]
fn every_row_of_the_truth_table() {
    assert!(ROWS.len() >= 30);
    for row in ROWS {
        let facts = told(row.script).concat();
        let first = facts.iter().find_map(|f| if let Fact::Call(about) = f { Some(about.call.clone()) } else { None });
        let all = entries(&facts);
        let entry = all.iter().find(|e| Some(&e.call) == first.as_ref()).expect("an entry");
        let name = row.name;
        assert_eq!(entry.outcome, row.outcome, "{name}");
        assert_eq!(entry.direction, row.direction, "{name}");
        assert_eq!((entry.wait_ms, entry.talk_ms), (row.wait * 1000, row.talk * 1000), "{name}: {:#?}", entry.talks);
        assert_eq!((entry.legs.len(), entry.talks.len(), entry.queues.len()), row.parts, "{name}: {entry:#?}");
        assert!(entry.talks.iter().all(|talk| talk.recording.is_some() || talk.began_ms == talk.ended_ms), "{name}");
    }
}

#[test]
fn every_outcome_has_a_row_and_a_place_in_the_book() {
    let book = include_str!("../../../../docs/ledger.md");
    for word in ["answered", "abandoned", "cancelled", "noanswer", "busy", "refused", "unreachable", "menu", "failed"] {
        let outcome = How::parse(word).unwrap();
        assert!(ROWS.iter().any(|row| row.outcome == outcome), "no story ends with {word}");
        assert!(book.contains(&format!("| `{word}` |")), "docs/ledger.md does not explain {word}");
    }
}

/// Whole events in another order, single facts in another order, and all of it twice.
#[test]
fn the_order_in_which_facts_come_does_not_matter() {
    for row in ROWS {
        let events = told(row.script);
        let whole = entries(&events.concat());
        for seed in 1..=8_u64 {
            let doubled: Vec<Vec<Fact>> = events.iter().chain(&events).cloned().collect();
            let by_events = shuffled(doubled.clone(), seed * 7919).concat();
            let by_facts = shuffled(doubled.concat(), seed * 104_729);
            let backwards: Vec<Fact> = events.concat().into_iter().rev().collect();
            for (how, facts) in [("events", by_events), ("facts", by_facts), ("backwards", backwards)] {
                assert_eq!(entries(&facts), whole, "{} with {how} {seed}", row.name);
            }
        }
    }
}

#[test]
fn the_same_seed_and_timeline_tell_the_same_to_the_byte() {
    for row in ROWS {
        assert_eq!(format!("{:?}", told(row.script)), format!("{:?}", told(row.script)), "{}", row.name);
    }
}
