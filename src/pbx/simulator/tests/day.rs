//! A day of calls at fifty times the speed.

use std::fmt::Write;

use ctigate_proto::calls::Outcome as How;

use super::*;

/// A timeline of a working day: somebody calls every two minutes, insiders call, hold, transfer and confer, some do not
/// answer. The choices follow from a counter, so the day is always the same.
fn day() -> String {
    let mut day = "speed 50\nlines 6\n\
        phone 101 answers after 4s talks 2m\nphone 102 answers after 9s talks 90s\n\
        phone 103 never answers\nphone 104 answers after 3s talks 4m\n\
        phone outside answers after 12s talks 3m\nphone 79004445566 busy\nphone 79007778899 refuses after 5s\n\
        on 500 \"Main menu\" {\nanswer\nsay \"Press 1\"\nkeys choice for 10s\n\
        if {choice} == 1 { queue 603 for 3m } else { ring everyone for 20s }\nsay Sorry\n}\n"
        .to_owned();
    let mut choice = 1_u64;
    let mut pick = |of: u64| {
        choice = choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (choice >> 33) % of
    };
    for at in (0..23 * 3600).step_by(120) {
        let caller = format!("7900{:07}", pick(10_000_000));
        let inside = ["101", "102", "103", "104"][usize::try_from(pick(4)).unwrap()];
        let other = ["102", "103", "104", "600", "603", "500", "79001112233", "79004445566", "79007778899"]
            [usize::try_from(pick(9)).unwrap()];
        let later = |seconds: u64| at + 15 + seconds;
        let line = match pick(8) {
            0 => format!("at {at}s incoming {caller} 500 for 5m\nat {}s keys {caller} 1", at + 6),
            1 => format!("at {at}s incoming {caller} 600 for 2m"),
            2 => format!("at {at}s incoming {caller} {inside} \"A caller\"\nat {}s hangup {caller}", later(100)),
            3 => format!("at {at}s dial {inside} {other}"),
            4 => format!("at {at}s dial {inside} {other} abonent\nat {}s hold {inside}", later(30)),
            5 => format!(
                "at {at}s incoming {caller} 101\nat {}s dial 101 {other}\nat {}s join 101",
                later(10),
                later(30)
            ),
            6 => format!("at {at}s incoming {caller} 104\nat {}s transfer 104 {other}", later(20)),
            _ => format!("at {at}s conference 101 102 {other}\nat {}s leave 101", later(60)),
        };
        writeln!(day, "{line}").unwrap();
    }
    day
}

fn play(day: &str) -> World {
    let mut w = World::with(Settings { record: true, calls: 50, ..settings(day) });
    while let Some(at) = w.machine.poll_timeout() {
        w.now = at;
        w.machine.handle_timeout(at);
        w.told();
    }
    w
}

#[test]
fn a_day_at_fifty_times_the_speed_leaves_nothing_behind() {
    let day = day();
    let mut w = play(&day);
    let hours = w.now.since(Time::ZERO).as_secs_f64() * 50.0 / 3600.0;
    assert!((22.0..26.0).contains(&hours), "{hours} hours");
    w.nothing_left();
    // It was a busy day: most ways to end were seen.
    let of = |how: How| {
        let ids = w.answered.keys();
        ids.filter(|call| w.calls.entry(call).expect("everything is over").outcome == how).count()
    };
    let seen = [How::Answered, How::NoAnswer, How::Busy, How::Refused, How::Abandoned].map(of);
    assert!(w.answered.len() > 500 && seen.iter().all(|count| *count > 0), "{} calls, {seen:?}", w.answered.len());
    assert!(seen[0] > 200, "{seen:?}");
}

#[test]
fn the_same_day_is_the_same_to_the_byte() {
    let day = day();
    assert_eq!(format!("{:?}", play(&day).events), format!("{:?}", play(&day).events));
}
