//! The composition root: builds every part, wires the channels, keeps the order of start and stop. Decides nothing.

mod admin_port;
mod archive;
mod doctor;
mod door;
mod explain;
mod health;
mod settings;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::auth::{Attempt, Identity, LoginError};
use ctigate_proto::hub::trace::What;
use ctigate_proto::hub::{Hub, Input};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::admin::{self, Door};
use crate::config::{Config, PbxKind, Secret, TlsPort};
use crate::engine::{Engine, Outlets};
use crate::files::Files;
use crate::pbx;
use crate::pbx::asterisk::Asterisk;
use crate::pbx::simulator::{self, ScriptError};
use crate::shutdown::{Drained, Shutdown};
use crate::store::{Accounts, Lock, Procedures, Store, StoreError, token};
use crate::telemetry::{Event, Telemetry};
use crate::transport::browser::{self, Browsers};
use crate::transport::dial::{self, Dialed};
use crate::transport::gate::{self, Gate};
use crate::transport::listen::{self, Security};
use crate::transport::post::{self, Posted};
use crate::transport::tls::{Certificates, TlsError};
use crate::transport::{Transport, limit, tls};
use crate::web;

pub use crate::pbx::{Check, Verdict};
pub use doctor::{asterisk_config, examine};

use archive::Archive;
use door::{House, Shown};
use explain::Explainer;

/// How many orders to the telephone system, and events from it, may wait.
const PBX_QUEUE: usize = 4096;
/// Over how long goodbyes are spread when the node stops.
const STAGGER: Duration = Duration::from_secs(2);

