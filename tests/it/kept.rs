//! What an acknowledgement promises is on disk before it is sent.

use std::time::Duration;

use ctigate::config::LinkMode;
use ctigate::proto::message::Format;
use tokio::time::Instant;

use crate::support::database::{Database, on_both};
use crate::support::gateway::link;
use crate::support::peers::{HASH, text};
use crate::support::process::serve;
use crate::support::{FakeCrm, FakeTab, Frame, node, soon};

async fn begin_login(tab: &mut FakeTab) {
    tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
}

async fn resume(tab: &mut FakeTab, session: &str) -> Option<i64> {
    tab.0.say(&format!(r#"["login",{{"qid":"s","userlogin":"ivanov","sessionid":"{session}"}}]"#)).await;
    tab.0.hear_named("loginresult").await.body.int("result")
}

/// That nothing but pings comes for a while.
async fn hears_nothing(tab: &mut FakeTab) {
    let heard = tokio::time::timeout(Duration::from_millis(400), tab.0.ws.next_data()).await;
    assert!(heard.is_err(), "{heard:?}");
}

on_both! {
    async fn a_session_is_on_disk_before_the_login_is_answered_and_nobody_else_waits(database: Database) {
        let folder = database.folder.path();
        let mut config = node::config(folder);
        config.store.url = database.url();
        let crm = ctigate::config::Link { bind: Some("127.0.0.1:0".parse().unwrap()), ..link("crm", LinkMode::AcceptWs) };
        config.links.push(crm);
        let node = node::start(&config).await;
        let web = node.addresses.web.unwrap();
        let mut other = database.other().await;

        let mut first = FakeTab::connect(web, Format::Json).await;
        begin_login(&mut first).await;
        let session = text(&first.0.hear_named("loginresult").await, "sessionid");
        assert_eq!(other.number("SELECT count(*) FROM session").await, 1);
        let mut crm = FakeCrm::connect(node.addresses.links[0].1, Format::Json).await;
        crm.introduce_bare().await;

        other.locks("session").await;
        let mut late = FakeTab::connect(web, Format::Xml).await;
        begin_login(&mut late).await;
        crm.0.say(&format!(r#"["login",{{"qid":"t","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
        hears_nothing(&mut late).await;
        first.ping().await;
        let mut resumed = FakeTab::connect(web, Format::Json).await;
        assert_eq!(resume(&mut resumed, &session).await, Some(1), "what is on disk already does not wait");
        crm.0.say(r#"["getpbxnumbers",{"qid":"n"}]"#).await;
        let before = soon("a reply to the link", async {
            loop {
                let heard = crm.0.hear().await;
                if heard.name != "userstatechanged" {
                    return heard.name.to_string();
                }
            }
        });
        assert_eq!(before.await, "getpbxnumbersresult", "others behind the link do not wait");

        other.lets_go().await;
        let Frame::Text(answer) = late.0.ws.next_data().await else { panic!("a message") };
        assert!(answer.contains("loginresult"), "before anything else: {answer}");
        let tunnelled = crm.0.hear_named("loginresult").await;
        assert_eq!((tunnelled.body.text("qid").as_deref(), tunnelled.body.int("result")), (Some("t"), Some(1)));
        assert_eq!(other.number("SELECT count(*) FROM session").await, 3);

        // The end of a session is a promise too: it must not come back with a restart.
        other.locks("session").await;
        late.0.say(r#"["logout",{"qid":"o"}]"#).await;
        hears_nothing(&mut late).await;
        other.lets_go().await;
        late.0.hear_named("logoutresult").await;
        assert_eq!(other.number("SELECT count(*) FROM session").await, 2);
        assert_eq!(late.0.closed().await.0, 1000);
        assert!(node.stop().await, "a clean stop");
    }
}

on_both! {
    async fn a_store_that_is_away_for_long_keeps_nobody_out(database: Database) {
        let folder = database.folder.path();
        let mut config = node::config(folder);
        config.store.url = database.url();
        let node = node::start(&config).await;
        let mut other = database.other().await;
        other.locks("session").await;
        let began = Instant::now();
        let mut tab = FakeTab::connect(node.addresses.web.unwrap(), Format::Json).await;
        begin_login(&mut tab).await;
        let reply = tab.0.hear_named("loginresult").await;
        assert_eq!(reply.body.int("result"), Some(1));
        assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
        other.lets_go().await;
        assert!(node.stop().await, "what waited is written");
        assert_eq!(other.number("SELECT count(*) FROM session").await, 1);
    }
}

on_both! {
    async fn a_session_lives_on_when_the_gateway_is_killed_right_after_its_answer(database: Database) {
        let folder = database.folder.path();
        let [web, admin] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let config = format!(
            "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[store]\nurl = \"{}\"\n[[user]]\nlogin = \"ivanov\"\npassword = \"Secret1\"\n",
            database.address()
        );
        std::fs::write(folder.join("ctigate.toml"), config).unwrap();
        let mut given: Vec<String> = Vec::new();
        for _ in 0..4 {
            let gateway = serve(folder, web).await;
            for session in &given {
                let mut tab = FakeTab::connect(web, Format::Json).await;
                assert_eq!(resume(&mut tab, session).await, Some(1), "the session lives on");
            }
            let mut tab = FakeTab::connect(web, Format::Json).await;
            begin_login(&mut tab).await;
            let session = text(&tab.0.hear_named("loginresult").await, "sessionid");
            drop(gateway);
            given.push(session);
        }
    }
}
