//! The composition root: builds every part, wires the channels, keeps the order of start and stop. Decides nothing.

mod admin_port;
mod archive;
mod certified;
mod diagnosis;
mod doctor;
mod door;
mod explain;
mod health;
mod links;
mod live;
mod operate;
mod people;
mod settings;
mod setup;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::trace::What;
use ctigate_proto::hub::{Hub, Input};
use ctigate_proto::telephony::Command;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::admin::{self, Door};
use crate::capture::line::Kept;
use crate::config::{Config, Layer, Loaded, PbxKind, Refused, Secret, Sources, TlsPort};
use crate::engine::{Engine, Outlets, Tape};
use crate::files::Files;
use crate::pbx;
use crate::pbx::asterisk::Asterisk;
use crate::pbx::simulator::{self, ScriptError};
use crate::people::Desk;
use crate::shutdown::{Drained, Shutdown};
use crate::store::{Accounts, Lock, Procedures, Store, StoreError, token};
use crate::telemetry::{Event, Telemetry, series};
use crate::transport::browser::{self, Browsers};
use crate::transport::listen::{self, Security};
use crate::transport::tls::TlsError;
use crate::transport::{Transport, limit};
use crate::web;

pub use crate::admin::operator::Changed;
pub use crate::pbx::{Check, Verdict};
pub use doctor::{asterisk_config, examine};
pub use live::NotChanged;

use archive::Archive;
use certified::Certified;
use door::{About, House};
use explain::Explainer;
use links::Links;
use live::{Live, Parts};
use setup::Setup;

/// How many orders to the telephone system, and events from it, may wait.
const PBX_QUEUE: usize = 4096;
/// The largest capture, bytes.
const LARGEST_TAPE: u64 = 4 << 30;
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
    live: Arc<Live>,
    /// Whether the store had accounts at the start, also such as cannot be used.
    has_accounts: bool,
    #[cfg(feature = "otel")]
    telemetry: Telemetry,
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

/// A configuration that may be used, with the open store that a part of it is kept in.
pub struct Begun {
    /// The configuration.
    pub loaded: Loaded,
    /// Where it comes from; `None`: a program put it together, and it cannot be read again.
    sources: Option<Sources>,
    /// Where everything that happens is written down, in a new file; `None`: nowhere.
    pub record: Option<PathBuf>,
    /// Nobody else runs on the store.
    lock: Lock,
    store: Store,
    telemetry: Telemetry,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, Error)]
