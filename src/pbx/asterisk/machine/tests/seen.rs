//! Calls that the machine only watches: what it tells of them, and that it tells the same when events come twice or in
//! another order.

use ctigate_proto::calls::Entry;
use ctigate_proto::telephony::{EndCause, Fact};
use proptest::prelude::*;

use super::super::super::ami::Message;
use super::play::{Line, lines};
use super::{Told, play, play_with};

#[test]
fn somebody_outside_calls_and_is_held_by_the_phone() {
    let told = play(include_str!("transcripts/incoming.txt"));
    assert_eq!(
        told.story,
        [
            "call1 79161234567>74950000001, 1:79161234567 waiting, 2:101 ringing for 1",
            "1:79161234567 up t1, 2:101 up t1",
            "2:101 up t1 holds",
            "1:79161234567 up t2, 2:101 up t2",
            "1:79161234567 othergone, 2:101 hangup, over1",
        ]
    );
    assert!(told.phones["101"] && !told.phones["107"]);
}

#[test]
fn nobody_answers_for_many_reasons() {
    let told = play(include_str!("transcripts/unanswered.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 othergone, 2:102 refused for 1, over1",
            "call2 101>102, 3:101 waiting, 4:102 ringing for 3",
            "3:101 hangup, 4:102 callergone for 3, over2",
            "call3 101>107, 5:101 othergone, 6:107 unreachable, over3",
            "call4 101>79161234567, 7:101 othergone, 8:79161234567 busy, over4",
            "call5 101>79161234567, 9:101 othergone, 10:79161234567 unreachable, over5",
        ]
    );
    let outcomes: Vec<_> = told.entries().iter().map(|entry| entry.outcome.word()).collect();
    assert_eq!(outcomes, ["refused", "cancelled", "unreachable", "busy", "unreachable"]);
}

#[test]
fn a_caller_waits_in_a_queue_and_is_handed_on() {
    let told = play(include_str!("transcripts/queue.txt"));
    assert_eq!(
        told.story,
        [
            "call1 79161234567>74950000002, 1:79161234567 waiting",
            "1:79161234567 up q600, 2:104 ringing for 1",
            "1:79161234567 up t1, 2:104 up t1",
            "1:79161234567 waiting, 3:102 ringing for 1, 2:104 transferred",
            "1:79161234567 up t2, 3:102 up t2",
            "1:79161234567 othergone, 3:102 hangup, over1",
            "call2 79161234567>74950000002, 4:79161234567 waiting",
            "4:79161234567 up q600, 5:104 ringing for 4",
            "4:79161234567 hangup, 5:104 callergone for 4, over2",
        ]
    );
    let outcomes: Vec<_> = told.entries().iter().map(|entry| entry.outcome.word()).collect();
    assert_eq!(outcomes, ["answered", "abandoned"]);
}

#[test]
fn pick_up_listening_in_and_a_conference_room() {
    let told = play(include_str!("transcripts/features.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 3:103 up t1, 2:102 elsewhere for 1",
            "1:101 othergone, 3:103 hangup, over1",
            "call2 101>102, 4:101 waiting, 5:102 ringing for 4",
            "call3 103>*88102, 6:103 waiting",
            "4:101 up t2, 5:102 up t2",
            "c3 monitor 5, 7:103 up c3 ghost, 6:103 transferred, over3",
            "c3 monitor 5 over, 7:103 hangup ghost",
            "4:101 othergone, 5:102 hangup, over2",
            "call4 101>7010, 8:101 up menu 7010",
            "c4, 8:101 up c4",
            "9:102 up c4",
            "8:101 hangup",
            "c4 over, 9:102 hangup, over4",
        ]
    );
}

#[test]
fn who_asks_back_by_a_second_line_stays_in_the_conversation() {
    let told = play(include_str!("transcripts/asks_back.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "1:101 up t1 holds",
            "3:101 waiting, 4:103 ringing for 3",
            "3:101 up t2, 4:103 up t2",
            "1:101 othergone holds, 2:102 hangup",
            "3:101 hangup, 4:103 othergone, over1",
        ]
    );
}

#[test]
fn two_conversations_become_the_older_one() {
    let told = play(include_str!("transcripts/joins.txt"));
    assert_eq!(
        told.story,
        [
            "call1 102>101, 1:102 waiting, 2:101 ringing for 1",
            "1:102 up t1, 2:101 up t1",
            "2:101 up t1 holds",
            "call2 103>101, 3:103 waiting, 4:101 ringing for 3",
            "3:103 up t2, 4:101 up t2",
            // The younger ends for everybody in it; who goes on has a new leg in the older.
            "1:102 up t3, 5:103 up t3, 2:101 transferred holds, 3:103 transferred, 4:101 transferred, over2",
            "1:102 othergone, 5:103 hangup, over1",
        ]
    );
    let outcomes: Vec<_> = told.entries().iter().map(|entry| (entry.outcome.word(), entry.talks.len())).collect();
    assert_eq!(outcomes, [("answered", 2), ("answered", 1)]);
}

/// The transcripts in which nothing is ordered: what is said may come in any order that Asterisk may choose.
const SEEN: [&str; 5] = [
    include_str!("transcripts/incoming.txt"),
    include_str!("transcripts/unanswered.txt"),
    include_str!("transcripts/queue.txt"),
    include_str!("transcripts/features.txt"),
    include_str!("transcripts/joins.txt"),
];

