//! An hour of calls, written down as it happens on the clock that jumps, and played again: the same bytes, each time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ctigate::capture::{About, Played, Scribe, play};
use ctigate::pbx::Control;
use ctigate_proto::hub::settings::{Piece, Trigger};
use ctigate_proto::message::{Format, Text};
use rand::{RngExt, SeedableRng};

use crate::office::Office;
use crate::world::{P, Taped, rule};

const PEOPLE: [(&str, &str); 3] = [("ivanov", "101"), ("petrov", "102"), ("sidorova", "103")];

/// A capture that grows.
type Lines = Rc<RefCell<String>>;

fn office() -> (Office, Lines) {
    let lines = Lines::default();
    let to = Rc::clone(&lines);
    let office = Office::taped(
        |settings| {
            let mut card = rule("clientcard");
            (card.on, card.ask) = (Trigger::Ring, Some("FindClient".into()));
            card.parameters =
                vec![("phone".into(), vec![Piece::Caller]), ("client".into(), vec![Piece::Ask("clientid".into())])];
            card.expire = Duration::from_secs(90);
            settings.forms = vec![card];
        },
        move |hub, settings| {
            let seed = hub.begin_twin();
            let write = move |line: Option<String>| {
                if let Some(line) = line {
                    to.borrow_mut().push_str(&line);
                    to.borrow_mut().push('\n');
                }
            };
            write(Some(Scribe::head(settings.wall_ms, Some((settings, seed)))));
            let mut scribe = Scribe::new([9; 32]);
            Box::new(move |now, taped| match taped {
                Taped::In(input) => write(scribe.input(now, input, About::default())),
                Taped::Time => write(Some(Scribe::time(now))),
                Taped::Out(output, twins) => {
                    scribe.learn(twins);
                    write(scribe.output(now, output, About::default()));
                }
            })
        },
    );
    (office, lines)
}

/// What a CRM says to what it is asked.
fn crm_works(o: &mut Office, crm: P) {
    for heard in o.w.heard(crm) {
        match heard.name() {
            "executemethod" => {
                let id = heard.text("executionid");
                o.w.say(crm, &format!(r#"["methodresult",{{"qid":"r","executionid":"{id}","result":1,"outputparameters":{{"clientid":"4711","vip":true}}}}]"#));
            }
            "showform" if heard.text("formid").as_bytes()[0].is_multiple_of(2) => {
                let (id, user) = (heard.text("formid"), heard.text("userlogin"));
                o.w.say(crm, &format!(r#"["formresult",{{"qid":"f","formid":"{id}","userlogin":"{user}","outputparameters":{{"resultcode":"ok","note":"Заметка"}}}}]"#));
            }
            _ => {}
        }
    }
    o.settle();
}

/// An hour: people call each other and are called, answer or not, hold, transfer, take a break; a CRM is asked and answers.
fn an_hour(seed: u64) -> String {
    let mut any = rand::rngs::StdRng::seed_from_u64(seed);
    let (mut o, lines) = office();
    let crm = o.w.introduced("crm", Format::Xml);
    o.w.tunnel_login(crm, "ivanov", "t1");
    o.w.tunnel_login(crm, "petrov", "t2");
    let end = o.w.now + Duration::from_secs(3600);
    let mut n = 0;
    while o.w.now < end {
        let (login, number) = PEOPLE[any.random_range(0..PEOPLE.len())];
        let (_, other) = PEOPLE[any.random_range(0..PEOPLE.len())];
        n += 1;
        let say = |method: &str, more: &str| format!(r#"["{method}",{{"qid":"n{n}"{more}}}]"#);
        match any.random_range(0..10) {
            0..3 => {
                let called: Text = if any.random_bool(0.5) { "500".into() } else { number.into() };
                let caller = format!("7900{:07}", any.random_range(0..10_000_000)).into();
                o.may_order(Control::Incoming { caller, name: Text::new(), called });
            }
            3..6 => o.may_order(Control::Answer { number: number.into() }),
            6 => o.may_order(Control::Hangup { number: number.into() }),
            7 => o.says(login, &say("pbxautocallstart", &format!(r#","number":"{other}""#))),
            8 => o.says(login, &say("pbxmakeflash", r#","mode":"next""#)),
            _ => o.says(login, &say("setuserstate", &format!(r#","userstateid":{}"#, any.random_range(1..4)))),
        }
        crm_works(&mut o, crm);
        o.pass(Duration::from_secs(any.random_range(1..8)));
        crm_works(&mut o, crm);
    }
    let mut lines = lines.borrow().clone();
    lines.push_str(&Scribe::end(o.w.now, "stopped"));
    lines.push('\n');
    lines
}

fn played(capture: &str) -> Played {
    let played = play(capture.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(played.difference, None);
    played
}

#[test]
#[expect(clippy::print_stdout, reason = "how long it took is of interest")]
fn an_hour_of_calls_plays_again_to_the_same_bytes_each_time() {
    let capture = an_hour(1);
    assert_eq!(capture, an_hour(1), "the hour itself is the same each time");
    let began = Instant::now();
    let first = played(&capture);
    let took = began.elapsed();
    println!("{} inputs, {} outputs, {} bytes: an hour in {took:?}", first.inputs, first.outputs, capture.len());
    assert_eq!(first, played(&capture));
    assert!(first.span >= Duration::from_secs(3600), "{:?}", first.span);
    assert!(first.inputs > 2000 && first.outputs > 5000, "{first:?}");
    for heard in ["phoneevent_commstarted", "showform", "executemethod", "dlgcard_showformdialog", "setuserstate"] {
        assert!(capture.contains(heard), "nothing of {heard} in this hour");
    }
    assert_ne!(first.digest, played(&an_hour(2)).digest);
}

#[test]
fn what_was_changed_is_found_where_it_was_changed() {
    let capture = an_hour(3);
    let lines: Vec<&str> = capture.lines().collect();
    // Another word of the gateway's.
    let at = lines.iter().position(|line| line.contains("\"out\"") && line.contains("phoneevent_ringstarted")).unwrap();
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[at] = changed[at].replace("phoneevent_ringstarted", "phoneevent_ringstopped");
    let found = play((changed.join("\n") + "\n").as_bytes(), None).unwrap().difference.expect("it is another");
    assert_eq!(found.line, at as u64 + 1);
    assert!(found.recorded.contains("ringstopped") && found.played.contains("ringstarted"), "{found:?}");
    assert!(!found.before.is_empty());
    // An input that is not there.
    let told = |at: &usize| lines[*at].contains("\"in\":{\"pbx\":{\"facts\"") && lines[at + 1].contains("\"out\"");
    let at = (0..lines.len() - 1).find(told).unwrap();
    let without: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line).collect();
    let found = play((without.join("\n") + "\n").as_bytes(), None).unwrap();
    assert!(found.difference.is_some_and(|d| d.line > at as u64), "what follows is another");
    // A file that broke off is played up to there.
    let half: String = capture.chars().take(capture.chars().count() / 2).collect();
    let broken = play(half.as_bytes(), None).unwrap();
    assert_eq!((broken.difference, broken.end), (None, String::new()));
    let until = play(capture.as_bytes(), Some(Duration::from_secs(60))).unwrap();
    assert!(until.difference.is_none() && until.span <= Duration::from_secs(60), "{until:?}");
}
