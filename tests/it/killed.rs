//! A gateway that is killed again and again while people change things: what it acknowledged is there afterwards. Slow, so it is a suite
//! of its own: `cargo test --test it -- --ignored killed::`.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ctigate::proto::auth::password;
use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::database::{Database, Kind, Other};
use crate::support::process::{free_addresses, serve};
use crate::support::soon;

/// How many rules are written over and over.
const RULES: usize = 8;

/// What was acknowledged, and what may have happened besides because its answer never came.
#[derive(Debug, Default)]
struct Truth {
    chat: String,
    /// Sessions that live.
    living: HashSet<String>,
    /// Sessions whose end was acknowledged.
    over: Vec<String>,
    rules: BTreeMap<usize, Rule>,
    texts: HashSet<String>,
    /// What was acknowledged last, then what was asked for after it.
    password: Vec<String>,
    next: u64,
    acknowledged: usize,
    cut_off: usize,
}

/// Where a redirect rule leads.
#[derive(Debug, Default)]
struct Rule {
    /// As was acknowledged, or seen.
    known: Option<String>,
    /// As was asked for after it, and nobody knows.
    asked: Option<String>,
}

impl Truth {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

type Shared = Arc<Mutex<Truth>>;

/// A tab that takes the end of the connection for what it is.
struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn connect(web: SocketAddr) -> Option<Self> {
        let mut request = format!("ws://{web}/").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "json".parse().unwrap());
        let tcp = TcpStream::connect(web).await.ok()?;
        let (stream, _) = tokio_tungstenite::client_async(request, tcp).await.ok()?;
        Some(Self(stream))
    }

    /// Asks; `None`: the connection ended before the answer.
    async fn ask(&mut self, method: &str, mut body: Value) -> Option<Value> {
        body["qid"] = json!("q");
        self.0.send(Message::text(json!([method, body]).to_string())).await.ok()?;
        let reply = format!("{method}result");
        soon(method, async {
            loop {
                let Ok(Message::Text(text)) = self.0.next().await?.ok().ok_or(()) else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message[0] == reply {
                    return Some(message[1].clone());
                }
            }
        })
        .await
    }

    async fn log_in(&mut self, login: &str, clear: &str) -> Option<Value> {
        let hash = password::hash(clear).unwrap();
        self.ask("login", json!({ "userlogin": login, "Password": hash })).await
    }
}

fn is_yes(reply: &Value) -> bool {
    reply["result"] == 1
}

/// Logs in, and every other time out.
async fn come_and_go(web: SocketAddr, truth: Shared) -> Option<()> {
    for turn in 0_u64.. {
        let mut tab = Client::connect(web).await?;
        let session = tab.log_in("ivanov", "Secret1").await?["sessionid"].as_str().unwrap().to_owned();
        {
            let mut truth = truth.lock().unwrap();
            truth.living.insert(session.clone());
            truth.acknowledged += 1;
        }
        if turn % 2 == 0 {
            // From here on nobody knows, until the answer comes.
            truth.lock().unwrap().living.remove(&session);
            truth.lock().unwrap().cut_off += 1;
            let gone = tab.ask("logout", json!({})).await?;
            assert!(is_yes(&gone), "{gone}");
            let mut truth = truth.lock().unwrap();
            truth.cut_off -= 1;
            truth.acknowledged += 1;
            truth.over.push(session);
        }
    }
    None
}

/// Sets rules and writes in a chat.
async fn set_and_write(mut tab: Client, truth: Shared) -> Option<()> {
    loop {
        let (rule, value, chat) = {
            let mut truth = truth.lock().unwrap();
            let number = truth.number();
            let (rule, value) = (usize::try_from(number).unwrap() % RULES, format!("7900{number}"));
            truth.rules.entry(rule).or_default().asked = Some(value.clone());
            truth.cut_off += 1;
            (rule, value, truth.chat.clone())
        };
        let wanted = json!({ "id": format!("r{rule}"), "destinationnumber": value, "isenabled": true });
        let set = tab.ask("saveredirectrules", json!({ "redirectrule": wanted })).await?;
        assert!(is_yes(&set), "{set}");
        {
            let mut truth = truth.lock().unwrap();
            truth.rules.insert(rule, Rule { known: Some(value.clone()), asked: None });
            truth.acknowledged += 1;
        }
        let text = format!("text {value}");
        let sent = tab.ask("chatsend", json!({ "chatid": chat, "text": text })).await?;
        assert!(is_yes(&sent), "{sent}");
        let mut truth = truth.lock().unwrap();
        truth.texts.insert(text);
        truth.cut_off -= 1;
        truth.acknowledged += 1;
    }
}

