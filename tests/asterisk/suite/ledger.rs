//! The ledger's truth table: how a conversation went, and of what it was made.

use ctigate::proto::calls::Entry;
use ctigate::proto::telephony::EndCause;
use serde_json::json;

use super::calls::{consultation, talk, visit};
use crate::dialplan;
use crate::office::{Pbx, Story};

/// Outcome, direction, and how many legs, talks and stays in queues.
fn sum(entry: &Entry) -> (&'static str, &'static str, (usize, usize, usize)) {
    assert!(entry.wait_ms >= 0 && entry.talk_ms >= 0 && entry.ended_ms >= entry.began_ms, "{entry:#?}");
    assert!(entry.wait_ms + entry.talk_ms <= entry.ended_ms - entry.began_ms, "{entry:#?}");
    assert_eq!(entry.outcome.word() == "answered", !entry.talks.is_empty(), "{entry:#?}");
    let parts = (entry.legs.len(), entry.talks.len(), entry.queues.len());
    (entry.outcome.word(), entry.direction.word(), parts)
}

/// Why the newest leg of a number ended.
fn cause(entry: &Entry, number: &str) -> EndCause {
    let leg = entry.legs.iter().rfind(|leg| leg.end.number() == number);
    leg.unwrap_or_else(|| panic!("{number} has no part: {entry:#?}")).cause
}

#[track_caller]
fn is(entry: &Entry, outcome: &'static str, direction: &'static str, parts: (usize, usize, usize)) {
    assert_eq!(sum(entry), (outcome, direction, parts), "{entry:#?}");
}

pub(crate) async fn answered<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = visit(&s, &a).await;
    s.pbx.hangs_up(&a.number).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (2, 1, 0));
    assert_eq!((&*entry.parties.caller, &*entry.parties.called), (&*client, &*a.number));
    assert_eq!((cause(&entry, &a.number), cause(&entry, &client)), (EndCause::Hangup, EndCause::OtherGone));
    s.closes(&[&a]).await;
}

pub(crate) async fn answered_outside<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    a.does("pbxautocallstart", json!({ "number": client })).await;
    s.pbx.picks_up(&a.number).await;
    s.pbx.picks_up(&client).await;
    a.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "outgoing", (2, 1, 0));
    assert_eq!((&*entry.parties.caller, &*entry.parties.called), (&*a.number, &*client));
    s.closes(&[&a]).await;
}

pub(crate) async fn answered_in_a_queue<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &s.queue()).await;
    for desk in [&a, &b, &c] {
        desk.is(&format!("ring {client}")).await;
    }
    s.pbx.picks_up(&c.number).await;
    c.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (4, 1, 1));
    assert_eq!((cause(&entry, &a.number), cause(&entry, &c.number)), (EndCause::Elsewhere, EndCause::OtherGone));
    assert_eq!(&*entry.queues[0].queue, s.queue());
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn hold_makes_another_talk<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = visit(&s, &a).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("ready + {client}")).await;
    a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
    a.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (2, 2, 0));
    assert!(entry.talks[0].ended_ms <= entry.talks[1].began_ms, "{entry:#?}");
    s.closes(&[&a]).await;
}

pub(crate) async fn joined_after_a_consultation<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = consultation(&s, &a, &b).await;
    a.wants("pbxabortcall").await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&b.number).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (4, 3, 0));
    assert_eq!(cause(&entry, &a.number), EndCause::Transferred);
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn transferred<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let client = visit(&s, &a).await;
    a.does("pbxmaketransfer", json!({ "transferto": b.number })).await;
    s.pbx.picks_up(&b.number).await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&b.number).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (3, 2, 0));
    assert_eq!((cause(&entry, &a.number), cause(&entry, &b.number)), (EndCause::Transferred, EndCause::Hangup));
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn transferred_and_not_answered<P: Pbx>(s: Story<P>) {
    let [a, b, c] = s.desks().await;
    talk(&s, &b, &c).await;
    c.does("pbxmaketransfer", json!({ "transferto": dialplan::short(s.team) })).await;
    a.is(&format!("ring {b}")).await;
    b.is("ready").await;
    let entry = s.entry(&b.number, 0).await;
    is(&entry, "answered", "internal", (3, 1, 0));
    assert_eq!(cause(&entry, &a.number), EndCause::NoAnswer, "{entry:#?}");
    s.closes(&[&a, &b, &c]).await;
}

