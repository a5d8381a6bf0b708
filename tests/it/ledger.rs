//! The ledger on the disk: over restarts, told anew, asked with every filter; and recordings by HTTP.

use std::collections::BTreeSet;
use std::time::Duration;

use ctigate::config::{self, Config, Role, User};
use ctigate::proto::calls::{Direction, Entry, EntryLeg, EntryQueue, EntryTalk, JournalQuery, Outcome};
use ctigate::proto::hub::Input;
use ctigate::proto::hub::output::Record;
use ctigate::proto::message::{Format, Text};
use ctigate::proto::telephony::{
    CallFact, CallId, End, EndCause, Event, Fact, LegFact, LegId, LegState, Parties, Place, Role as Part, TalkId,
};
use ctigate::store::Store;
use ctigate::telemetry::Telemetry;
use rand::{RngExt, SeedableRng};

use crate::support::curl::curl;
use crate::support::database::{Database, on_both};
use crate::support::{FakeTab, node};

const BOUND: Duration = Duration::from_secs(20);

fn outside(number: &str) -> End {
    End::Outside { number: number.into(), name: Text::new(), line: "07001".into() }
}

/// A call from outside to 101, who talks for a minute and is recorded.
fn call(chain: &str, began_ms: i64) -> Vec<Fact> {
    let call = CallId(chain.into());
    let talk = TalkId(format!("{chain}-talk").into());
    let leg = |name: &str, end: End, origin: bool| LegFact {
        call: call.clone(),
        leg: LegId(format!("{chain}-{name}").into()),
        seq: 1,
        at_ms: began_ms,
        end,
        origin,
        state: LegState::Waiting,
        place: Place::None,
        with: None,
        toward: Text::new(),
        held: false,
        autocall: None,
        role: Part::default(),
    };
    let (caller, called) = (leg("a", outside("79001112233"), true), leg("b", End::Inside("101".into()), false));
    let up = |leg: &LegFact| {
        let place = Place::Talk(talk.clone());
        Fact::Leg(LegFact { seq: 2, at_ms: began_ms + 5000, state: LegState::Up, place, ..leg.clone() })
    };
    let over = |leg: &LegFact| {
        Fact::Leg(LegFact { seq: 3, at_ms: began_ms + 65_000, state: LegState::Ended(EndCause::Hangup), ..leg.clone() })
    };
    let parties = Parties { caller: "79001112233".into(), caller_name: Text::new(), called: "101".into() };
    vec![
        Fact::Call(CallFact { call: call.clone(), at_ms: began_ms, parties }),
        Fact::Leg(caller.clone()),
        Fact::Leg(LegFact { state: LegState::Ringing, ..called.clone() }),
        up(&caller),
        up(&called),
        Fact::Recording { call: call.clone(), talk: talk.clone(), file: format!("day/{chain}.wav").into() },
        over(&caller),
        over(&called),
        Fact::Over { call, at_ms: began_ms + 65_000 },
    ]
}

/// A house with ivanov, petrov who is nobody to him, and their boss's recordings.
fn house(folder: &std::path::Path) -> Config {
    let mut config = node::config(folder);
    config.recordings.folder = folder.join("recordings");
    config.files.folder = folder.join("files");
    let person = |login: &str, number: &str, role: Role, subordinates: &[&str]| User {
        login: login.to_owned(),
        number: number.to_owned(),
        role,
        password: config.users[0].password.clone(),
        subordinates: subordinates.iter().map(|s| (*s).to_owned()).collect(),
        ..User::default()
    };
    let others = [person("petrov", "102", Role::Agent, &[]), person("sidorova", "103", Role::Supervisor, &["ivanov"])];
    config.users.extend(others);
    config
}

