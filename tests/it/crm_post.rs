//! CRMs that can only be posted to, and those that post to us.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use ctigate::config::{Auth, Link, LinkMode, Secret};
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text};
use tokio::net::TcpListener;

use crate::support::gateway::link;
use crate::support::peers::{json, written};
use crate::support::post_crm::{PostCrm, Reply};
use crate::support::{FakeTab, Gateway, Setup, tls};

async fn is_up(gateway: &Gateway) {
    gateway.link_is("crm", "up with its methods", |v| v.state == "up" && v.methods.len() == 2).await;
}

/// Calls a method from a tab and gives the answer.
async fn call(tab: &mut FakeTab, name: &str) -> Envelope {
    tab.0.say(&format!(r#"["executemethod",{{"qid":9,"name":"{name}","inputparameters":{{}}}}]"#)).await;
    tab.0.hear_named("methodresult").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_that_only_answers_serves_a_tab() {
    let pair = tls::Pair::new();
    for (format, with_tls) in [(Format::Json, false), (Format::Xml, false), (Format::Json, true), (Format::Xml, true)] {
        let crm = PostCrm::new(format, with_tls.then_some(&pair)).await;
        let mut link = crm.link();
        if with_tls {
            link.ca_file = Some(pair.certificate.clone());
        }
        let gateway = Setup::new().link(link).start().await;
        is_up(&gateway).await;
        let view = gateway.link_view("crm").await;
        assert_eq!((view.crm.as_str(), view.detail.as_str()), ("shop 2", "posted to at 127.0.0.1"));
        crm.hears("getactiveusers", 1).await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        let result = call(&mut tab, "Find").await;
        assert!(json(&result).contains(r#""who":"Ann""#), "{}", json(&result));
        let order: Vec<_> = crm.state.heard.lock().unwrap().iter().map(|(c, _, m)| (*c, m.name.to_string())).collect();
        let names: Vec<_> = order.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["whoareyou", "getavailablemethods", "getavailableforms", "getactiveusers", "executemethod"]);
        assert!(order[..4].iter().all(|(c, _)| *c == 0), "one connection is kept: {order:?}");
        assert_ne!(order[4].0, 0, "methods have connections of their own");
        let hosts =
            crm.state.requests.lock().unwrap().iter().map(|r| r.header("host").unwrap().to_owned()).collect::<Vec<_>>();
        assert!(hosts.iter().all(|h| *h == format!("localhost:{}", crm.address.port())), "{hosts:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(crm.state.heard.lock().unwrap().len(), 5, "no events, no polls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_sent_as_the_link_says() {
    let crm = PostCrm::new(Format::Json, None).await;
    let with = |auth| Link {
        auth: Some(auth),
        login: "ctigate".to_owned(),
        password: Some(Secret::new("secret")),
        ..crm.link()
    };
    let gateway = Setup::new().link(with(Auth::Basic)).start().await;
    is_up(&gateway).await;
    let first = crm.state.requests.lock().unwrap()[0].clone();
    assert_eq!(first.header("authorization"), Some("Basic Y3RpZ2F0ZTpzZWNyZXQ="));
    drop(gateway);
    let crm = PostCrm::new(Format::Json, None).await;
    *crm.state.digest.lock().unwrap() = true;
    let mut digesting = with(Auth::Digest);
    digesting.url = crm.link().url;
    let gateway = Setup::new().link(digesting).start().await;
    is_up(&gateway).await;
    let seen: Vec<_> = crm.state.requests.lock().unwrap().iter().map(|r| r.header("authorization").is_some()).collect();
    assert!(!seen[0] && seen.len() > 2 && seen[1..].iter().all(|sent| *sent), "challenged once, then on: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_that_is_not_there_or_wrong_is_told_to_the_operator() {
    let answers: [(Reply, &str, &str); 6] = [
        (Reply::Raw("HTTP/1.1 500 Oops", "sorry".to_owned()), "retrying", "500"),
        (Reply::Raw("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/", String::new()), "retrying", "not followed"),
        (Reply::Raw("HTTP/1.1 200 OK", "<html>".to_owned()), "retrying", "no message"),
        (Reply::Raw("HTTP/1.1 200 OK", String::new()), "retrying", "did not introduce itself"),
        (Reply::Raw("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", String::new()), "refused", ""),
        (Reply::Hangup, "retrying", "broke off"),
    ];
    for (reply, state, detail) in answers {
        let crm = PostCrm::new(Format::Json, None).await;
        crm.answers(move |_| Some(reply.clone()));
        let gateway = Setup::new().link(crm.link()).start().await;
        let view = gateway.link_state("crm", state).await;
        assert!(view.detail.contains(detail), "{view:?}");
        if state == "retrying" {
            crm.answers(|_| None);
            is_up(&gateway).await;
        }
    }
    let mut nobody = PostCrm::new(Format::Json, None).await.link();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    nobody.url = format!("http://127.0.0.1:{}/", closed.local_addr().unwrap().port());
    drop(closed);
    let gateway = Setup::new().link(nobody).start().await;
    assert!(gateway.link_state("crm", "retrying").await.detail.contains("refused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_fails_fails_its_caller_only() {
    let crm = PostCrm::new(Format::Json, None).await;
    let gateway = Setup::new().link(crm.link()).start().await;
    is_up(&gateway).await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    let long = "x".repeat(17 << 20);
    let cases: [(Reply, i64); 5] = [
        (Reply::Raw("HTTP/1.1 500 Oops", "sorry".to_owned()), 59011),
        (Reply::Raw("HTTP/1.1 200 OK", "[1,2]".to_owned()), 59002),
        (Reply::Raw("HTTP/1.1 200 OK", "\u{feff}[\"methodresult\"".to_owned()), 59002),
        (Reply::Raw("HTTP/1.1 200 OK", long), 59002),
        (Reply::Raw("HTTP/1.1 301 Moved\r\nLocation: /", String::new()), 59011),
    ];
    for (i, (reply, error)) in cases.into_iter().enumerate() {
        crm.answers(move |m| (m.name == "executemethod").then(|| reply.clone()));
        let result = call(&mut tab, if i % 2 == 0 { "Find" } else { "Slow" }).await;
        assert_eq!((result.body.int("result"), result.body.int("error")), (Some(0), Some(error)), "{}", json(&result));
        assert_eq!(gateway.link_view("crm").await.state, "up");
    }
    assert_eq!(crm.heard("executemethod").len(), 5, "each was posted once");
    crm.answers(|_| None);
    assert_eq!(call(&mut tab, "Find").await.body.int("result"), Some(1), "and leaves a connection that is kept");
    crm.answers(|m| (m.name == "executemethod").then_some(Reply::Hangup));
    let result = call(&mut tab, "Find").await;
    assert_eq!(result.body.int("error"), Some(59011));
    assert_eq!(crm.heard("executemethod").len(), 7, "never twice, though a kept connection broke");
    crm.answers(|_| None);
    crm.hears("whoareyou", 2).await;
    is_up(&gateway).await;
    assert_eq!(call(&mut tab, "Find").await.body.int("result"), Some(1), "after the new introduction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_kept_and_slow_methods_hold_up_nobody() {
    let crm = PostCrm::new(Format::Json, None).await;
    crm.thinks("executemethod", Duration::from_millis(1500));
    let link = Link { post_connections: 3, ..crm.link() };
    let gateway = Setup::new().link(link).start().await;
    is_up(&gateway).await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    for qid in 0..5 {
        tab.0.say(&format!(r#"["executemethod",{{"qid":{qid},"name":"Slow","inputparameters":{{}}}}]"#)).await;
    }
    tab.0.say(r#"["executemethod",{"qid":5,"name":"Slow","inputparameters":{},"waitresponsems":500}]"#).await;
    tab.ping().await;
    crm.hears("executemethod", 3).await;
    let mut results = HashMap::new();
    for _ in 0..6 {
        let result = tab.0.hear_named("methodresult").await;
        results.insert(result.body.int("qid").unwrap(), result.body.int("result").unwrap());
    }
    assert_eq!((0..5).map(|i| results[&i]).sum::<i64>(), 5, "{results:?}");
    assert_eq!(results[&5], 0, "no connection was free in time");
    assert_eq!(crm.state.busy.lock().unwrap().1, 3, "three at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polled_crm_gets_all_that_a_connected_one_gets() {
    for format in [Format::Json, Format::Xml] {
        let crm = PostCrm::new(format, None).await;
        let link = Link { poll_interval: Some(Duration::from_millis(250)), trust_users: true, ..crm.link() };
        let asked = Mutex::new(false);
        crm.answers(move |m| {
            if m.name != "poll" || std::mem::replace(&mut *asked.lock().unwrap(), true) {
                return None;
            }
            let calls = [r#"["getuserstate",{"qid":"q1","userlogin":"ivanov"}]"#, r#"["ping",{"qid":"q2"}]"#];
            Some(Reply::Messages(calls.map(str::to_owned).to_vec()))
        });
        let gateway = Setup::new().link(link).start().await;
        is_up(&gateway).await;
        let state = crm.hears("getuserstateresult", 1).await;
        assert_eq!(state[0].2.body.text("userlogin").as_deref(), Some("ivanov"));
        let pong = crm.hears("pong", 1).await;
        assert_eq!(
            (pong[0].2.body.text("qid").as_deref(), pong[0].1),
            (Some("q2"), state[0].1),
            "both in the next poll"
        );
        let _tab = FakeTab::login(gateway.web, format, "ivanov").await;
        let event = crm.hears("userstatechanged", 1).await;
        assert!(crm.heard("poll").iter().any(|(_, request, _)| *request == event[0].1), "it travels behind a poll");
        let mut tab = FakeTab::login(gateway.web, format, "petrov").await;
        assert_eq!(call(&mut tab, "Find").await.body.int("result"), Some(1), "methods do not wait for a poll");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_failed_is_posted_again_with_its_qids() {
    let crm = PostCrm::new(Format::Json, None).await;
    let link = Link { poll_interval: Some(Duration::from_millis(250)), ..crm.link() };
    let gateway = Setup::new().link(link).start().await;
    is_up(&gateway).await;
    crm.hears("poll", 1).await;
    let failed = Mutex::new(0);
    crm.answers(move |m| {
        let mut failed = failed.lock().unwrap();
        (m.name == "poll" && *failed < 3).then(|| {
            *failed += 1;
            Reply::Raw("HTTP/1.1 503 Busy", String::new())
        })
    });
    let _tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    let events = crm.hears("userstatechanged", 2).await;
    let qid = |m: &Envelope| m.body.text("qid").unwrap();
    assert_eq!(qid(&events[0].2), qid(&events[1].2), "the same event");
    let poll_before = |request: usize| crm.heard("poll").into_iter().find(|(_, r, _)| *r == request).expect("a poll").2;
    assert_eq!(qid(&poll_before(events[0].1)), qid(&poll_before(events[1].1)), "behind the same poll");
    assert_eq!(gateway.link_view("crm").await.state, "up", "a busy CRM is still there");
    let polls = crm.heard("poll").len();
    crm.hears("poll", polls + 4).await;
    let told = crm.heard("userstatechanged").len();
    let polls = crm.heard("poll").len();
    crm.hears("poll", polls + 2).await;
    assert_eq!(crm.heard("userstatechanged").len(), told, "what has arrived does not come again");
}

async fn rpc(gateway: &Gateway, format: Format, messages: &[&str]) -> Vec<Envelope> {
    let read = |text: &Text| codec::decode(format, text, &Limits::default()).expect(text);
    let messages = messages.iter().map(|m| read(&written(format, m))).collect();
    gateway.transport.rpc("crm", format, messages).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_method_is_answered_later_by_post() {
    for format in [Format::Json, Format::Xml] {
        let crm = PostCrm::new(format, None).await;
        crm.answers(|m| (m.name == "executemethod").then(|| Reply::Raw("HTTP/1.1 202 Accepted", String::new())));
        let gateway = Setup::new().link(crm.link()).start().await;
        is_up(&gateway).await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        tab.0.say(r#"["executemethod",{"qid":9,"name":"Find","inputparameters":{}}]"#).await;
        let posted = crm.hears("executemethod", 1).await;
        let id = posted[0].2.body.text("executionid").unwrap();
        let result =
            format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"who":"Bob"}}}}]"#);
        let replies = rpc(&gateway, format, &[&result]).await;
        assert!(replies.is_empty(), "a reply is not answered: {replies:?}");
        let heard = tab.0.hear_named("methodresult").await;
        assert!(json(&heard).contains("Bob"), "{}", json(&heard));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_to_us_is_answered_in_order() {
    // The CRM is not there, and nothing was introduced.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut link = link("crm", LinkMode::PostHttp);
    link.url = format!("http://127.0.0.1:{}/", closed.local_addr().unwrap().port());
    link.trust_users = true;
    drop(closed);
    let gateway = Setup::new().link(link).start().await;
    for format in [Format::Json, Format::Xml] {
        let replies = rpc(
            &gateway,
            format,
            &[
                r#"["ping",{"qid":1}]"#,
                r#"["getuserstate",{"qid":2,"userlogin":"petrov"}]"#,
                r#"["activeusers",{"users":[]}]"#,
                r#"["nosuchmethod",{"qid":3}]"#,
                r#"["whoareyou",{"qid":4}]"#,
                r#"["getuserstate",{"qid":5,"userlogin":"nobody"}]"#,
            ],
        )
        .await;
        let seen: Vec<_> =
            replies.iter().map(|r| (r.name.to_string(), r.body.int("qid"), r.body.int("error"))).collect();
        let expected = [
            ("pong", 1, None),
            ("getuserstateresult", 2, None),
            ("nosuchmethodresult", 3, Some(59001)),
            ("iam", 4, None),
        ];
        for (i, (name, qid, error)) in expected.into_iter().enumerate() {
            assert_eq!(seen[i], (name.to_owned(), Some(qid), error), "{seen:?}");
        }
        assert_eq!((seen[4].1, seen[4].2.is_some()), (Some(5), true));
        assert_ne!(gateway.link_view("crm").await.state, "up", "the link itself is where it was");
    }
    assert!(gateway.engine.peers().is_empty(), "nothing is left of the requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_that_ended_is_no_failure() {
    let crm = PostCrm::new(Format::Json, None).await;
    // Every answer is the last of its connection, though it does not say so.
    *crm.state.one_each.lock().unwrap() = true;
    let gateway = Setup::new().link(crm.link()).start().await;
    is_up(&gateway).await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    for _ in 0..3 {
        assert_eq!(call(&mut tab, "Find").await.body.int("result"), Some(1));
        // A call on a connection that ends at this very moment is lost, and must not be posted twice.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(crm.heard("whoareyou").len(), 1, "and so nothing is introduced again");
}
