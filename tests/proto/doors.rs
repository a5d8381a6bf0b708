//! The same rules by whichever door a message comes: a direct tab, a tunnelled one, the CRM itself, a CRM that posts.
//! `proto-spec/message.md`.

use std::time::Duration;

use ctigate_proto::codec;
use ctigate_proto::message::Format;

use crate::world::{HASH, Heard, P, World, both};

/// Tells a story at each door, in both formats: with the peer, and the fields that say for whom it speaks.
fn each_door(story: impl Fn(&mut World, P, Format, &str)) {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let tab = w.agent("ivanov", format);
        let post = w.visitor("crm", format);
        for (door, who) in [
            (tab, ""),
            (crm, r#""userlogin":"ivanov","tabid":"t1","#),
            (crm, ""),
            (post, r#""userlogin":"","userid":"","#),
            (post, r#""userlogin":"ivanov","#),
        ] {
            // Unreadable messages of the story before are forgotten.
            w.pass_alive(Duration::from_secs(61));
            w.heard(door);
            story(&mut w, door, format, who);
        }
    });
}

fn version(w: &mut World, door: P, fields: &str) -> Heard {
    w.say(door, &format!(r#"["getversion",{{{fields}}}]"#));
    w.expect(door, "getversionresult")
}

/// A text that cannot be read: answered by `error`, without a qid.
fn unreadable(w: &mut World, door: P, text: &str, says: &str) {
    w.say_raw(door, text);
    let error = w.expect(door, "error");
    error.failed(59002, says);
    assert!(!error.has("qid"), "{error:?}");
}

#[test]
fn any_json_value_is_a_qid_and_comes_back_as_it_was_written() {
    each_door(|w, door, _, who| {
        let kinds =
            [r#""0.30""#, "1.50", "-0", "12345678901234567890123", "null", "true", "[1,{\"a\":2.0}]", "{}", r#""""#];
        for qid in kinds {
            assert_eq!(version(w, door, &format!(r#"{who}"qid":{qid}"#)).json("qid"), qid);
        }
        let reply = version(w, door, &format!(r#"{who}"x":1"#));
        assert!(!reply.has("qid"), "none came, none goes: {reply:?}");
    });
}

#[test]
fn a_qid_of_more_than_256_bytes_is_refused() {
    each_door(|w, door, format, who| {
        let longest = format!("\"{}\"", "ж".repeat(127));
        assert_eq!(longest.len(), 256);
        assert_eq!(version(w, door, &format!(r#"{who}"qid":{longest}"#)).json("qid"), longest);
        let text = "x".repeat(255);
        let long = match format {
            Format::Json => format!(r#"["getversion",{{{who}"qid":"{text}"}}]"#),
            Format::Xml => format!(r#"<message name="getversion"><param name="qid">{text}</param></message>"#),
        };
        unreadable(w, door, &long, "qid");
    });
}

#[test]
fn names_that_say_who_and_what_stand_once() {
    each_door(|w, door, format, _| {
        for name in ["qid", "userid", "userlogin", "tabid", "executionid", "formid", "name", "sessionid"] {
            let text = match format {
                Format::Json => format!(r#"["getversion",{{"{name}":"","x":1,"{name}":""}}]"#),
                Format::Xml => format!(
                    r#"<message name="getversion"><param name="{name}"/><param name="x"/><param name="{name}"/></message>"#
                ),
            };
            unreadable(w, door, &text, name);
        }
        let disguised = match format {
            Format::Json => r#"["getversion",{"qid":1,"\u0071id":1}]"#,
            Format::Xml => r#"<message name="getversion"><param name="qid"/><param name64="cWlk"/></message>"#,
        };
        unreadable(w, door, disguised, "qid");
    });
}

#[test]
fn of_any_other_name_the_last_value_counts_at_the_place_of_the_first() {
    each_door(|w, door, format, who| {
        let hears = w.agent("petrov", format);
        let text = match format {
            Format::Json => format!(
                r#"["triggercustomevent",{{{who}"eventname":"first","eventparam":{{"a":1,"b":[{{"c":1,"c":2}}],"a":3}},"eventname":"last"}}]"#
            ),
            Format::Xml => {
                let plain = |(name, value): (&str, &str)| format!(r#"<param name="{name}">{value}</param>"#);
                let who: String =
                    [("userlogin", "ivanov")].into_iter().filter(|_| who.contains("ivanov")).map(plain).collect();
                format!(
                    r#"<message name="triggercustomevent">{who}<param name="eventname">first</param><param name="eventparam" type="object"><param name="a" type="int">1</param><param name="b" type="array"><item type="object"><param name="c" type="int">1</param><param name="c" type="int">2</param></item></param><param name="a" type="int">3</param></param><param name="eventname">last</param></message>"#
                )
            }
        };
        w.say_raw(door, &text);
        let event = w.expect(hears, "customevent");
        assert_eq!(event.text("eventname"), "last");
        // As it left, not as a reader would mend it.
        let written = codec::encode(&event.0, format);
        let anew = match format {
            Format::Json => r#""eventparam":{"a":3,"b":[{"c":2}]}"#,
            Format::Xml => {
                r#"<param name="a" type="int">3</param><param name="b" type="array"><item type="object"><param name="c" type="int">2</param></item></param>"#
            }
        };
        assert!(written.contains(anew), "{written}");
        w.cut(hears);
    });
}

#[test]
fn unknown_parameters_are_ignored_and_case_matters_in_every_name() {
    each_door(|w, door, _, who| {
        let fields = r#""QID":7,"Qid":{},"UserLogin":"petrov","USERID":[],"TabId":{"a":1},"whatever":[1,null]"#;
        let reply = version(w, door, &format!(r#"{who}{fields},"qid":1"#));
        assert_eq!((reply.int("qid"), reply.int("result")), (1, 1));
        w.say(door, &format!(r#"["GetVersion",{{{who}"qid":2}}]"#));
        w.expect(door, "GetVersionresult").failed(59001, "GetVersion");
    });
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"qid":1,"userlogin":"ivanov","PassWord":"{HASH}"}}]"#));
    w.expect(tab, "loginresult");
    w.say(tab, &format!(r#"["login",{{"qid":1,"userlogin":"ivanov","password":"{HASH}"}}]"#));
    assert_eq!(w.expect(tab, "loginresult").int("result"), 0, "the hash of the lower-cased password is another field");
    w.say(tab, &format!(r#"["login",{{"qid":1,"userlogin":"ivanov","password":"0","Password":"{HASH}"}}]"#));
    assert_eq!(w.expect(tab, "loginresult").int("result"), 1);
}

#[test]
fn scalars_are_read_loosely_and_what_does_not_fit_is_named_without_its_value() {
    each_door(|w, door, _, who| {
        for loose in ["1", r#""1""#, "true", "null", r#""0""#] {
            assert_eq!(version(w, door, &format!(r#"{who}"showalloweddbstoredprocs":{loose}"#)).int("result"), 1);
        }
        for (wrong, found) in [(r#""secret""#, "string"), ("{}", "object"), ("[1]", "array")] {
            let reply = version(w, door, &format!(r#"{who}"qid":1,"showalloweddbstoredprocs":{wrong}"#));
            reply.failed(59002, &format!("showalloweddbstoredprocs: found {found}, expected int"));
            assert!(!reply.text("errormsg").contains("secret"));
        }
        w.say(door, &format!(r#"["triggercustomevent",{{{who}"qid":1,"eventname":"n","recipients":{{}}}}]"#));
        w.expect(door, "triggercustomeventresult")
            .failed(59002, "recipients: found object, expected string[] or false");
        w.say(door, &format!(r#"["triggercustomevent",{{{who}"qid":1}}]"#));
        w.expect(door, "triggercustomeventresult").failed(59002, "eventname: found nothing, expected string");
    });
}

#[test]
fn common_parameters_of_another_type_are_refused_and_not_taken_for_absent() {
    each_door(|w, door, _, _| {
        for field in ["userlogin", "userid", "tabid"] {
            let reply = version(w, door, &format!(r#""qid":1,"{field}":{{"a":"ivanov"}}"#));
            reply.failed(59002, &format!("{field}: found object, expected string"));
        }
    });
}

#[test]
fn a_tabid_has_at_most_64_bytes_and_a_longer_one_is_not_repeated() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let post = w.visitor("crm", format);
        for door in [crm, post] {
            for who in [r#""userlogin":"ivanov","#, ""] {
                let longest = "ж".repeat(32);
                let reply = version(&mut w, door, &format!(r#"{who}"tabid":"{longest}""#));
                assert_eq!((reply.int("result"), reply.text("tabid")), (1, longest));
                assert_eq!(version(&mut w, door, &format!(r#"{who}"tabid":7"#)).json("tabid"), r#""7""#);
                let reply = version(&mut w, door, &format!(r#"{who}"qid":1,"tabid":"{}x""#, "ж".repeat(32)));
                reply.failed(59002, "tabid: found 65 bytes, expected at most 64");
                assert!(!reply.has("tabid"));
            }
            w.say(
                door,
                &format!(r#"["login",{{"userlogin":"petrov","Password":"{HASH}","tabid":"{}"}}]"#, "x".repeat(65)),
            );
            w.expect(door, "loginresult").failed(59002, "tabid");
        }
        assert_eq!(w.hub.snapshot().users[1].tabs.len(), 0);
    });
}
