//! An office: a whole node on ports of its own, with a telephone system behind it. All stories of one telephone system share
//! one office; each has a team of people to itself.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use ctigate::app::{self, Node};
use ctigate::config::{Config, Form, Link, LinkMode, Parameters, Queue, Role, Secret, User};
use ctigate::proto::calls::{Entry, JournalQuery};
use ctigate::proto::telephony::CallId;
use ctigate::shutdown::Shutdown;
use ctigate::store::Store;
use ctigate::telemetry::Telemetry;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::SOON;
use crate::desk::Desk;
use crate::dialplan::{self, LOAD, PEOPLE, TEAMS};
use crate::ports::free_port;

/// What the world does to a telephone system: people inside with their hands, people outside.
pub(crate) trait Pbx: Send + Sync + 'static {
    /// The office of its stories.
    fn office() -> &'static Office<Self>
    where
        Self: Sized;
    /// The phones of these numbers are connected.
    async fn ready(&self, numbers: &[String]);
    /// Somebody outside calls.
    async fn comes_in(&self, caller: &str, called: &str);
    /// Waits until a phone rings, inside or outside, and picks it up.
    async fn picks_up(&self, number: &str);
    /// Somebody hangs up, or gives up a call that nobody has answered.
    async fn hangs_up(&self, number: &str);
    /// Waits until a phone rings, and refuses.
    async fn refuses(&self, number: &str);
    /// A phone is busy from now on.
    async fn is_busy(&self, number: &str);
    /// A phone is taken away, or comes back.
    async fn is_away(&self, number: &str, away: bool);
    /// Nothing is left of these numbers' calls.
    async fn is_quiet(&self, numbers: &[String]);
}

/// A node with its telephone system.
pub(crate) struct Office<P> {
    pub(crate) pbx: P,
    pub(crate) config: Config,
    pub(crate) store: Store,
    node: Mutex<Option<Node>>,
    next: AtomicU16,
    _folder: tempfile::TempDir,
}

/// Everything runs here, so that what the stories share outlives each of them.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// A configuration with all teams, its data below `folder`, on ports of the system's choice.
pub(crate) fn configuration(folder: &Path) -> Config {
    let mut config = Config::default();
    // Not of the system's choice: a node that starts again is found where it was.
    let here = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    config.web.bind = here();
    config.web.tls_bind = None;
    config.web.admin_bind = here();
    config.folder = folder.to_path_buf();
    config.web.certificate = folder.join("server.pem");
    config.web.key = folder.join("server.key");
    config.files.folder = folder.join("files");
    config.recordings.folder = folder.join("recordings");
    config.store.url = format!("sqlite://{}", folder.join("ctigate.db").display()).parse().expect("a URL");
    for team in 0..TEAMS {
        for n in 1..=PEOPLE {
            let number = dialplan::extension(team, n);
            config.users.push(User {
                login: login(&number),
                name: format!("Person {number}"),
                number,
                password: Some(Secret::new("Secret1")),
                role: if n == PEOPLE { Role::Supervisor } else { Role::Agent },
                subordinates: if n == PEOPLE {
                    (1..n).map(|n| login(&dialplan::extension(team, n))).collect()
                } else {
                    Vec::new()
                },
                ..User::default()
            });
        }
        config.queues.push(Queue {
            number: dialplan::queue(team),
            name: format!("Queue {team}"),
            users: (1..=3).map(|n| login(&dialplan::extension(team, n))).collect(),
            ..Queue::default()
        });
    }
    for number in LOAD.map(|n| n.to_string()) {
        config.users.push(User {
            login: login(&number),
            number,
            password: Some(Secret::new("Secret1")),
            ..User::default()
        });
    }
    config.links.push(Link {
        name: "crm".to_owned(),
        mode: LinkMode::AcceptWs,
        bind: Some((Ipv4Addr::LOCALHOST, free_port()).into()),
        ..Link::default()
    });
    config.forms.push(Form {
        name: "clientcard".to_owned(),
        parameters: Parameters(vec![("phone".to_owned(), "{caller}".parse().expect("a template"))]),
        ..Form::default()
    });
    config
}

fn login(number: &str) -> String {
    format!("u{number}")
}

impl<P> Office<P> {
    /// Starts the node of this configuration.
    pub(crate) async fn open(pbx: P, config: Config, folder: tempfile::TempDir) -> Self {
        let store = Store::open(&config.store, Telemetry::default()).await.unwrap();
        let office = Self { pbx, config, store, node: Mutex::default(), next: AtomicU16::new(0), _folder: folder };
        office.start().await;
        office
    }

    /// Starts the node, the first time or again.
    pub(crate) async fn start(&self) {
        let node = app::start(&self.config, false, Shutdown::new()).await.unwrap();
        *self.node.lock().unwrap() = Some(node);
    }

    /// Stops the node.
    pub(crate) async fn stop(&self) {
        let node = self.node.lock().unwrap().take().expect("it runs");
        assert!(node.stop().await, "it stops cleanly");
    }

