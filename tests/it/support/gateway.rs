//! A gateway in this process: the real engine, Hub and transport on ports of the system's choice, with people and links as a
//! story wants them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::{get, post as posted_to};
use ctigate::config::{Config, Link, LinkFormat, LinkMode, Right, Secret, User};
use ctigate::engine::{Accounts, Archive, Engine, Outlets};
use ctigate::proto::auth::{Attempt, Identity, LoginBy, LoginError, password};
use ctigate::proto::hub::archive::{Fetch, FetchResult};
use ctigate::proto::hub::input::Ask;
use ctigate::proto::hub::output::{Answer, Notice};
use ctigate::proto::hub::settings::{Account, LinkSettings, Settings};
use ctigate::proto::hub::snapshot::LinkView;
use ctigate::proto::hub::{Hub, Rights};
use ctigate::proto::message::Format;
use ctigate::telemetry::Telemetry;
use ctigate::transport::browser::{self, Browsers};
use ctigate::transport::dial::{self, Dialed};
use ctigate::transport::gate::{self, Gate};
use ctigate::transport::listen::{self, Security};
use ctigate::transport::post::{self, Posted};
use ctigate::transport::tls::Certificates;
use ctigate::transport::{Transport, limit};
use tokio_util::sync::CancellationToken;

use super::peers::HASH;
use super::{soon, tls};

/// What a story wants changed.
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// Listens with TLS on the web's second port, by this certificate.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// Both kinds on the first port.
    pub(crate) both: bool,
    pub(crate) limits: limit::Settings,
}

impl Setup {
    /// Two people, ivanov and petrov, and no link.
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        for (login, number) in [("ivanov", "101"), ("petrov", "102")] {
            config.users.push(User {
                login: login.to_owned(),
                number: number.to_owned(),
                password: Some(Secret::new("Secret1")),
                ..User::default()
            });
        }
        Self { config, certificates: None, both: false, limits: limit::Settings::default() }
    }

    /// One more link.
    pub(crate) fn link(mut self, link: Link) -> Self {
        self.config.links.push(link);
        self
    }

    /// With TLS by this certificate.
    pub(crate) fn tls(mut self, pair: &tls::Pair) -> Self {
        self.certificates = Some(Certificates::load(&pair.certificate, &pair.key).unwrap());
        self
    }

    /// With the configuration changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) async fn start(self) -> Gateway {
        Gateway::start(self).await
    }
}

/// A link of this mode.
pub(crate) fn link(name: &str, mode: LinkMode) -> Link {
    Link { name: name.to_owned(), mode, ..Link::default() }
}

/// A format as the configuration names it.
pub(crate) fn format_of(format: Format) -> LinkFormat {
    match format {
        Format::Json => LinkFormat::Json,
        Format::Xml => LinkFormat::Xml,
    }
}

/// A gateway that runs. It stops when it is dropped.
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) transport: Arc<Transport>,
    /// The plain web port.
    pub(crate) web: SocketAddr,
    /// The web port with TLS, where a certificate was given.
    pub(crate) web_tls: Option<SocketAddr>,
    links: BTreeMap<String, SocketAddr>,
    pub(crate) notices: Arc<Mutex<Vec<Notice>>>,
    pub(crate) stop: CancellationToken,
}

/// Nothing is kept outside this gateway.
struct Empty;

