//! Every call of the catalogue, said over a socket as its vector says it: each is answered once, under its name and with its
//! qid, and by somebody who knows it.

use std::path::Path;
use std::time::Duration;

use ctigate::config::{Auth, Break, Config, LinkMode, Queue, Role, Secret, User};
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text, Value};
use ctigate::proto::method::{self, Class, Flow, MESSAGES, Message};

use crate::support::gateway::link;
use crate::support::peers::{Channel, json};
use crate::support::{FakeCrm, FakeTab, node, soon};

/// What the gateway says when it does not know a method, or fails itself.
const NOT_SERVED: [i64; 2] = [59001, 59099];

/// The people, the queue and the breaks of which the vectors speak; ivanov may do everything.
fn office(folder: &Path) -> Config {
    let mut config = node::config(folder);
    let person = |login: &str, number: u32, role| User {
        login: login.to_owned(),
        id: format!("3f0a7c11-0000-4000-8000-000000000{number}"),
        number: number.to_string(),
        role,
        password: Some(Secret::new("Secret1")),
        ..User::default()
    };
    config.users = vec![
        User { subordinates: vec!["petrov".to_owned()], ..person("ivanov", 101, Role::Admin) },
        person("petrov", 102, Role::Agent),
    ];
    config.queues.push(Queue { number: "500".to_owned(), users: vec!["ivanov".to_owned()], ..Queue::default() });
    config.breaks.push(Break { id: 2, name: "Lunch".to_owned() });
    config.links.push(link("crm", LinkMode::AcceptWs));
    config.links[0].bind = Some("127.0.0.1:0".parse().unwrap());
    config.links[0].auth = Some(Auth::None);
    config.links[0].trust_users = true;
    config
}

fn vector(message: &Message, qid: &str) -> Envelope {
    let path = format!("{}/proto-spec/vectors/{}.json", env!("CARGO_MANIFEST_DIR"), message.name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut envelope = codec::decode(Format::Json, &Text::from(text), &Limits::default()).expect(message.name);
    envelope.body.set("qid", Value::from(Text::from(qid)));
    // Ivanov speaks, whoever speaks in the vector.
    envelope.body.remove("userid");
    envelope.body.set("userlogin", Value::from("ivanov"));
    envelope
}

fn calls(flow: Flow) -> impl Iterator<Item = &'static Message> {
    // These begin and end a channel, and are shown wherever one is used.
    let own = ["login", "logout", "whoareyou"];
    MESSAGES.iter().filter(move |m| m.class == Class::Call && m.flows(flow) && !own.contains(&m.name))
}

async fn each_is_served(channel: &mut Channel, flow: Flow) {
    let (mut said, mut refused) = (0, Vec::new());
    for message in calls(flow) {
        let qid = format!("every-{}", message.name);
        let envelope = vector(message, &qid);
        channel.ws.text(&codec::encode(&envelope, channel.format)).await;
        let reply = soon(message.name, async {
            loop {
                let heard = channel.hear().await;
                if heard.body.text("qid").as_deref() == Some(&qid) {
                    return heard;
                }
            }
        })
        .await;
        assert_eq!(reply.name, method::reply_name(message.name), "{}", json(&reply));
        if reply.body.int("error").is_some_and(|e| NOT_SERVED.contains(&e)) {
            refused.push(json(&reply));
        }
        said += 1;
    }
    assert!(said > 30, "{said} calls only");
    assert_eq!(refused, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_tab_is_served() {
    for format in [Format::Json, Format::Xml] {
        let folder = tempfile::tempdir().unwrap();
        let node = node::start(&office(folder.path())).await;
        let mut tab = FakeTab::login(node.addresses.web.unwrap(), format, "ivanov").await;
        each_is_served(&mut tab.0, Flow::TabToGateway).await;
        tab.0.say(r#"["logout",{"qid":1}]"#).await;
        tab.0.hear_named("logoutresult").await;
        assert_eq!(tab.0.closed().await.0, 1000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_behind_a_link_is_served() {
    for format in [Format::Json, Format::Xml] {
        let folder = tempfile::tempdir().unwrap();
        let node = node::start(&office(folder.path())).await;
        let mut crm = FakeCrm::connect(node.addresses.links[0].1, format).await;
        crm.introduce("[]", "[]", "[]").await;
        tokio::time::timeout(Duration::from_secs(60), each_is_served(&mut crm.0, Flow::LinkToGateway)).await.unwrap();
    }
}
