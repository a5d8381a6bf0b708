//! A CRM whose server passes its people's calls on as they are, as the tunnel of a known CRM does: it asks for itself with
//! empty names, cuts what is long at 2048 letters, and sorts what it hears by `userid` and `userlogin`.

use ctigate_proto::codec::multipart;
use ctigate_proto::message::{Format, Text};

use crate::office::Office;

/// What a CRM says, cut as that CRM cuts it.
fn cut(json: &str, id: &'static str) -> Vec<String> {
    let packets = multipart::split(&Text::from(json), Format::Json, &Text::from_static(id), 2048);
    packets.iter().map(|p| ctigate_proto::codec::encode(p, Format::Json).to_string()).collect()
}

#[test]
fn its_people_call_and_hear_of_it_through_the_one_link() {
    let mut o = Office::open("");
    let crm = o.w.introduced("crm", Format::Json);
    o.w.say(crm, r#"["getpbxnumbers",{"qid":"11BC","mode":"full","userlogin":"","userid":""}]"#);
    let numbers = o.w.expect(crm, "getpbxnumbersresult");
    assert_eq!((numbers.text("userid"), numbers.text("userlogin")), (String::new(), String::new()));
    assert!(numbers.json("numbers").contains(r#""number":"104""#), "{numbers:?}");
    assert_eq!(o.w.tunnel_login(crm, "ivanov", "").int("result"), 1);

    o.w.say(crm, r#"["pbxautocallstart",{"qid":"22","userlogin":"ivanov","userid":"","number":"102"}]"#);
    o.settle();
    let reply = o.w.expect(crm, "pbxautocallstartresult");
    assert_eq!((reply.int("result"), reply.text("qid"), reply.text("userlogin")), (1, "22".into(), "ivanov".into()));
    o.picks_up("101");
    o.picks_up("102");
    assert_eq!(o.now("ivanov"), "talk 102");
    let heard = o.w.heard(crm);
    for user in ["ivanov", "petrov"] {
        let of_user: Vec<&str> = heard.iter().filter(|h| h.text("userlogin") == user).map(|h| h.name()).collect();
        assert!(of_user.contains(&"phoneevent_commstarted"), "{user}: {of_user:?}");
    }
    for (method, result) in [
        ("getextendedlineinfo", "getextendedlineinforesult"),
        ("getuserstate", "getuserstateresult"),
        ("pbxmakeflash", "pbxmakeflashresult"),
        ("pbxabortcall", "pbxabortcallresult"),
    ] {
        o.w.say(crm, &format!(r#"["{method}",{{"qid":"{method}","userlogin":"ivanov"}}]"#));
        o.settle();
        assert_eq!(o.w.expect(crm, result).int("result"), 1, "{method}");
    }
    // Somebody who is not in its tunnel is none of its people.
    o.w.say(crm, r#"["pbxautocallstart",{"qid":"33","userlogin":"petrov","number":"101"}]"#);
    o.w.expect(crm, "pbxautocallstartresult").failed(59003, "not logged in");
}

#[test]
fn what_it_cuts_at_2048_letters_is_put_together() {
    let mut o = Office::open("");
    let crm = o.w.introduced("crm", Format::Json);
    o.w.tunnel_login(crm, "ivanov", "");
    let long = "Кириллица ".repeat(1000);
    let message = format!(
        r#"["triggercustomevent",{{"qid":"44","userlogin":"ivanov","eventname":"note","eventparam":"{long}","recipients":null,"sendback":"0"}}]"#
    );
    let packets = cut(&message, "9C1F0B52-6B7E-4A0D-9A55-2B1A7C3D4E5F");
    assert!(packets.len() > 5);
    for packet in packets {
        o.w.say_raw(crm, &packet);
    }
    assert_eq!(o.w.expect(crm, "triggercustomeventresult").int("result"), 1);
    o.settle();
    let events = o.events("petrov");
    assert!(events.iter().any(|e| e.name() == "customevent" && e.text("eventparam") == long), "in one plain frame");
}
