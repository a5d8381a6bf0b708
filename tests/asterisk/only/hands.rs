//! What people do at the telephone itself, and what the PBX does by itself: the gateway only looks, and sees one conversation.

use serde_json::json;

use crate::desk::Desk;
use crate::office::{Story, tell};
use crate::real::Real;

type Own = Story<Real>;

/// Somebody outside has called and talks with one of ours; gives who.
async fn visit(s: &Own, a: &Desk) -> String {
    let client = s.outside(1);
    s.pbx.world.dial(&client, "", &a.number).await;
    s.pbx.phones.answer(&a.number).await;
    a.is(&format!("talk {client}")).await;
    client
}

#[test]
fn a_call_that_the_gateway_has_no_hand_in() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        s.pbx.phones.dial(&a.number, "", &b.number).await;
        b.is(&format!("ring {a}")).await;
        a.is(&format!("call {b}")).await;
        s.pbx.phones.answer(&b.number).await;
        a.is(&format!("talk {b}")).await;
        b.is(&format!("talk {a}")).await;
        assert_eq!(a.states(), ["ready".to_owned(), format!("call {b}"), format!("talk {b}")]);
        s.pbx.phones.hang_up(&b.number).await;
        let entry = s.entry(&a.number, 0).await;
        assert_eq!((entry.outcome.word(), entry.direction.word()), ("answered", "internal"), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn hold_by_the_phone() {
    tell(async |s: Own| {
        let [a] = s.desks().await;
        let client = visit(&s, &a).await;
        s.pbx.phones.hold(&a.number, true).await;
        a.is(&format!("ready + {client}")).await;
        s.pbx.phones.hold(&a.number, false).await;
        a.is(&format!("talk {client}")).await;
        s.pbx.phones.hang_up(&a.number).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!((entry.talks.len(), entry.outcome.word()), (2, "answered"), "{entry:#?}");
        s.closes(&[&a]).await;
    });
}

#[test]
fn a_blind_transfer_by_the_phone() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = visit(&s, &a).await;
        s.pbx.phones.refer(&a.number, &b.number).await;
        a.is("ready").await;
        b.is(&format!("ring {client}")).await;
        s.pbx.phones.answer(&b.number).await;
        b.is(&format!("talk {client}")).await;
        assert_eq!(a.chain(), b.chain(), "one conversation");
        s.pbx.world.hang_up(&client).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!((entry.legs.len(), entry.talks.len()), (3, 2), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn an_attended_transfer_by_the_phone() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = visit(&s, &a).await;
        s.pbx.phones.hold(&a.number, true).await;
        a.is(&format!("ready + {client}")).await;
        s.pbx.phones.dial(&a.number, "", &b.number).await;
        a.is(&format!("call {b} + {client}")).await;
        s.pbx.phones.answer(&b.number).await;
        a.is(&format!("talk {b} + {client}")).await;
        s.pbx.phones.refer_to_second(&a.number).await;
        b.is(&format!("talk {client}")).await;
        a.is("ready").await;
        s.pbx.world.hang_up(&client).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!(entry.outcome.word(), "answered", "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn a_call_is_parked_and_taken_from_there() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = visit(&s, &a).await;
        s.pbx.phones.refer(&a.number, "700").await;
        a.is("ready").await;
        // Which place it got, only Asterisk knows.
        let place = crate::soon("a parked call", async {
            loop {
                let lots = s.pbx.asterisk.ask(&[("Action", "ParkedCalls")]).await;
                let field = |packet: &[(String, String)], name: &str| {
                    packet.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
                };
                let ours = lots.iter().find(|p| field(p, "ParkeeCallerIDNum") == client);
                match ours {
                    Some(packet) => return field(packet, "ParkingSpace"),
                    None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                }
            }
        })
        .await;
        s.pbx.phones.dial(&b.number, "", &place).await;
        b.is(&format!("talk {client}")).await;
        assert_eq!(a.chain(), b.chain(), "one conversation");
        s.pbx.phones.hang_up(&b.number).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!((entry.talks.len(), entry.outcome.word()), (2, "answered"), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn somebody_elses_ringing_call_is_picked_up() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = s.outside(1);
        s.pbx.world.dial(&client, "", &a.number).await;
        a.is(&format!("ring {client}")).await;
        s.pbx.phones.dial(&b.number, "", &format!("*8{}", a.number)).await;
        b.is(&format!("talk {client}")).await;
        a.is("ready").await;
        assert_eq!(a.chain(), b.chain(), "one conversation");
        s.pbx.world.hang_up(&client).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!((entry.talks.len(), entry.outcome.word()), (1, "answered"), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn a_phone_sends_its_caller_elsewhere() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = s.outside(1);
        s.pbx.world.dial(&client, "", &a.number).await;
        s.pbx.phones.forward(&a.number, &b.number).await;
        b.is(&format!("ring {client}")).await;
        a.is("ready").await;
        s.pbx.phones.answer(&b.number).await;
        b.is(&format!("talk {client}")).await;
        s.pbx.phones.hang_up(&b.number).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!((entry.talks.len(), entry.outcome.word()), (1, "answered"), "{entry:#?}");
        s.closes(&[&a, &b]).await;
    });
}

#[test]
fn a_phone_that_understands_it_answers_by_itself() {
    tell(async |s: Own| {
        let d = s.desk(4).await;
        let client = s.outside(1);
        s.pbx.world.dial(&client, "", &d.number).await;
        d.is(&format!("ring {client}")).await;
        d.wants("pbxanswercall").await;
        d.is(&format!("talk {client}")).await;
        assert_eq!(s.pbx.phones.calls(&d.number).len(), 1, "the ringing call itself was answered");
        d.wants("pbxabortcall").await;
        s.closes(&[&d]).await;
    });
}

/// What three people hear of each other, by the sound that really comes.
#[test]
fn who_listens_is_heard_by_nobody_who_helps_by_one_who_joins_by_all() {
    const AGENT: u32 = 400;
    const CLIENT: u32 = 700;
    const BOSS: u32 = 1100;
    tell(async |s: Own| {
        let [a] = s.desks().await;
        let boss = s.desk(5).await;
        let client = visit(&s, &a).await;
        s.pbx.phones.speaks(&a.number, AGENT);
        s.pbx.phones.speaks(&boss.number, BOSS);
        s.pbx.world.speaks(&client, CLIENT);
        let me = a.wants("getmyuserinfo").await["userid"].clone();
        boss.does("attachasghost", json!({ "ghostedid": me })).await;
        s.pbx.phones.answer(&boss.number).await;
        boss.is("talk conference").await;
        let id = boss.conference().await;
        let (inside, outside) = (&s.pbx.phones, &s.pbx.world);
        inside.hears(&boss.number, &[AGENT, CLIENT], &[]).await;
        inside.hears(&a.number, &[CLIENT], &[BOSS]).await;
        outside.hears(&client, &[AGENT], &[BOSS]).await;
        boss.does("confsetghostmode", json!({ "conferenceid": id, "ghostmode": "help" })).await;
        inside.hears(&a.number, &[CLIENT, BOSS], &[]).await;
        outside.hears(&client, &[AGENT], &[BOSS]).await;
        boss.does("confsetghostmode", json!({ "conferenceid": id, "ghostmode": "conference" })).await;
        outside.hears(&client, &[AGENT, BOSS], &[]).await;
        inside.hears(&a.number, &[CLIENT, BOSS], &[]).await;
        boss.does("confsetghostmode", json!({ "conferenceid": id, "ghostmode": "monitor" })).await;
        outside.hears(&client, &[AGENT], &[BOSS]).await;
        inside.hears(&a.number, &[CLIENT], &[BOSS]).await;
        s.pbx.world.hang_up(&client).await;
        s.closes(&[&a, &boss]).await;
    });
}

/// Hold is heard too: music for the one, silence for nobody else.
#[test]
fn who_is_on_hold_hears_music_and_is_not_heard() {
    const AGENT: u32 = 300;
    const CLIENT: u32 = 700;
    /// The tone that stands for music.
    const MUSIC: u32 = 400;
    tell(async |s: Own| {
        let [a] = s.desks().await;
        let client = visit(&s, &a).await;
        s.pbx.phones.speaks(&a.number, AGENT);
        s.pbx.world.speaks(&client, CLIENT);
        s.pbx.world.hears(&client, &[AGENT], &[MUSIC]).await;
        a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
        a.is(&format!("ready + {client}")).await;
        s.pbx.world.hears(&client, &[MUSIC], &[AGENT]).await;
        a.does("pbxmakeflash", json!({ "mode": "switch" })).await;
        a.is(&format!("talk {client}")).await;
        s.pbx.world.hears(&client, &[AGENT], &[MUSIC]).await;
        s.pbx.phones.hears(&a.number, &[CLIENT], &[]).await;
        a.wants("pbxabortcall").await;
        s.closes(&[&a]).await;
    });
}

#[test]
fn a_break_stands_in_asterisk_with_its_reason() {
    tell(async |s: Story<Real>| {
        let [a] = s.desks().await;
        let member = format!("PJSIP/{}", a.number);
        let stands = async |paused: Option<&str>| {
            let until = tokio::time::Instant::now() + crate::SOON;
            loop {
                let shown = s.pbx.asterisk.cli(&format!("queue show {}", s.queue())).await;
                let line = shown.lines().find(|line| line.contains(&member)).expect("a member").to_owned();
                let as_wanted = match paused {
                    Some(why) => line.contains(&format!("paused:{why}")),
                    None => !line.contains("paused"),
                };
                if as_wanted {
                    return;
                }
                assert!(tokio::time::Instant::now() < until, "{paused:?}: {line}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        stands(None).await;
        let state =
            |state: i64| json!({ "userstateid": state, "oncallcenter": true, "lunchreasonmsg": "To the dentist" });
        a.does("setuserstate", state(2)).await;
        stands(Some("To the dentist")).await;
        a.does("setuserstate", state(3)).await;
        stands(Some("do not disturb")).await;
        a.does("setuserstate", state(1)).await;
        stands(None).await;
        s.closes(&[&a]).await;
    });
}
