//! Temporary passwords, uploads, photos.

use std::time::Duration;

use ctigate_proto::hub::input::{Ask, Uploaded};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{Format, Text};
use ctigate_proto::method::Right;

use crate::world::{IVANOV, P, World, both, settings};

fn pass(w: &mut World, tab: P, more: &str) -> String {
    w.say(tab, &format!(r#"["gettemphttppass",{{"qid":"p"{more}}}]"#));
    let reply = w.expect(tab, "gettemphttppassresult");
    assert_eq!(reply.int("result"), 1, "{reply:?}");
    reply.text("password")
}

fn begins(w: &mut World, password: &str) -> bool {
    let ticket = w.ask(Ask::Upload { password: password.into() });
    match w.answer(ticket).expect("an answer") {
        Answer::Done => true,
        Answer::Refused(error) => {
            assert_eq!(error.code.map(|c| c.number()), Some(59003));
            false
        }
        other => panic!("{other:?}"),
    }
}

fn uploaded(w: &mut World, password: &str, path: &str) {
    let paths = Some((Text::from(path), Text::from(path)));
    let (password, content) = (password.into(), "<uploadfilesresult count=\"1\">".into());
    let ticket = w.ask(Ask::Uploaded(Uploaded { password, response: "200 OK".into(), content, paths }));
    assert!(matches!(w.answer(ticket), Some(Answer::Done)));
}

fn listener(w: &mut World, login: &str, format: Format) -> P {
    let tab = w.agent(login, format);
    w.say(tab, r#"["subscribeevent",{"qid":"s","eventmethod":["httpresponsecopy"]}]"#);
    w.expect(tab, "subscribeeventresult");
    tab
}

#[test]
fn a_temporary_password_allows_one_upload_and_tells_the_tab_that_asked() {
    both(|format| {
        let mut w = World::new();
        let (asks, other) = (listener(&mut w, "ivanov", format), listener(&mut w, "ivanov", format));
        let password = pass(&mut w, asks, r#","responsetowebsock":true"#);
        assert_eq!(password.len(), 32);
        assert!(begins(&mut w, &password));
        assert!(!begins(&mut w, &password), "one upload");
        uploaded(&mut w, &password, "/storage/2026/a.png");
        let copy = w.expect(asks, "httpresponsecopy");
        assert_eq!((copy.text("response"), copy.text("password")), ("200 OK".to_owned(), password));
        assert!(copy.text("content").contains("uploadfilesresult count=\"1\""));
        w.expect_no(other, "httpresponsecopy");
        let silent = pass(&mut w, asks, "");
        assert!(begins(&mut w, &silent));
        uploaded(&mut w, &silent, "/storage/2026/b.png");
        w.expect_no(asks, "httpresponsecopy");
    });
}

#[test]
fn a_tunnelled_tab_hears_of_its_upload_by_its_name() {
    let mut s = settings();
    s.links[0].rights = s.links[0].rights.with(Right::Files);
    let mut w = World::with(s);
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "t1");
    let password = pass(&mut w, crm, r#","userlogin":"ivanov","tabid":"t1","responsetowebsock":true"#);
    assert!(begins(&mut w, &password));
    uploaded(&mut w, &password, "/storage/2026/a.png");
    let copy = w.expect(crm, "httpresponsecopy");
    assert_eq!((copy.text("userid"), copy.text("tabid")), (IVANOV.to_owned(), "t1".to_owned()));
}

#[test]
fn passwords_are_bounded_and_end() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let first = pass(&mut w, tab, "");
    let all: Vec<String> = (0..32).map(|_| pass(&mut w, tab, "")).collect();
    assert_eq!(w.hub.sizes().passes, 32);
    assert!(!begins(&mut w, &first), "the oldest went");
    assert!(begins(&mut w, &all[0]));
    w.pass_alive(Duration::from_secs(600));
    assert!(!begins(&mut w, &all[1]), "ten minutes are over");
    w.pass_alive(Duration::from_secs(120));
    assert_eq!(w.hub.sizes().passes, 0);
    let mut s = settings();
    s.accounts[0].rights = s.accounts[0].rights.without(Right::Files);
    let mut w = World::with(s);
    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["gettemphttppass",{"qid":"p"}]"#);
    w.expect(tab, "gettemphttppassresult").failed(59004, "the right files is missing");
}

#[test]
fn only_an_upload_of_ones_own_becomes_ones_photo_and_stays() {
    both(|format| {
        let mut w = World::new();
        let (ivanov, petrov) = (w.agent("ivanov", format), w.agent("petrov", format));
        let password = pass(&mut w, ivanov, "");
        assert!(begins(&mut w, &password));
        uploaded(&mut w, &password, "/storage/2026/a.png");
        let set = |w: &mut World, tab: P, path: &str| {
            w.say(tab, &format!(r#"["setmyuserphoto",{{"qid":"f","filepath":"{path}"}}]"#));
            w.expect(tab, "setmyuserphotoresult")
        };
        set(&mut w, petrov, "/storage/2026/a.png").failed(59014, "no path that an upload of this user returned");
        set(&mut w, ivanov, "/etc/passwd").failed(59014, "no path");
        w.say(ivanov, r#"["getuserphoto",{"qid":"g","mode":"page"}]"#);
        assert_eq!(w.expect(ivanov, "getuserphotoresult").text("link32x32"), "");
        // Known clients may turn slashes around.
        assert_eq!(set(&mut w, ivanov, r"\\storage\\2026\\a.png").int("result"), 1);
        w.restart();
        let petrov = w.agent("petrov", format);
        w.say(petrov, r#"["getalluserphotolink",{"qid":"g","mode":"page"}]"#);
        let links: serde_json::Value =
            serde_json::from_str(&w.expect(petrov, "getalluserphotolinkresult").json("links")).unwrap();
        assert_eq!((links.as_array().unwrap().len(), &links[0]["id"]), (1, &IVANOV.into()));
        assert_eq!(links[0]["link96x96"], "/photo/1l/storage/2026/a.png");
    });
}
