//! Steps that people press keys in, scenarios that are started by name, and the speed of a timeline.

use super::*;

#[test]
fn keys_choose() {
    let script = "on 500 {\nkeys k digits 4 for 10s\nsay \"{k}\"\n}";
    for (pressed, said) in [("1234", "1234"), ("12#34", "12"), ("#", ""), ("12345", "1234"), ("*9*9", "*9*9")] {
        let mut w = World::new(script);
        w.call("500");
        assert_eq!(w.press("7900", pressed), ["ended false"], "{pressed}");
        assert_eq!(w.said(), [said]);
    }
    let mut w = World::new(script);
    w.call("500");
    assert_eq!(w.press("7900", "1"), [""; 0]);
    assert_eq!(w.press("7900", "2"), [""; 0]);
    assert_eq!(w.pass(10_000), ["ended false"]);
    assert_eq!(w.said(), ["12"]);
}

#[test]
fn who_is_to_press_keys_is_answered() {
    let mut w = World::new("on 500 \"Menu\" {\nkeys k\n}");
    w.dial("101", "500").unwrap();
    w.answer("101");
    assert!(matches!(w.line("101").phase, Phase::Menu { .. }));
}

#[test]
fn hanging_up_while_keys_are_waited_for_ends_the_scenario() {
    let mut w = World::new("on 500 {\nkeys k\nsay no\nafter {\nsay \"after {k}\"\n}\n}");
    w.call("500");
    w.hangup("7900");
    assert_eq!(w.said(), ["after "]);
    w.nothing_left();
}

#[test]
fn a_timeline_presses_keys_and_speaks_of_people_outside() {
    let mut w = World::new(
        "on 500 {\nanswer\nkeys k for 10s\nif {k} == 2 { ring 102 }\n}\n\
         at 1s incoming 79001112233 500\nat 3s outside 79001112233 presses 2\nat 5s answer 102\n\
         at 7s outside 79001112233 holds\nat 9s outside 79001112233 resumes\nat 11s outside 79001112233 hangs up\n\
         at 12s outside 79001112233 hangs up",
    );
    w.pass(5_000);
    assert!(w.talks_with("102", ANNA));
    w.pass(2_000);
    assert!(matches!(w.line("102").phase, Phase::OnHold(_)));
    w.pass(2_000);
    assert!(w.talks_with("102", ANNA));
    w.pass(5_000);
    w.nothing_left();
    assert_eq!(w.odd(), ["the timeline: 79001112233 has no call"]);
}

fn start(w: &mut World, order: u64, name: &str, parameters: &[&str], wait: Option<u64>) -> Vec<String> {
    w.command(Command::Script {
        order: OrderId(order),
        name: text(name),
        parameters: parameters.iter().map(|p| text(p)).collect(),
        wait: wait.map(Duration::from_secs),
    })
}

const REPORT: &str = "script \"Report\" {\nask M a={param1} b={param2} as m\nif ok m { return \"{param1}-{m.n}\" }\n\
                      after { ask After }\n}\n\
                      on 500 \"Support\" { answer\nring 101\nreturn 7 }";

#[test]
fn a_scenario_is_started_by_its_title_and_returns_a_value() {
    let mut w = World::new(REPORT);
    assert_eq!(start(&mut w, 1, "Report", &["x"], Some(30)), ["ask 1 M a=x"]);
    let output = Object::new().with("n", 5);
    assert_eq!(w.done(1, Outcome::Ok(output)), ["script 1 x-5", "ask 2 After"]);
    w.done(2, Outcome::NoLink);
    w.nothing_left();
    // Without a value, and not waited for.
    assert_eq!(start(&mut w, 2, "report", &[], Some(30)), ["ask 3 M"], "the title in other letters");
    assert_eq!(w.done(3, Outcome::Timeout), ["script 2", "ask 4 After"]);
    w.done(4, Outcome::NoLink);
    assert_eq!(start(&mut w, 3, "Report", &["a", "b"], None), ["script 3", "ask 5 M a=a b=b"]);
    assert_eq!(w.done(5, Outcome::Timeout), ["ask 6 After"]);
    w.done(6, Outcome::NoLink);
    // Waited for, but not so long.
    start(&mut w, 4, "Report", &[], Some(2));
    assert_eq!(w.pass(2_000), ["script 4"]);
    assert_eq!(w.done(7, Outcome::Ok(Object::new())), ["ask 8 After"]);
    w.done(8, Outcome::NoLink);
    w.nothing_left();
    assert_eq!(start(&mut w, 5, "Nothing", &[], None), ["script 5 NoSuchScript"]);
}

#[test]
fn a_scenario_without_a_caller_has_nobody_to_ring_for() {
    let mut w = World::new(REPORT);
    assert_eq!(start(&mut w, 1, "Support", &[], Some(30)), ["script 1 7"]);
    assert_eq!(w.odd().len(), 2, "answer and ring");
    w.nothing_left();
}

#[test]
fn as_a_call_a_scenario_that_returns_is_over() {
    let mut w = World::new("on 500 {\nanswer\nreturn 7\nsay no\n}");
    assert_eq!(w.call("500"), ["7900 calls 500", "ended false"]);
    assert!(w.said().is_empty());
}

#[test]
fn scenarios_by_name_count_as_calls() {
    let mut w = World::with(Settings { calls: 1, ..settings("script \"a\" {\nwait 1m\n}") });
    start(&mut w, 1, "a", &[], Some(90));
    assert_eq!(start(&mut w, 2, "a", &[], Some(90)), ["script 2 Full"]);
    assert_eq!(w.pass(60_000), ["script 1"]);
    start(&mut w, 3, "a", &[], Some(90));
    w.machine.end_all(w.now);
    assert_eq!(w.told(), ["script 3"]);
    w.nothing_left();
}

#[test]
fn everything_of_a_timeline_is_faster_at_a_higher_speed() {
    let story = "phone 101 answers after 10s talks 100s\non 500 {\nwait 10s\nring 101 for 20s\n}\n\
                 at 100s incoming 79001112233 500\nat 1000s incoming 79004445566 500 for 5s";
    let times = |script: &str| {
        let mut w = World::new(script);
        let mut times = Vec::new();
        while let Some(at) = w.machine.poll_timeout() {
            w.now = at;
            w.machine.handle_timeout(at);
            times.extend(w.told().into_iter().map(|told| (at.as_millis(), told)));
        }
        times
    };
    let slow = times(story);
    let fast = times(&format!("speed 50\n{story}"));
    let times_fifty: Vec<(u64, String)> = fast.into_iter().map(|(at, told)| (at * 50, told)).collect();
    assert_eq!(slow, times_fifty);
    assert_eq!(slow.last().map(|(at, _)| *at), Some(1_005_000));
}
