//! What can be done with a call, in each state in which it makes sense: what everybody sees before and after.

use serde_json::json;

use crate::desk::Desk;
use crate::dialplan;
use crate::office::{Pbx, Story};

/// Two people talk; the first called.
pub(crate) async fn talk<P: Pbx>(s: &Story<P>, a: &Desk, b: &Desk) {
    a.does("pbxautocallstart", json!({ "number": b.number })).await;
    s.pbx.picks_up(&a.number).await;
    s.pbx.picks_up(&b.number).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
}

/// Somebody outside has called and talks with one of ours; gives who.
pub(crate) async fn visit<P: Pbx>(s: &Story<P>, a: &Desk) -> String {
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("talk {client}")).await;
    client
}

/// The first talks with the second, and holds somebody outside; gives who.
pub(crate) async fn consultation<P: Pbx>(s: &Story<P>, a: &Desk, b: &Desk) -> String {
    let client = visit(s, a).await;
    a.does("pbxautocallstart", json!({ "number": b.number })).await;
    a.is(&format!("call {b} + {client}")).await;
    b.is(&format!("ring {a}")).await;
    s.pbx.picks_up(&b.number).await;
    a.is(&format!("talk {b} + {client}")).await;
    b.is(&format!("talk {a}")).await;
    client
}

pub(crate) async fn the_own_phone_first<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "user" })).await;
    a.is(&format!("backring {b}")).await;
    assert_eq!(b.now(), "ready", "it is not rung before");
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("call {b}")).await;
    b.is(&format!("ring {a}")).await;
    s.pbx.picks_up(&b.number).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
    assert_eq!(a.states(), ["ready".to_owned(), format!("backring {b}"), format!("call {b}"), format!("talk {b}")]);
    assert_eq!(b.states(), ["ready".to_owned(), format!("ring {a}"), format!("talk {a}")]);
    b.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn the_other_first<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "abonent" })).await;
    a.is(&format!("call {b}")).await;
    b.is(&format!("ring {a}")).await;
    s.pbx.picks_up(&b.number).await;
    a.is(&format!("backring {b}")).await;
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
    assert_eq!(a.states(), ["ready".to_owned(), format!("call {b}"), format!("backring {b}"), format!("talk {b}")]);
    a.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn dialling_is_stopped_before_the_other_answers<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "abonent" })).await;
    b.is(&format!("ring {a}")).await;
    a.is(&format!("call {b}")).await;
    a.wants("pbxautocallabort").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn the_call_back_is_refused_when_the_other_has_answered<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "abonent" })).await;
    s.pbx.picks_up(&b.number).await;
    a.is(&format!("backring {b}")).await;
    a.wants("pbxdeclinecall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn the_call_back_is_refused<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    for stop in ["pbxdeclinecall", "pbxautocallabort"] {
        a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "user" })).await;
        a.is(&format!("backring {b}")).await;
        a.wants(stop).await;
        a.is("ready").await;
    }
    assert_eq!(b.states(), ["ready"], "nobody rang it");
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn the_call_is_stopped_while_the_other_rings<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "user" })).await;
    s.pbx.picks_up(&a.number).await;
    b.is(&format!("ring {a}")).await;
    a.is(&format!("call {b}")).await;
    a.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn intercom<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "user", "intercom": true })).await;
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
    s.pbx.hangs_up(&a.number).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn somebody_outside_is_called<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    a.does("pbxautocallstart", json!({ "number": client })).await;
    a.is(&format!("backring {client}")).await;
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("call {client}")).await;
    s.pbx.picks_up(&client).await;
    a.is(&format!("talk {client}")).await;
    let line = a.wants("getextendedlineinfo").await;
    assert_eq!(line["abonent"]["isextline"], true, "{line}");
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a]).await;
}

pub(crate) async fn a_call_from_outside<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    a.is("ready").await;
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.picks_up(&a.number).await;
    a.is(&format!("talk {client}")).await;
    a.wants("pbxabortcall").await;
    s.closes(&[&a]).await;
}

