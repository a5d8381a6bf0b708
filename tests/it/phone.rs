//! Telephony over sockets, where a socket makes the difference.

use std::collections::BTreeSet;

use ctigate::config::{Secret, User};
use ctigate::proto::codec;
use ctigate::proto::message::Format;

use crate::support::{FakeTab, node, soon};

/// What a tab may ask in one go before it is told to slow down.
const BURST: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_looks_at_the_line_are_answered_and_slow_down_only_who_looks() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    config.users.push(User {
        login: "petrov".to_owned(),
        number: "102".to_owned(),
        password: Some(Secret::new("Secret1")),
        ..User::default()
    });
    let node = node::start(&config).await;
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
