//! Conferences, and listening in.

use serde_json::json;

use super::calls::{consultation, talk, visit};
use crate::office::{Pbx, Story};

const TALKS: &str = "talk conference";

pub(crate) async fn a_talk_becomes_a_conference_of_three<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    talk(&s, &a, &b).await;
    a.wants("buildconferencefromcommutation").await;
    a.is(TALKS).await;
    b.is(TALKS).await;
    let id = a.conference().await;
    a.does("confhandleevent", json!({ "conferenceid": id, "eventtype": "competitors", "handle": true })).await;
    a.does("invitetoconference", json!({ "conferenceid": id, "competitors": [{ "number": c.number }] })).await;
    c.is(&format!("ring {a}")).await;
    s.pbx.picks_up(&c.number).await;
    c.is(TALKS).await;
    assert_eq!(c.conference().await, id);
    let there = |info: &serde_json::Value| info["competitors"].to_string().matches("InConference").count() == 3;
    a.asks_until("getconferenceinfo", json!({ "conferenceid": id }), there).await;
    a.hears("confcompositionchanged", |_| true).await;
    let list = a.does("getconferencecompetitors", json!({ "conferenceid": id })).await;
    let third = list["competitorlist"].as_array().unwrap().iter().find(|m| m["number"] == json!(c.number));
    let third = third.unwrap_or_else(|| panic!("{list}"))["competitorid"].clone();
    let kick = json!({ "conferenceid": id, "competitor": { "competitorid": third } });
    a.does("confdisconnectcompetitor", kick).await;
    c.is("ready").await;
    b.does("exitconference", json!({ "conferenceid": id })).await;
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn a_conference_has_the_id_that_the_client_chose<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    let id = format!("7a0d7c11-0000-4000-8000-{:012}", s.team);
    let members = json!([{ "userlogin": a.login }, { "number": b.number }, { "number": c.number }]);
    let about =
        json!({ "id": id, "room": s.team, "name": "", "description": "", "accessmode": "free", "record": false });
    a.does("createnewconference", json!({ "conference": about, "competitors": members })).await;
    for desk in [&a, &b, &c] {
        s.pbx.picks_up(&desk.number).await;
        desk.is(TALKS).await;
        assert_eq!(desk.conference().await, id);
    }
    a.wants("pbxabortcall").await;
    a.is("ready").await;
    assert_eq!(b.now(), TALKS, "the others stay");
    b.wants("pbxabortcall").await;
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn the_held_party_comes_into_the_conference<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("talk {client} + {b}")).await;
    a.wants("buildconferencefromcommutation").await;
    a.is(&format!("{TALKS} + {b}")).await;
    a.asks_until("checkcanconnecttogathertoconference", json!({}), |reply| reply["canconnecttogather"] == true).await;
    a.wants("connecttogathertoconference").await;
    a.is(TALKS).await;
    b.is(TALKS).await;
    a.wants("pbxabortcall").await;
    a.is("ready").await;
    s.pbx.hangs_up(&b.number).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_supervisor_listens_in_helps_and_joins<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let boss = s.desk(5).await;
    let client = visit(&s, &a).await;
    let me = a.wants("getmyuserinfo").await;
    let id = me["userid"].clone();
    boss.does("attachasghost", json!({ "ghostedid": id })).await;
    s.pbx.picks_up(&boss.number).await;
    boss.is(TALKS).await;
    assert_eq!(a.now(), format!("talk {client}"), "who is listened to sees nothing of it");
    let id = boss.conference().await;
    let of = json!({ "conferenceid": id });
    let info = boss.does("getconferenceinfo", of.clone()).await;
    assert_eq!(info["conference"]["isghost"], true, "{info}");
    for mode in ["help", "conference", "monitor"] {
        boss.does("confsetghostmode", json!({ "conferenceid": id, "ghostmode": mode })).await;
        boss.asks_until("getconferenceinfo", of.clone(), |info| info["conference"]["ghostmode"] == mode).await;
    }
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &boss]).await;
}
