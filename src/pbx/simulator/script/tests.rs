use std::time::Duration;

use ctigate_proto::message::{Text, Value};
use ctigate_proto::telephony::{Act, GhostMode, Sequence};
use proptest::prelude::*;

use super::*;

fn parse(source: &str) -> Result<Script, ScriptError> {
    Script::parse(source, &Limits::default())
}

/// A scenario for 500 with these lines, read.
fn steps(lines: &str) -> Vec<What> {
    let script = parse(&format!("on 500 {{\n{lines}\n}}")).unwrap_or_else(|e| panic!("{e}\n{}", e.excerpt()));
    script.scenarios[0].steps.iter().map(|step| step.what.clone()).collect()
}

fn literal(value: impl Into<Value>) -> Expr {
    Expr::Literal(value.into())
}

#[test]
fn the_demonstration_reads() {
    let script = parse(crate::pbx::simulator::DEMO).unwrap_or_else(|e| panic!("{e}\n{}", e.excerpt()));
    assert_eq!(script.scenarios.len(), 1);
    let scenario = &script.scenarios[0];
    assert_eq!((&*scenario.numbers[0].0, &*scenario.title), ("500", "Support"));
    assert_eq!(scenario.after.len(), 3);
}

#[test]
fn the_examples_of_the_book_read() {
    let book = include_str!("../../../../docs/scenarios.md");
    let examples: Vec<&str> = book
        .split("```timeline\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|e| e.contains("on 500"))
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        parse(example).unwrap_or_else(|e| panic!("{e}\n{}", e.excerpt()));
    }
}

