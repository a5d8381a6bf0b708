//! The rules of messages, and the settings that change them, as a peer at a socket meets them.

use ctigate::proto::message::Format;

use crate::support::gateway::link;
use crate::support::http::ask;
use crate::support::peers::json;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, Setup, tls};
use ctigate::config::LinkMode;

const FORMATS: [Format; 2] = [Format::Json, Format::Xml];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tls_is_required_a_plain_tab_is_sent_there() {
    let pair = tls::Pair::new();
    let gateway = Setup::new().tls(&pair).with(|c| c.web.require_tls = true).start().await;
    for format in FORMATS {
        let mut plain = FakeTab::connect(gateway.web, format).await;
        plain.0.say(r#"["login",{"qid":"l","userlogin":"ivanov","Password":"x"}]"#).await;
        let sent = plain.0.hear().await;
        assert_eq!((&*sent.name, sent.body.text("qid").as_deref()), ("websocketredirect", Some("l")));
        let (io, _) = tls::connect(gateway.web_tls.unwrap()).await;
        FakeTab::over(io, format).await.log_in("ivanov").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_answered_and_the_twentieth_time_is_the_last() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    let wrong =
        ["", "{", "[1,2]", "<message", r#"["a",{"b":}]"#, "[\"a\",{},3]", "<!DOCTYPE a><message name=\"a\"/>", "null"];
    for format in FORMATS {
        let mut neighbour = FakeTab::login(gateway.web, format, "petrov").await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        let mut crm = FakeCrm::connect(gateway.link("crm"), format).await;
        crm.introduce_bare().await;
        for channel in [&mut tab.0, &mut crm.0] {
            for n in 0..19 {
                channel.ws.text(wrong[n % wrong.len()]).await;
                let told = channel.hear_named("error").await;
                assert_eq!(told.body.int("error"), Some(59002), "{}", json(&told));
                assert!(told.body.text("errormsg").unwrap().len() > 10, "says what was expected: {}", json(&told));
            }
            channel.say(r#"["ping",{"qid":"alive"}]"#).await;
            channel.hear_named("pong").await;
            channel.ws.text(wrong[0]).await;
            assert_eq!(channel.closed().await.0, 1008);
        }
        neighbour.ping().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_and_qid_have_their_bounds() {
    let gateway = Setup::new().start().await;
    for format in FORMATS {
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        // The object of the parameters is the first level.
        let nested =
            |depth: usize| format!(r#"["ping",{{"qid":1,"a":{}{}}}]"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        tab.0.say(&nested(64)).await;
        tab.0.hear_named("pong").await;
        if format == Format::Json {
            for depth in [65, 10_000] {
                tab.0.ws.text(&nested(depth)).await;
                assert_eq!(tab.0.hear_named("error").await.body.int("error"), Some(59002), "{depth}");
            }
        }
        let longest = "q".repeat(254);
        tab.0.say(&format!(r#"["ping",{{"qid":"{longest}"}}]"#)).await;
        assert_eq!(tab.0.hear_named("pong").await.body.text("qid").as_deref(), Some(longest.as_str()));
        tab.0
            .ws
            .text(&match format {
                Format::Json => format!(r#"["ping",{{"qid":"{}"}}]"#, "q".repeat(300)),
                Format::Xml => {
                    format!(r#"<message name="ping"><param name="qid">{}</param></message>"#, "q".repeat(300))
                }
            })
            .await;
        let told = tab.0.hear().await;
        assert_eq!((told.body.int("error"), told.body.value("qid")), (Some(59002), None), "{}", json(&told));
        tab.ping().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_that_says_too_much_at_once_is_told() {
    let slow = |c: &mut ctigate::config::Config| (c.limits.tab_rate, c.limits.tab_burst) = (1, 5);
    let gateway = Setup::new().with(slow).start().await;
    for format in FORMATS {
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        for _ in 0..10 {
            tab.0.say(r#"["ping",{"qid":"p"}]"#).await;
        }
        let mut refused = 0;
        for _ in 0..10 {
            let heard = tab.0.hear().await;
            match heard.body.int("error") {
                Some(59012) => refused += 1,
                None => assert_eq!(heard.name, "pong"),
                other => panic!("{other:?}"),
            }
        }
        assert!((4..=9).contains(&refused), "{refused} of ten");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_allowed_origins_connect_and_others_learn_the_key() {
    let allow = |c: &mut ctigate::config::Config| c.web.allowed_origins = vec!["https://crm.example".to_owned()];
    let gateway = Setup::new().with(allow).start().await;
    for (origin, status) in [
        ("https://crm.example", 101),
        ("http://127.0.0.1:9999", 101),
        ("https://crm.example.evil.example", 403),
        ("https://evil.example/crm.example", 403),
        ("null", 403),
    ] {
        let (answer, _io) = ask(gateway.web, request("/", &[("Origin", origin)])).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
        assert!(status == 101 || answer.body.contains("allowed_origins"), "{answer:?}");
    }
}