/// Why a node did not start. The text says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be bound.
    #[error("{key} = {address}: {why}. {advice}")]
    Bind {
        /// The key of the configuration.
        key: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// A certificate, key or authority cannot be used.
    #[error("{key}: {why}")]
    Tls {
        /// The key of the configuration.
        key: String,
        /// What was wrong.
        why: TlsError,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The telephone system cannot be used.
    #[error("pbx: {0}")]
    Pbx(String),
    /// The timeline of the simulator cannot be played.
    #[error("pbx.timeline = {name}: {why}\n{}", why.excerpt())]
    Timeline {
        /// The file.
        name: String,
        /// The first mistake in it.
        why: ScriptError,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Where a node listens, once it does: port 0 has become a real port.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// Browsers and pages, plain.
    pub web: Option<SocketAddr>,
    /// Browsers and pages, TLS.
    pub web_tls: Option<SocketAddr>,
    /// Administration.
    pub admin: Option<SocketAddr>,
    /// The dialplan of Asterisk.
    pub agi: Option<SocketAddr>,
    /// Each accepting link, by name.
    pub links: Vec<(String, SocketAddr)>,
}

/// A node that runs.
pub struct Node {
    /// Where it listens.
    pub addresses: Addresses,
    engine: Arc<Engine>,
    transport: Arc<Transport>,
    store: Arc<Store>,
    /// Given back last.
    _lock: Lock,
    shutdown: Shutdown,
    stop_grace: Duration,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Checks what a configuration names and a start would stumble over: the timeline of the simulator.
///
/// # Errors
/// [`StartError::Pbx`] when it cannot be read, [`StartError::Timeline`] when it cannot be played.
pub fn check(config: &Config) -> Result<(), StartError> {
    if config.pbx.kind != PbxKind::Simulator {
        return Ok(());
    }
    let simulator::Settings { timeline, directory, .. } = settings::simulator(config, false)?;
    let name = || settings::timeline_name(config);
    simulator::check(&timeline, &directory).map_err(|why| StartError::Timeline { name: name(), why })
}

/// Builds a node and starts it. It runs until `shutdown` is requested; then call [`Node::stop`].
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub async fn start(config: &Config, demo: bool, shutdown: Shutdown) -> Result<Node, StartError> {
    start_on(config, demo, shutdown, Vec::new()).await
}

/// The same with listeners that are open already: each is used for the address of the configuration that it has.
///
/// # Errors
/// [`StartError`], also when the configuration names no such address; nothing runs then.
pub async fn start_on(
    config: &Config,
    demo: bool,
    shutdown: Shutdown,
    inherited: Vec<std::net::TcpListener>,
) -> Result<Node, StartError> {
    let telemetry = Telemetry::default();
    let lock = Lock::take(&config.store.url).await?;
    let store = Arc::new(Store::open(&config.store, telemetry.clone()).await?);
    let accounts = Arc::new(Accounts::new(config));
    accounts.restore(&store).await?;
    store.publish(&settings::people(config)).await?;
    let wall_ms = unix_ms();

    let mut listeners = bind(config, inherited)?;
    let addresses = listeners.addresses();
    let procedures = Procedures::open(&config.procedures, &config.store.url).await;
    let procedures = procedures.map_err(|e| StartError::Other(e.to_string()))?;
    let files = Files::open(config).map_err(|e| StartError::Other(e.to_string()))?;
    let ports = (listeners.port(|l| &l.web), listeners.port(|l| &l.web_tls));
    let mut hub = Hub::new(settings::hub(config, ports, wall_ms, rand::random()));
    let sessions = store.load_sessions(wall_ms).await?;
    let forms = store.load_forms(wall_ms).await?;
    tracing::info!(sessions = sessions.len(), forms = forms.len(), "kept from before");
    sessions.into_iter().for_each(|session| hub.restore_session(session));
    for form in &forms {
        if !hub.restore_form(form) {
            tracing::warn!(form = %form.id, user = %form.login, "a kept form belongs to nobody now; it is left out");
        }
    }

    restore_kept(config, &mut hub, &store, &files).await?;

    let (phone, backend_ports, mut events) = pbx::channels(PBX_QUEUE);
    let outlets = Outlets {
        pbx: Box::new({
            let (phone, telemetry) = (phone.clone(), telemetry.clone());
            move |command| {
                if let Err(busy) = phone.command(command) {
                    telemetry.event(Event::Dropped { what: "order" });
                    tracing::warn!("{busy}: an order was dropped");
                }
            }
        }),
        record: Box::new({
            let store = Arc::clone(&store);
            move |record| store.record(record)
        }),
        kept: Box::new({
            let store = Arc::clone(&store);
            move || store.kept()
        }),
        notice: Box::new({
            let telemetry = telemetry.clone();
            move |notice| telemetry.notice(&notice)
        }),
        accounts: accounts.clone(),
        archive: Arc::new(Archive {
            store: Arc::clone(&store),
            accounts: (*accounts).clone(),
            procedures,
            files: files.clone(),
        }),
    };
    let engine = Engine::new(hub, outlets);
    shutdown.spawn("watch for a fall", {
        let (engine, shutdown, telemetry) = (Arc::clone(&engine), shutdown.clone(), telemetry.clone());
        async move {
            tokio::select! {
                () = shutdown.requested() => {}
                () = engine.fallen() => {
                    telemetry.event(Event::Fallen);
                    shutdown.request();
                }
            }
        }
    });
    shutdown.spawn("old uploads", {
        let (files, stop) = (files.clone(), shutdown.token());
        async move {
            let mut hourly = tokio::time::interval(Duration::from_secs(3600));
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hourly.tick() => {
                        let files = files.clone();
                        // It only ends early when the process does.
                        let _ = tokio::task::spawn_blocking(move || files.sweep()).await;
                    }
                }
            }
        }
    });
    shutdown.spawn("timers", Arc::clone(&engine).run_timers(shutdown.token().cancelled_owned()));
    shutdown.spawn("telephone system comes and goes", {
        let (engine, mut ups) = (Arc::clone(&engine), phone.ups());
        async move {
            while ups.changed().await.is_ok() {
                let up = *ups.borrow_and_update();
                engine.tell_step("", What::Telephone { up });
            }
        }
    });
    shutdown.spawn("telephone events", {
        let engine = Arc::clone(&engine);
        async move {
            while let Some(event) = events.recv().await {
                engine.handle(Input::Pbx(event));
            }
        }
    });
    match config.pbx.kind {
        PbxKind::Simulator => {
            let simulator = simulator::Simulator::new(settings::simulator(config, demo)?)
                .map_err(|why| StartError::Timeline { name: settings::timeline_name(config), why })?;
            shutdown.spawn("simulator", pbx::supervise(simulator, backend_ports, shutdown.token()));
        }
        PbxKind::Asterisk => {
            let asterisk = Asterisk::new(settings::asterisk(config, telemetry.clone())?, listeners.agi.take());
            shutdown.spawn("asterisk", pbx::supervise(asterisk, backend_ports, shutdown.token()));
        }
    }

    let token = token::load_or_create(&config.admin_token()).map_err(|e| StartError::Other(e.to_string()))?;
    let limits =
        limit::Settings { connections: config.limits.connections, per_address: config.limits.connections_per_address };
    let transport = Transport::new(Arc::clone(&engine), telemetry.clone(), limits, shutdown.token());
    let certificates = Arc::new(OnceLock::new());
    explain::keep(Arc::clone(&engine), Arc::clone(&store), &shutdown);
    let house = House {
        explainer: Explainer { engine: Arc::clone(&engine), store: Arc::clone(&store) },
        engine: Arc::clone(&engine),
        phone,
        telemetry,
        transport: Arc::clone(&transport),
        certificates: Arc::clone(&certificates),
    };
    let house: Arc<dyn Door> = Arc::new(house);
    let shown = serve(config, demo, &transport, &shutdown, &house, &files, token, listeners)?;
    certificates.get_or_init(|| shown);
    Ok(Node { addresses, engine, transport, store, _lock: lock, shutdown, stop_grace: config.limits.stop_grace })
}

/// Gives the Hub what it kept, and people the photos of the configuration where they have none of their own.
async fn restore_kept(config: &Config, hub: &mut Hub, store: &Store, files: &Files) -> Result<(), StartError> {
    let kept = store.load_kept().await?;
    for user in config.users.iter().filter(|user| user.photo.is_some()) {
        let path = user.photo.clone().unwrap_or_default();
        let files = files.clone();
        let made = tokio::task::spawn_blocking(move || files.configured_photo(&path)).await;
        match made.map_err(|e| e.to_string()).and_then(|made| made.map_err(|e| e.to_string())) {
            Ok(photo) => hub.set_photo_of(&user.login, photo),
            Err(why) => tracing::warn!(user = %user.login, %why, "the photo of the configuration cannot be used"),
        }
    }
    for (kind, key, body) in &kept {
        if !hub.restore_kept(kind, key, body) {
            tracing::warn!(%kind, %key, "something kept belongs to nobody now; it is left out");
        }
    }
    Ok(())
}

impl Node {
    /// Waits until a stop is requested.
    pub async fn stop_requested(&self) {
        self.shutdown.requested().await;
    }

    /// Whether the Hub can be reached and no panic has left it half changed. Waits while somebody is with the Hub.
    pub fn is_alive(&self) -> bool {
        // Counting its tables takes the lock.
        self.engine.sizes();
        !self.engine.has_fallen()
    }

    /// How long [`Self::stop`] takes at most.
    pub fn longest_stop(&self) -> Duration {
        STAGGER + 3 * self.stop_grace
    }

    /// The engine, for whoever looks at a node from inside its process.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops in order: no new ones, goodbye to all, tasks end, the store is flushed. False when something did not end in time
    /// or could not be written, or a panic stopped the node.
    pub async fn stop(self) -> bool {
        self.shutdown.request();
        let stagger = STAGGER.min(self.stop_grace / 4);
        let drained = self.transport.drain(stagger, self.stop_grace).await;
        let ended = self.shutdown.drain(self.stop_grace).await == Drained::Clean;
        let unwritten = self.store.close(self.stop_grace).await;
        if unwritten > 0 {
            tracing::error!(unwritten, "facts could not be written");
        }
        drained && ended && unwritten == 0 && !self.engine.has_fallen()
    }
}

/// Every port a node listens on, bound before anything starts.
struct Listeners {
    web: Option<TcpListener>,
    web_tls: Option<TcpListener>,
    admin: TcpListener,
    agi: Option<TcpListener>,
    links: Vec<(usize, TcpListener)>,
    names: Vec<String>,
}

/// Binds them all, or none. What is open already is not bound again.
fn bind(config: &Config, inherited: Vec<std::net::TcpListener>) -> Result<Listeners, StartError> {
    let mut inherited: Vec<_> = inherited.into_iter().map(|open| (open.local_addr().ok(), open)).collect();
    let mut one = |key: String, address: SocketAddr| {
        let bound = match inherited.iter().position(|(at, _)| *at == Some(address)) {
            Some(at) => listen::adopt(inherited.swap_remove(at).1),
            None => listen::bind(address),
        };
        bound.map_err(|why| {
            let advice = match why.kind() {
                std::io::ErrorKind::AddrInUse => "Another program listens there: end it, or choose another port",
                std::io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: choose another port",
                std::io::ErrorKind::AddrNotAvailable => "This machine has no such address",
                _ => "Choose another address",
            };
            StartError::Bind { key, address, why, advice }
        })
    };
    let mut links = Vec::new();
    for (i, link) in config.links.iter().enumerate() {
        if let Some(address) = link.bind.filter(|_| link.mode.accepts()) {
            links.push((i, one(format!("link[{i}].bind (link {})", link.name), address)?));
        }
    }
    let agi = config.pbx.asterisk.agi_bind.filter(|_| config.pbx.kind == PbxKind::Asterisk);
    let listeners = Listeners {
        web: Some(one("web.bind".to_owned(), config.web.bind)?),
        web_tls: config.web.tls_bind.map(|a| one("web.tls_bind".to_owned(), a)).transpose()?,
        admin: one("web.admin_bind".to_owned(), config.web.admin_bind)?,
        agi: agi.map(|a| one("pbx.asterisk.agi_bind".to_owned(), a)).transpose()?,
        links,
        names: config.links.iter().map(|l| l.name.clone()).collect(),
    };
    // Nobody would ever answer there.
    match inherited.first() {
        None => Ok(listeners),
        Some((address, _)) => Err(StartError::Other(format!(
            "the service manager has opened {} for us, but no key of the configuration names it: write the same address in \
             the socket unit and in the configuration",
            address.map_or_else(|| "something".to_owned(), |address| address.to_string())
        ))),
    }
}

impl Listeners {
    fn port(&self, of: impl Fn(&Self) -> &Option<TcpListener>) -> u16 {
        of(self).as_ref().and_then(|l| l.local_addr().ok()).map_or(0, |a| a.port())
    }

    fn addresses(&self) -> Addresses {
        let address = |l: &TcpListener| l.local_addr().ok();
        Addresses {
            web: self.web.as_ref().and_then(address),
            web_tls: self.web_tls.as_ref().and_then(address),
            admin: address(&self.admin),
            agi: self.agi.as_ref().and_then(address),
            links: self.links.iter().filter_map(|(i, l)| Some((self.names[*i].clone(), address(l)?))).collect(),
        }
    }
}

/// Whether anything listens with the certificate of `[web]`.
fn needs_certificate(config: &Config) -> bool {
    let web = config.web.tls_bind.is_some() || config.web.tls == TlsPort::Both;
    web || config.web.admin_tls
        || config.links.iter().any(|l| l.mode.accepts() && l.mode.tls() && l.certificate.is_none())
}

/// Starts everything that listens, dials or posts. Gives the certificates that are shown.
#[expect(clippy::too_many_arguments, reason = "the parts of a node, handed on once")]
fn serve(
    config: &Config,
    demo: bool,
    transport: &Arc<Transport>,
    shutdown: &Shutdown,
    house: &Arc<dyn Door>,
    files: &Files,
    token: Secret,
    listeners: Listeners,
) -> Result<Shown, StartError> {
    let mut certificates = Shown::new();
    let mut load = |key: &str, certificate: &std::path::Path, private: &std::path::Path| {
        let loaded =
            Certificates::load(certificate, private).map_err(|why| StartError::Tls { key: key.to_owned(), why })?;
        certificates.push((key.to_owned(), Arc::clone(&loaded)));
        Ok::<_, StartError>(loaded)
    };
    let web = if needs_certificate(config) {
        let (bound, host) = settings::certificate_names(config);
        tls::make_if_missing(&config.web.certificate, &config.web.key, &bound, host)
            .map_err(|why| StartError::Tls { key: "web.certificate".to_owned(), why })?;
        Some(load("web.certificate", &config.web.certificate, &config.web.key)?)
    } else {
        None
    };
    let router = web::router(Arc::clone(house), settings::web(config, demo, files.clone(), shutdown.token()));
    let Listeners { web: plain, web_tls, admin: admin_listener, links, .. } = listeners;
    if let Some(listener) = plain {
        let security = match (&web, config.web.tls) {
            (Some(certificates), TlsPort::Both) => Security::Both(Arc::clone(certificates)),
            _ => Security::Plain,
        };
        let browsers = Browsers::new(config, security, router.clone());
        shutdown.spawn("web", browser::serve(Arc::clone(transport), listener, browsers));
    }
    if let (Some(listener), Some(certificates)) = (web_tls, &web) {
        let browsers = Browsers::new(config, Security::Tls(Arc::clone(certificates)), router);
        shutdown.spawn("web over TLS", browser::serve(Arc::clone(transport), listener, browsers));
    }
    let admin_routes = admin::router(Arc::clone(house), settings::admin(config, token, shutdown.token()));
    let admin_security = web.clone().filter(|_| config.web.admin_tls);
    shutdown.spawn("admin", admin_port::serve(admin_listener, admin_security, admin_routes, shutdown.token()));
    for (i, listener) in links {
        let link = &config.links[i];
        let security = match (link.mode.tls(), &link.certificate, &link.key) {
            (false, ..) => Security::Plain,
            (true, Some(certificate), Some(key)) => {
                Security::Tls(load(&format!("link[{i}].certificate"), certificate, key)?)
            }
            (true, ..) => Security::Tls(Arc::clone(web.as_ref().expect("loaded above: a link needs it"))),
        };
        shutdown.spawn("link", gate::serve(Arc::clone(transport), listener, Gate::new(config, link, security)));
    }
    for (i, link) in config.links.iter().enumerate().filter(|(_, l)| l.mode.dials()) {
        let dialed = Dialed::new(config, link).map_err(|why| StartError::Tls { key: format!("link[{i}]"), why })?;
        shutdown.spawn("link", dial::run(Arc::clone(transport), dialed));
    }
    for (i, link) in config.links.iter().enumerate().filter(|(_, l)| l.mode.posts()) {
        let posted = Posted::new(config, link).map_err(|why| StartError::Tls { key: format!("link[{i}]"), why })?;
        shutdown.spawn("link", post::run(Arc::clone(transport), posted));
    }
    if !certificates.is_empty() {
        let stop = shutdown.token();
        let watched = certificates.iter().map(|(_, one)| Arc::clone(one)).collect();
        shutdown.spawn("certificates", async move {
            if let Err(why) = tls::watch(watched, stop).await {
                tracing::warn!(%why, "certificates are not watched: a change needs SIGHUP or a restart");
            }
        });
    }
    Ok(certificates)
}

/// Passwords are checked by the store's accounts.
impl crate::engine::Accounts for Accounts {
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(Self::verify(self, attempt))
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
