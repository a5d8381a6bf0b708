//! The dialplan asks the CRM whom to ring, with the card open before the ring; and the CRM is slow, wrong or away.

use serde_json::json;

use super::breaks::alone;
use crate::crm::{Crm, Says};
use crate::dialplan;
use crate::office::{Story, tell};
use crate::real::{Real, crm};

type Own = Story<Real>;

#[test]
fn a_client_is_led_to_the_manager_with_the_card_open() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = s.outside(1);
        crm().says(&client, Says::Manager(b.number.clone()));
        s.pbx.world.dial(&client, "", &dialplan::asking(s.team)).await;
        crm().hears("executemethod", |body| body["inputparameters"]["phone"] == json!(client)).await;
        b.is(&format!("ring {client}")).await;
        let card = b.hears("dlgcard_showformdialog", |_| true).await;
        assert_eq!(card["formname"], "clientcard", "{card}");
        assert!(card.to_string().contains(&client), "{card}");
        assert_eq!(card["chainid"], json!(b.chain()), "{card}");
        assert_eq!(a.states(), ["ready"], "nobody else was rung");
        s.pbx.phones.answer(&b.number).await;
        b.is(&format!("talk {client}")).await;
        s.pbx.world.hang_up(&client).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!(
            (&*entry.parties.called, entry.outcome.word()),
            (&*dialplan::asking(s.team), "answered"),
            "{entry:#?}"
        );
        s.closes(&[&a, &b]).await;
    });
}

/// Whatever goes wrong, the caller gets to the queue. The CRM is one of its own: who fails often is left alone for a while.
async fn led_to_the_queue(s: Own, says: Says) {
    let crm = Crm::connect(s.office.config.links[0].bind.expect("it waits for a CRM")).await;
    let [a] = s.desks().await;
    let client = s.outside(1);
    crm.says(&client, says);
    s.pbx.world.dial(&client, "", &dialplan::asking(s.team)).await;
    crm.hears("executemethod", |body| body["inputparameters"]["phone"] == json!(client)).await;
    a.is(&format!("ring {client}")).await;
    s.pbx.phones.answer(&a.number).await;
    a.is(&format!("talk {client}")).await;
    s.pbx.phones.hang_up(&a.number).await;
    let entry = s.entry(&client, 0).await;
    assert_eq!((entry.queues.len(), entry.outcome.word()), (1, "answered"), "{entry:#?}");
    s.closes(&[&a]).await;
}

#[test]
fn a_slow_crm() {
    alone(async |s: Own, _| led_to_the_queue(s, Says::Nothing).await);
}

#[test]
fn a_failing_crm() {
    alone(async |s: Own, _| led_to_the_queue(s, Says::Failure).await);
}

#[test]
fn a_caller_who_hangs_up_meanwhile_takes_the_question_back() {
    alone(async |s: Own, _| {
        let crm = Crm::connect(s.office.config.links[0].bind.expect("it waits for a CRM")).await;
        let client = s.outside(1);
        crm.says(&client, Says::Nothing);
        s.pbx.world.dial(&client, "", &dialplan::asking(s.team)).await;
        let asked = crm.hears("executemethod", |body| body["inputparameters"]["phone"] == json!(client)).await;
        s.pbx.world.hang_up(&client).await;
        crm.hears("cancelmethod", |body| body["executionid"] == asked["executionid"]).await;
        let entry = s.entry(&client, 0).await;
        assert_eq!(entry.talks.len(), 0, "{entry:#?}");
        s.closes(&[]).await;
    });
}

#[test]
fn the_card_is_filled_in_before_the_phone_rings() {
    tell(async |s: Own| {
        let [a, b] = s.desks().await;
        let client = s.outside(1);
        crm().says(&client, Says::Manager(b.number.clone()));
        s.pbx.world.dial(&client, "", &dialplan::routed(s.team)).await;
        let card = b.hears("dlgcard_showformdialog", |_| true).await;
        assert!(card.to_string().contains(&client), "{card}");
        assert_eq!(b.states(), ["ready"], "it does not ring before the card is done");
        let values = json!({ "cardid": card["cardid"], "values": { "resultcode": "known" } });
        b.does("dlgcard_values", values).await;
        b.is(&format!("ring {client}")).await;
        s.pbx.phones.answer(&b.number).await;
        b.is(&format!("talk {client}")).await;
        assert_eq!(card["chainid"], json!(b.chain()), "one conversation");
        assert_eq!(a.states(), ["ready"], "nobody else was rung");
        s.pbx.world.hang_up(&client).await;
        s.closes(&[&a, &b]).await;
    });
}