/// Changes a password, each time to another.
async fn change_password(web: SocketAddr, truth: Shared) -> Option<()> {
    loop {
        let (old, new) = {
            let mut truth = truth.lock().unwrap();
            let new = format!("Secret-{}", truth.number());
            (truth.password[0].clone(), new)
        };
        let mut tab = Client::connect(web).await?;
        let reply = tab.log_in("petrov", &old).await?;
        assert!(is_yes(&reply), "{reply}");
        truth.lock().unwrap().password.push(new.clone());
        let hash = |clear: &str| password::hash(clear).unwrap();
        let done = tab.ask("changepassword", json!({ "oldpwdmd5": hash(&old), "newpwdmd5": hash(&new) })).await?;
        assert!(is_yes(&done), "{done}");
        let mut truth = truth.lock().unwrap();
        truth.password = vec![new];
        truth.acknowledged += 1;
    }
}

/// What a gateway that was started anew says.
async fn look(web: SocketAddr, shared: &Shared, chance: &mut StdRng) {
    // Nobody else is there now.
    let mut truth = std::mem::take(&mut *shared.lock().unwrap());
    let sessions: Vec<String> = truth.living.iter().cloned().collect();
    for session in sessions {
        let mut tab = Client::connect(web).await.unwrap();
        let reply = tab.ask("login", json!({ "userlogin": "ivanov", "sessionid": session })).await.unwrap();
        assert!(is_yes(&reply), "a session that was given is lost: {reply}");
        // So that there are not ever more of them; a few grow old.
        if chance.random_range(0..4) != 0 {
            assert!(is_yes(&tab.ask("logout", json!({})).await.unwrap()));
            truth.living.remove(&session);
            truth.over.push(session);
        }
    }
    let over = truth.over.len().saturating_sub(2);
    for session in truth.over.drain(..).skip(over) {
        let mut tab = Client::connect(web).await.unwrap();
        let reply = tab.ask("login", json!({ "userlogin": "ivanov", "sessionid": session })).await.unwrap();
        assert!(!is_yes(&reply), "a session that had ended is back");
    }
    let mut tab = Client::connect(web).await.unwrap();
    let reply = tab.log_in("ivanov", "Secret1").await.unwrap();
    assert!(is_yes(&reply), "{reply}");
    let rules = tab.ask("getredirectrules", json!({})).await.unwrap()["redirectrules"].clone();
    let rules: BTreeMap<&str, &str> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["id"].as_str().unwrap(), rule["destinationnumber"].as_str().unwrap()))
        .collect();
    for (name, rule) in &mut truth.rules {
        let found = rules.get(&*format!("r{name}")).map(|found| (*found).to_owned());
        let Rule { known, asked } = std::mem::take(rule);
        assert!(
            found == known || found.is_some() && found == asked,
            "rule {name} is {found:?}: {known:?}, then {asked:?}"
        );
        rule.known = found;
    }
    assert!(is_yes(&tab.ask("logout", json!({})).await.unwrap()));
    // The last first: mostly it is the one.
    let mut found = None;
    for candidate in truth.password.iter().rev() {
        let mut tab = Client::connect(web).await.unwrap();
        if is_yes(&tab.log_in("petrov", candidate).await.unwrap()) {
            found = Some(candidate.clone());
            break;
        }
    }
    truth.password = vec![found.unwrap_or_else(|| panic!("none of {:?} opens the account", truth.password))];
    *shared.lock().unwrap() = truth;
}

