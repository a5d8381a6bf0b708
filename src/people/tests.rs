use super::*;
use crate::config::{Queue, RightChange, Role};

fn doer() -> Doer {
    Doer { who: "admin".into(), from: "127.0.0.1".into() }
}

async fn desk() -> Desk {
    let mut config = Config {
        store: crate::config::Store { url: DatabaseUrl::Memory, ..crate::config::Store::default() },
        ..Config::default()
    };
    let user = |login: &str, number: &str| User {
        login: login.into(),
        number: number.into(),
        password: Some(Secret::new("Secret1")),
        ..User::default()
    };
    config.users = vec![user("ivanov", "101")];
    config.queues = vec![Queue { number: "500".into(), name: "Support".into(), ..Queue::default() }];
    let store = Arc::new(Store::open(&config.store, Telemetry::default()).await.unwrap());
    let desk = Desk::new(store, Accounts::new(&config), config);
    desk.refresh().await.unwrap();
    desk
}

fn number(number: &str) -> Patch {
    Patch { number: Some(number.into()), generate_password: true, ..Patch::default() }
}

#[tokio::test]
async fn an_account_is_added_changed_and_removed_and_the_trail_tells_it_without_secrets() {
    let desk = desk().await;
    let made = desk.add("Petrov", number("102"), &doer()).await.unwrap().unwrap();
    assert_eq!(made.expose().len(), 16);
    let taken = desk.add("PETROV", number("103"), &doer()).await.unwrap_err().to_string();
    assert!(taken.contains("already") && taken.contains("ctigate user set"), "{taken}");
    for (patch, says) in [
        (number("101"), "number: "),
        (number("500"), "queue[0].number"),
        (number("12 3"), "which is no number"),
        (Patch { subordinates: Some(vec!["nobody".into()]), ..number("104") }, "subordinates[0]: there is no [[user]]"),
        (Patch { id: Some("x".into()), ..number("104") }, "no UUID"),
        (Patch { password: Some(Secret::new("漢字")), number: Some("104".into()), ..Patch::default() }, "password: "),
    ] {
        let why = desk.add("sidorova", patch, &doer()).await.unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
    assert!(matches!(desk.set("ivanov", number("9"), &doer()).await, Err(Refused::Conflict(_))), "he is of the file");
    assert!(matches!(desk.set("nobody", number("9"), &doer()).await, Err(Refused::Unknown(_))));
    let change = |text: &str| text.parse::<RightChange>().unwrap();
    let patch =
        Patch { role: Some(Role::Supervisor), right: vec![change("+ghost"), change("-files")], ..Patch::default() };
    desk.set("petrov", patch, &doer()).await.unwrap();
    desk.refresh().await.unwrap();
    let people = desk.people().await.unwrap();
    let seen: Vec<_> = people.iter().map(|l| (l.user.login.as_str(), l.origin, l.user.rights.len())).collect();
    assert_eq!(seen, [("ivanov", "file", 0), ("Petrov", "store", 1)], "a supervisor has ghost anyway");
    desk.add("sidorova", Patch { subordinates: Some(vec!["petrov".into()]), ..number("103") }, &doer()).await.unwrap();
    let named = desk.remove("petrov", &doer()).await.unwrap_err().to_string();
    assert!(named.contains("subordinates[0]"), "{named}");
    desk.remove("sidorova", &doer()).await.unwrap();
    desk.remove("petrov", &doer()).await.unwrap();
    desk.refresh().await.unwrap();
    assert_eq!(desk.people().await.unwrap().len(), 1);

    let trail = desk.audit(0, 0, 100).await.unwrap();
    let told: Vec<_> = trail.iter().rev().map(|n| (n.change.what.as_str(), n.change.about.as_str())).collect();
    let expected = [
        ("user.add", "Petrov"),
        ("user.set", "Petrov"),
        ("user.add", "sidorova"),
        ("user.remove", "sidorova"),
        ("user.remove", "Petrov"),
    ];
    assert_eq!(told, expected);
    let set = &trail[3].change.detail;
    assert_eq!((set["was"]["role"].as_str(), set["is"]["role"].as_str()), (Some("agent"), Some("supervisor")));
    let text = format!("{trail:?}");
    assert!(!text.contains(made.expose()) && !text.contains("$argon2id"), "{text}");
}

#[tokio::test]
async fn a_table_is_taken_whole_or_not_at_all() {
    let desk = desk().await;
    let wrong = "login;number;role;rights;api_call_enabled;password\n\
                 petrov;102;agent;+ghost;yes;Secret2\n\
                 sidorova;101;boss;;;\n\
                 ivanov;105;;;;\n\
                 PETROV;106;;;;\n\
                 ;107;;;;\n\
                 short\n\
                 kim;108;agent;ghost;maybe;漢字\n";
    let done = desk.import(wrong, false, &doer()).await.unwrap();
    let seen: Vec<(usize, &str)> = done.refused.iter().map(|r| (r.line, r.column.as_str())).collect();
    let expected = [
        (3, "role"),
        (3, "number"),
        (4, "login"),
        (5, "login"),
        (6, "login"),
        (7, ""),
        (8, "rights"),
        (8, "api_call_enabled"),
        (8, "password"),
    ];
    assert_eq!(seen, expected, "{:#?}", done.refused);
    assert!(!done.written && desk.store.accounts().await.unwrap().is_empty());

    let right = "\u{feff}login,name,number,subordinates,password\r\npetrov,\"Petrov, P.\",102,,Secret2\r\nboss,,103,petrov ivanov,\r\n";
    let tried = desk.import(right, true, &doer()).await.unwrap();
    assert_eq!((tried.added, tried.changed, tried.written), (2, 0, false));
    assert!(desk.store.accounts().await.unwrap().is_empty());
    assert!(desk.import(right, false, &doer()).await.unwrap().written);
    desk.refresh().await.unwrap();
    let petrov = desk.user("petrov").unwrap();
    assert_eq!((petrov.name.as_str(), petrov.number.as_str()), ("Petrov, P.", "102"));
    assert!(petrov.password.is_none());
    let attempt = |typed: &str| ctigate_proto::auth::Attempt {
        login: "petrov".into(),
        hash: Some(ctigate_proto::auth::password::hash(typed).unwrap().into()),
        folded_hash: None,
        session: None,
        expires: None,
        webrtc: false,
        workplace: None,
    };
    assert!(desk.accounts.verify(&attempt("Secret2")).await.is_ok());
    assert!(desk.accounts.verify(&attempt("Secret1")).await.is_err());
    let again = desk.import("login,name\npetrov,P\nboss,\n", false, &doer()).await.unwrap();
    assert_eq!((again.added, again.changed), (0, 1), "an empty cell changes nothing");
    desk.refresh().await.unwrap();
    assert!(desk.accounts.verify(&attempt("Secret2")).await.is_ok(), "nor does a column that is not there");
}

#[tokio::test]
async fn what_of_the_store_does_not_fit_is_left_out_and_named() {
    let desk = desk().await;
    let user = |login: &str, number: &str| User { login: login.into(), number: number.into(), ..User::default() };
    let rows = [user("IVANOV", "110"), user("petrov", "101"), user("kim", "102")];
    desk.store.put_accounts(&rows, 1).await.unwrap();
    let (config, findings) = desk.refresh().await.unwrap();
    let logins: Vec<&str> = config.users.iter().map(|user| user.login.as_str()).collect();
    assert_eq!(logins, ["ivanov", "kim"]);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("user ivanov: the file has this login too"), "{findings:?}");
    assert!(findings[1].contains("user petrov: ") && findings[1].contains("left out"), "{findings:?}");
}

