//! What people write each other: chats, texts that wait, notices.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::message::Format;

use crate::world::{IVANOV, P, World, both, settings};

const PETROV: &str = "3f0a7c11-0000-4000-8000-000000000102";
const SIDOROVA: &str = "3f0a7c11-0000-4000-8000-000000000103";

/// Somebody who hears everything of this page.
fn reader(w: &mut World, login: &str, format: Format) -> P {
    let tab = w.agent(login, format);
    w.say(
        tab,
        r#"["subscribeevent",{"qid":"s","eventmethod":["chat","usertextmessagereceived","shownotifymessage"]}]"#,
    );
    w.expect(tab, "subscribeeventresult");
    tab
}

fn create(w: &mut World, tab: P, members: &str) -> String {
    w.say(tab, &format!(r#"["chatcreate",{{"qid":"c","name":"Смена 2","members":[{members}]}}]"#));
    w.expect(tab, "chatcreateresult").text("chatid")
}

fn write(w: &mut World, tab: P, chat: &str, text: &str) -> String {
    w.say(tab, &format!(r#"["chatsend",{{"qid":"w","chatid":"{chat}","text":"{text}"}}]"#));
    w.expect(tab, "chatsendresult").text("messageid")
}

fn history(w: &mut World, tab: P, chat: &str, more: &str) -> Vec<serde_json::Value> {
    w.say(tab, &format!(r#"["chathistory",{{"qid":"h","chatid":"{chat}"{more}}}]"#));
    serde_json::from_str(&w.expect(tab, "chathistoryresult").json("messages")).expect("an array")
}

fn list(w: &mut World, tab: P) -> Vec<serde_json::Value> {
    w.say(tab, r#"["chatlist",{"qid":"l"}]"#);
    serde_json::from_str(&w.expect(tab, "chatlistresult").json("chats")).expect("an array")
}

#[test]
fn members_hear_what_is_written_and_who_has_read_it() {
    both(|format| {
        let mut w = World::new();
        let (ivanov, petrov) = (reader(&mut w, "ivanov", format), reader(&mut w, "petrov", format));
        let sidorova = reader(&mut w, "sidorova", format);
        let chat = create(&mut w, ivanov, &format!("\"{PETROV}\""));
        let created = w.expect(petrov, "chatcreated");
        assert_eq!((created.text("chatid"), created.text("name")), (chat.clone(), "Смена 2".to_owned()));
        assert_eq!(created.text("creatorid"), IVANOV);
        let message = write(&mut w, ivanov, &chat, "Кто на обед?");
        for tab in [ivanov, petrov] {
            let heard = if tab == ivanov { w.expect(petrov, "chatmessage") } else { break };
            assert_eq!((heard.text("text"), heard.text("messageid")), ("Кто на обед?".to_owned(), message.clone()));
            assert_eq!(
                (heard.text("senderid"), heard.text("sendername")),
                (IVANOV.to_owned(), "ivanov by name".to_owned())
            );
        }
        assert_eq!(list(&mut w, petrov)[0]["unread"], 1);
        assert_eq!(list(&mut w, ivanov)[0]["unread"], 0);
        w.heard(ivanov);
        for told in [1, 0] {
            w.say(petrov, &format!(r#"["chatviewed",{{"qid":"v","chatid":"{chat}","messageid":"{message}"}}]"#));
            assert_eq!(w.expect(petrov, "chatviewedresult").int("result"), 1);
            let events: Vec<_> = w.heard(ivanov).into_iter().filter(|m| m.name() == "chatmessageviewed").collect();
            assert_eq!(events.len(), told, "told once");
            assert!(events.iter().all(|e| e.text("viewerid") == PETROV && e.text("messageid") == message));
        }
        assert_eq!(list(&mut w, petrov)[0]["unread"], 0);
        assert_eq!(history(&mut w, ivanov, &chat, "")[0]["viewers"][0], PETROV);
        assert!(list(&mut w, sidorova).is_empty());
        for call in [
            format!(r#"["chatsend",{{"qid":"x","chatid":"{chat}","text":"me too"}}]"#),
            format!(r#"["chathistory",{{"qid":"x","chatid":"{chat}"}}]"#),
            format!(r#"["chatrename",{{"qid":"x","chatid":"{chat}","name":"mine"}}]"#),
            format!(r#"["chataddmember",{{"qid":"x","chatid":"{chat}","memberid":"{SIDOROVA}"}}]"#),
            r#"["chatsend",{"qid":"x","chatid":"nonsense","text":"x"}]"#.to_owned(),
        ] {
            w.say(sidorova, &call);
            w.heard(sidorova).last().unwrap().failed(59014, "chatid is no chat of the user");
        }
        w.expect_no(sidorova, "chatmessage");
    });
}

#[test]
fn members_come_and_go_and_a_chat_ends_with_its_last() {
    let mut w = World::new();
    let (ivanov, petrov) = (reader(&mut w, "ivanov", Format::Json), reader(&mut w, "petrov", Format::Xml));
    let sidorova = reader(&mut w, "sidorova", Format::Json);
    let chat = create(&mut w, ivanov, &format!("\"{PETROV}\""));
    write(&mut w, ivanov, &chat, "before she came");
    let change = |w: &mut World, tab: P, call: &str, member: &str| {
        w.say(tab, &format!(r#"["{call}",{{"qid":"m","chatid":"{chat}","memberid":"{member}"}}]"#));
        w.expect(tab, &format!("{call}result"))
    };
    assert_eq!(change(&mut w, petrov, "chataddmember", SIDOROVA).int("result"), 1);
    assert_eq!(w.expect(sidorova, "chatcreated").text("chatid"), chat);
    assert!(w.expect(sidorova, "chatmemberadded").json("member").contains(SIDOROVA));
    assert!(w.expect(ivanov, "chatmemberadded").json("member").contains("sidorova by name"));
    assert_eq!(history(&mut w, sidorova, &chat, "").len(), 1);
    assert_eq!(change(&mut w, petrov, "chataddmember", SIDOROVA).int("result"), 1);
    w.expect_no(ivanov, "chatmemberadded");
    change(&mut w, petrov, "chatremovemember", SIDOROVA).failed(59004, "only who made the chat");
    assert_eq!(change(&mut w, ivanov, "chatremovemember", SIDOROVA).int("result"), 1);
    assert!(w.expect(sidorova, "chatmemberremoved").json("member").contains(SIDOROVA), "she hears it too");
    change(&mut w, ivanov, "chatremovemember", SIDOROVA).failed(59014, "memberid is no member");
    change(&mut w, ivanov, "chataddmember", "nobody").failed(59014, "memberid names no user");
    w.say(petrov, &format!(r#"["chatrename",{{"qid":"r","chatid":"{chat}","name":"Обед"}}]"#));
    assert_eq!(w.expect(ivanov, "chatnamechanged").text("name"), "Обед");
    change(&mut w, petrov, "chatremovemember", PETROV);
    change(&mut w, ivanov, "chatremovemember", IVANOV);
    assert_eq!((w.hub.sizes().chats, w.archive.texts.len(), w.archive.kept.len()), (0, 0, 0));
}

#[test]
fn a_chat_is_there_after_a_restart() {
    let mut w = World::new();
    let ivanov = reader(&mut w, "ivanov", Format::Json);
    let chat = create(&mut w, ivanov, &format!("\"{PETROV}\""));
    let texts: Vec<String> = (0..5).map(|n| write(&mut w, ivanov, &chat, &format!("text {n}"))).collect();
    w.restart();
    let petrov = reader(&mut w, "petrov", Format::Json);
    let own = list(&mut w, petrov);
    assert_eq!((&own[0]["name"], &own[0]["unread"]), (&"Смена 2".into(), &5.into()));
    let newest: Vec<_> = history(&mut w, petrov, &chat, r#","limit":2"#).iter().map(|m| m["text"].clone()).collect();
    assert_eq!(newest, ["text 4", "text 3"]);
    let before = history(&mut w, petrov, &chat, &format!(r#","before":"{}","limit":200"#, texts[3]));
    assert_eq!(before.len(), 3);
    assert_eq!(before[0]["text"], "text 2");
    for limit in [0, 201] {
        w.say(petrov, &format!(r#"["chathistory",{{"qid":"h","chatid":"{chat}","limit":{limit}}}]"#));
        w.expect(petrov, "chathistoryresult").failed(59002, "expected 1 to 200");
    }
    let long = "x".repeat(8193);
    w.say(petrov, &format!(r#"["chatsend",{{"qid":"w","chatid":"{chat}","text":"{long}"}}]"#));
    w.expect(petrov, "chatsendresult").failed(59002, "text has 8193 bytes, expected 1 to 8192");
}

#[test]
fn words_go_through_a_link_only_to_those_who_are_behind_it() {
    let mut w = World::new();
    let ivanov = reader(&mut w, "ivanov", Format::Json);
    let crm = w.introduced("crm", Format::Json);
    let chat = create(&mut w, ivanov, &format!("\"{PETROV}\""));
    w.expect_no(crm, "chatcreated");
    w.tunnel_login(crm, "petrov", "t1");
    write(&mut w, ivanov, &chat, "hello");
    let heard = w.expect(crm, "chatmessage");
    assert_eq!((heard.text("userid"), heard.text("text")), (PETROV.to_owned(), "hello".to_owned()));
    assert!(w.heard(crm).iter().all(|m| m.name() != "chatmessage"), "ivanov is not behind it");
}

#[test]
fn a_text_waits_for_who_is_away_and_over_a_restart() {
    both(|format| {
        let mut w = World::new();
        let ivanov = reader(&mut w, "ivanov", format);
        let send = |w: &mut World, from: P, to: &str, text: &str| {
            w.say(from, &format!(r#"["sendusertextmessage",{{"qid":"t","recipients":[{to}],"text":"{text}"}}]"#));
            w.expect(from, "sendusertextmessageresult")
        };
        let petrov = reader(&mut w, "petrov", format);
        send(&mut w, ivanov, &format!("\"{PETROV}\",\"{PETROV}\""), "now");
        let heard = w.expect(petrov, "usertextmessagereceived");
        assert_eq!((heard.text("text"), heard.text("senderid")), ("now".to_owned(), IVANOV.to_owned()));
        w.expect_no(petrov, "usertextmessagereceived");
        w.cut(petrov);
        (0..101).for_each(|n| drop(send(&mut w, ivanov, &format!("\"{PETROV}\""), &format!("later {n}"))));
        assert_eq!(w.hub.sizes().texts, 100);
        w.restart();
        let petrov = reader(&mut w, "petrov", format);
        let texts: Vec<_> = w.heard(petrov).into_iter().filter(|m| m.name() == "usertextmessagereceived").collect();
        assert_eq!(
            (texts.len(), texts[0].text("text"), texts[99].text("text")),
            (100, "later 1".into(), "later 100".into())
        );
        assert_eq!((w.hub.sizes().texts, w.archive.kept.len()), (0, 0));
        let ivanov = reader(&mut w, "ivanov", format);
        send(&mut w, ivanov, "\"nobody\"", "x").failed(59014, "recipients[0] names no user");
        send(&mut w, ivanov, "", "x").failed(59002, "recipients has 0 ids");
        send(&mut w, ivanov, &format!("\"{PETROV}\""), "").failed(59002, "text has 0 bytes");
        let crm = w.introduced("crm", format);
        send(&mut w, crm, &format!("\"{PETROV}\""), "of the CRM");
        let heard = w.expect(petrov, "usertextmessagereceived");
        assert_eq!((heard.text("senderid"), heard.text("sendername")), (String::new(), "crm".to_owned()));
    });
}

#[test]
fn notices_come_from_crms_supervisors_and_programs() {
    let mut s = settings();
    s.accounts[1].rights = Rights::role("integrator").unwrap();
    let mut w = World::with(s);
    let ivanov = reader(&mut w, "ivanov", Format::Json);
    let (petrov, sidorova) = (w.agent("petrov", Format::Json), w.agent("sidorova", Format::Xml));
    let crm = w.introduced("crm", Format::Json);
    let notify = |w: &mut World, from: P, to: &str, more: &str| {
        w.say(
            from,
            &format!(
                r#"["sendnotifymessage",{{"qid":"n","recipients":["{to}"],"caption":"Планёрка","text":"10:00"{more}}}]"#
            ),
        );
        w.expect(from, "sendnotifymessageresult")
    };
    for from in [petrov, sidorova, crm] {
        assert_eq!(notify(&mut w, from, IVANOV, r#","timeoutms":5000"#).int("result"), 1);
        let heard = w.expect(ivanov, "shownotifymessage");
        assert_eq!((heard.text("caption"), heard.int("timeoutms")), ("Планёрка".to_owned(), 5000));
    }
    notify(&mut w, ivanov, SIDOROVA, "").failed(59004, "sidorova is no subordinate");
    notify(&mut w, sidorova, PETROV, "").failed(59004, "petrov is no subordinate");
    notify(&mut w, crm, IVANOV, r#","timeoutms":0"#).failed(59002, "timeoutms is 0");
    w.pass(Duration::from_secs(1));
    w.expect_no(ivanov, "shownotifymessage");
}
