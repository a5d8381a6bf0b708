//! Telephony over sockets, where a socket makes the difference.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ctigate::app::Node;
use ctigate::config::{Secret, User};
use ctigate::proto::codec;
use ctigate::proto::message::{Envelope, Format};

use crate::support::peers::json;
use crate::support::{FakeTab, node, soon};

/// What a tab may ask in one go before it is told to slow down.
const BURST: usize = 400;

/// A node with ivanov and petrov.
async fn house(folder: &Path) -> Node {
    let mut config = node::config(folder);
    config.users.push(User {
        login: "petrov".to_owned(),
        number: "102".to_owned(),
        password: Some(Secret::new("Secret1")),
        ..User::default()
    });
    node::start(&config).await
}

/// The reply to this qid.
async fn reply(tab: &mut FakeTab, qid: &str) -> Envelope {
    soon(qid, async {
        loop {
            let heard = tab.0.hear().await;
            if heard.body.text("qid").as_deref() == Some(qid) {
                return heard;
            }
        }
    })
    .await
}

async fn call(tab: &mut FakeTab, name: &str, fields: &str) -> Envelope {
    tab.0.say(&format!(r#"["{name}",{{"qid":"one"{fields}}}]"#)).await;
    reply(tab, "one").await
}

/// Two tabs say the same before either hears anything: one does it, the other is told that it came too late.
async fn both_say(tabs: &mut [FakeTab; 2], name: &str, fields: &str) {
    for tab in tabs.iter_mut() {
        tab.0.say(&format!(r#"["{name}",{{"qid":"both"{fields}}}]"#)).await;
    }
    let [a, b] = tabs;
    let (a, b) = (reply(a, "both").await, reply(b, "both").await);
    let mut heard = [&a, &b].map(|r| (r.body.int("result"), r.body.int("error")));
    heard.sort_unstable();
    assert_eq!(heard, [(Some(0), Some(59006)), (Some(1), None)], "{} {}", json(&a), json(&b));
}

async fn line(tab: &mut FakeTab) -> String {
    call(tab, "getextendedlineinfo", "").await.body.text("linestatestr").unwrap_or_default().to_string()
}

/// ivanov calls petrov, and they talk.
async fn talk(ivanov: &mut FakeTab, petrov: &mut FakeTab) {
    let dialled = call(ivanov, "pbxautocallstart", r#","number":"102""#).await;
    let (own, other) = (call(ivanov, "pbxanswercall", "").await, call(petrov, "pbxanswercall", "").await);
    for reply in [dialled, own, other] {
        assert_eq!(reply.body.int("result"), Some(1), "{}", json(&reply));
    }
    assert_eq!([line(ivanov).await, line(petrov).await], ["lsCommutated"; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tabs_that_act_at_one_moment_one_wins_and_the_other_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let node = house(folder.path()).await;
    let web = node.addresses.web.unwrap();
    let tabs =
        async |login| [FakeTab::login(web, Format::Json, login).await, FakeTab::login(web, Format::Xml, login).await];
    let (mut ivanov, mut petrov) = (tabs("ivanov").await, tabs("petrov").await);
    for _ in 0..5 {
        both_say(&mut ivanov, "pbxautocallstart", r#","number":"102""#).await;
        assert_eq!(line(&mut ivanov[0]).await, "lsRing");
        both_say(&mut ivanov, "pbxanswercall", "").await;
        both_say(&mut petrov, "pbxanswercall", "").await;
        assert_eq!([line(&mut ivanov[1]).await, line(&mut petrov[0]).await], ["lsCommutated"; 2]);
        both_say(&mut petrov, "pbxabortcall", "").await;
        assert_eq!([line(&mut ivanov[0]).await, line(&mut petrov[1]).await], ["lsReady"; 2]);
    }
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_in_a_talk_loses_the_tab_and_not_the_talk() {
    let folder = tempfile::tempdir().unwrap();
    let node = house(folder.path()).await;
    let web = node.addresses.web.unwrap();
    let mut deaf = FakeTab::login(web, Format::Json, "ivanov").await;
    let mut petrov = FakeTab::login(web, Format::Json, "petrov").await;
    call(&mut petrov, "subscribeevent", r#","eventmethod":["phoneevent"]"#).await;
    talk(&mut deaf, &mut petrov).await;
    let chain = call(&mut petrov, "getextendedlineinfo", "").await.body.text("chainid");

    // Large events for somebody who reads none of them; who sends them goes on with the call all the while.
    let flood = format!(r#","eventname":"x","eventparam":"{}""#, "x".repeat(500_000));
    let flooded = async {
        while node.engine().peers().len() > 1 {
            let sent = call(&mut petrov, "triggercustomevent", &flood).await;
            assert_eq!(sent.body.int("result"), Some(1), "{}", json(&sent));
            assert_eq!(line(&mut petrov).await, "lsCommutated");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), flooded).await.expect("the tab is cut");

    let mut back = FakeTab::login(web, Format::Json, "ivanov").await;
    let found = call(&mut back, "getextendedlineinfo", "").await;
    assert_eq!(found.body.text("linestatestr").as_deref(), Some("lsCommutated"), "{}", json(&found));
    assert_eq!(found.body.text("chainid"), chain);
    assert_eq!(call(&mut back, "pbxabortcall", "").await.body.int("result"), Some(1));
    petrov.0.hear_named("phoneevent_commstopped").await;
    assert_eq!([line(&mut back).await, line(&mut petrov).await], ["lsReady"; 2]);
    drop(deaf);
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_looks_at_the_line_are_answered_and_slow_down_only_who_looks() {
    let folder = tempfile::tempdir().unwrap();
    let node = house(folder.path()).await;
    let web = node.addresses.web.unwrap();
    let mut greedy = FakeTab::login(web, Format::Json, "ivanov").await;
    let mut other = FakeTab::login(web, Format::Json, "petrov").await;
    let (mut served, mut refused, mut answered) = (0, 0, BTreeSet::new());
    // A hundred in one write, then their answers: who floods may as well read.
    for round in 0..100 {
        for n in 0..100 {
            let call = format!(r#"["getextendedlineinfo",{{"qid":{}}}]"#, round * 100 + n);
            greedy.0.ws.text(&call).await;
        }
        for _ in 0..100 {
            let reply = soon("an answer", greedy.0.hear()).await;
            let text = codec::encode(&reply, Format::Json);
            assert!(answered.insert(reply.body.int("qid")), "twice: {text}");
            match (reply.body.int("result"), reply.body.int("error")) {
                (Some(1), None) => served += 1,
                (Some(0), Some(59012)) => refused += 1,
                _ => panic!("{text}"),
            }
        }
        if round % 20 == 0 {
            other.ping().await;
        }
    }
    assert_eq!(served + refused, 10_000);
    assert!(served >= BURST, "{served} of 10,000 were served");
    assert!(refused > 0, "nobody was told to slow down");
    other.0.say(r#"["getextendedlineinfo",{"qid":1}]"#).await;
    assert_eq!(other.0.hear_named("getextendedlineinforesult").await.body.int("result"), Some(1));
}