    pub(crate) fn web(&self) -> SocketAddr {
        self.config.web.bind
    }

    /// Gives an order to the telephone system, as an operator does.
    ///
    /// # Errors
    /// What it said.
    pub(crate) async fn order(&self, order: &Value) -> Result<Value, String> {
        let token = std::fs::read_to_string(self.config.admin_token()).unwrap();
        let body = order.to_string();
        let mut stream = TcpStream::connect(self.config.web.admin_bind).await.unwrap();
        let request = format!(
            "POST /api/v1/sim HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            token.trim(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        if head.starts_with("HTTP/1.1 200") { Ok(serde_json::from_str(body).unwrap_or_default()) } else { Err(answer) }
    }

    /// Waits until the telephone system shows a phone as wanted.
    pub(crate) async fn phone_is(&self, number: &str, what: &str, yes: impl Fn(&Value) -> bool) {
        let until = Instant::now() + SOON;
        loop {
            let picture = self.order(&json!({ "op": "picture" })).await.unwrap();
            let phones = picture["phones"].as_array().cloned().unwrap_or_default();
            let phone = phones.into_iter().find(|phone| phone["number"] == number).unwrap_or_default();
            if yes(&phone) {
                return;
            }
            assert!(Instant::now() < until, "{number} is not {what}: {phone}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What a story has to itself.
pub(crate) struct Story<P: 'static> {
    pub(crate) office: &'static Office<P>,
    pub(crate) pbx: &'static P,
    pub(crate) team: u16,
}

/// Tells a story of a telephone system.
pub(crate) fn tell<P: Pbx, F: Future<Output = ()>>(story: impl FnOnce(Story<P>) -> F) {
    RUNTIME.block_on(async {
        let own = P::office().team().await;
        story(own).await;
    });
}

impl<P: Pbx> Office<P> {
    /// What the next story has to itself.
    pub(crate) async fn team(&'static self) -> Story<P> {
        let team = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(team < TEAMS, "there are more stories than teams");
        let own = Story { office: self, pbx: &self.pbx, team };
        self.pbx.ready(&own.numbers()).await;
        own
    }
}

impl<P: Pbx> Story<P> {
    /// The phones of the team.
    pub(crate) fn numbers(&self) -> Vec<String> {
        (1..=PEOPLE).map(|n| dialplan::extension(self.team, n)).collect()
    }

    /// Somebody outside, of this story alone.
    pub(crate) fn outside(&self, n: u16) -> String {
        format!("7900{:03}{n:04}", self.team)
    }

    pub(crate) fn queue(&self) -> String {
        dialplan::queue(self.team)
    }

    /// The first people of the team at their desks, with free phones.
    pub(crate) async fn desks<const N: usize>(&self) -> [Desk; N] {
        let mut desks = Vec::new();
        for n in 1..=N {
            desks.push(self.desk(u16::try_from(n).expect("a team is small")).await);
        }
        desks.try_into().unwrap_or_else(|_| unreachable!("N were made"))
    }

    /// One of the team at the desk, whatever the phone does.
    pub(crate) async fn desk_as_it_is(&self, n: u16) -> Desk {
        let number = dialplan::extension(self.team, n);
        Desk::open(self.office.web(), &login(&number), &number).await
    }

    /// One of the team at the desk, with a free phone.
    pub(crate) async fn desk(&self, n: u16) -> Desk {
        let desk = self.desk_as_it_is(n).await;
        desk.is("ready").await;
        desk.states();
        desk
    }

    /// What the ledger keeps of the newest conversation of a number, once it is over. `nth` counts conversations.
    pub(crate) async fn entry(&self, number: &str, nth: usize) -> Entry {
        let query = JournalQuery { number: Some(number.into()), limit: 100, ..JournalQuery::default() };
        let until = Instant::now() + SOON;
        loop {
            let rows = self.office.store.journal(&query).await.unwrap();
            let calls: BTreeSet<(i64, CallId)> = {
                let mut began = std::collections::BTreeMap::new();
                for (row, _) in rows.iter().rev() {
                    began.entry(row.call.clone()).or_insert(row.began_ms);
                }
                began.into_iter().map(|(call, began)| (began, call)).collect()
            };
            if let Some((_, call)) = calls.iter().nth(nth) {
                return self.office.store.call(call).await.unwrap().expect("a row has an entry");
            }
            assert!(Instant::now() < until, "the ledger has {} of {} conversations of {number}", calls.len(), nth + 1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everybody has hung up, and nothing is left.
    pub(crate) async fn closes(self, desks: &[&Desk]) {
        for desk in desks {
            desk.is("ready").await;
        }
        self.pbx.is_quiet(&self.numbers()).await;
        for desk in desks {
            desk.asks_until("getextendedlineinfo", json!({}), |line| line["linestatestr"] == "lsReady").await;
            assert_eq!(desk.talks(), 0, "{desk}: talks that began and did not end");
        }
    }
}