pub(crate) async fn the_phone_is_answered_from_the_page<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    a.wants("pbxanswercall").await;
    a.is(&format!("talk {client}")).await;
    let entry_is_one = a.chain();
    s.pbx.hangs_up(&client).await;
    a.is("ready").await;
    let entry = s.entry(&client, 0).await;
    assert_eq!((&*entry.call.0, entry.outcome.word()), (&*entry_is_one, "answered"), "one conversation: {entry:#?}");
    s.closes(&[&a]).await;
}

pub(crate) async fn a_ring_is_declined_from_the_page<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    a.wants("pbxdeclinecall").await;
    a.is("ready").await;
    assert_eq!(s.entry(&client, 0).await.outcome.word(), "refused");
    s.closes(&[&a]).await;
}

pub(crate) async fn hold_and_take_back<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    talk(&s, &a, &b).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("ready + {b}")).await;
    b.is(&format!("talk {a}")).await;
    a.wants("pbxmakeflash").await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
    s.pbx.hangs_up(&b.number).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_held_party_leaves<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    talk(&s, &a, &b).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("ready + {b}")).await;
    b.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_second_call_toggles_and_returns<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("talk {client} + {b}")).await;
    b.is(&format!("talk {a}")).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("talk {b} + {client}")).await;
    a.does("pbxmakeflash", json!({ "mode": "abort" })).await;
    a.is(&format!("talk {client}")).await;
    b.is("ready").await;
    a.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_consulted_person_refuses<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = visit(&s, &a).await;
    a.does("pbxautocallstart", json!({ "number": b.number })).await;
    a.is(&format!("call {b} + {client}")).await;
    s.pbx.refuses(&b.number).await;
    a.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_consulted_person_leaves<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    s.pbx.hangs_up(&b.number).await;
    a.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn the_held_party_is_dropped<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    consultation(&s, &a, &b).await;
    a.does("pbxmakeflash", json!({ "mode": "next" })).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
    a.wants("pbxabortcall").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn to_hang_up_with_somebody_on_hold_joins<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.wants("pbxabortcall").await;
    a.is("ready").await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_transfer_to_the_held_party_joins<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.does("pbxmaketransfer", json!({ "transferto": client })).await;
    a.is("ready").await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&b.number).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_blind_transfer<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = visit(&s, &a).await;
    a.does("pbxmaketransfer", json!({ "transferto": b.number })).await;
    a.is("ready").await;
    b.is(&format!("ring {client}")).await;
    s.pbx.picks_up(&b.number).await;
    b.is(&format!("talk {client}")).await;
    assert_eq!(a.chain(), b.chain(), "one conversation");
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_blind_transfer_outside<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    talk(&s, &a, &b).await;
    let client = s.outside(2);
    a.does("pbxmaketransfer", json!({ "transferto": client })).await;
    a.is("ready").await;
    b.is(&format!("call {client}")).await;
    s.pbx.picks_up(&client).await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_transfer_with_somebody_on_hold<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.does("pbxmaketransfer", json!({ "transferto": c.number })).await;
    a.is(&format!("talk {client}")).await;
    b.is(&format!("call {c}")).await;
    c.is(&format!("ring {b}")).await;
    s.pbx.picks_up(&c.number).await;
    b.is(&format!("talk {c}")).await;
    c.is(&format!("talk {b}")).await;
    a.wants("pbxabortcall").await;
    a.is("ready").await;
    assert_eq!(b.now(), format!("talk {c}"), "the others go on");
    s.pbx.hangs_up(&c.number).await;
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn a_call_to_a_busy_phone<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    s.pbx.is_busy(&b.number).await;
    a.does("pbxautocallstart", json!({ "number": b.number })).await;
    s.pbx.picks_up(&a.number).await;
    a.is("ready").await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_call_to_nobody<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let reply = a.call("pbxautocallstart", json!({ "number": "199" })).await;
    assert_eq!((&reply["result"], &reply["error"]), (&json!(0), &json!(59007)), "{reply}");
    s.closes(&[&a]).await;
}