async fn journal(tab: &mut FakeTab) -> Vec<serde_json::Value> {
    tab.0.say(r#"["getpbxcalljournal",{"qid":"j","filter":{"limit":10}}]"#).await;
    let reply = tab.0.hear_named("getpbxcalljournalresult").await;
    let data = ctigate::proto::codec::encode_value(&reply.body.value("data").expect("data"));
    serde_json::from_str(&data).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_in_the_journal_after_a_restart_and_its_recording_is_heard_by_those_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let config = house(folder.path());
    std::fs::create_dir_all(config.recordings.folder.join("day")).unwrap();
    let sound: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(config.recordings.folder.join("day/c1.wav"), &sound).unwrap();

    let node = node::start(&config).await;
    node.engine().handle(Input::Pbx(Event::Facts(call("c1", 1_790_000_000_000))));
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    let before = journal(&mut tab).await;
    assert_eq!((before.len(), &before[0]["duration"], &before[0]["outcome"]), (1, &60.into(), &"answered".into()));
    let link = before[0]["recordlink"].as_str().expect("it was recorded").to_owned();
    assert_eq!(link.len(), "/record/".len() + 32, "128 bits");
    drop(tab);
    assert!(node.stop().await);

    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut tab = FakeTab::login(web, Format::Xml, "ivanov").await;
    assert_eq!(journal(&mut tab).await, before);
    tab.0.say(r#"["getchaincontent",{"qid":"c","chainid":"c1"}]"#).await;
    let reply = tab.0.hear_named("getchaincontentresult").await;
    assert_eq!(reply.body.int("result"), Some(1), "{reply:?}");
    // The same conversation is told anew: the entry and the link stay what they are.
    node.engine().handle(Input::Pbx(Event::Facts(call("c1", 1_790_000_000_000))));
    assert_eq!(journal(&mut tab).await, before);

    tab.0.say(r#"["gettemphttppass",{"qid":"p"}]"#).await;
    let password = tab.0.hear_named("gettemphttppassresult").await.body.text("password").unwrap();
    let url = format!("http://{web}{link}?temppass={password}");
    let whole = curl(&[&url]).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("audio/wav")));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.body == sound);
    let part = curl(&["-H", "Range: bytes=100000-100009", &url]).await;
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 100000-100009/200000")));
    assert_eq!(part.body, &sound[100_000..100_010]);
    let end = curl(&["-H", "Range: bytes=-5", &url]).await;
    assert_eq!((end.status, end.body), (206, sound[199_995..].to_vec()));
    let beyond = curl(&["-H", "Range: bytes=200000-", &url]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */200000")));
    let head = curl(&["--head", &url]).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("200000")));
    let tag = whole.header("etag").unwrap();
    let kept = curl(&["-H", "Range: bytes=0-9", "-H", &format!("If-Range: {tag}"), &url]).await;
    assert_eq!(kept.status, 206);
    let changed = curl(&["-H", "Range: bytes=0-9", "-H", "If-Range: \"another\"", &url]).await;
    assert_eq!((changed.status, changed.body.len()), (200, 200_000));

    let by_link = format!("http://{web}/downloadrecordbylink?recordlink={link}");
    for (login, status) in
        [("ivanov:Secret1", 200), ("sidorova:Secret1", 200), ("petrov:Secret1", 404), ("ivanov:x", 401)]
    {
        assert_eq!(curl(&["--user", login, &by_link]).await.status, status, "{login}");
        assert_eq!(curl(&["--user", login, &format!("http://{web}{link}")]).await.status, status, "{login}");
    }
    assert_eq!(curl(&[&by_link]).await.status, 401);
    // A client whose address ends with a slash.
    let twice = curl(&[&format!("http://{web}/{link}?temppass={password}")]).await;
    assert_eq!((twice.status, twice.body.len()), (200, 200_000));
    assert_eq!(curl(&[&format!("http://{web}{link}?temppass=guessed")]).await.status, 403);
    assert_eq!(curl(&[&format!("http://{web}/record/nonsense?temppass={password}")]).await.status, 404);
    std::fs::remove_file(config.recordings.folder.join("day/c1.wav")).unwrap();
    assert_eq!(curl(&[&url]).await.status, 404, "the file is gone");
    assert!(node.stop().await);
}