pub enum BeginError {
    /// It has errors.
    #[error("{0}")]
    Config(#[from] Refused),
    /// The store that a part of it is kept in cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store that the sources name, and reads the configuration with what the store says of it.
///
/// # Errors
/// [`BeginError`].
pub async fn begin(sources: Sources) -> Result<Begun, BeginError> {
    let telemetry = Telemetry::default();
    let place = Config::store_of(&sources)?;
    let lock = Lock::take(&place.url).await?;
    let store = Store::open(&place, telemetry.clone()).await?;
    let loaded = Config::load(&sources.clone().with_store(store.layer().await?))?;
    Ok(Begun { loaded, sources: Some(sources), record: None, lock, store, telemetry })
}

/// The configuration that a gateway of these sources would be started with, for a look at it: what the store says is in it. Nothing is
/// opened that lasts, and a gateway may run meanwhile. With it, why the store could not be asked, if so; then it is not in it.
///
/// # Errors
/// The configuration has errors, with the layer of each.
pub async fn effective(sources: &Sources) -> Result<(Loaded, Option<StoreError>), Refused> {
    let place = match Config::store_of(sources) {
        Ok(place) => place,
        // Whatever else is wrong is told with it.
        Err(refused) => return Err(Config::load(sources).err().unwrap_or(refused)),
    };
    let (layer, why) = match Store::layer_of(&place).await {
        Ok(layer) => (layer, None),
        Err(why) => (Layer::default(), Some(why)),
    };
    Ok((Config::load(&sources.clone().with_store(layer))?, why))
}

/// A configuration without the accounts of the store: what stands in layers that the desk does not look after.
pub fn without_stored_accounts(loaded: &Loaded) -> Config {
    people::of_file(loaded)
}

/// Builds a node of a configuration that a program put together, and starts it. It runs until `shutdown` is requested; then call
/// [`Node::stop`].
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
    start_recorded(config, demo, shutdown, inherited, None).await
}

/// The same, and everything that happens is written down in a new file.
///
/// # Errors
/// [`StartError`], also when the file is there already; nothing runs then.
pub async fn start_recorded(
    config: &Config,
    demo: bool,
    shutdown: Shutdown,
    inherited: Vec<std::net::TcpListener>,
    record: Option<&Path>,
) -> Result<Node, StartError> {
    let telemetry = Telemetry::default();
    let lock = Lock::take(&config.store.url).await?;
    let store = Store::open(&config.store, telemetry.clone()).await?;
    let loaded = Loaded { config: config.clone(), warnings: Vec::new(), file: None, origins: BTreeMap::new() };
    let record = record.map(Path::to_path_buf);
    start_begun(Begun { loaded, sources: None, record, lock, store, telemetry }, demo, shutdown, inherited).await
}

/// The same of a configuration that can be read again while the node runs.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub async fn start_begun(
    begun: Begun,
    demo: bool,
    shutdown: Shutdown,
    inherited: Vec<std::net::TcpListener>,
) -> Result<Node, StartError> {
    let Begun { loaded, sources, record, lock, store, telemetry } = begun;
    #[cfg(feature = "otel")]
    let telemetry = telemetry.with_spans().map_err(StartError::Other)?;
    #[cfg(feature = "otel")]
    let for_spans = telemetry.clone();
    let store = Arc::new(store);
    let accounts = Accounts::new(&loaded.config);
    let desk = Arc::new(Desk::new(Arc::clone(&store), accounts.clone(), people::of_file(&loaded)));
    let (effective, findings) = desk.refresh().await?;
    for finding in findings {
        tracing::warn!("{finding}");
    }
    let config = &*effective;
    let has_accounts = !store.accounts().await?.is_empty();
    store.publish(&settings::people(config)).await?;
    let wall_ms = unix_ms();

    let mut listeners = bind(config, inherited)?;
    let addresses = listeners.addresses();
    let procedures = Procedures::open(&config.procedures, &config.store.url).await;
    let procedures = procedures.map_err(|e| StartError::Other(e.to_string()))?;
    let procedures = Arc::new(ArcSwap::from_pointee(procedures));
    let files = Files::open(config).map_err(|e| StartError::Other(e.to_string()))?;
    let ports = (listeners.port(|l| &l.web), listeners.port(|l| &l.web_tls));
    let made = settings::hub(config, ports, wall_ms, rand::random());
    let mut hub = Hub::new(made.clone());
    let mut tape = record.map(|path| begin_tape(&path, &mut hub, &made)).transpose()?;
    let sessions = store.load_sessions(wall_ms).await?;
    let forms = store.load_forms(wall_ms).await?;
    tracing::info!(sessions = sessions.len(), forms = forms.len(), "kept from before");
    for session in sessions {
        note(&mut tape, || Kept::Session(session.clone()));
        hub.restore_session(session);
    }
    for form in &forms {
        note(&mut tape, || Kept::Form(form.clone()));
        if !hub.restore_form(form) {
            tracing::warn!(form = %form.id, user = %form.login, "a kept form belongs to nobody now; it is left out");
        }
    }

    restore_kept(config, &mut hub, &store, &files, &mut tape).await?;

    let (phone, backend_ports, mut events) = pbx::channels(PBX_QUEUE);
    let outlets = Outlets {
        pbx: Box::new({
            let (phone, telemetry) = (phone.clone(), telemetry.clone());
            move |command| {
                log_order(&command);
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
        accounts: Arc::new(accounts.clone()),
        archive: Arc::new(Archive {
            store: Arc::clone(&store),
            accounts,
            procedures: Arc::clone(&procedures),
            files: files.clone(),
        }),
    };
    let engine = Engine::recording(hub, outlets, tape);
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
    people::refresh_keys(&desk, &engine).await?;
    shutdown.spawn("people", people::tend(Arc::clone(&desk), Arc::clone(&engine), shutdown.token()));
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
    shutdown.spawn("figures of the last hour", {
        let (engine, telemetry, stop) = (Arc::clone(&engine), telemetry.clone(), shutdown.token());
        async move {
            let mut steps = tokio::time::interval(Duration::from_millis(series::STEP_MS.unsigned_abs()));
            steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(steps.tick()).await.is_some() {
                if let Answer::Snapshot(now) = engine.ask(Ask::Snapshot).await {
                    let sample = admin::sample(&now, telemetry.metrics(), unix_ms());
                    telemetry.series(|series| series.push(sample));
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
    explain::keep(Arc::clone(&engine), Arc::clone(&store), &shutdown);
    let certified = Arc::new(Certified::new(shutdown.clone()));
    let house = Arc::new(House {
        explainer: Explainer { engine: Arc::clone(&engine), store: Arc::clone(&store) },
        engine: Arc::clone(&engine),
        phone: phone.clone(),
        telemetry: telemetry.clone(),
        desk: Arc::clone(&desk),
        transport: Arc::clone(&transport),
        certified: Arc::clone(&certified),
        live: OnceLock::new(),
        store: Arc::clone(&store),
        about: About {
            started_ms: wall_ms,
            addresses: addresses.clone(),
            folder: config.folder.clone(),
            file: settings::store_file(config),
        },
    });
    let door: Arc<dyn Door> = house.clone();
    let mut links = Links::new(Arc::clone(&transport), shutdown.clone());
    let mut ready = Vec::new();
    for at in 0..config.links.len() {
        let open = listeners.links.iter().position(|(of, _)| *of == at);
        let listener = open.map(|open| Arc::new(listeners.links.swap_remove(open).1));
        ready.push(Links::ready(config, at, listener, &certified)?);
    }
    let (browsers, routes) =
        serve(config, demo, &transport, &shutdown, &door, &files, token, &desk, &certified, listeners)?;
    ready.into_iter().for_each(|ready| links.run(ready));
    let parts = Parts {
        demo,
        engine: Arc::clone(&engine),
        transport: Arc::clone(&transport),
        telemetry,
        phone,
        store: Arc::clone(&store),
        desk: Arc::clone(&desk),
        procedures,
        files,
        certified,
        shutdown: shutdown.clone(),
        house: Arc::downgrade(&door),
        browsers,
        routes,
    };
    let live = Arc::new_cyclic(|own| Live {
        sources,
        started: loaded.config.clone(),
        loaded: ArcSwap::from_pointee(loaded),
        parts,
        links: Mutex::new(links),
        setup: Setup::default(),
        own: own.clone(),
    });
    house.live.get_or_init(|| Arc::clone(&live));
    if live.sources.is_some() {
        shutdown.spawn("reload on SIGHUP", live::on_hangup(Arc::clone(&live), shutdown.token()));
    }
    Ok(Node {
        addresses,
        engine,
        transport,
        store,
        _lock: lock,
        shutdown,
        live,
        has_accounts,
        #[cfg(feature = "otel")]
        telemetry: for_spans,
    })
}

/// Gives the Hub what it kept, and people the photos of the configuration where they have none of their own.
async fn restore_kept(
    config: &Config,
    hub: &mut Hub,
    store: &Store,
    files: &Files,
    tape: &mut Option<Tape>,
) -> Result<(), StartError> {
    let kept = store.load_kept().await?;
    for user in config.users.iter().filter(|user| user.photo.is_some()) {
        let path = user.photo.clone().unwrap_or_default();
        let files = files.clone();
        let made = tokio::task::spawn_blocking(move || files.configured_photo(&path)).await;
        match made.map_err(|e| e.to_string()).and_then(|made| made.map_err(|e| e.to_string())) {
            Ok(photo) => {
                note(tape, || Kept::Photo { login: user.login.as_str().into(), photo: photo.clone() });
                hub.set_photo_of(&user.login, photo);
            }
            Err(why) => tracing::warn!(user = %user.login, %why, "the photo of the configuration cannot be used"),
        }
    }
    for (kind, key, body) in &kept {
        note(tape, || Kept::Of { kind: kind.as_str().into(), key: key.clone(), body: body.clone() });
        if !hub.restore_kept(kind, key, body) {
            tracing::warn!(%kind, %key, "something kept belongs to nobody now; it is left out");
        }
    }
    Ok(())
}

/// Begins to write down what happens.
fn begin_tape(path: &Path, hub: &mut Hub, made: &ctigate_proto::hub::Settings) -> Result<Tape, StartError> {
    let tape = Tape::begin(path, LARGEST_TAPE, hub, made, rand::random());
    let tape = tape.map_err(|error| StartError::Other(format!("--record {}: {error}", path.display())))?;
    tracing::info!(file = %path.display(), "everything that happens is written down; secrets are not");
    Ok(tape)
}

/// Writes down what the store gave back.
fn note(tape: &mut Option<Tape>, kept: impl FnOnce() -> Kept) {
    if let Some(tape) = tape {
        tape.kept(kept());
    }
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
        STAGGER + 3 * self.stop_grace()
    }

    fn stop_grace(&self) -> Duration {
        self.live.config().config.limits.stop_grace
    }

    /// Begins the first run when there is nobody who could administer this node: no file, and no account anywhere. Gives its one-time
    /// code, once.
    pub fn first_run(&self) -> Option<String> {
        let bare = self.live.sources.as_ref().is_some_and(Sources::is_without_file);
        let nobody = !self.has_accounts && self.live.config().config.users.is_empty();
        let wanted = bare && nobody && !self.live.setup.is_open();
        wanted.then(|| self.live.setup.begin())
    }

    /// Reads the configuration again and applies what is another: see [`Changed`].
    ///
    /// # Errors
    /// [`NotChanged`]: everything is as before.
    pub async fn reload(&self) -> Result<Changed, NotChanged> {
        self.live.reload().await
    }

    /// The engine, for whoever looks at a node from inside its process.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops in order: no new ones, goodbye to all, tasks end, the store is flushed. False when something did not end in time
    /// or could not be written, or a panic stopped the node.
    pub async fn stop(self) -> bool {
        self.shutdown.request();
        let grace = self.stop_grace();
        let stagger = STAGGER.min(grace / 4);
        let drained = self.transport.drain(stagger, grace).await;
        self.engine.end_tape();
        let ended = self.shutdown.drain(grace).await == Drained::Clean;
        self.live.end().await;
        let unwritten = self.store.close(grace).await;
        if unwritten > 0 {
            tracing::error!(unwritten, "facts could not be written");
        }
        #[cfg(feature = "otel")]
        if let Some(spans) = self.telemetry.spans().cloned() {
            // It ends by itself in ten seconds.
            let _ = tokio::task::spawn_blocking(move || spans.close()).await;
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

/// What is said of a port that cannot be had.
fn bind_error(key: String, address: SocketAddr, why: std::io::Error) -> StartError {
    let advice = match why.kind() {
        std::io::ErrorKind::AddrInUse => "Another program listens there: end it, or choose another port",
        std::io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: choose another port",
        std::io::ErrorKind::AddrNotAvailable => "This machine has no such address",
        _ => "Choose another address",
    };
    StartError::Bind { key, address, why, advice }
}

/// Binds them all, or none. What is open already is not bound again.
fn bind(config: &Config, inherited: Vec<std::net::TcpListener>) -> Result<Listeners, StartError> {
    let mut inherited: Vec<_> = inherited.into_iter().map(|open| (open.local_addr().ok(), open)).collect();
    let mut one = |key: String, address: SocketAddr| {
        let bound = match inherited.iter().position(|(at, _)| *at == Some(address)) {
            Some(at) => listen::adopt(inherited.swap_remove(at).1),
            None => listen::bind(address),
        };
        bound.map_err(|why| bind_error(key, address, why))
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

/// The listeners of browsers, each with what those find who come there.
type Browsing = Vec<(Security, Arc<ArcSwap<Browsers>>)>;

/// Starts the ports of browsers and of administration.
#[expect(clippy::too_many_arguments, reason = "the parts of a node, handed on once")]
fn serve(
    config: &Config,
    demo: bool,
    transport: &Arc<Transport>,
    shutdown: &Shutdown,
    house: &Arc<dyn Door>,
    files: &Files,
    token: Secret,
    desk: &Arc<Desk>,
    certified: &Certified,
    listeners: Listeners,
) -> Result<(Browsing, web::Routes), StartError> {
    let certificates = certified.of_web(config)?;
    let wanted = people::web(config, demo, files.clone(), desk, house, shutdown.token());
    let router = web::router(Arc::clone(house), wanted);
    let routes = web::Routes::new(router);
    let Listeners { web: plain, web_tls, admin: admin_listener, .. } = listeners;
    let mut browsing = Vec::new();
    let mut browse = |name, listener, security: Security| {
        let browsers = Browsers::new(config, security.clone(), routes.router());
        let browsers = Arc::new(ArcSwap::from_pointee(browsers));
        shutdown.spawn(name, browser::serve(Arc::clone(transport), listener, Arc::clone(&browsers)));
        browsing.push((security, browsers));
    };
    if let Some(listener) = plain {
        let security = match (&certificates, config.web.tls) {
            (Some(certificates), TlsPort::Both) => Security::Both(Arc::clone(certificates)),
            _ => Security::Plain,
        };
        browse("web", listener, security);
    }
    if let (Some(listener), Some(certificates)) = (web_tls, &certificates) {
        browse("web over TLS", listener, Security::Tls(Arc::clone(certificates)));
    }
    let admin_routes =
        admin::router(Arc::clone(house), settings::admin(config, token, Arc::clone(desk), shutdown.token()));
    let admin_security = certificates.filter(|_| config.web.admin_tls);
    let proxies = config.web.trusted_proxies.clone();
    let served = admin_port::serve(admin_listener, admin_security, admin_routes, proxies, shutdown.token());
    shutdown.spawn("admin", served);
    Ok((browsing, routes))
}

/// The order's number stands in every line about it.
fn log_order(command: &Command) {
    match command {
        Command::Phone { order, number, act } => {
            tracing::debug!(order = order.0, number = &**number, ?act, "to the telephone system");
        }
        Command::Script { order, name, .. } => {
            tracing::debug!(order = order.0, script = &**name, "to the telephone system");
        }
        _ => {}
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
