use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use ctigate::app::{self, Node, NotChanged};
use ctigate::config::Sources;
use ctigate::proto::message::Format;
use ctigate::shutdown::Shutdown;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::peers::text;
use crate::support::process::free_address;
use crate::support::{FakeCrm, FakeTab, soon};

/// A gateway of a file that a test writes anew.
struct Office {
    folder: tempfile::TempDir,
    node: Node,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("ctigate.toml")
}

/// What stands in every file of these stories; ports are of the system's choice.
const BASE: &str = "\
    [web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n\
    [store]\nurl = \"sqlite://ctigate.db\"\n\
    [files]\nfolder = \"files\"\n[recordings]\nfolder = \"recordings\"\n";

fn user(login: &str, number: u32) -> String {
    format!("[[user]]\nlogin = \"{login}\"\nnumber = \"{number}\"\npassword = \"Secret1\"\n")
}

fn link(name: &str) -> String {
    accepting(name, "127.0.0.1:0".parse().unwrap())
}

fn accepting(name: &str, bind: SocketAddr) -> String {
    format!("[[link]]\nname = \"{name}\"\nmode = \"accept-ws\"\nbind = \"{bind}\"\n")
}

impl Office {
    async fn open(parts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(file(folder.path()), format!("{BASE}{}", parts.concat())).unwrap();
        let begun = app::begin(Sources::file(file(folder.path()))).await.unwrap_or_else(|e| panic!("{e}"));
        let node = app::start_begun(begun, false, Shutdown::new(), Vec::new()).await.unwrap();
        Self { folder, node }
    }

    fn write(&self, parts: &[&str]) {
        std::fs::write(file(self.folder.path()), format!("{BASE}{}", parts.concat())).unwrap();
    }

    /// Keys and effects of what a reload changed.
    async fn reload(&self) -> Vec<String> {
        let changed = soon("a reload", self.node.reload()).await.unwrap_or_else(|e| panic!("{e:?}"));
        changed.changes.iter().map(|change| format!("{} {}", change.key, change.effect.word())).collect()
    }

    fn web(&self) -> SocketAddr {
        self.node.addresses.web.unwrap()
    }

    fn admin(&self) -> Admin {
        let token = std::fs::read_to_string(self.folder.path().join("data/admin.token")).unwrap().trim().to_owned();
        Admin { address: self.node.addresses.admin.unwrap(), token }
    }