#[test]
fn a_word_keeps_the_type_it_is_written_in() {
    let What::Ask(ask) = &steps(r#"ask M a=1 b="1" c=true d=x-1 e=null f=+7900 g={caller} h="Mr {caller}" i="" "#)[0]
    else {
        panic!("no ask")
    };
    let value = |name: &str| &ask.input.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(value("a"), &literal(1));
    assert_eq!(value("b"), &literal("1"));
    assert_eq!(value("c"), &literal(true));
    assert_eq!(value("d"), &literal("x-1"));
    assert_eq!(value("e"), &Expr::Literal(Value::Null));
    assert_eq!(value("f"), &literal("+7900"));
    assert!(matches!(value("g"), Expr::Reference(r) if r.to_string() == "{caller}"));
    assert!(matches!(value("h"), Expr::Template(pieces) if pieces.len() == 2));
    assert_eq!(value("i"), &literal(""));
}

#[test]
fn an_ask_takes_its_options_in_any_order() {
    let both = "phone={caller}";
    let one = steps(&format!("ask M {both} deadline 3s late 10s fallback a=1 b=2 for ivanov as client"));
    let other = steps(&format!("ask M {both} as client for ivanov fallback a=1 b=2 late 10s deadline 3s"));
    let parts = |what: &What| match what {
        What::Ask(a) => (a.deadline, a.late, a.fallback.as_ref().map(Vec::len), a.name.clone(), a.user.clone()),
        _ => panic!("no ask"),
    };
    let expected = (
        Some(Duration::from_secs(3)),
        Duration::from_secs(10),
        Some(2),
        Some(Text::from_static("client")),
        Some(literal("ivanov")),
    );
    assert_eq!(parts(&one[0]), expected);
    assert_eq!(parts(&other[0]), expected);
}

#[test]
fn results_have_the_name_of_the_method_unless_they_get_another() {
    assert_eq!(steps("ask M\nif ok M { hangup }").len(), 2);
    assert_eq!(steps("ask M as x\nif ok x { hangup }").len(), 2);
    assert!(parse("on 1 {\nask M as x\nif ok M { hangup }\n}").is_err());
}

#[test]
fn a_line_that_ends_with_a_backslash_goes_on() {
    assert_eq!(steps("ask M a=1 \\\n    b=2"), steps("ask M a=1 b=2"));
}

#[test]
fn blocks_may_stand_on_one_line() {
    assert_eq!(steps("if {caller} == 1 { hangup } else if {caller} == 2 { answer } else { answer }").len(), 1);
    assert_eq!(parse("on 1 { answer }").unwrap().scenarios[0].steps.len(), 1);
    assert_eq!(parse("on 1 {}").unwrap().scenarios[0].steps.len(), 0);
}

#[test]
fn and_binds_closer_than_or() {
    let What::If { branches, .. } = &steps("if {caller} or {called} and not {user} { hangup }")[0] else { panic!() };
    let Condition::Any(any) = &branches[0].when else { panic!("{:?}", branches[0].when) };
    assert!(matches!(&any[..], [Condition::Holds(_), Condition::All(all)] if all.len() == 2));
}

#[test]
fn timelines_are_read() {
    let script = parse(
        "phone 101 answers after 3s talks 1m\nphone 102 never answers\n\
         at 2s incoming 79001112233 500 \"Anna\" for 40s\nat 5s answer 101\nat 6s hangup 101\n\
         at 7s caller hangs up\nat 8s phone 102 unreachable\n",
    )
    .unwrap();
    assert_eq!(
        script.phones[0].behaviour,
        Behaviour::Answers { after: Duration::from_secs(3), talks: Some(Duration::from_secs(60)) }
    );
    assert_eq!(script.phones[1].behaviour, Behaviour::Deaf);
    assert_eq!(script.cues.len(), 5);
    assert!(matches!(&script.cues[0].what, Happening::Incoming { name, patience: Some(p), .. }
        if name == "Anna" && p.as_secs() == 40));
    assert_eq!(script.cues[4].at, Duration::from_secs(8));
}

#[test]
fn people_of_a_timeline_do_what_telephones_can() {
    let act = |line: &str| match parse(&format!("at 1s {line}")).unwrap_or_else(|e| panic!("{e}")).cues.remove(0).what {
        Happening::Act(number, story) if number == "101" => story,
        other => panic!("{line}: {other:?}"),
    };
    let number = Text::from_static;
    let dial = |sequence, intercom| Story::Plain(Act::Dial { to: number("102"), sequence, intercom });
    assert_eq!(act("dial 101 102"), dial(Sequence::User, false));
    assert_eq!(act("dial 101 102 abonent"), dial(Sequence::Abonent, false));
    assert_eq!(act("dial 101 102 intercom"), dial(Sequence::User, true));
    assert_eq!(act("transfer 101 103"), Story::Plain(Act::Transfer { to: number("103") }));
    assert_eq!(act("conference 101 102 103"), Story::Confer(vec![number("102"), number("103")]));
    assert_eq!(act("invite 101 79001112233"), Story::Invite(vec![number("79001112233")]));
    assert_eq!(act("kick 101 102"), Story::Kick(number("102")));
    assert_eq!(act("spy 101 102"), Story::Spy(number("102")));
    assert_eq!(act("mode 101 help"), Story::SpyMode(GhostMode::Help));
    for (line, story) in [
        ("decline 101", Story::Plain(Act::Decline)),
        ("stop 101", Story::Plain(Act::StopDialling)),
        ("swap 101", Story::Plain(Act::Switch)),
        ("return 101", Story::Plain(Act::Return)),
        ("drop 101", Story::Plain(Act::DropHeld)),
        ("join 101", Story::Plain(Act::Join)),
        ("takein 101", Story::Plain(Act::TakeIn)),
        ("widen 101", Story::Widen),
        ("leave 101", Story::Leave),
    ] {
        assert_eq!(act(line), story, "{line}");
    }
    let script = parse(
        "lines 3\nspeed 50\nphone outside busy\nphone 79001112233 answers after 2s talks 1m\nat 1s hold 101\n\
         at 1s outside 79001112233 holds\nat 2s keys 101 \"12#\"\nat 3s redirect 101 102 cascade\nat 4s redirect 101 off\n\
         at 5s away 101\nat 6s phone outside rings\nscript \"night\" { return {param1} }",
    )
    .unwrap();
    assert_eq!((script.lines, script.speed, &script.outside), (Some(3), Some(50), &Some(Behaviour::Busy)));
    assert_eq!(script.cues[1].what, Happening::Hold(number("79001112233"), true));
    assert_eq!(script.cues[2].what, Happening::Keys(number("101"), number("12#")));
    let redirect = |to, cascade| Happening::Redirect { number: number("101"), to, cascade };
    assert_eq!(script.cues[3].what, redirect(Some(number("102")), true));
    assert_eq!(script.cues[4].what, redirect(None, false));
    assert_eq!(script.cues[5].what, Happening::Agent(number("101"), false));
    assert_eq!(script.cues[6].what, Happening::AllOutside(Behaviour::Rings));
    assert_eq!((&*script.scenarios[0].title, script.scenarios[0].any), ("night", false));
}

#[test]
fn keys_take_their_options_in_any_order() {
    let digits = |line: &str| match &steps(line)[0] {
        What::Keys(keys) => (keys.digits, keys.within.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(digits("keys k"), (1, 10));
    assert_eq!(digits("keys k digits 4 for 5s"), digits("keys k for 5s digits 4"));
}

/// Every mistake a writer can make, with what they are told: line, column, what was found, part of what was expected.
#[test]
fn mistakes_name_place_found_and_expected() {
    let within =
        |line: &str| format!("on 500 {{\n    ask Find as client\n    form card for 101 as card\n    {line}\n}}\n");
    let cases: &[(String, &str, &str, &str)] = &[
        // Outside of scenarios.
        ("hello".into(), "line 1, column 1", "`hello`", "`on`, `script`, `phone`, `lines`, `speed` or `at`"),
        ("\n\n  }".into(), "line 3, column 3", "`}`", "`on`, `script`, `phone`, `lines`, `speed` or `at`"),
        ("on {".into(), "line 1, column 4", "`{`", "a number"),
        ("on \"\" {\n}".into(), "line 1, column 4", "an empty text", "a number"),
        ("on 500".into(), "line 1, column 7", "the end of the text", "`{` and a block"),
        ("on 500 {caller}".into(), "line 1, column 8", "the value {caller}", "a blank follows the `{`"),
        ("on 500, 500 {\n}".into(), "line 1, column 9", "500 a second time", "each number once"),
        ("on 500 {\n}\non 500 {\n}".into(), "line 3, column 4", "a second scenario for 500", "line 1"),
        ("on any {\n}\non any {\n}".into(), "line 3, column 4", "a second scenario for any number", "line 1"),
        ("on 500 \"Hello {caller}\" {\n}".into(), "line 1, column 8", "a text with values in it", "without `{`"),
        ("on 500 { answer }\non 501 {".into(), "line 2, column 9", "the end of the text", "a step"),
        ("on 500 { answer } answer".into(), "line 1, column 19", "`answer`", "the end of the line"),
        ("on 500 {\nafter {\n}\nanswer\n}".into(), "line 4, column 1", "`answer`", "`after` is the last part"),
        ("phone 101 sings".into(), "line 1, column 11", "`sings`", "rings, answers, busy"),
        ("phone 101 never rings".into(), "line 1, column 17", "`rings`", "`answers`"),
        ("phone 101 answers after soon".into(), "line 1, column 25", "`soon`", "a time such as 500ms"),
        ("at 2 incoming 1 2".into(), "line 1, column 4", "`2`", "a time such as"),
        ("at 25h answer 1".into(), "line 1, column 4", "`25h`", "at most 24h"),
        ("at 99999999999999999999s answer 1".into(), "line 1, column 4", "`99999999999999999999s`", "a time"),
        ("at 2s ring 1".into(), "line 1, column 7", "`ring`", "incoming, answer, hangup"),
        ("at 2s incoming 1".into(), "line 1, column 17", "the end of the text", "a number"),
        ("at 2s caller sleeps".into(), "line 1, column 14", "`sleeps`", "`caller hangs up`"),
        ("at 2s answer 101 now".into(), "line 1, column 18", "`now`", "the end of the line"),
        ("at 2s dial 101".into(), "line 1, column 15", "the end of the text", "a number"),
        ("at 2s transfer 101 102 103".into(), "line 1, column 24", "`103`", "the end of the line"),
        ("at 2s conference 101".into(), "line 1, column 21", "the end of the text", "a number"),
        ("at 2s mode 101 loud".into(), "line 1, column 16", "`loud`", "monitor, help, conference"),
        ("at 2s keys 101 abc".into(), "line 1, column 16", "`abc`", "0 to 9, * and #"),
        ("at 2s keys 101 \"\"".into(), "line 1, column 16", "``", "0 to 9, * and #"),
        ("at 2s outside 79001112233 sleeps".into(), "line 1, column 27", "`sleeps`", "answers, holds, resumes"),
        ("at 2s outside 79001112233 hangs on".into(), "line 1, column 33", "`on`", "`hangs up`"),
        ("at 2s redirect 101".into(), "line 1, column 19", "the end of the text", "a number"),
        ("lines many".into(), "line 1, column 7", "`many`", "0 to 10000"),
        ("lines 10001".into(), "line 1, column 7", "`10001`", "0 to 10000"),
        ("speed 0".into(), "line 1, column 7", "`0`", "1 to 1000"),
        ("phone outside sings".into(), "line 1, column 15", "`sings`", "rings, answers, busy"),
        ("script 500 {\n}".into(), "line 1, column 8", "`500`", "a text in quotes"),
        ("script \"\" {\n}".into(), "line 1, column 8", "an empty text", "the title"),
        ("script \"a\" {\n}\nscript \"a\" {\n}".into(), "line 3, column 8", "a second scenario `a`", "line 1"),
        // Signs.
        ("on 500 ;".into(), "line 1, column 8", "`;`", "a word, a text in quotes"),
        ("on 500 \u{a0}".into(), "line 1, column 8", "the character U+00A0", "a word"),
        (within("say \"open"), "line 4, column 9", "a text without an end", "a closing `\"`"),
        (within(r#"say "a\q""#), "line 4, column 11", "`\\` before `q`", "one of"),
        (within(r#"say "a { b""#), "line 4, column 12", "`{`", "the sign itself is written \\{"),
        (within("say {caller"), "line 4, column 9", "`{caller`", "a value such as {caller}"),
        (within("say \\ hello"), "line 4, column 9", "`\\` inside a line", "the last sign"),
        // Steps.
        (within("dance"), "line 4, column 5", "`dance`", "a step (answer, ask"),
        (within("else { }"), "line 4, column 5", "`else`", "the line of the `}` before"),
        (within("if {caller} { after { } }"), "line 4, column 19", "`after`", "at the end of the scenario"),
        (within("answer now"), "line 4, column 12", "`now`", "the end of the line"),
        (within("ask"), "line 4, column 8", "the end of the line", "a word"),
        (within("ask M deadlin 5s"), "line 4, column 11", "`deadlin`", "for, deadline, late, fallback, as"),
        (within("ask M deadline 5s deadline 6s"), "line 4, column 23", "the same option again", "each option once"),
        (within("ask M a=1 a=2"), "line 4, column 15", "`a` a second time", "each name once"),
        (within("ask M a="), "line 4, column 13", "the end of the line", "a value such as {caller}"),
        (within("ask M a={caller}x"), "line 4, column 21", "`x`", "put in quotes"),
        (within("ask M as 1st"), "line 4, column 14", "`1st`", "a name: letters"),
        (within("ask M as caller"), "line 4, column 14", "`caller`", "belongs to the call"),
        (within("set client = 1"), "line 4, column 9", "`client`", "used for something else"),
        (within("set x 1"), "line 4, column 11", "`1`", "`=` and a value"),
        (within("form card 101"), "line 4, column 15", "`101`", "`for` and the user"),
        (within("await client2 5s"), "line 4, column 11", "`client2`", "before it (card, client)"),
        (within("await card"), "line 4, column 15", "the end of the line", "a time"),
        (within("ring 101 102"), "line 4, column 14", "`102`", "the end of the line"),
        (within("ring 101 for"), "line 4, column 17", "the end of the line", "a time"),
        (within("ring 101 { ring 102 }"), "line 4, column 16", "`ring`", "while two people talk"),
        (
            within("say {who}"),
            "line 4, column 9",
            "the value {who}",
            "a name that was given before (card, client, caller",
        ),
        (within("say \"{who}\""), "line 4, column 10", "the value {who}", "a name that was given before"),
        (within("say {caller.name}"), "line 4, column 9", "the value {caller.name}", "it has no fields"),
        (
            within("say {caller:error}"),
            "line 4, column 9",
            "the value {caller:error}",
            "only behind the name of an ask",
        ),
        (within("say {client:colour}"), "line 4, column 9", "the value {client:colour}", "outcome, error, by, comment"),
        (within("say {client.a:error}"), "line 4, column 9", "the value {client.a:error}", "not both"),
        (within("keys"), "line 4, column 9", "the end of the line", "a name"),
        (within("keys client"), "line 4, column 10", "`client`", "used for something else"),
        (within("keys k digits 33"), "line 4, column 19", "`33`", "1 to 32"),
        (within("keys k for 5s for 6s"), "line 4, column 19", "the same option again", "each option once"),
        (within("keys k wait"), "line 4, column 12", "`wait`", "digits, for or the end of the line"),
        (within("return"), "line 4, column 11", "the end of the line", "a word"),
        (within("ring 101 { return 1 }"), "line 4, column 16", "`return`", "while two people talk"),
        (within("set param1 = 1"), "line 4, column 9", "`param1`", "belongs to the call"),
        (within("say {param}"), "line 4, column 9", "the value {param}", "a name that was given before"),
        // Conditions.
        (within("if { }"), "line 4, column 8", "`{`", "a value such as"),
        (within("if yes client { }"), "line 4, column 8", "`yes`", "not, exists"),
        (within("if ok klient { }"), "line 4, column 11", "`klient`", "an ask or a form before it"),
        (within("if ok { }"), "line 4, column 11", "`{`", "a comparison"),
        (within("if ({caller} == 1 { }"), "line 4, column 23", "`{`", "`)`, `and` or `or`"),
        (within("if {caller} = 1 { }"), "line 4, column 17", "`=`", "`{` and a block"),
        (within("if {client.vip}{ }"), "", "", ""),
        // After the call.
        ("on 1 {\nafter {\nring 1\n}\n}".into(), "line 3, column 1", "`ring`", "when the call has ended"),
        ("on 1 {\nafter {\nhangup\n}\n}".into(), "line 3, column 1", "`hangup`", "when the call has ended"),
    ];
    for (source, place, found, expected) in cases {
        let read = parse(source);
        if place.is_empty() {
            assert!(read.is_ok(), "{source}: {read:?}");
            continue;
        }
        let wrong = read.err().unwrap_or_else(|| panic!("accepted: {source}"));
        assert_eq!(wrong.spot.to_string(), *place, "{source}\n{wrong}");
        assert_eq!(wrong.found, *found, "{source}\n{wrong}");
        assert!(wrong.expected.contains(expected), "{source}\n{wrong}\nshould hold: {expected}");
    }
}

#[test]
fn the_excerpt_points_at_the_place() {
    let wrong = parse("on 500 {\n\task Find deadlin 5s\n}").unwrap_err();
    assert_eq!(wrong.excerpt(), "  2 | \task Find deadlin 5s\n    | \t         ^");
    assert_eq!(
        wrong.to_string(),
        "line 2, column 11: found `deadlin`, expected `name=value`, for, deadline, late, fallback, as or the end of the line"
    );
}

#[test]
fn scripts_are_bounded() {
    let limits = Limits { text: 1000, nesting: 3, steps: 4, cues: 2 };
    let told = |source: &str| Script::parse(source, &limits).unwrap_err().to_string();
    assert!(told(&"#".repeat(1001)).contains("found a script of 1001 bytes, expected at most 1000 bytes"));
    assert!(told("on 1 {\nif {user} {\nif {user} {\nif {user} {").contains("at most 3 levels"));
    assert!(told("on 1 {\nif ((({user})))").contains("at most 3 levels"));
    assert!(told("on 1 {\nif not not not {user}").contains("at most 3 levels"));
    assert!(told(&format!("on 1 {{\n{}", "answer\n".repeat(5))).contains("at most 4 steps"));
    assert!(told(&"at 1s answer 1\n".repeat(3)).contains("at most 2 lines of timeline"));
}

#[test]
fn deep_nesting_ends_in_an_error_and_not_on_the_stack() {
    for open in ["if {user} {\n", "if (", "if not "] {
        let source = format!("on 1 {{\n{}", open.repeat(20_000));
        let limits = Limits { text: usize::MAX, ..Limits::default() };
        assert!(Script::parse(&source, &limits).is_err());
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(source in "\\PC{0,200}") {
        let _ = parse(&source).map_err(|e| (e.to_string(), e.excerpt()));
    }

    #[test]
    fn no_words_of_the_language_make_it_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "on", "500", "any", "{", "}", "\n", "ask", "M", "a=1", "as", "x", "form", "for", "101", "wait", "5s", "await", "ring",
        "everyone", ",", "queue", "say", "\"t {caller}\"", "set", "=", "{x.y}", "{caller}", "if", "else", "not", "(", ")",
        "and", "or", "ok", "==", "exists", "hangup", "after", "fallback", "deadline", "late", "phone", "at", "incoming",
        "answer", "caller", "hangs", "up", "script", "lines", "speed", "outside", "keys", "digits", "return", "close", "dial",
        "conference", "transfer", "redirect", "mode", "help", "presses", "#", "\\\n", "\"", "answers", "never", "talks",
    ]), 0..80)) {
        let source = words.join(" ");
        if let Err(wrong) = parse(&source) {
            prop_assert!(wrong.spot.line >= 1 && wrong.spot.column >= 1);
            prop_assert!(!wrong.found.is_empty() && !wrong.expected.is_empty());
            let _ = wrong.excerpt();
        }
    }
}
