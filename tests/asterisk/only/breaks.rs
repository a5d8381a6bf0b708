//! What breaks: the connection to AMI, the gateway, Asterisk; in the middle of calls. Each story has an Asterisk of its own.

use crate::desk::Desk;
use crate::dialplan;
use crate::office::{Office, RUNTIME, Story, configuration};
use crate::proxy::Wire;
use crate::real::Real;

type Own = Story<Real>;

/// A story with everything of its own, and the wire between the two.
pub(super) fn alone<F: Future<Output = ()>>(story: impl FnOnce(Own, Wire) -> F) {
    RUNTIME.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let real = Real::start().await;
        let wire = Wire::to(real.asterisk.ports.ami).await;
        let mut config = configuration(folder.path());
        real.configure(&mut config, wire.port);
        let office: &'static Office<Real> = Box::leak(Box::new(Office::open(real, config, folder).await));
        office.is_seen().await;
        story(office.team().await, wire).await;
        office.stop().await;
        office.pbx.asterisk.stop();
    });
}

/// Two of ours talk, by their own hands.
async fn talk(s: &Own, a: &Desk, b: &Desk) {
    s.pbx.phones.dial(&a.number, "", &b.number).await;
    s.pbx.phones.answer(&b.number).await;
    a.is(&format!("talk {b}")).await;
    b.is(&format!("talk {a}")).await;
}

#[test]
fn the_connection_is_lost_and_comes_back() {
    alone(async |s: Own, wire: Wire| {
        let [a, b, c] = s.desks().await;
        let (client, other) = (s.outside(1), s.outside(2));
        talk(&s, &a, &b).await;
        s.pbx.world.dial(&client, "", &c.number).await;
        c.is(&format!("ring {client}")).await;
        let (chain, began) = (a.chain(), c.chain());
        wire.cut();
        c.asks_until("pbxdeclinecall", serde_json::json!({}), |reply| reply["result"] == 0).await;
        assert_eq!((a.now(), b.now()), (format!("talk {b}"), format!("talk {a}")), "what was known is kept");
        let stale = async || s.office.order(&serde_json::json!({ "op": "picture" })).await.unwrap()["stale"].clone();
        assert_eq!(stale().await, true, "and marked as old");
        // Meanwhile one call ends, one is answered, and one begins.
        s.pbx.phones.hang_up(&a.number).await;
        s.pbx.phones.is_free(&b.number).await;
        s.pbx.phones.answer(&c.number).await;
        s.pbx.world.dial(&other, "", &a.number).await;
        s.pbx.phones.rings(&a.number).await;
        wire.mend();
        c.is(&format!("talk {client}")).await;
        a.is(&format!("ring {other}")).await;
        b.is("ready").await;
        assert_eq!(stale().await, false);
        assert_eq!(c.chain(), began, "the same conversation");
        assert_ne!(a.chain(), chain, "another conversation");
        assert_eq!(s.entry(&b.number, 0).await.call.0, chain, "the ended one is in the ledger");
        s.pbx.world.hang_up(&client).await;
        s.pbx.world.hang_up(&other).await;
        assert_eq!(s.entry(&client, 0).await.outcome.word(), "answered");
        assert_eq!(s.entry(&other, 0).await.outcome.word(), "cancelled");
        s.closes(&[&a, &b, &c]).await;
    });
}

#[test]
fn the_gateway_starts_again_during_calls() {
    alone(async |s: Own, _wire: Wire| {
        let [a, b] = s.desks().await;
        talk(&s, &a, &b).await;
        let chain = a.chain();
        drop((a, b));
        s.office.stop().await;
        s.office.start().await;
        let a = s.desk_as_it_is(1).await;
        let b = s.desk_as_it_is(2).await;
        a.is(&format!("talk {b}")).await;
        b.is(&format!("talk {a}")).await;
        [&a, &b].into_iter().for_each(Desk::came_during_a_talk);
        assert_eq!(a.chain(), chain, "the same conversation");
        a.does("pbxmakeflash", serde_json::json!({ "mode": "switch" })).await;
        a.is(&format!("ready + {b}")).await;
        a.does("pbxmakeflash", serde_json::json!({ "mode": "switch" })).await;
        a.is(&format!("talk {b}")).await;
        a.wants("pbxabortcall").await;
        let entry = s.entry(&a.number, 0).await;
        assert_eq!((&*entry.call.0, entry.outcome.word()), (&*chain, "answered"), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

/// Asterisk goes in the middle of a call: by a stop it says goodbye, by a kill it does not.
async fn asterisk_goes(s: Own, go: impl Fn(&Real)) {
    let [a, b] = s.desks().await;
    talk(&s, &a, &b).await;
    let chain = a.chain();
    go(s.pbx);
    s.pbx.asterisk.begin().await;
    // Phones register again, sooner or later.
    s.pbx.phones.forget();
    for number in s.numbers() {
        s.pbx.phones.register(&number).await;
    }
    a.is("ready").await;
    b.is("ready").await;
    assert_eq!(s.entry(&a.number, 0).await.call.0, chain);
    // It goes on as before.
    talk(&s, &a, &b).await;
    assert_ne!(a.chain(), chain, "another conversation");
    s.pbx.phones.hang_up(&a.number).await;
    s.closes(&[&a, &b]).await;
}

#[test]
fn asterisk_stops_and_starts_again_during_calls() {
    alone(async |s: Own, _wire: Wire| asterisk_goes(s, |real| real.asterisk.stop()).await);
}

#[test]
fn asterisk_dies_and_starts_again_during_calls() {
    alone(async |s: Own, _wire: Wire| asterisk_goes(s, |real| real.asterisk.kill()).await);
}

#[test]
fn the_crm_is_away() {
    alone(async |s: Own, _wire: Wire| {
        let [a] = s.desks().await;
        let client = s.outside(1);
        s.pbx.world.dial(&client, "", &dialplan::asking(s.team)).await;
        a.is(&format!("ring {client}")).await;
        s.pbx.world.hang_up(&client).await;
        assert_eq!(s.entry(&client, 0).await.outcome.word(), "abandoned");
        s.closes(&[&a]).await;
    });
}