pub(crate) async fn a_phone_is_away<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let state = |reply: &serde_json::Value| {
        let numbers = reply["numbers"].as_array().cloned().unwrap_or_default();
        numbers.iter().find(|n| n["number"] == json!(b.number)).map(|n| n["state"].clone())
    };
    let all = json!({ "mode": "full" });
    s.pbx.is_away(&b.number, true).await;
    b.is("disconnected").await;
    a.asks_until("getpbxnumbers", all.clone(), |reply| state(reply) == Some(json!(7))).await;
    s.pbx.is_away(&b.number, false).await;
    b.is("ready").await;
    a.asks_until("getpbxnumbers", all, |reply| state(reply) == Some(json!(1))).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_queue_rings_its_people<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &s.queue()).await;
    for desk in [&a, &b, &c] {
        desk.is(&format!("ring {client}")).await;
    }
    let queue = a.wants("getcurrentqueue").await;
    assert_eq!(queue["queue"][0]["callerid"], json!(client), "{queue}");
    s.pbx.picks_up(&b.number).await;
    b.is(&format!("talk {client}")).await;
    a.is("ready").await;
    c.is("ready").await;
    let queue = a.wants("getcurrentqueue").await;
    assert_eq!(queue["queue"], json!([]), "{queue}");
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn a_group_rings<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &dialplan::group(s.team)).await;
    for desk in [&a, &b, &c] {
        desk.is(&format!("ring {client}")).await;
    }
    s.pbx.picks_up(&b.number).await;
    b.is(&format!("talk {client}")).await;
    a.is("ready").await;
    c.is("ready").await;
    s.pbx.hangs_up(&b.number).await;
    let entry = s.entry(&client, 0).await;
    assert_eq!((entry.legs.len(), entry.talks.len(), entry.outcome.word()), (4, 1, "answered"), "{entry:#?}");
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn a_caller_leaves_a_queue<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &s.queue()).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    a.is("ready").await;
    let queue = a.wants("getcurrentqueue").await;
    assert_eq!(queue["queue"], json!([]), "{queue}");
    s.closes(&[&a]).await;
}

pub(crate) async fn who_has_a_break_is_not_rung<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = s.outside(1);
    a.does("setuserstate", json!({ "userstateid": 2, "oncallcenter": true })).await;
    s.office.phone_is(&a.number, "left alone by queues", |phone| phone["available"] == false).await;
    s.pbx.comes_in(&client, &s.queue()).await;
    b.is(&format!("ring {client}")).await;
    assert!(!a.states().iter().any(|state| state.starts_with("ring")), "it has a break");
    s.pbx.hangs_up(&client).await;
    b.is("ready").await;
    a.does("setuserstate", json!({ "userstateid": 1, "oncallcenter": true })).await;
    s.office.phone_is(&a.number, "there for queues", |phone| phone["available"] == true).await;
    s.pbx.comes_in(&client, &s.queue()).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn a_redirection_redirects<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = s.outside(1);
    a.does("saveredirectrules", json!({ "redirectrule": { "id": "r", "destinationnumber": b.number } })).await;
    a.does("setuserstate", json!({ "onredirect": true })).await;
    s.office.phone_is(&a.number, "redirected", |phone| phone["redirect"] == json!(b.number)).await;
    s.pbx.comes_in(&client, &a.number).await;
    b.is(&format!("ring {client}")).await;
    assert!(!a.states().iter().any(|state| state.starts_with("ring")), "its calls go elsewhere");
    s.pbx.hangs_up(&client).await;
    b.is("ready").await;
    a.does("setuserstate", json!({ "onredirect": false })).await;
    s.office.phone_is(&a.number, "redirected no more", |phone| phone["redirect"] == "").await;
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn two_tabs_act_at_once<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let other = s.desk(1).await;
    let client = visit(&s, &a).await;
    let (one, two) = tokio::join!(a.call("pbxabortcall", json!({})), other.call("pbxabortcall", json!({})));
    let done = [one, two].iter().filter(|reply| reply["result"] == 1).count();
    assert!(done >= 1, "somebody ended the call with {client}");
    s.closes(&[&a, &other]).await;
}
