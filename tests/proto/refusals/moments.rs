//! Two tabs of one person act at the same moment, before either has heard of the other: one wins, the other is told.

use ctigate_proto::message::Format;
use ctigate_proto::telephony::{Event, Refusal};

use crate::world::{HASH, Heard, P, World, both};

use super::orders;
use super::scene::Scene::{self, *};
use super::scene::{Office, PETROV};

struct Both {
    o: Office,
    second: P,
}

impl Both {
    fn in_scene(scene: Scene, format: Format) -> Self {
        let mut o = scene.office(format);
        let second = o.w.agent("ivanov", format);
        o.w.heard(o.tab);
        o.w.heard(second);
        o.w.pbx.clear();
        Self { o, second }
    }

    /// One says this, the other that; then the telephone system does the first and cannot do the second any more.
    fn say(&mut self, first: (&str, &str), second: (&str, &str)) -> [Heard; 2] {
        let tabs = [(self.o.tab, first), (self.second, second)];
        for (tab, (name, fields)) in tabs {
            let comma = if fields.is_empty() { "" } else { "," };
            let text = self.o.filled(&format!(r#"["{name}",{{"qid":"now"{comma}{fields}}}]"#));
            self.o.w.say(tab, &text);
        }
        for (n, (order, _)) in orders(&std::mem::take(&mut self.o.w.pbx)).into_iter().enumerate() {
            let result = if n == 0 { Ok(()) } else { Err(Refusal::WrongState) };
            self.o.w.phone(Event::Done { order, result });
        }
        tabs.map(|(tab, (name, _))| only(&mut self.o.w, tab, name))
    }
}

/// The one reply that a tab heard.
#[track_caller]
fn only(w: &mut World, tab: P, name: &str) -> Heard {
    let all: Vec<Heard> = w.heard(tab).into_iter().filter(|m| m.text("qid") == "now").collect();
    let [reply] = &all[..] else { panic!("{name}: {all:?}") };
    assert_eq!(reply.name(), format!("{name}result"));
    reply.clone()
}

#[test]
fn of_two_that_want_one_thing_one_gets_it_and_the_other_is_told() {
    let values = ("dlgcard_values", r#""cardid":"$card","values":{}"#);
    let confirm = |accept: &'static str| ("dlgcard_confirm", accept);
    let (yes, no) = (r#""cardid":"$card","accept":true"#, r#""cardid":"$card","accept":false"#);
    let remove = format!(r#""chatid":"$chat","memberid":"{PETROV}""#);
    let remove = ("chatremovemember", &*remove);
    let moments = [
        (Ring, ("pbxanswercall", ""), ("pbxanswercall", ""), 59006, "has changed meanwhile"),
        (Ring, ("pbxanswercall", ""), ("pbxdeclinecall", ""), 59006, "has changed meanwhile"),
        (
            Idle,
            ("pbxautocallstart", r#""number":"102""#),
            ("pbxautocallstart", r#""number":"103""#),
            59006,
            "has changed meanwhile",
        ),
        (Talk, ("pbxabortcall", ""), ("pbxmakeflash", ""), 59006, "has changed meanwhile"),
        (Talk, ("pbxmaketransfer", r#""transferto":"102""#), ("pbxabortcall", ""), 59006, "has changed meanwhile"),
        (Talk, ("buildconferencefromcommutation", ""), ("buildconferencefromcommutation", ""), 59006, ""),
        (Consult, ("pbxabortcall", ""), ("pbxmakeflash", r#""mode":"abort""#), 59006, ""),
        (Card, values, values, 59013, "by ivanov (tab of ivanov)"),
        (ConfirmCard, confirm(yes), confirm(no), 59013, "by ivanov"),
        (
            OneRule,
            ("deleteredirectrules", r#""ids":["rule-0"]"#),
            ("deleteredirectrules", r#""ids":["rule0"]"#),
            59014,
            "ids",
        ),
        (Chat, remove, remove, 59014, "memberid is no member"),
    ];
    both(|format| {
        for (scene, first, second, code, says) in moments {
            let mut at = Both::in_scene(scene, format);
            let [won, lost] = at.say(first, second);
            assert_eq!(won.int("result"), 1, "{scene:?}: {won:?}");
            lost.failed(code, says);
        }
    });
}

#[test]
fn of_two_states_the_last_counts_and_both_hear_of_both() {
    both(|format| {
        let mut at = Both::in_scene(Idle, format);
        let (tab, second) = (at.o.tab, at.second);
        at.o.w.say(tab, r#"["setuserstate",{"qid":"now","userstateid":2}]"#);
        at.o.w.say(second, r#"["setuserstate",{"qid":"now","userstateid":3}]"#);
        for tab in [tab, second] {
            let heard = at.o.w.heard(tab);
            let told: Vec<i64> =
                heard.iter().filter(|m| m.name() == "userstatechanged").map(|m| m.int("userstateid")).collect();
            assert_eq!(told, [2, 3]);
            assert_eq!(heard.iter().filter(|m| m.name() == "setuserstateresult").count(), 1);
        }
    });
}

#[test]
fn of_two_new_passwords_the_first_ends_the_other_tab() {
    both(|format| {
        let mut at = Both::in_scene(Idle, format);
        let (tab, second) = (at.o.tab, at.second);
        at.o.w.dumb = true;
        for (tab, new) in [(tab, "1"), (second, "2")] {
            let new = new.repeat(32);
            at.o.w.say(tab, &format!(r#"["changepassword",{{"qid":"now","oldpwdmd5":"{HASH}","newpwdmd5":"{new}"}}]"#));
        }
        at.o.w.release_fetches();
        assert_eq!(only(&mut at.o.w, tab, "changepassword").int("result"), 1);
        assert_eq!(at.o.w.closed(second).expect("its session has ended").code, 1000);
        assert_eq!(*at.o.w.archive.passwords["ivanov"], *"1".repeat(32));
    });
}
