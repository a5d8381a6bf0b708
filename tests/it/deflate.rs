//! Compression of messages over real sockets: what is agreed on, what goes and comes compressed, what is refused.

use ctigate::config::{Link, LinkMode};
use ctigate::proto::message::Format;

use crate::support::gateway::{Gateway, link};
use crate::support::http::ask;
use crate::support::peers::{Channel, FakeCrm, FakeTab, HASH, accept_of, switching};
use crate::support::server::Server;
use crate::support::ws::{Ws, masked, packed, request};
use crate::support::{Frame, Setup, until};

const OFFER: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
const JSON: (&str, &str) = ("Sec-WebSocket-Protocol", "json");
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

async fn gateway() -> Gateway {
    Setup::new().with(|config| config.web.deflate = true).start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_that_offer_it_get_it_and_others_do_not() {
    let gateway = gateway().await;
    let long = format!("permessage-deflate; x={}, permessage-deflate", "y".repeat(8000));
    for (offers, answer) in [
        (vec![OFFER.1], Some(AGREED.to_owned())),
        (vec!["x, permessage-deflate"], Some(AGREED.to_owned())),
        (vec!["x; y=\"z\"", "permessage-deflate; unknown", "permessage-deflate"], Some(AGREED.to_owned())),
        (vec!["permessage-deflate; server_max_window_bits=10"], Some(format!("{AGREED}; server_max_window_bits=10"))),
        (vec![&*long], Some(AGREED.to_owned())),
        (vec![], None),
        (vec![""], None),
        (vec!["x-webkit-deflate-frame"], None),
        (vec!["permessage-deflate; server_max_window_bits=7"], None),
        (vec!["permessage-deflate; client_max_window_bits=16"], None),
        (vec!["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], None),
        (vec!["permessage-deflate; client_no_context_takeover=1"], None),
        (vec!["permessage-deflate;"], None),
        (vec!["permessage-deflate\u{e9}"], None),
    ] {
        let headers: Vec<_> = offers.iter().map(|offer| ("Sec-WebSocket-Extensions", *offer)).collect();
        let (head, io) = ask(gateway.web, request("/", &headers)).await;
        assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, answer.as_deref()), "{offers:?}");
        if answer.is_none() {
            let mut ws = Ws::over(io, head.rest, true);
            ws.raw(&masked(0xc1, &packed(b"[]"))).await;
            assert_eq!(ws.closed().await.0, 1002, "what was not agreed on is no frame");
        }
    }
}

/// Logs in over a channel with compression, by a compressed message.
async fn log_in(gateway: &Gateway) -> Channel {
    let ws = Ws::connect(gateway.web, &[JSON, OFFER]).await;
    let mut tab = Channel::new(ws, Format::Json);
    tab.ws.packed_text(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    let reply = tab.hear_named("loginresult").await;
    assert_eq!(reply.body.int("result"), Some(1));
    tab
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_and_come_compressed_each_for_itself() {
    let gateway = gateway().await;
    let mut tabs = [log_in(&gateway).await, log_in(&gateway).await];
    let mut other = FakeTab::login(gateway.web, Format::Json, "petrov").await;
    for tab in &mut tabs {
        tab.ws.packed.clear();
    }
    let text = "the same words again and again, ".repeat(100);
    for _ in 0..2 {
        other.0.say(&format!(r#"["triggercustomevent",{{"qid":1,"eventname":"e","eventparam":"{text}"}}]"#)).await;
        assert_eq!(other.0.hear_named("triggercustomeventresult").await.body.int("result"), Some(1));
        for tab in &mut tabs {
            let heard = tab.hear_named("customevent").await;
            assert_eq!(heard.body.text("eventparam").as_deref(), Some(&*text));
        }
    }
    let [first, second] = &tabs;
    assert_eq!(first.ws.packed.len(), 2, "the long ones");
    assert_eq!(first.ws.packed, second.ws.packed);
    assert!(first.ws.packed.iter().all(|packed| packed.len() < 400), "they shrink");
    // Several in one write, whole and in parts, beside one that is not compressed; a ping inside.
    let mut burst = masked(0xc1, &packed(br#"["ping",{"qid":1}]"#));
    burst.extend(masked(0x81, br#"["ping",{"qid":2}]"#));
    let third = packed(br#"["ping",{"qid":3}]"#);
    burst.extend(masked(0x41, &third[..5]));
    burst.extend(masked(0x89, b"?"));
    burst.extend(masked(0x80, &third[5..]));
    burst.extend(masked(0xc1, &packed(br#"["ping",{"qid":4}]"#)));
    let [mut tab, _] = tabs;
    tab.ws.raw(&burst).await;
    for qid in 1..=4 {
        assert_eq!(tab.hear_named("pong").await.body.int("qid"), Some(qid));
    }
    // Byte for byte.
    for byte in masked(0xc1, &packed(br#"["ping",{"qid":5}]"#)) {
        tab.ws.raw(&[byte]).await;
    }
    assert_eq!(tab.hear_named("pong").await.body.int("qid"), Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_too_small_for_us_gets_messages_as_they_are() {
    let gateway = gateway().await;
    let offer = ("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=8");
    let mut tab = Channel::new(Ws::connect(gateway.web, &[JSON, offer]).await, Format::Json);
    tab.ws.packed_text(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    assert_eq!(tab.hear_named("loginresult").await.body.int("result"), Some(1));
    let text = "the same words again and again, ".repeat(100);
    tab.say(&format!(r#"["triggercustomevent",{{"qid":1,"eventname":"e","eventparam":"{text}","sendback":1}}]"#)).await;
    tab.hear_named("customevent").await;
    assert!(tab.ws.packed.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_and_broken_data_are_refused_before_a_login_too() {
    let gateway = gateway().await;
    let bomb = packed(&vec![b' '; 30 << 20]);
    assert!(bomb.len() < 40_000);
    let mut cut = packed(br#"["ping",{"qid":1}]"#);
    cut.truncate(8);
    let second = packed(&[b'x'; 600]);
    for (what, bytes, code) in [
        ("a bomb", masked(0xc1, &bomb), 1009),
        ("a bomb in parts", [masked(0x41, &bomb[..9000]), masked(0x80, &bomb[9000..])].concat(), 1009),
        ("cut off", masked(0xc1, &cut), 1007),
        ("no DEFLATE", masked(0xc1, &[0xff; 20]), 1007),
        ("no UTF-8", masked(0xc1, &packed(&[0xff; 20])), 1007),
        (
            "no UTF-8 in parts",
            [masked(0x41, &packed(&[0xff; 20])[..3]), masked(0x80, &packed(&[0xff; 20])[3..])].concat(),
            1007,
        ),
        ("the bit on a continuation", [masked(0x41, &second[..4]), masked(0xc0, &second[4..])].concat(), 1002),
        ("the bit on a ping", masked(0xc9, b""), 1002),
        ("another bit", masked(0xa1, b"[]"), 1002),
        ("binary", masked(0xc2, &packed(b"[]")), 1003),
    ] {
        let mut ws = Ws::connect(gateway.web, &[JSON, OFFER]).await;
        ws.raw(&bytes).await;
        assert_eq!(ws.closed().await.0, code, "{what}");
    }
    until("nobody is left", || gateway.transport.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_has_it_only_where_it_is_set() {
    let accepting = |name: &str, deflate| Link { deflate, ..link(name, LinkMode::AcceptWs) };
    let gateway = Setup::new().link(accepting("with", true)).link(accepting("without", false)).start().await;
    for (name, agreed) in [("with", Some(AGREED)), ("without", None)] {
        let (head, io) = ask(gateway.link(name), request("/", &[JSON, OFFER])).await;
        assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, agreed), "{name}");
        let mut crm = FakeCrm(Channel::new(Ws::over(io, head.rest, true), Format::Json));
        crm.introduce_bare().await;
        gateway.link_state(name, "up").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialed_link_offers_it_and_holds_the_crm_to_its_answer() {
    let offered = "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits";
    let server = Server::new().await;
    let gateway = Setup::new().link(Link { deflate: true, ..server.link(Format::Json) }).start().await;
    let answer =
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=9\r\n\r\n";
    let (ws, request) = Ws::accept(server.accept().await, |request| {
        let head = switching(request, Some(Format::Json));
        format!("{}{answer}", head.trim_end_matches("\r\n").to_owned() + "\r\n")
    })
    .await;
    assert_eq!(request.header("sec-websocket-extensions"), Some(offered));
    let mut crm = FakeCrm(Channel::new(ws, Format::Json));
    let asked = crm.0.hear_named("whoareyou").await;
    let qid = asked.body.text("qid").unwrap();
    crm.0.ws.packed_text(&format!(r#"["iam",{{"qid":"{qid}","type":"t","name":"n","version":"1"}}]"#)).await;
    crm.0.hear_named("getavailablemethods").await;
    drop((crm, gateway));

    for (extensions, wrong) in [
        ("permessage-deflate", "lacks server_no_context_takeover"),
        ("permessage-deflate; server_no_context_takeover; level=9", "has a wrong parameter"),
        ("permessage-bzip2", "names an extension that we did not offer"),
    ] {
        let server = Server::new().await;
        let gateway = Setup::new().link(Link { deflate: true, ..server.link(Format::Json) }).start().await;
        let (_io, _) = server
            .answer(|request| {
                let accept = accept_of(request.header("sec-websocket-key").unwrap());
                format!(
                    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: {extensions}\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )
            })
            .await;
        let view = gateway.link_state("crm", "retrying").await;
        assert!(view.detail.contains(wrong), "{view:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_agree_still_speaks_as_ever() {
    let gateway = gateway().await;
    let mut tab = FakeTab::login(gateway.web, Format::Xml, "ivanov").await;
    tab.ping().await;
    assert!(tab.0.ws.packed.is_empty());
    let mut ws = Ws::connect(gateway.web, &[JSON, OFFER]).await;
    ws.text(r#"["ping",{"qid":1}]"#).await;
    assert_eq!(ws.next_data().await, Frame::Text(r#"["pong",{"qid":1}]"#.to_owned()));
}
