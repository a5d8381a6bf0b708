//! Messages that are too many, too large or not to be read. `proto-spec/message.md`, `proto-spec/multipart.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::codec::{self, multipart};
use ctigate_proto::dialog::{self, Role};
use ctigate_proto::message::{Format, Text, Value};

use crate::world::{World, both};

#[test]
fn what_cannot_be_read_is_answered_and_the_connection_lives() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    for (bad, says) in [
        ("{", "expected"),
        (r#"["x"]"#, "expected"),
        (r#"["x",null]"#, "expected"),
        (r#"["x",{"qid":"1","qid":"2"}]"#, "qid"),
        (r#"["x",{"a":"\ud800"}]"#, "surrogate"),
    ] {
        w.say_raw(tab, bad);
        let error = w.expect(tab, "error");
        error.failed(59002, "byte");
        error.failed(59002, says);
    }
    w.say(tab, r#"["ping",{"qid":"1"}]"#);
    w.expect(tab, "pong");
}

#[test]
fn the_twentieth_unreadable_message_in_a_minute_closes() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    for _ in 0..19 {
        w.say_raw(tab, "rubbish");
    }
    assert!(w.closed(tab).is_none());
    w.pass(Duration::from_secs(59));
    w.say_raw(tab, "rubbish");
    assert_eq!(w.closed(tab).map(|r| r.code), Some(1008));

    let tab = w.agent("ivanov", Format::Json);
    for _ in 0..5 {
        for _ in 0..19 {
            w.say_raw(tab, "rubbish");
        }
        w.pass_alive(Duration::from_secs(60));
    }
    assert!(w.closed(tab).is_none(), "nineteen a minute are borne");
}

#[test]
fn a_message_over_the_limit_closes_with_1009_and_guests_have_less_room() {
    let mut w = World::new();
    let guest = w.tab(Format::Json);
    let big = format!(r#"["ping",{{"x":"{}"}}]"#, "a".repeat(70_000));
    w.say_raw(guest, &big);
    assert_eq!(w.closed(guest).map(|r| r.code), Some(1009));
    let tab = w.agent("ivanov", Format::Json);
    w.say_raw(tab, &big);
    w.expect(tab, "pong");
    w.say_raw(tab, &format!(r#"["ping",{{"x":"{}"}}]"#, "a".repeat(1 << 20)));
    assert_eq!(w.closed(tab).map(|r| r.code), Some(1009));
}

#[test]
fn more_than_four_hundred_messages_at_once_are_refused_one_by_one() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.pass(Duration::from_secs(10));
    for n in 0..401 {
        w.say(tab, &format!(r#"["ping",{{"qid":"{n}"}}]"#));
    }
    let heard = w.heard(tab);
    assert_eq!(heard.iter().filter(|m| m.name() == "pong" && !m.has("error")).count(), 400);
    heard.last().expect("the last").failed(59012, "");
    w.pass(Duration::from_secs(1));
    w.say(tab, r#"["ping",{"qid":"again"}]"#);
    w.expect(tab, "pong");
}

#[test]
fn a_channel_without_a_format_is_closed_at_its_first_message() {
    let mut dialog = dialog::Dialog::new(Time::ZERO, Role::Tab, None, dialog::Settings::tab());
    assert!(dialog.poll_output().is_none());
    dialog.handle_text(Time::ZERO, &Text::from_static(r#"["ping",{}]"#));
    match dialog.poll_output() {
        Some(dialog::Output::Close(reason)) => {
            assert_eq!((reason.code, &*reason.text), (1008, "sub-protocol must contain json or xml"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_tls_is_required_the_first_frame_is_answered_by_a_redirect() {
    let mut w = World::new();
    let settings = dialog::Settings { redirect: true, ..dialog::Settings::tab() };
    let tab = w.connect(Role::Tab, Format::Json, settings, false);
    w.say(tab, r#"["ping",{"qid":"0.73"}]"#);
    let heard = w.heard(tab);
    assert_eq!((heard[0].name(), heard[0].text("qid")), ("websocketredirect", "0.73".into()));
    assert_eq!(heard.len(), 1, "no pong");
}

#[test]
fn a_multipart_message_counts_as_the_message_it_holds() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let long = "Привет, мир! ".repeat(2000);
        let inner = codec::decode(
            Format::Json,
            &Text::from(format!(r#"["ping",{{"qid":"7","x":"{long}"}}]"#)),
            &codec::Limits::default(),
        )
        .expect("right");
        let whole = codec::encode(&inner, format);
        let packets = multipart::split(&whole, format, &Text::from_static("m1"), 2048);
        assert!(packets.len() > 10);
        for packet in packets.iter().rev() {
            w.heard(crm);
            w.say_raw(crm, &codec::encode(packet, format));
        }
        assert_eq!(w.expect(crm, "pong").text("x"), long);
    });
}

#[test]
fn an_incomplete_multipart_set_is_dropped_after_a_minute() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let packet = |n: u32| {
        format!(
            r#"["multipart",{{"message-id":"m","packetcount":2,"packetnumber":{n},"content":"{}"}}]"#,
            if n == 0 { "WyJwaW5nIix7InFp" } else { "ZCI6IjEifV0=" }
        )
    };
    w.say(crm, &packet(0));
    w.pass_alive(Duration::from_secs(61));
    w.heard(crm);
    w.say(crm, &packet(1));
    w.expect_no(crm, "pong");
    w.pass_alive(Duration::from_secs(61));
    w.say(crm, &packet(0));
    w.say(crm, &packet(1));
    assert_eq!(w.expect(crm, "pong").text("qid"), "1");
}

#[test]
fn guests_may_not_send_multipart() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.say(tab, r#"["multipart",{"qid":"1","message-id":"m","packetcount":1,"packetnumber":0,"content":""}]"#);
    w.expect(tab, "multipartresult").failed(59003, "before the login");
}

#[test]
fn a_long_reply_to_a_link_goes_as_multipart_and_an_event_to_a_browser_never() {
    let mut w = World::new();
    let settings = dialog::Settings { multipart_threshold: 2048, ..dialog::Settings::link() };
    let role = Role::Link(ctigate_proto::auth::Identity::link("crm", ctigate_proto::auth::Proof::open_listener()));
    let crm = w.connect(role, Format::Json, settings, false);
    w.introduce(crm);
    w.tunnel_login(crm, "ivanov", "");
    let petrov = w.agent("petrov", Format::Json);
    let long = "x".repeat(300_000);
    w.say(petrov, &format!(r#"["triggercustomevent",{{"qid":"1","eventname":"n","eventparam":"{long}"}}]"#));
    let packets = w.heard(crm);
    assert!(packets.iter().filter(|m| m.name() == "multipart").count() > 100, "a link takes events in packets too");
    let mut settings = dialog::Settings::tab();
    settings.multipart_threshold = 2048;
    let tab = w.connect(Role::Tab, Format::Json, settings, false);
    w.say(tab, &format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{}"}}]"#, crate::world::HASH));
    w.heard(tab);
    w.say(petrov, &format!(r#"["triggercustomevent",{{"qid":"1","eventname":"n","eventparam":"{long}"}}]"#));
    assert_eq!(w.expect(tab, "customevent").text("eventparam").len(), long.len());
}

#[test]
fn a_binary_message_closes_with_1003() {
    let mut dialog = dialog::Dialog::new(Time::ZERO, Role::Tab, Some(Format::Json), dialog::Settings::tab());
    dialog.handle_binary(Time::ZERO);
    assert!(matches!(dialog.poll_output(), Some(dialog::Output::Close(reason)) if reason.code == 1003));
}

#[test]
fn a_ping_of_the_websocket_goes_out_every_twenty_seconds() {
    let patient = dialog::Settings { opening: Duration::from_secs(600), ..dialog::Settings::tab() };
    let mut dialog = dialog::Dialog::new(Time::ZERO, Role::Tab, Some(Format::Json), patient);
    let mut pings = Vec::new();
    for second in 1..=65 {
        let now = Time::from_millis(second * 1000);
        dialog.handle_alive(now);
        dialog.handle_timeout(now);
        pings.extend(std::iter::from_fn(|| dialog.poll_output()).map(|o| (second, matches!(o, dialog::Output::Ping))));
    }
    assert_eq!(pings, [(20, true), (40, true), (60, true)]);
}

#[test]
fn the_pings_of_peers_that_came_at_about_the_same_time_go_at_once_and_never_late() {
    let every = dialog::Settings::tab().ping_every;
    let mut moments = BTreeSet::new();
    for came in (0..2000).map(Time::from_millis) {
        let settings = dialog::Settings { opening: Duration::from_secs(600), ..dialog::Settings::tab() };
        let dialog = dialog::Dialog::new(came, Role::Tab, Some(Format::Json), settings);
        let due = dialog.poll_timeout().expect("a ping");
        assert!(due.since(came) <= every && due.since(came) > every - every / 100, "{due:?} for {came:?}");
        moments.insert(due);
    }
    assert!(moments.len() <= 14, "two seconds of peers in {} moments", moments.len());
}

#[test]
fn a_ping_is_answered_while_a_login_is_checked_and_nothing_else_is() {
    let mut dialog = dialog::Dialog::new(Time::ZERO, Role::Tab, Some(Format::Json), dialog::Settings::tab());
    let mut say = |text: &'static str| {
        dialog.handle_text(Time::ZERO, &Text::from_static(text));
        std::iter::from_fn(|| dialog.poll_output()).collect::<Vec<_>>()
    };
    assert!(matches!(say(r#"["login",{"userlogin":"a","Password":"b"}]"#)[..], [dialog::Output::Authenticate(_)]));
    assert!(matches!(&say(r#"["ping",{"qid":1}]"#)[..], [dialog::Output::Transmit(t)] if t == r#"["pong",{"qid":1}]"#));
    assert!(matches!(&say(r#"["getuserstate",{"qid":1}]"#)[..], [dialog::Output::Transmit(t)] if t.contains("59003")));
    let wrong = say(r#"["login",{"userlogin":"a","Password":"b"}]"#);
    assert!(matches!(&wrong[..], [dialog::Output::Transmit(t)] if t.contains("59003")), "one login at a time");
}

#[test]
fn a_login_with_a_parameter_of_another_type_is_refused_by_its_name() {
    both(|format| {
        let mut w = World::new();
        let tab = w.tab(format);
        w.say(tab, r#"["login",{"qid":1,"userlogin":"ivanov","Password":{"a":"b"}}]"#);
        w.expect(tab, "loginresult").failed(59002, "Password: found object");
        w.say(tab, r#"["login",{"qid":1,"userlogin":"ivanov","sessionid":"x","expires":"soon"}]"#);
        w.expect(tab, "loginresult").failed(59002, "expires: found string, expected int");
        w.say(tab, r#"["login",{"qid":1,"Password":"x"}]"#);
        w.expect(tab, "loginresult").failed(59002, "userlogin");
    });
}

#[test]
fn long_replies_go_in_packets_a_pong_like_any_other() {
    both(|format| {
        let whole = |packets: &[crate::world::Heard]| {
            let limits = multipart::SetLimits::default();
            let mut inbox = multipart::Assembler::new(limits);
            let parts: Vec<_> = packets
                .iter()
                .filter(|m| m.name() == "multipart")
                .filter_map(|m| inbox.accept(Time::ZERO, &m.0.body).expect("a packet"))
                .collect();
            let ids: BTreeSet<_> = packets.iter().map(|m| m.text("message-id")).collect();
            assert_eq!((parts.len(), ids.len()), (2, 2), "each set has an id of its own");
            codec::decode(format, &parts[0], &codec::Limits::default()).expect("a message")
        };
        let text = "ж\u{1}".repeat(80_000);
        let ping = codec::encode_value(&Value::from(text.clone()));
        let ping = format!(r#"["ping",{{"qid":"p","x":{ping}}}]"#);
        let mut w = World::new();
        let (crm, tab) = (w.introduced("crm", format), w.agent("ivanov", format));
        for door in [crm, tab] {
            w.heard(door);
            w.say(door, &ping);
            w.say(door, &ping);
            let heard = w.heard(door);
            assert!(heard.iter().all(|m| m.name() == "multipart"), "{}", heard[0].name());
            let pong = whole(&heard);
            assert_eq!((&*pong.name, pong.body.text("x").as_deref()), ("pong", Some(&*text)));
        }
        let short = r#"["ping",{"x":"x"}]"#;
        w.say(tab, short);
        w.expect(tab, "pong");
    });
}