#[tokio::test]
async fn a_password_that_must_change_is_changed_where_the_account_is_kept() {
    let desk = desk().await;
    let patch = Patch { password: Some(Secret::new("Initial1")), must_change_password: Some(true), ..Patch::default() };
    desk.add("petrov", patch, &doer()).await.unwrap();
    desk.refresh().await.unwrap();
    assert!(desk.person("PETROV").unwrap().must_change_password);
    let change = async |old: &str, new: &str| desk.change_password("petrov", old, new, "", &doer()).await;
    assert!(matches!(change("Initial2", "Another-1").await, Err(Refused::Wrong(_))));
    assert!(matches!(change("Initial1", "short").await, Err(Refused::Unfit(_))));
    assert!(matches!(change("Initial1", "Initial1").await, Err(Refused::Unfit(_))));
    change("Initial1", "Another-1").await.unwrap();
    assert!(!desk.person("petrov").unwrap().must_change_password);
    assert!(!desk.effective().users[1].must_change_password);
    desk.refresh().await.unwrap();
    assert!(!desk.person("petrov").unwrap().must_change_password, "it stays so");
    change("Another-1", "Another-2").await.unwrap();
    // And of one whom the file knows.
    let mut file = Config::clone(&desk.file.load());
    file.users[0].must_change_password = true;
    desk.file_is(file);
    desk.refresh().await.unwrap();
    assert!(desk.person("ivanov").unwrap().must_change_password);
    desk.change_password("ivanov", "Secret1", "Another-3", "", &doer()).await.unwrap();
    desk.refresh().await.unwrap();
    assert!(!desk.person("ivanov").unwrap().must_change_password);
}