/// What the database itself says, of SQLite as the kill left it.
async fn examine(database: &Database, truth: &Shared) {
    let copy = tempfile::tempdir().unwrap();
    let mut other = match database.kind {
        Kind::Postgres => database.other().await,
        Kind::Sqlite => {
            for name in ["ctigate.db", "ctigate.db-wal"] {
                let from = database.folder.path().join(name);
                if from.exists() {
                    fs::copy(from, copy.path().join(name)).unwrap();
                }
            }
            Other::file(&copy.path().join("ctigate.db")).await
        }
    };
    if database.kind == Kind::Sqlite {
        other.is_sound().await;
    }
    let kept: HashSet<String> = other.texts("SELECT text FROM chat_text").await.into_iter().collect();
    let truth = truth.lock().unwrap();
    let lost: Vec<&String> = truth.texts.difference(&kept).collect();
    assert!(lost.is_empty(), "texts that were acknowledged are lost: {lost:?}");
}

/// The chat of the two.
async fn begin_chat(tab: &mut Client) -> String {
    let users = tab.ask("getallusernumbers", json!({})).await.unwrap()["users"].clone();
    let petrov =
        users.as_array().unwrap().iter().find(|user| user.to_string().contains("petrov")).unwrap()["id"].clone();
    let made = tab.ask("chatcreate", json!({ "members": [petrov] })).await.unwrap();
    made["chatid"].as_str().unwrap().to_owned()
}

fn configure(folder: &Path, url: &str) -> SocketAddr {
    let [web, admin] = free_addresses();
    let config = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[store]\nurl = \"{url}\"\n\
         [[user]]\nlogin = \"ivanov\"\nname = \"ivanov\"\nnumber = \"101\"\npassword = \"Secret1\"\n\
         [[user]]\nlogin = \"petrov\"\nname = \"petrov\"\nnumber = \"102\"\npassword = \"Secret1\"\n"
    );
    fs::write(folder.join("ctigate.toml"), config).unwrap();
    web
}

async fn kill_again_and_again(kind: Kind, times: usize) {
    let database = Database::new(kind).await;
    let web = configure(database.folder.path(), database.address());
    let truth: Shared = Arc::new(Mutex::new(Truth { password: vec!["Secret1".to_owned()], ..Truth::default() }));
    let mut chance = StdRng::seed_from_u64(20_261_122);
    for round in 0..times {
        let gateway = serve(database.folder.path(), web).await;
        look(web, &truth, &mut chance).await;
        let mut tab = Client::connect(web).await.unwrap();
        let reply = tab.log_in("ivanov", "Secret1").await.unwrap();
        truth.lock().unwrap().living.insert(reply["sessionid"].as_str().unwrap().to_owned());
        if round == 0 {
            truth.lock().unwrap().chat = begin_chat(&mut tab).await;
        }
        let work = [
            tokio::spawn(come_and_go(web, Arc::clone(&truth))),
            tokio::spawn(set_and_write(tab, Arc::clone(&truth))),
            tokio::spawn(change_password(web, Arc::clone(&truth))),
        ];
        tokio::time::sleep(Duration::from_micros(chance.random_range(0..250_000))).await;
        drop(gateway);
        for task in work {
            task.await.unwrap();
        }
        examine(&database, &truth).await;
    }
    let gateway = serve(database.folder.path(), web).await;
    look(web, &truth, &mut chance).await;
    drop(gateway);
    database.other().await.is_sound().await;
    let truth = truth.lock().unwrap();
    // Otherwise the kills proved nothing.
    assert!(truth.acknowledged > times * 5, "{} acknowledged", truth.acknowledged);
    assert!(truth.cut_off > times / 4, "{} cut off", truth.cut_off);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a suite of its own"]
async fn a_hundred_kills_lose_nothing_that_was_acknowledged() {
    kill_again_and_again(Kind::Sqlite, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a suite of its own"]
async fn ten_kills_lose_nothing_that_was_acknowledged_with_postgres() {
    kill_again_and_again(Kind::Postgres, 10).await;
}