fn entry(rng: &mut impl RngExt, n: usize) -> Entry {
    let number = |rng: &mut dyn FnMut() -> u32| Text::from(format!("10{}", rng() % 5));
    let mut draw = || rng.random::<u32>();
    let began_ms = 1_790_000_000_000 + i64::from(draw() % 20) * 1000;
    let inside = number(&mut draw);
    let caller = Text::from(format!("7900{}", draw() % 4));
    let talks = (0..draw() % 3).map(|t| EntryTalk {
        talk: TalkId(format!("t{n}-{t}").into()),
        began_ms: began_ms + i64::from(t) * 1000,
        ended_ms: began_ms + i64::from(t) * 1000 + i64::from(draw() % 5) * 1000,
        parties: vec![outside(&caller), End::Inside(number(&mut draw))],
        conference: false,
        recording: draw().is_multiple_of(2).then(|| format!("{n}-{t}.wav").into()),
    });
    let talks: Vec<EntryTalk> = talks.collect();
    let leg = |end: End, name: &str| EntryLeg {
        leg: LegId(name.into()),
        end,
        began_ms,
        answered_ms: None,
        ended_ms: began_ms,
        cause: EndCause::NoAnswer,
    };
    Entry {
        call: CallId(format!("c{n}").into()),
        began_ms,
        ended_ms: began_ms + 9000,
        parties: Parties { caller: caller.clone(), caller_name: Text::new(), called: "500".into() },
        direction: [Direction::Incoming, Direction::Outgoing, Direction::Internal][draw() as usize % 3],
        outcome: if talks.is_empty() { Outcome::NoAnswer } else { Outcome::Answered },
        wait_ms: 1000,
        talk_ms: 1000,
        legs: vec![leg(outside(&caller), "a"), leg(End::Inside(inside), "b")],
        talks,
        queues: (0..draw() % 2).map(|_| EntryQueue { queue: "500".into(), began_ms, ended_ms: began_ms }).collect(),
        faxes: Vec::new(),
    }
}

on_both! {
    async fn the_database_gives_what_the_filter_says(database: Database) {
        let store =
            Store::open(&config::Store { url: database.url(), ..config::Store::default() }, Telemetry::default())
                .await
                .unwrap();
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        let entries: Vec<Entry> = (0..120).map(|n| entry(&mut rng, n)).collect();
        for entry in &entries {
            // Twice: the second takes the place of the first.
            store.record(Record::Call(Box::new(Entry { talks: Vec::new(), ..entry.clone() })));
            assert!(store.flush(BOUND).await);
            store.record(Record::Call(Box::new(entry.clone())));
        }
        let mut rows: Vec<_> = entries.iter().flat_map(Entry::rows).collect();
        let key = |talk: &Option<TalkId>| talk.as_ref().map_or(Text::new(), |t| t.0.clone());
        rows.sort_by(|a, b| (b.began_ms, &b.call, key(&b.talk)).cmp(&(a.began_ms, &a.call, key(&a.talk))));
        let (mut found, mut empty) = (0, 0);
        for _ in 0..400 {
            let mut some = |odds: u32| rng.random::<u32>() % odds == 0;
            let flags: [bool; 12] = std::array::from_fn(|_| some(4));
            let mut draw = || rng.random::<u32>();
            let moment = |n: u32| 1_790_000_000_000 + i64::from(n % 20) * 1000;
            let numbers = (0..draw() % 3).map(|_| Text::from(format!("10{}", draw() % 5))).collect::<BTreeSet<_>>();
            let query = JournalQuery {
                call: (flags[0] && draw().is_multiple_of(3)).then(|| CallId(format!("c{}", draw() % 120).into())),
                numbers: flags[1].then_some(numbers),
                queued: flags[2].then(|| draw().is_multiple_of(2)),
                from_ms: flags[3].then(|| moment(draw())),
                until_ms: flags[4].then(|| moment(draw())),
                direction: flags[5].then_some(Direction::Incoming),
                length_ms: flags[6].then(|| i64::from(draw() % 5) * 1000),
                number: flags[7].then(|| ["101", "79001", "500", "nobody"][draw() as usize % 4].into()),
                missed: flags[8].then(|| draw().is_multiple_of(2)),
                outcome: flags[9].then_some([Outcome::Answered, Outcome::NoAnswer][draw() as usize % 2]),
                queue: flags[10].then(|| ["", "500"][draw() as usize % 2].into()),
                after: flags[11].then(|| rows[draw() as usize % rows.len()].place()),
                limit: draw() as usize % 50,
                offset: draw() as usize % 10,
            };
            let given = store.journal(&query).await.unwrap();
            let due: Vec<_> = rows.iter().filter(|r| query.fits(r)).skip(query.offset).take(query.limit).collect();
            assert_eq!(given.iter().map(|(row, _)| row).collect::<Vec<_>>(), due, "{query:?}");
            assert!(given.iter().all(|(row, link)| row.recording.is_some() == link.is_some()));
            found += usize::from(!due.is_empty());
            empty += usize::from(due.is_empty());
        }
        assert!(found > 50 && empty > 50, "{found} {empty}");
        for entry in entries.iter().take(10) {
            assert_eq!(store.call(&entry.call).await.unwrap().as_ref(), Some(entry));
        }
    }
}
