//! Why something did not happen: each cause is planted in a running gateway, and named by `explain`.

use std::path::Path;

use ctigate::app::Node;
use ctigate::config::{Config, Sources};
use ctigate::proto::hub::Input;
use ctigate::proto::message::{Format, Text};
use ctigate::proto::telephony::{CallId, EndCause, Event, Parties};
use serde_json::Value;

use crate::support::http::ask;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, node, soon};
use crate::switchboard::{Switchboard, Told};

const CHAIN: &str = "c0ffee00-0000-4000-8000-000000000001";
const CARD: &str = r#"[{"name":"card","inputparameters":[],"outputparameters":[{"name":"note","type":"string"}]}]"#;
const IVANOV: &str = r#"[{"userlogin":"ivanov","tabs":["t1"]}]"#;

/// A gateway with ivanov (101), petrov (102) and sidorova without a number, one link and one form.
struct House {
    node: Node,
    token: String,
    phones: Switchboard,
    folder: tempfile::TempDir,
}

impl House {
    /// `form`, `link`, `ivanov`: more keys of theirs.
    async fn open(form: &str, link: &str, ivanov: &str) -> Self {
        Self::with(form, link, ivanov, "").await
    }

    async fn with(form: &str, link: &str, ivanov: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), form, link, ivanov, more);
        let node = node::start(&config).await;
        let token = std::fs::read_to_string(config.admin_token()).unwrap().trim().to_owned();
        Self { node, token, phones: Switchboard::default(), folder }
    }

    /// A tab of ivanov that hears cards and the phone.
    async fn tab(&self) -> FakeTab {
        let mut tab = FakeTab::login(self.node.addresses.web.unwrap(), Format::Json, "ivanov").await;
        tab.0.say(r#"["subscribeevent",{"qid":"s","eventmethod":["dlgcard","phoneevent"]}]"#).await;
        tab.0.hear_named("subscribeeventresult").await;
        tab
    }

    async fn crm(&self, methods: &str, forms: &str, users: &str) -> FakeCrm {
        let mut crm = FakeCrm::connect(self.node.addresses.links[0].1, Format::Xml).await;
        crm.introduce(methods, forms, users).await;
        // Its reply shows that what it has said was read.
        crm.0.say(r#"["getversion",{"qid":"there"}]"#).await;
        crm.0.hear_named("getversionresult").await;
        crm
    }

    fn tell(&mut self, told: Told) {
        let facts = self.phones.facts(chrono::Utc::now().timestamp_millis(), told);
        self.node.engine().handle(Input::Pbx(Event::Facts(facts)));
    }

    fn rings(&mut self, number: &str) {
        let call = CallId(CHAIN.into());
        let parties = Parties { caller: "79001112233".into(), caller_name: Text::new(), called: number.into() };
        self.tell(Told::Began { call: call.clone(), parties });
        self.tell(Told::Ringing { call, number: number.into() });
    }

    fn ends(&mut self) {
        self.tell(Told::Ended { call: CallId(CHAIN.into()) });
    }

    async fn explain(&self, what: &str) -> Value {
        let request = format!(
            "GET /api/v1/explain/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.token
        );
        let (answer, _) = ask(self.node.addresses.admin.unwrap(), request).await;
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
    }

    /// The causes that are named, in their order.
    async fn causes(&self, what: &str) -> Vec<String> {
        let answer = self.explain(what).await;
        let findings = answer["findings"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
        for finding in findings {
            for text in ["text_en", "text_ru", "advice_en", "advice_ru"] {
                assert!(finding[text].as_str().is_some_and(|text| text.len() > 10), "{text} of {finding:#}");
            }
        }
        findings.iter().map(|finding| finding["cause"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks until the cause is named: what a peer does arrives when it arrives.
    async fn names(&self, what: &str, cause: &str) {
        let named = async {
            while !self.causes(what).await.iter().any(|named| named == cause) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(std::time::Duration::from_secs(15), named).await.is_err() {
            panic!("{cause} is not named: {:#}", self.explain(what).await);
        }
    }

    async fn stop(self) {
        assert!(self.node.stop().await);
    }
}

fn config(folder: &Path, form: &str, link: &str, ivanov: &str, more: &str) -> Config {
    let text = format!(
        r#"
{more}
[web]
bind = "127.0.0.1:0"
tls_bind = ""
admin_bind = "127.0.0.1:0"
admin_token = "{folder}/admin.token"
[store]
url = "sqlite://{folder}/ctigate.db"
[files]
folder = "{folder}/files"
[recordings]
folder = "{folder}/recordings"
[[user]]
login = "ivanov"
number = "101"
password = "Secret1"
{ivanov}
[[user]]
login = "petrov"
number = "102"
password = "Secret1"
[[user]]
login = "sidorova"
password = "Secret1"
[[link]]
name = "crm"
mode = "accept-ws"
bind = "127.0.0.1:0"
auth = "none"
{link}
[[form]]
name = "card"
{form}
"#,
        folder = folder.display()
    );
    Config::load(&Sources::text(text)).unwrap_or_else(|e| panic!("{e}")).config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_is_well_nothing_is_found() {
    let mut house = House::open("", "", "").await;
    let mut crm = house.crm("[]", CARD, IVANOV).await;
    let mut tab = house.tab().await;
    house.rings("101");
    let card = tab.0.hear_named("dlgcard_showformdialog").await;
    crm.0.hear_named("showform").await;
    let id = card.body.text("cardid").unwrap();
    tab.0.say(&format!(r#"["dlgcard_values",{{"qid":"v","cardid":"{id}","values":{{"note":"x"}}}}]"#)).await;
    assert_eq!(tab.0.hear_named("dlgcard_valuesresult").await.body.int("result"), Some(1));
    house.ends();
    for what in ["call/last", &format!("call/{CHAIN}"), "call/c0ffee", "call/79001112233", "form/last", "user/ivanov"] {
        let explained = house.explain(what).await;
        assert_eq!(explained["findings"], serde_json::json!([]), "{what}: {explained:#}");
        assert!(explained["items"].as_array().unwrap().len() > 3, "{what}: {explained:#}");
    }
    let story = house.explain("call/last").await;
    let whats: Vec<&str> = story["items"].as_array().unwrap().iter().map(|i| i["what"].as_str().unwrap()).collect();
    for what in ["began", "triggered", "fires", "opened", "shown", "told", "ended", "over"] {
        assert!(whats.contains(&what), "{what} is not told: {whats:?}");
    }
    assert_eq!(house.explain("user/nobody").await["error"], 59014);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_because_of_its_rule() {
    let mut house = House::open(r#"on = "answer""#, "", "").await;
    let _tab = house.tab().await;
    house.rings("101");
    house.ends();
    assert_eq!(house.causes("call/last").await[0], "other_event");
    house.stop().await;

    let mut house = House::open(r#"users = ["petrov", "sidorova"]"#, "", "").await;
    let _tab = house.tab().await;
    house.rings("101");
    house.names("call/last", "user_not_in_rule").await;
    // She is named in the rule, and has no phone that could ring.
    house.names("call/last", "no_number").await;
    house.names("user/sidorova", "no_number").await;
    house.names("user/ivanov", "user_not_in_rule").await;
    assert!(!house.causes("user/petrov").await.contains(&"no_number".to_owned()));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_because_nobody_could_see_it() {
    let mut house = House::open("", "", "").await;
    house.rings("101");
    house.names("call/last", "no_tab").await;
    house.names("user/ivanov", "no_tab").await;
    house.names("form/card", "no_tab").await;
    house.stop().await;

    let mut house = House::open("", "", "").await;
    let _tab = FakeTab::login(house.node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    house.rings("101");
    house.names("call/last", "tab_not_subscribed").await;
    house.names("user/ivanov", "tab_not_subscribed").await;
    assert!(!house.causes("call/last").await.contains(&"no_tab".to_owned()));
    house.stop().await;

    let mut house = House::open("", "", "").await;
    let crm = house.crm("[]", CARD, IVANOV).await;
    assert_eq!(house.causes("user/ivanov").await, Vec::<String>::new());
    drop(crm);
    house.names("user/ivanov", "link_down").await;
    house.rings("101");
    house.names("call/last", "link_down").await;
    house.stop().await;

    let mut house = House::open("", "", "").await;
    let mut crm = house.crm("[]", &CARD.replace("card", "Card"), IVANOV).await;
    house.rings("101");
    house.names("call/last", "form_not_declared").await;
    house.names("user/ivanov", "form_not_declared").await;
    // It declares it, and the open form shows.
    crm.0.say(&format!(r#"["availableforms",{{"result":1,"forms":{CARD}}}]"#)).await;
    crm.0.hear_named("showform").await;
    assert_eq!(house.causes("user/ivanov").await, Vec::<String>::new());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_because_of_what_came_of_it() {
    let mut house = House::open(r#"ask = "Find""#, "", "").await;
    let mut crm = house.crm(r#"[{"name":"Find"}]"#, CARD, IVANOV).await;
    house.rings("101");
    let asked = crm.0.hear_named("executemethod").await;
    let id = asked.body.text("executionid").unwrap();
    crm.0
        .say(&format!(r#"["methodresult",{{"qid":"r","executionid":"{id}","result":0,"errormsg":"no such table"}}]"#))
        .await;
    house.names("call/last", "ask_failed").await;
    let why = house.explain("call/last").await["findings"].to_string();
    assert!(why.contains("no such table"), "{why}");
    house.stop().await;

    let mut house = House::open(r#"expire = "1s""#, "", "").await;
    let mut tab = house.tab().await;
    house.rings("101");
    tab.0.hear_named("dlgcard_showformdialog").await;
    tab.0.hear_named("dlgcard_closeall").await;
    house.names("call/last", "expired").await;
    house.names("form/last", "expired").await;
    house.stop().await;

    let mut house = House::open("", "", r#"rights = ["-forms"]"#).await;
    let mut tab = house.tab().await;
    house.rings("101");
    let card = tab.0.hear_named("dlgcard_showformdialog").await;
    let id = card.body.text("cardid").unwrap();
    tab.0.say(&format!(r#"["dlgcard_values",{{"qid":"v","cardid":"{id}","values":{{}}}}]"#)).await;
    assert_eq!(tab.0.hear_named("dlgcard_valuesresult").await.body.int("error"), Some(59004));
    for what in [&*format!("form/{id}"), "call/last", "user/ivanov"] {
        house.names(what, "right_missing").await;
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_was_seen() {
    let mut house = House::open("", "", "").await;
    let _tab = house.tab().await;
    house.rings("107");
    house.ends();
    house.names("call/last", "number_unknown").await;
    house.names("call/107", "number_unknown").await;
    house.names("call/555", "number_unknown").await;
    assert_eq!(house.causes("call/101").await, ["link_down".to_owned()], "nobody has called 101, and all is well");
    house.stop().await;

    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pbx = format!(
        "[pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nhost = \"127.0.0.1\"\nport = {free}\nuser = \"u\"\nsecret = \"s\"\n"
    );
    let house = House::with("", "", "", &pbx).await;
    house.names("call/79001112233", "pbx_down").await;
    house.names("user/ivanov", "pbx_down").await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_was_heard() {
    let mut house = House::open("", r#"users = ["petrov"]"#, "").await;
    let _crm = house.crm("[]", "[]", "[]").await;
    let _tab = house.tab().await;
    house.rings("101");
    house.names("call/last", "link_narrowed").await;
    house.names("user/ivanov", "link_narrowed").await;
    assert!(!house.causes("user/petrov").await.contains(&"link_narrowed".to_owned()));
    house.stop().await;

    let mut house = House::open("", r#"silent_events = ["phoneevent_ringstarted"]"#, "").await;
    let mut crm = house.crm("[]", CARD, IVANOV).await;
    house.rings("101");
    crm.0.hear_named("showform").await;
    house.names("call/last", "silent_event").await;
    house.names("user/ivanov", "silent_event").await;
    house.stop().await;

    let mut house = House::open("", "", "").await;
    let evil = request("/", &[("Origin", "https://crm.example"), ("Sec-WebSocket-Protocol", "json")]);
    let (answer, _) = ask(house.node.addresses.web.unwrap(), evil).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    house.names("user/ivanov", "origin_refused").await;
    house.rings("101");
    house.names("call/last", "origin_refused").await;
    let why = house.explain("call/last").await["findings"].to_string();
    assert!(why.contains("https://crm.example") && why.contains("allowed_origins"), "{why}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_is_known_after_a_restart() {
    let mut house = House::open("", "", "").await;
    house.rings("101");
    house.ends();
    let House { node, folder, .. } = house;
    assert!(node.stop().await);
    let node = node::start(&config(folder.path(), "", "", "", "")).await;
    let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap().trim().to_owned();
    let house = House { node, token, phones: Switchboard::default(), folder };
    let known = house.explain("call/last").await;
    assert_eq!(known["subject"]["id"], CHAIN, "{known:#}");
    let items = known["items"].as_array().unwrap();
    for due in ["fires", "told"] {
        assert!(items.iter().any(|item| item["what"] == due), "{due}: {known:#}");
    }
    assert_eq!(house.causes("call/last").await[0], "link_down");
    house.names("call/last", "no_tab").await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_clear_is_listed() {
    let mut house = House::open("", "", "").await;
    for (n, number) in ["101", "102"].into_iter().enumerate() {
        let call = CallId(format!("c0ffee00-0000-4000-8000-00000000000{n}").into());
        let parties = Parties { caller: "79001112233".into(), caller_name: Text::new(), called: number.into() };
        house.tell(Told::Began { call: call.clone(), parties });
        house.tell(Told::Ringing { call: call.clone(), number: number.into() });
        house.tell(Told::RingStopped { call: call.clone(), number: number.into(), cause: EndCause::NoAnswer });
        house.tell(Told::Ended { call });
    }
    let several = house.explain("call/79001112233").await;
    assert_eq!(several["candidates"].as_array().map(Vec::len), Some(2), "{several:#}");
    assert_eq!(house.explain("call/101").await["subject"]["text_en"], "call 79001112233 → 101");
    assert_eq!(house.explain("dog/101").await["error"], 59014);
    soon("a stop", house.stop()).await;
}