/// The channels an event is about.
fn about(line: &Line) -> Vec<String> {
    let Line::Said(message) = line else { return Vec::new() };
    let uids = message.fields().filter(|(key, _)| key.ends_with("Uniqueid") && *key != "SwapUniqueid");
    uids.filter(|(key, _)| *key != "BridgeUniqueid").map(|(_, uid)| uid.to_owned()).collect()
}

/// The lines with those that came within five milliseconds in another order, but for those about the same channel.
fn shuffled(lines: &[(u64, Line)], random: &[u8]) -> Vec<(u64, Line)> {
    let mut random = random.iter().cycle();
    let mut all = Vec::new();
    let mut rest = lines;
    while let Some((first, _)) = rest.first() {
        // What belongs to the reading has its order.
        let loose = |(at, line): &&(u64, Line)| {
            *at < first + 5_000 && matches!(line, Line::Said(m) if m.action_id().is_empty())
        };
        let length = rest.iter().take_while(loose).count().max(1);
        let (burst, after) = rest.split_at(length);
        rest = after;
        let mut burst: Vec<(u64, Line)> = burst.to_vec();
        while !burst.is_empty() {
            // Only what nothing before it is about may come first.
            let may = |at: &usize| {
                let mine = about(&burst[*at].1);
                burst[..*at].iter().all(|(_, before)| about(before).iter().all(|uid| !mine.contains(uid)))
            };
            let may: Vec<usize> = (0..burst.len()).filter(may).collect();
            let take = may[usize::from(*random.next().unwrap_or(&0)) % may.len()];
            all.push((*first, burst.remove(take).1));
        }
    }
    all
}

fn doubled(lines: &[(u64, Line)], random: &[u8]) -> Vec<(u64, Line)> {
    let mut random = random.iter().cycle();
    let mut all = Vec::new();
    for line in lines {
        let again = matches!(&line.1, Line::Said(m) if !m.event().is_empty() && m.action_id().is_empty());
        let times = if again && random.next().is_some_and(|r| r % 2 == 0) { 2 } else { 1 };
        all.extend(std::iter::repeat_n(line.clone(), times));
    }
    all
}

/// How every leg ended, and the ledger.
fn end(told: &Told) -> (Vec<String>, Vec<Entry>) {
    let mut ends: Vec<String> = Vec::new();
    for fact in told.facts.iter().flatten() {
        if let Fact::Leg(leg) = fact
            && leg.state.is_ended()
        {
            ends.push(format!("{} {:?}", leg.leg.0, leg.state));
        }
    }
    ends.sort();
    (ends, told.entries())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn events_in_another_order_lead_to_the_same_end(random in prop::collection::vec(any::<u8>(), 1..200)) {
        for transcript in SEEN {
            let lines = lines(transcript);
            let expected = end(&play_with(lines.clone(), false, false));
            prop_assert_eq!(end(&play_with(shuffled(&lines, &random), false, false)), expected);
        }
    }

    #[test]
    fn events_that_come_twice_lead_to_the_same_facts(random in prop::collection::vec(any::<u8>(), 1..200)) {
        for transcript in SEEN {
            let lines = lines(transcript);
            let expected = play_with(lines.clone(), false, false).story;
            prop_assert_eq!(play_with(doubled(&lines, &random), false, false).story, expected);
        }
    }
}

#[test]
fn events_that_come_after_the_end_raise_nobody_from_the_dead() {
    for transcript in SEEN {
        let lines = lines(transcript);
        let expected = play_with(lines.clone(), false, false).story;
        let end = lines.last().unwrap().0 + 1_000_000;
        let of_channel = |line: &&(u64, Line)| !about(&line.1).is_empty();
        let late: Vec<(u64, Line)> = lines.iter().filter(of_channel).map(|(_, line)| (end, line.clone())).collect();
        assert!(late.len() > 20);
        assert_eq!(play_with([lines, late].concat(), false, false).story, expected);
    }
}

#[test]
fn what_ended_while_asterisk_was_not_heard_ends_as_unseen() {
    let lines = lines(include_str!("transcripts/incoming.txt"));
    // The connection is lost in the first talk, and nothing is left when it stands again.
    let until = lines.iter().position(|(_, line)| matches!(line, Line::Said(m) if m.event() == "Hold")).unwrap();
    let mut gap = lines[..until].to_vec();
    let at = gap.last().unwrap().0 + 1_000_000;
    gap.push((at, Line::Lost));
    let told = play_with(gap.clone(), false, false);
    assert_eq!(told.story.len(), 2, "a gap alone ends nothing: {:?}", told.story);
    assert!(told.phones.values().all(|connected| !connected), "no phone can be reached");

    gap.push((at + 1_000_000, Line::Connected(1_800_000_000_000)));
    let said = |fields: &[(&str, &str)]| Line::Said(Message::from_fields(fields.iter().copied()));
    for (id, event) in [
        ("m-5", "BridgeListComplete"),
        ("m-6", "CoreShowChannelsComplete"),
        ("m-7", "QueueStatusComplete"),
        ("m-8", "DeviceStateListComplete"),
    ] {
        gap.push((at + 1_100_000, said(&[("Event", event), ("ActionID", id), ("EventList", "Complete")])));
    }
    let told = play_with(gap, false, false);
    assert_eq!(told.story[2], "1:79161234567 unseen, 2:101 unseen, over1");
    let entry = &told.entries()[0];
    assert!(entry.legs.iter().all(|leg| leg.cause == EndCause::Unseen));
    assert!(told.phones["101"]);
}