#[tokio::test]
async fn only_administrators_sign_in_and_with_the_code_when_there_is_one() {
    let desk = desk().await;
    let boss = Patch { role: Some(Role::Admin), generate_password: true, ..Patch::default() };
    desk.add("Boss", boss, &doer()).await.unwrap();
    desk.refresh().await.unwrap();
    assert!(matches!(desk.sign_in("ivanov", None, &doer()).await.unwrap(), SignIn::MayNot));
    let SignIn::In(session, person) = desk.sign_in("boss", None, &doer()).await.unwrap() else { panic!("refused") };
    assert_eq!(person.login, "Boss");
    assert_eq!(desk.signed_in(session.expose()).await.unwrap().unwrap().login, "Boss");
    desk.sign_out(session.expose(), &doer()).await.unwrap();
    assert!(desk.signed_in(session.expose()).await.unwrap().is_none());
    desk.begin_second_factor("boss").await.unwrap();
    assert!(matches!(desk.confirm_second_factor("boss", "1", &doer()).await, Err(Refused::Wrong(_))));
    assert!(matches!(desk.sign_in("boss", None, &doer()).await.unwrap(), SignIn::In(..)), "it was not confirmed");
}

#[tokio::test]
async fn a_key_is_refused_twice_and_for_whom_it_does_not_fit() {
    let desk = desk().await;
    let wish = |client: &str| KeyWish { client_id: client.into(), ..KeyWish::default() };
    desk.add_key(wish("amo"), &doer()).await.unwrap();
    let again = desk.add_key(wish("amo"), &doer()).await.unwrap_err();
    assert!(matches!(again, Refused::Conflict(_)) && again.to_string().contains("ctigate key replace amo"), "{again}");
    let widget = |login: &str| KeyWish { kind: Kind::Widget, login: Some(login.into()), ..wish("w") };
    let admin = vec!["admin".parse().unwrap()];
    for (wish, says) in [
        (wish(""), "client_id"),
        (wish("a b"), "client_id"),
        (KeyWish { numbers: Some("1-".into()), ..wish("w") }, "numbers"),
        (KeyWish { login: Some("ivanov".into()), ..wish("w") }, "login"),
        (KeyWish { kind: Kind::Widget, ..wish("w") }, "needs the login"),
        (widget("nobody"), "no user nobody"),
        (widget("ivanov"), "api_call_enabled is off"),
        (KeyWish { rights: Some(admin), ..wish("w") }, "do not administer"),
        (KeyWish { expires_ms: Some(5), ..wish("w") }, "over already"),
    ] {
        let why = desk.add_key(wish, &doer()).await.unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
    let mut file = Config::clone(&desk.file.load());
    file.users[0].api_call_enabled = true;
    desk.file_is(file);
    let key = desk.add_key(widget("Ivanov"), &doer()).await.unwrap();
    let text = format!("{:?}", desk.audit(0, 0, 10).await.unwrap());
    assert!(!text.contains(&key.expose()[8..]) && text.contains("key.add"), "{text}");
    assert!(matches!(desk.remove_key("nobody", &doer()).await, Err(Refused::Unknown(_))));
    assert!(matches!(desk.replace_key("nobody", &doer()).await, Err(Refused::Unknown(_))));
}

/// With the variable `CTIGATE_WRITE_RIGHTS` set, the page is written anew.
#[test]
fn the_page_of_rights_is_the_one_of_the_code() {
    const PAGE: &str = "docs/rights.md";
    const MARK: &str = "<!-- what follows is made from the code: CTIGATE_WRITE_RIGHTS=1 cargo test --lib rights -->\n";
    let kept = std::fs::read_to_string(PAGE).unwrap_or_default();
    let (head, tables) = kept.split_once(MARK).expect("the mark");
    let made = format!("\n{}\n{}", rights::page(), crate::admin::rights_page());
    if std::env::var_os("CTIGATE_WRITE_RIGHTS").is_some() {
        std::fs::write(PAGE, format!("{head}{MARK}{made}")).unwrap();
        return;
    }
    assert_eq!(tables, made, "{PAGE} is stale: run CTIGATE_WRITE_RIGHTS=1 cargo test --lib rights");
}