pub(crate) async fn transferred_into_a_queue<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    let boss = s.desk(4).await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &boss.number).await;
    s.pbx.picks_up(&boss.number).await;
    boss.is(&format!("talk {client}")).await;
    boss.does("pbxmaketransfer", json!({ "transferto": s.queue() })).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.picks_up(&b.number).await;
    b.is(&format!("talk {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "answered", "incoming", (5, 2, 1));
    s.closes(&[&a, &b, &boss]).await;
}

pub(crate) async fn abandoned<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &s.queue()).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "abandoned", "incoming", (4, 0, 1));
    s.closes(&[&a]).await;
}

pub(crate) async fn cancelled_by_the_caller<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.hangs_up(&client).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "cancelled", "incoming", (2, 0, 0));
    assert_eq!((cause(&entry, &a.number), cause(&entry, &client)), (EndCause::CallerGone, EndCause::Hangup));
    s.closes(&[&a]).await;
}

pub(crate) async fn cancelled_by_the_user<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "abonent" })).await;
    b.is(&format!("ring {a}")).await;
    a.wants("pbxautocallabort").await;
    let entry = s.entry(&a.number, 0).await;
    is(&entry, "cancelled", "internal", (2, 0, 0));
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn cancelled_at_the_call_back<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    a.does("pbxautocallstart", json!({ "number": b.number, "sequence": "user" })).await;
    s.pbx.refuses(&a.number).await;
    let entry = s.entry(&a.number, 0).await;
    is(&entry, "cancelled", "internal", (1, 0, 0));
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn not_answered<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &dialplan::short(s.team)).await;
    a.is(&format!("ring {client}")).await;
    a.is("ready").await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "noanswer", "incoming", (2, 0, 0));
    assert!((1_500..6_000).contains(&entry.wait_ms), "{entry:#?}");
    s.closes(&[&a]).await;
}

pub(crate) async fn not_answered_in_a_queue<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &dialplan::patience(s.team)).await;
    a.is(&format!("ring {client}")).await;
    a.is("ready").await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "noanswer", "incoming", (4, 0, 1));
    s.closes(&[&a]).await;
}

pub(crate) async fn busy<P: Pbx>(s: Story<P>) {
    let [a, b] = s.desks().await;
    s.pbx.is_busy(&b.number).await;
    a.does("pbxautocallstart", json!({ "number": b.number })).await;
    s.pbx.picks_up(&a.number).await;
    let entry = s.entry(&a.number, 0).await;
    is(&entry, "busy", "internal", (2, 0, 0));
    assert_eq!(cause(&entry, &b.number), EndCause::Busy);
    s.closes(&[&a, &b]).await;
}

pub(crate) async fn refused<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let client = s.outside(1);
    s.pbx.comes_in(&client, &a.number).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.refuses(&a.number).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "refused", "incoming", (2, 0, 0));
    assert_eq!(cause(&entry, &a.number), EndCause::Refused);
    s.closes(&[&a]).await;
}

pub(crate) async fn unreachable<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let (client, away) = (s.outside(1), s.numbers()[1].clone());
    s.pbx.is_away(&away, true).await;
    s.pbx.comes_in(&client, &away).await;
    let entry = s.entry(&client, 0).await;
    is(&entry, "unreachable", "incoming", (2, 0, 0));
    assert_eq!(cause(&entry, &away), EndCause::Unreachable);
    s.closes(&[&a]).await;
}

pub(crate) async fn a_menu<P: Pbx>(s: Story<P>) {
    let [a] = s.desks().await;
    let menu = dialplan::menu(s.team);
    a.does("pbxautocallstart", json!({ "number": menu })).await;
    s.pbx.picks_up(&a.number).await;
    // What it is called is the telephone system's business.
    a.asks_until("getextendedlineinfo", json!({}), |line| line["abonent"]["isivr"] == true).await;
    a.wants("pbxabortcall").await;
    let entry = s.entry(&a.number, 0).await;
    is(&entry, "menu", "internal", (1, 0, 0));
    s.closes(&[&a]).await;
}
