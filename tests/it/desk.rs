//! People, programs and the trail over both kinds of database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate::config::{self, Config, Role, Secret, User};
use ctigate::people::{Desk, Doer, KeyWish, Patch, Refused};
use ctigate::store::{Change, Store, StoryRow};
use ctigate::telemetry::Telemetry;
use serde_json::json;

use crate::support::database::{Database, on_both};

const DAY_MS: i64 = 24 * 3_600_000;

fn doer() -> Doer {
    Doer { who: "admin".to_owned(), from: "127.0.0.1".to_owned() }
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A desk with ivanov, who is of the file.
async fn at(database: &Database) -> Desk {
    let mut config =
        Config { store: config::Store { url: database.url(), ..config::Store::default() }, ..Config::default() };
    let password = Some(Secret::new("Secret1"));
    config.users.push(User { login: "ivanov".to_owned(), number: "101".to_owned(), password, ..User::default() });
    Desk::open(config).await.unwrap()
}

fn new(number: &str, password: &str) -> Patch {
    let (number, password) = (Some(number.to_owned()), Some(Secret::new(password)));
    Patch { number, password, role: Some(Role::Admin), ..Patch::default() }
}

on_both! {
    async fn accounts_and_keys_are_kept_changed_and_removed_and_the_trail_tells_it_page_by_page(database: Database) {
        let desk = at(&database).await;
        desk.add("Petrov", new("102", "a long password"), &doer()).await.unwrap();
        assert!(matches!(desk.add("PETROV", new("103", "x"), &doer()).await, Err(Refused::Conflict(_))));
        assert!(matches!(desk.add("popov", new("101", "a long password"), &doer()).await, Err(Refused::Unfit(_))));
        let done = desk.import("login,number\nkim,103\nlee,104\n", false, &doer()).await.unwrap();
        assert_eq!((done.added, done.changed, done.written), (2, 0, true));
        let half = desk.import("login,number\nmin,105\nnam,101\n", false, &doer()).await.unwrap();
        assert!(!half.written && half.refused.len() == 1, "all or nothing: {half:?}");
        let wish = KeyWish { client_id: "amo".to_owned(), numbers: Some("100-199".to_owned()), ..KeyWish::default() };
        let key = desk.add_key(wish.clone(), &doer()).await.unwrap();
        assert!(matches!(desk.add_key(wish, &doer()).await, Err(Refused::Conflict(_))));
        let other = desk.replace_key("amo", &doer()).await.unwrap();
        assert_ne!(key.expose(), other.expose());
        desk.close().await;

        // Another life of it.
        let desk = at(&database).await;
        let people = desk.people().await.unwrap();
        let logins: Vec<&str> = people.iter().map(|listed| listed.user.login.as_str()).collect();
        assert_eq!(logins, ["ivanov", "kim", "lee", "Petrov"]);
        assert_eq!(desk.keys().await.unwrap().len(), 1);
        desk.remove("kim", &doer()).await.unwrap();
        desk.remove_key("amo", &doer()).await.unwrap();
        assert!(desk.keys().await.unwrap().is_empty());
        let mut what = Vec::new();
        let mut below = 0;
        loop {
            let page = desk.audit(0, below, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            below = last.number;
            what.extend(page.into_iter().map(|noted| noted.change.what));
        }
        assert_eq!(what, ["key.remove", "user.remove", "key.replace", "key.add", "user.import", "user.add"]);
        desk.close().await;
        let mut other = database.other().await;
        assert_eq!(other.texts("SELECT login FROM account ORDER BY login").await, ["lee", "petrov"]);
        other.is_sound().await;
    }

    async fn another_password_ends_the_sessions_of_the_console_whoever_changes_it(database: Database) {
        let desk = at(&database).await;
        desk.add("petrov", new("102", "a long password"), &doer()).await.unwrap();
        desk.refresh().await.unwrap();
        let session = async || desk.store().begin_console_session("petrov", now_ms()).await.unwrap();
        let lives = async |session: &Secret| desk.signed_in(session.expose()).await.unwrap().is_some();
        let (one, two) = (session().await, session().await);
        let name = Patch { name: Some("P. Petrov".to_owned()), ..Patch::default() };
        desk.set("petrov", name, &doer()).await.unwrap();
        assert!(lives(&one).await && lives(&two).await, "another name ends nothing");
        let password = Patch { password: Some(Secret::new("another password")), ..Patch::default() };
        desk.set("petrov", password, &doer()).await.unwrap();
        assert!(!lives(&one).await && !lives(&two).await);

        // By the person: the session that it is done in stays.
        let (own, other) = (session().await, session().await);
        desk.refresh().await.unwrap();
        desk.change_password("petrov", "another password", "a third password", own.expose(), &doer()).await.unwrap();
        assert!(lives(&own).await && !lives(&other).await);

        let enrolment = desk.begin_second_factor("petrov").await.unwrap();
        assert!(!enrolment.secret.expose().is_empty());
        assert!(desk.confirm_second_factor("petrov", "000000x", &doer()).await.is_err());
        assert!(!desk.store().has_second_factor("petrov").await.unwrap(), "nobody has shown a code of it");
        desk.close().await;
    }

    async fn old_entries_of_the_trail_and_of_stories_leave_and_young_ones_stay(database: Database) {
        let place = config::Store { url: database.url(), ..config::Store::default() };
        let store = Store::open(&place, Telemetry::default()).await.unwrap();
        let now = now_ms();
        let change = |about: &str| Change {
            who: "admin".to_owned(),
            from: "127.0.0.1".to_owned(),
            what: "user.set".to_owned(),
            about: about.to_owned(),
            detail: json!({"is": about}),
        };
        store.note(now - 400 * DAY_MS, &change("old")).await.unwrap();
        // They are looked for once in 256 entries.
        for n in 0..255 {
            store.note(now, &change(&format!("young {n}"))).await.unwrap();
        }
        let all = store.audit(0, 0, 1000).await.unwrap();
        assert_eq!(all.len(), 255, "the old one has left");
        assert_eq!((all[0].number, all[0].change.about.as_str()), (256, "young 254"));

        let row = |at_ms: i64| StoryRow {
            at_ms,
            chain: format!("chain {at_ms}").into(),
            form: "".into(),
            login: "ivanov".into(),
            what: "ring".into(),
            detail: "{}".into(),
        };
        store.keep_story(&[row(now - 15 * DAY_MS), row(now - DAY_MS)], now - DAY_MS).await.unwrap();
        store.keep_story(&[row(now)], now).await.unwrap();
        let kept: Vec<i64> = store.story(i64::MAX).await.unwrap().iter().map(|row| row.at_ms).collect();
        assert_eq!(kept, [now - DAY_MS, now]);
        store.close(Duration::from_secs(5)).await;
    }
}