    async fn crm(&self, at: usize) -> FakeCrm {
        let mut crm = FakeCrm::connect(self.node.addresses.links[at].1, Format::Json).await;
        crm.introduce(r#"[{"name":"FindClient"}]"#, "[]", "[]").await;
        crm
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_through_a_reload_and_nothing_else_drops() {
    let office = Office::open(&[&user("ivanov", 101), &user("petrov", 102), &link("crm"), &link("other")]).await;
    let mut crm = office.crm(0).await;
    let mut other = office.crm(1).await;
    let mut ivanov = FakeTab::login(office.web(), Format::Json, "ivanov").await;
    let mut petrov = FakeTab::login(office.web(), Format::Xml, "petrov").await;
    ivanov.0.say(r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{}}]"#).await;
    let id = text(&crm.0.hear_named("executemethod").await, "executionid");

    // Another comes, one goes, one gets another number, a bound is lower; the link that is called stays.
    let new = free_address();
    let limits = "[limits]\nin_flight_tab = 8\n";
    office.write(&[limits, &user("ivanov", 111), &user("sidorova", 103), &link("crm"), &accepting("third", new)]);
    assert_eq!(
        office.reload().await,
        [
            "limits.in_flight_tab now",
            "user[petrov] now",
            "user[ivanov].number now",
            "user[sidorova] now",
            "link[other] now",
            "link[third] now",
        ]
    );
    crm.0.say(&format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"clientid":"42"}}}}]"#)).await;
    let result = ivanov.0.hear_named("methodresult").await;
    assert_eq!(text(&result, "qid"), "e");
    assert_eq!(result.body.int("result"), Some(1));
    ivanov.ping().await;
    let gone = petrov.0.closed().await;
    assert_eq!(gone, (1008, "the account was removed".to_owned()));
    assert_eq!(other.0.closed().await.0, 1001);
    // Who is new can come.
    FakeTab::login(office.web(), Format::Json, "sidorova").await.ping().await;
    FakeCrm::connect(new, Format::Json).await.introduce_bare().await;
    // The port of the link that is gone is free again.
    let address = office.node.addresses.links[1].1;
    soon("the port to be free", async {
        while TcpListener::bind(address).is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    let Office { node, .. } = office;
    assert!(node.stop().await);
}

/// What becomes of a call to a number, and who rings then.
async fn called(admin: &Admin, number: &str) -> (u16, Vec<String>) {
    let order = json!({"op": "incoming", "caller": "79001112233", "called": number});
    let (status, _) = admin.ask("POST", "/api/v1/sim", Some(&order)).await;
    let (_, picture) = admin.ask("POST", "/api/v1/sim", Some(&json!({"op": "picture"}))).await;
    let rings = |phone: &&Value| phone["inuse"] == true;
    let phones = picture["phones"].as_array().unwrap_or_else(|| panic!("{picture}")).iter().filter(rings);
    (status, phones.map(|phone| phone["number"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_numbers_and_queues_can_be_called_at_once_and_old_ones_no_more() {
    let queue = |users: &str| format!("[[queue]]\nnumber = \"600\"\nname = \"Support\"\nusers = [{users}]\n");
    let office = Office::open(&[&user("ivanov", 101)]).await;
    let admin = office.admin();
    assert_eq!(called(&admin, "105").await.0, 404);
    let mut ivanov = FakeTab::login(office.web(), Format::Json, "ivanov").await;

    office.write(&[&user("ivanov", 101), &user("petrov", 105), &queue("\"petrov\"")]);
    assert_eq!(office.reload().await, ["user[petrov] now", "queue[0] now"]);
    let mut petrov = FakeTab::login(office.web(), Format::Json, "petrov").await;
    petrov.0.say(r#"["subscribeevent",{"qid":"s","eventmethod":["phoneevent"]}]"#).await;
    petrov.0.hear_named("subscribeeventresult").await;
    assert_eq!(called(&admin, "105").await, (200, vec!["105".to_owned()]));
    petrov.0.hear_named("phoneevent_ringstarted").await;
    admin.ask("POST", "/api/v1/sim", Some(&json!({"op": "hangup", "number": "79001112233"}))).await;
    assert_eq!(called(&admin, "600").await, (200, vec!["105".to_owned()]));
    admin.ask("POST", "/api/v1/sim", Some(&json!({"op": "hangup", "number": "79001112233"}))).await;
    // And from inside.
    ivanov.0.say(r#"["pbxautocallstart",{"qid":"d","number":"105"}]"#).await;
    assert_eq!(ivanov.0.hear_named("pbxautocallstartresult").await.body.int("result"), Some(1));
    ivanov.0.say(r#"["pbxabortcall",{"qid":"a"}]"#).await;
    assert_eq!(ivanov.0.hear_named("pbxabortcallresult").await.body.int("result"), Some(1));

    // An account of the interface needs no reload of anybody.
    let wanted = json!({"login": "popov", "number": "107", "password": "a long password"});
    let (status, added) = admin.ask("POST", "/api/v1/users", Some(&wanted)).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!(called(&admin, "107").await, (200, vec!["107".to_owned()]));
    admin.ask("POST", "/api/v1/sim", Some(&json!({"op": "hangup", "number": "79001112233"}))).await;

    office.write(&[&user("ivanov", 101), &user("petrov", 106)]);
    assert_eq!(office.reload().await, ["user[petrov].number now", "queue[0] now"]);
    assert_eq!(called(&admin, "105").await.0, 404);
    assert_eq!(called(&admin, "600").await.0, 404);
    assert_eq!(called(&admin, "106").await, (200, vec!["106".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_link_whose_own_keys_changed_is_opened_anew() {
    let office = Office::open(&[&user("ivanov", 101), &link("crm"), &link("other")]).await;
    let mut crm = office.crm(0).await;
    let mut other = office.crm(1).await;
    let allow = "allow_from = [\"127.0.0.0/8\"]\n";
    office.write(&[&user("ivanov", 101), &link("crm"), allow, &link("other"), "trust_users = true\n"]);
    assert_eq!(office.reload().await, ["link[crm].allow_from relink", "link[other].trust_users now"]);
    let (code, reason) = crm.0.closed().await;
    assert_eq!((code, &*reason), (1012, "the settings of this link have changed; connect again"));
    // The same port, the same moment.
    let mut again = office.crm(0).await;
    again.0.say(r#"["ping",{"qid":1}]"#).await;
    again.0.hear_named("pong").await;
    // The other was not touched, but what it may do has changed.
    other.0.say(r#"["getuserstate",{"qid":"g","userlogin":"ivanov"}]"#).await;
    assert_eq!(other.0.hear_named("getuserstateresult").await.body.int("result"), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_changes_nothing() {
    let office = Office::open(&[&user("ivanov", 101), &link("crm")]).await;
    let mut crm = office.crm(0).await;
    office.write(&["[limits]\nnesting = 500\n", &user("ivanov", 102)]);
    let refused = office.node.reload().await;
    let Err(NotChanged::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.errors[0].keys, ["limits.nesting"]);

    // A port that somebody else has: neither the person nor the other link is changed.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let third = accepting("third", taken.local_addr().unwrap());
    office.write(&[&user("ivanov", 102), &user("petrov", 105), &third]);
    let failed = office.node.reload().await;
    assert!(matches!(&failed, Err(NotChanged::Start(_))), "{failed:?}");
    crm.0.say(r#"["ping",{"qid":1}]"#).await;
    crm.0.hear_named("pong").await;
    let now = office.node.engine().ask(ctigate::proto::hub::input::Ask::Snapshot).await;
    let ctigate::proto::hub::output::Answer::Snapshot(now) = now else { panic!("a picture") };
    assert_eq!(now.users.iter().map(|u| &*u.number).collect::<Vec<_>>(), ["101"]);
    drop(taken);
    assert_eq!(
        office.reload().await,
        ["user[ivanov].number now", "user[petrov] now", "link[crm] now", "link[third] now"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_changed_by_the_interface_and_kept_in_the_store() {
    let office = Office::open(&["[limits]\ntabs_per_user = 9\n", &user("ivanov", 101)]).await;
    let admin = office.admin();
    let row = async |key: &str| {
        let all = admin.get("/api/v1/settings").await;
        all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["key"] == key)
            .cloned()
            .unwrap_or_else(|| panic!("{key}"))
    };
    let tabs = row("limits.tabs_per_user").await;
    assert_eq!(
        (&tabs["value"], &tabs["default"], &tabs["origin"], &tabs["effect"]),
        (&json!(9), &json!(100), &json!("file"), &json!("now"))
    );
    assert_eq!(row("store.url").await["changeable"], false);

    let wanted = json!({"limits.tabs_per_user": 1, "web.bind": "127.0.0.1:4999"});
    let (status, would) = admin.ask("PUT", "/api/v1/settings?try=1", Some(&wanted)).await;
    assert_eq!(status, 200, "{would}");
    let keys = |changed: &Value| -> Vec<String> {
        let all = changed["changes"].as_array().unwrap();
        all.iter()
            .map(|c| {
                format!(
                    "{} {} {}",
                    c["key"].as_str().unwrap(),
                    c["is"].as_str().unwrap(),
                    c["effect"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(keys(&would), ["web.bind \"127.0.0.1:4999\" restart", "limits.tabs_per_user 1 now"]);
    assert_eq!(row("limits.tabs_per_user").await["value"], 9, "it was only tried");
    let (status, done) = admin.ask("PUT", "/api/v1/settings", Some(&wanted)).await;
    assert_eq!((status, keys(&done)), (200, keys(&would)));
    let tabs = row("limits.tabs_per_user").await;
    assert_eq!((&tabs["value"], &tabs["origin"]), (&json!(1), &json!("store")));
    assert_eq!(row("web.bind").await["waits"], true);
    let mut first = FakeTab::login(office.web(), Format::Json, "ivanov").await;
    let mut second = FakeTab::connect(office.web(), Format::Json).await;
    second
        .0
        .say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{}"}}]"#, crate::support::peers::HASH))
        .await;
    assert_eq!(second.0.closed().await.0, 1008, "one tab is the bound now");
    first.ping().await;

    // What makes no configuration, or does not belong there, is refused with the place.
    let (status, refused) = admin.ask("PUT", "/api/v1/settings", Some(&json!({"limits.nesting": 500}))).await;
    assert_eq!(
        (status, &refused["findings"][0]["place"]),
        (409, &json!("in the store, setting limits.nesting")),
        "{refused}"
    );
    let (status, refused) = admin.ask("PUT", "/api/v1/settings", Some(&json!({"store.url": "sqlite::memory:"}))).await;
    assert_eq!(status, 400, "{refused}");
    let (status, nothing) = admin.ask("POST", "/api/v1/reload", None).await;
    assert_eq!((status, &nothing["changes"]), (200, &json!([])));

    // Taken out, what lies below counts again; and all of it outlives a restart.
    let (status, _) = admin.ask("PUT", "/api/v1/settings", Some(&json!({"web.bind": null}))).await;
    assert_eq!(status, 200);
    let Office { folder, node } = office;
    assert!(node.stop().await);
    let begun = app::begin(Sources::file(file(folder.path()))).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(begun.loaded.config.limits.tabs_per_user, 1);
    assert_eq!(begun.loaded.config.web.bind.port(), 0);
    assert_eq!(begun.loaded.origins["limits.tabs_per_user"].layer(), "store");
}
