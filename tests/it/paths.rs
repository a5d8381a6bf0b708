//! What holds on every way by which a message comes in: a tab, somebody in the tunnel of a link, a post to `/rpc`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate::app::Node;
use ctigate::config::{Link, LinkMode, Secret};
use ctigate::proto::auth::basic::Basic;
use ctigate::proto::message::Format;
use serde_json::Value;

use crate::support::gateway::link;
use crate::support::http::ask;
use crate::support::post_crm::PostCrm;
use crate::support::{FakeCrm, FakeTab, Frame, Setup, node};

/// The ways into one node.
struct Ways {
    node: Node,
    _folder: tempfile::TempDir,
    web: SocketAddr,
    tab: FakeTab,
    crm: FakeCrm,
}

impl Ways {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = node::config(folder.path());
        let bind = Some("127.0.0.1:0".parse().unwrap());
        config.links.push(Link { bind, trust_users: true, ..link("crm", LinkMode::AcceptWs) });
        let shop = PostCrm::new(Format::Json, None).await;
        config.links.push(Link {
            name: "shop".to_owned(),
            trust_users: true,
            rpc_login: "shop".to_owned(),
            rpc_password: Some(Secret::new("rpc-secret")),
            ..shop.link()
        });
        let node = node::start(&config).await;
        let web = node.addresses.web.unwrap();
        let mut crm = FakeCrm::connect(node.addresses.links[0].1, Format::Json).await;
        crm.introduce_bare().await;
        let tab = FakeTab::login(web, Format::Json, "ivanov").await;
        Self { node, _folder: folder, web, tab, crm }
    }

    /// Says a message by its text on each way, with `who` in place of the user where the way needs one; gives the text of each
    /// reply to it.
    async fn replies(&mut self, message: &str, reply: &str) -> Vec<(&'static str, String)> {
        let (bare, named) = (message.replace("WHO", ""), message.replace("WHO", r#","userlogin":"ivanov""#));
        let mut all = vec![("tab", said(&mut self.tab.0.ws, &bare, reply).await)];
        all.push(("tunnel", said(&mut self.crm.0.ws, &named, reply).await));
        all.push(("rpc", self.post(&named).await));
        all
    }

    async fn post(&self, message: &str) -> String {
        let data = STANDARD.encode(message).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let form = format!("format=json&data={data}");
        let basic = Basic { login: "shop".to_owned(), password: "rpc-secret".to_owned() }.header().unwrap();
        let head = format!(
            "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Authorization: {basic}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        ask(self.web, head).await.0.body
    }
}

/// Says a text and waits for the text of the message of that name.
async fn said(ws: &mut crate::support::Ws, text: &str, reply: &str) -> String {
    ws.text(text).await;
    loop {
        let Frame::Text(heard) = ws.next_data().await else { panic!("a message was expected") };
        if heard.starts_with(&format!("[\"{reply}\"")) {
            return heard;
        }
    }
}

fn member(reply: &str, name: &str) -> Value {
    let whole: Value = serde_json::from_str(reply).unwrap_or_else(|e| panic!("{e}: {reply}"));
    whole[1][name].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qid_comes_back_as_it_was_written_on_every_way() {
    let mut ways = Ways::open().await;
    for qid in
        [r#""жук\u0041""#, "1.50", "-0", "1E400", "true", r#"{"b":[1,{"a":null}],"a":1}"#, r#"[[],"x"]"#, r#""""#]
    {
        let question = format!(r#"["getuserstate",{{"qid":{qid}WHO}}]"#);
        for (way, reply) in ways.replies(&question, "getuserstateresult").await {
            // A text is the same text; everything else the same letters.
            let same = match qid.starts_with('"') {
                true => member(&reply, "qid") == serde_json::from_str::<Value>(qid).unwrap(),
                false => reply.contains(&format!(r#""qid":{qid},"#)),
            };
            assert!(same, "{way}: {qid} came back in {reply}");
        }
    }
    let long = format!(r#"["getuserstate",{{"qid":"{}"WHO}}]"#, "q".repeat(255));
    for (way, reply) in ways.replies(&long, "error").await {
        assert_eq!((member(&reply, "error"), member(&reply, "qid")), (59002.into(), Value::Null), "{way}: {reply}");
    }
    assert!(ways.node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_name_that_stands_there_twice_the_last_counts_on_every_way() {
    let mut ways = Ways::open().await;
    for state in [3, 1] {
        let order = format!(r#"["setuserstate",{{"qid":1,"userstateid":5,"userstateid":{state}WHO}}]"#);
        for (way, reply) in ways.replies(&order, "setuserstateresult").await {
            assert_eq!(member(&reply, "userstateid"), state, "{way}: {reply}");
        }
    }
    for name in ["qid", "userid"] {
        let order = format!(r#"["getuserstate",{{"{name}":"1","x":1,"{name}":"1"WHO}}]"#);
        for (way, reply) in ways.replies(&order, "error").await {
            let told = member(&reply, "errormsg").to_string();
            assert!(told.contains("a second time"), "{way}: {reply}");
        }
    }
    assert!(ways.node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_are_taken_loosely_and_alike_on_every_way() {
    let mut ways = Ways::open().await;
    let cases: [(&str, i64, bool); 7] = [
        (r#""userstateid":"3""#, 3, false),
        (r#""userstateid":1,"oncallcenter":"true""#, 1, true),
        (r#""userstateid":1.0,"oncallcenter":0"#, 1, false),
        (r#""userstateid":"1","oncallcenter":1"#, 1, true),
        (r#""userstateid":" 1","oncallcenter":"false""#, 1, false),
        (r#""userstateid":1,"oncallcenter":"1""#, 1, true),
        (r#""userstateid":1,"oncallcenter":false"#, 1, false),
    ];
    for (given, state, works) in cases {
        let order = format!(r#"["setuserstate",{{"qid":1,{given}WHO}}]"#);
        let replies = ways.replies(&order, "setuserstateresult").await;
        let first = (member(&replies[0].1, "userstateid"), member(&replies[0].1, "oncallcenter"));
        for (way, reply) in &replies {
            let seen = (member(reply, "userstateid"), member(reply, "oncallcenter"));
            assert_eq!(seen, first, "{way} takes {given} in another way: {reply}");
        }
        if member(&replies[0].1, "result") == 1 {
            assert_eq!(first, (state.into(), works.into()), "{given}: {replies:?}");
        }
    }
    for given in
        [r#""userstateid":{"a":1}"#, r#""userstateid":"three""#, r#""userstateid":[3]"#, r#""oncallcenter":"maybe""#]
    {
        let order = format!(r#"["setuserstate",{{"qid":1,{given}WHO}}]"#);
        for (way, reply) in ways.replies(&order, "setuserstateresult").await {
            let name = given.split('"').nth(1).unwrap();
            assert_eq!((member(&reply, "result"), member(&reply, "error")), (0.into(), 59002.into()), "{way}: {reply}");
            assert!(member(&reply, "errormsg").to_string().contains(name), "{way} names what was wrong: {reply}");
        }
    }
    assert!(ways.node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_of_xml_are_refused_where_they_begin() {
    let gateway = Setup::new().start().await;
    let laughs: String = (1..30).map(|n| format!("<!ENTITY l{n} \"&l{0};&l{0};&l{0};\">", n - 1)).collect();
    let bombs = [
        format!("<!DOCTYPE m [<!ENTITY l0 \"ha\">{laughs}]><message name=\"ping\">&l29;</message>"),
        "<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/hostname\">]><message name=\"ping\"><param name=\"a\">&x;</param></message>"
            .to_owned(),
        "<!DOCTYPE m SYSTEM \"http://127.0.0.1:9/x.dtd\"><message name=\"ping\"/>".to_owned(),
        "<message name=\"ping\" xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"file:///etc/hostname\"/></message>"
            .to_owned(),
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><message name=\"ping\"/>".to_owned(),
        format!("<message name=\"ping\">{}", "<param name=\"a\" type=\"array\">".repeat(20_000)),
        format!("<message name=\"ping\"{}/>", (0..50_000).map(|n| format!(" a{n}=\"\"")).collect::<String>()),
        format!("<message {}=\"\"/>", "n".repeat(900_000)),
    ];
    let mut tab = FakeTab::login(gateway.web, Format::Xml, "ivanov").await;
    for bomb in bombs {
        let began = Instant::now();
        tab.0.ws.text(&bomb).await;
        let told = tab.0.hear_named("error").await;
        assert_eq!(told.body.int("error"), Some(59002), "{}", &bomb[..bomb.len().min(120)]);
        // One of these took six seconds in a parser that looked for doubles one by one.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}: {}", began.elapsed(), &bomb[..bomb.len().min(120)]);
        tab.ping().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_subscriptions_grows_nothing() {
    let gateway = Setup::new().start().await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    tab.0.say(r#"["subscribeevent",{"qid":0,"eventmethod":["phoneevent"]}]"#).await;
    tab.0.hear_named("subscribeeventresult").await;
    let before = gateway.engine.sizes();
    for round in 0..100 {
        let names: Vec<String> = (0..500).map(|n| format!("\"event{round}-{n}\"")).collect();
        tab.0.say(&format!(r#"["subscribeevent",{{"qid":1,"eventmethod":["phoneevent",{}]}}]"#, names.join(","))).await;
        tab.0.hear_named("subscribeeventresult").await;
    }
    assert_eq!(gateway.engine.sizes(), before);
    tab.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_those_who_come_back_is_answered() {
    let gateway = Setup::new().start().await;
    let mut coming = tokio::task::JoinSet::new();
    for n in 0..200 {
        let format = if n % 2 == 0 { Format::Json } else { Format::Xml };
        let (web, login) = (gateway.web, ["ivanov", "petrov"][n % 2]);
        coming.spawn(async move {
            let mut tab = FakeTab::login(web, format, login).await;
            tab.ping().await;
            tab
        });
    }
    let tabs = coming.join_all().await;
    assert_eq!(gateway.engine.peers().len(), tabs.len());
}