impl Archive for Empty {
    fn fetch(&self, _: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(async { Err(ctigate::proto::message::Code::Internal.into()) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Gateway {
    async fn start(setup: Setup) -> Self {
        let Setup { config, certificates, both, limits } = setup;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let outlets = Outlets {
            pbx: Box::new(|_| {}),
            record: Box::new(|_| {}),
            kept: Box::new(|| None),
            notice: Box::new({
                let notices = Arc::clone(&notices);
                move |notice| notices.lock().unwrap().push(notice)
            }),
            accounts: Arc::new(People(config.users.iter().map(|u| u.login.clone()).collect())),
            archive: Arc::new(Empty),
        };
        let engine = Engine::new(Hub::new(settings(&config)), outlets);
        let stop = CancellationToken::new();
        let transport = Transport::new(Arc::clone(&engine), Telemetry::default(), limits, stop.clone());
        tokio::spawn({
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            engine.run_timers(async move { stop.cancelled().await })
        });
        let any = || "127.0.0.1:0".parse().unwrap();
        let listener = listen::bind(any()).unwrap();
        let web = listener.local_addr().unwrap();
        let security = match &certificates {
            Some(certificates) if both => Security::Both(Arc::clone(certificates)),
            _ => Security::Plain,
        };
        let browsers = Arc::new(ArcSwap::from_pointee(Browsers::new(&config, security, router())));
        tokio::spawn(browser::serve(Arc::clone(&transport), listener, browsers));
        let web_tls = certificates.as_ref().map(|certificates| {
            let listener = listen::bind(any()).unwrap();
            let address = listener.local_addr().unwrap();
            let browsers = Browsers::new(&config, Security::Tls(Arc::clone(certificates)), router());
            let browsers = Arc::new(ArcSwap::from_pointee(browsers));
            tokio::spawn(browser::serve(Arc::clone(&transport), listener, browsers));
            address
        });
        let mut links = BTreeMap::new();
        for link in &config.links {
            if link.mode.accepts() {
                let listener = listen::bind(any()).unwrap();
                links.insert(link.name.clone(), listener.local_addr().unwrap());
                let security = match link.mode {
                    LinkMode::AcceptWss => Security::Tls(Arc::clone(certificates.as_ref().expect("a certificate"))),
                    _ => Security::Plain,
                };
                let gate = Arc::new(ArcSwap::from_pointee(Gate::new(&config, link, security)));
                let serve = gate::serve(Arc::clone(&transport), Arc::new(listener), gate, transport.link_token());
                tokio::spawn(serve);
            } else if link.mode.dials() {
                let dialed = Dialed::new(&config, link).unwrap();
                tokio::spawn(dial::run(Arc::clone(&transport), dialed, transport.link_token()));
            } else {
                let posted = Posted::new(&config, link).unwrap();
                tokio::spawn(post::run(Arc::clone(&transport), posted, transport.link_token()));
            }
        }
        Self { engine, transport, web, web_tls, links, notices, stop }
    }

    /// Where an accepting link listens.
    pub(crate) fn link(&self, name: &str) -> SocketAddr {
        self.links[name]
    }

    /// How a link looks to operators now.
    pub(crate) async fn link_view(&self, name: &str) -> LinkView {
        match soon("a snapshot", self.engine.ask(Ask::Snapshot)).await {
            Answer::Snapshot(snapshot) => snapshot.links.iter().find(|l| l.name == name).expect("the link").clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a link looks as wanted.
    pub(crate) async fn link_is(&self, name: &str, what: &str, yes: impl Fn(&LinkView) -> bool) -> LinkView {
        let mut last = None;
        let asked = async {
            loop {
                let view = self.link_view(name).await;
                if yes(&view) {
                    return view;
                }
                last = Some(view);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(super::SOON, asked).await {
            Ok(view) => view,
            Err(_) => panic!("link {name} is not {what}: {last:?}"),
        }
    }

    /// Waits until a link is in this state.
    pub(crate) async fn link_state(&self, name: &str, state: &str) -> LinkView {
        self.link_is(name, state, |view| view.state == state).await
    }

    /// Stops as a node stops.
    pub(crate) async fn drain(&self) -> bool {
        self.stop.cancel();
        self.transport.drain(Duration::from_millis(100), Duration::from_secs(10)).await
    }
}

/// Pages of the story's web.
fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/length", posted_to(|body: axum::body::Bytes| async move { body.len().to_string() }))
}

/// Everybody's password is `Secret1`.
struct People(Vec<String>);

impl Accounts for People {
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(async move {
            let known = self.0.iter().find(|login| **login == *attempt.login);
            let proof = attempt.hash.as_ref().and_then(|hash| password::verify(HASH, hash));
            match (known, proof) {
                (Some(login), Some(proof)) => Ok(Identity::user(login.clone(), LoginBy::Password, proof)),
                _ => Err(LoginError::WrongPassword),
            }
        })
    }
}

fn settings(config: &Config) -> Settings {
    let account = |(i, user): (usize, &User)| Account {
        id: format!("3f0a7c11-0000-4000-8000-{i:012}").into(),
        login: user.login.clone().into(),
        name: user.login.clone().into(),
        number: user.number.clone().into(),
        number_id: format!("11aa7c11-0000-4000-8000-{i:012}").into(),
        rights: Rights::role("agent").unwrap(),
        ..Account::default()
    };
    let link = |link: &Link| LinkSettings {
        name: link.name.clone().into(),
        mode: link.mode.as_str().into(),
        post: link.mode.posts(),
        users: None,
        trust_users: link.trust_users,
        rights: if link.rights == Vec::<Right>::new() { Rights::default() } else { Rights::link_default() },
        tunnel_grace: link.tunnel_grace,
        silent_events: Vec::new(),
    };
    Settings {
        seed: rand::random(),
        wall_ms: 1_790_000_000_000,
        web_ports: (4055, 4056),
        accounts: config.users.iter().enumerate().map(account).collect(),
        links: config.links.iter().map(link).collect(),
        forms: Vec::new(),
        numbers: Vec::new(),
        breaks: Vec::new(),
        utc_offset: |_| 0,
        procedures: Vec::new(),
        limits: ctigate::proto::hub::settings::Limits::default(),
        notation: ctigate::capture::notation(),
    }
}
