//! Logins are found whatever the case of their letters, at every door. `proto-spec/auth.md`, "Login".

use ctigate_proto::hub::input::{ApiCall, Ask};
use ctigate_proto::hub::output::{Answer, Record};
use ctigate_proto::hub::settings::{Settings, Trigger};
use ctigate_proto::message::{Format, Object, Text};
use ctigate_proto::telephony::FormOrder;

use crate::world::{HASH, IVANOV, World, both, rule, settings};

/// The people of the world, spelled otherwise.
fn spelled() -> Settings {
    let mut settings = settings();
    settings.accounts[0].login = Text::from_static("Ivanov");
    settings.accounts[1].login = Text::from_static("ПЕТРОВ");
    settings.accounts[2].subordinates = vec!["IVANOV".into(), "петров".into()];
    settings
}

#[test]
fn a_tab_logs_in_and_calls_in_any_spelling_and_hears_the_accounts_own() {
    both(|format| {
        let mut w = World::with(spelled());
        let tab = w.tab(format);
        w.say(tab, &format!(r#"["login",{{"qid":1,"userlogin":"iVaNoV","Password":"{HASH}"}}]"#));
        let reply = w.expect(tab, "loginresult");
        assert_eq!((reply.text("userlogin"), reply.text("userid")), ("Ivanov".into(), IVANOV.into()));
        let session = reply.text("sessionid");
        w.say(tab, r#"["getuserstate",{"qid":2,"userlogin":"IVANOV"}]"#);
        assert_eq!(w.expect(tab, "getuserstateresult").text("userlogin"), "Ivanov");
        w.say(tab, r#"["getuserstate",{"qid":3,"userlogin":"Ivanow"}]"#);
        w.expect(tab, "getuserstateresult").failed(59003, "userlogin is not Ivanov");
        w.say(tab, &format!(r#"["login",{{"qid":4,"userlogin":"ivanov","sessionid":"{session}"}}]"#));
        assert_eq!(w.expect(tab, "loginresult").int("result"), 1, "the same user, again");

        let other = w.tab(format);
        w.say(other, &format!(r#"["login",{{"qid":5,"userlogin":"петров","Password":"{HASH}"}}]"#));
        assert_eq!(w.expect(other, "loginresult").text("userlogin"), "ПЕТРОВ");
        let third = w.tab(format);
        w.say(third, &format!(r#"["login",{{"qid":6,"userlogin":"Петров","sessionid":"{session}"}}]"#));
        assert_eq!(w.expect(third, "loginresult").text("errormsg"), "Bad request. Invalid session user");
    });
}

#[test]
fn a_crm_names_its_people_in_any_spelling() {
    both(|format| {
        let mut settings = spelled();
        settings.links[0].users = Some(vec!["IVANOV".into()]);
        let mut w = World::with(settings);
        let crm = w.introduced("crm", format);
        assert_eq!(w.tunnel_login(crm, "ivanov", "t1").text("userlogin"), "Ivanov");
        w.say(crm, &format!(r#"["getuserstate",{{"qid":1,"userlogin":"IVANOV","userid":"{IVANOV}"}}]"#));
        assert_eq!(w.expect(crm, "getuserstateresult").text("userlogin"), "Ivanov", "they agree");
        w.say(crm, r#"["activeusers",{"users":[{"userlogin":"IVAnov","tabs":["t7"]},{"userlogin":"петров"}]}]"#);
        let view = w.hub.snapshot();
        assert_eq!(view.users[0].tabs.len(), 1);
        assert_eq!(w.hub.sizes().behind_links, 2, "ivanov in the tunnel and in the list; petrov is no user of it");
    });
}

#[test]
fn lists_of_people_and_orders_from_outside_know_any_spelling() {
    let mut settings = spelled();
    let mut card = rule("clientcard");
    card.on = Trigger::Ring;
    card.users = vec!["ivanOV".into()];
    settings.forms = vec![card];
    let mut w = World::with(settings);
    let tab = w.agent("IVANOV", Format::Json);
    let crm = w.introduced("crm", Format::Json);
    w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
    w.expect(tab, "dlgcard_showformdialog");
    let order =
        FormOrder { name: "other".into(), user: "IvanoV".into(), call: None, parameters: Object::new(), expire: None };
    let ticket = w.ask(Ask::OpenForm(order));
    assert!(matches!(w.answer(ticket), Some(Answer::FormOpened { .. })));
    w.ask(Ask::Call(ApiCall { method: "Anything".into(), user: "петроВ".into(), ..ApiCall::default() }));
    assert_eq!(w.expect(crm, "executemethod").text("userlogin"), "ПЕТРОВ");

    let boss = w.agent("sidorova", Format::Json);
    w.say(boss, r#"["getallusernumbers",{"qid":1}]"#);
    let users = w.expect(boss, "getallusernumbersresult").json("users");
    assert_eq!(users.matches(r#""sub":1"#).count(), 2, "{users}");
}

#[test]
fn what_was_kept_is_found_under_another_spelling() {
    let mut w = World::new();
    w.agent("ivanov", Format::Json);
    let stored = w.records.iter().find_map(|r| match r {
        Record::Session(s) => Some(s.clone()),
        _ => None,
    });
    let mut w = World::with(spelled());
    w.hub.restore_session(stored.expect("the session was kept"));
    assert_eq!(w.hub.sizes().sessions, 1);
}
