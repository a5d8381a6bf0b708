//! The gateway on its host: the real Hub, engine, transport and simulator, joined as `app` joins them, with a disk that
//! outlives a crash as far as it was written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ctigate::capture;
use ctigate::config::{Config, Link, LinkFormat, LinkMode};
use ctigate::engine::{Accounts, Archive, Engine, Kept, Outlets};
use ctigate::pbx::simulator::{self, Simulator};
use ctigate::pbx::{self, Control, Directory, Extension, Handle, supervise};
use ctigate::proto::auth::{Attempt, Identity, LoginBy, LoginError, password};
use ctigate::proto::hub::archive::{Fetch, FetchResult};
use ctigate::proto::hub::input::{ApiCall, Ask};
use ctigate::proto::hub::output::{Answer, Record, StoredForm, StoredSession};
use ctigate::proto::hub::settings::{Account, GroupNumber, LinkSettings, Settings};
use ctigate::proto::hub::snapshot::TabView;
use ctigate::proto::hub::{Hub, Input, Rights};
use ctigate::proto::message::{Format, Object, Text, Value};
use ctigate::proto::telephony::Outcome;
use ctigate::telemetry::Telemetry;
use ctigate::transport::browser::{self, Browsers};
use ctigate::transport::dial::{self, Dialed};
use ctigate::transport::gate::{self, Gate};
use ctigate::transport::listen::Security;
use ctigate::transport::network::{Carrier, Connected, Network};
use ctigate::transport::post::{self, Posted};
use ctigate::transport::{Transport, limit};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};

use crate::crm::{PORT, Way};
use crate::ledger::Truth;
use crate::narrow::Narrow;
use crate::story::{PEOPLE, Phase, Scene};

/// MD5 of `Secret1`.
const HASH: &str = "d6cb2342e44efb6dd628276f36da2359";

/// How long people behind a link that is down stay.
const TUNNEL_GRACE: Duration = Duration::from_secs(10);

/// Over how long goodbyes are spread when the gateway stops, and how long it then waits.
const STAGGER: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(10);

/// What callers of 500 go through: a method, a form, two phones.
const TIMELINE: &str = r#"
on 500 "Support" {
    answer
    ask FindA phone="{caller}" deadline 3s late 4s fallback clientid="" as client
    form clientcard for ivanov phone="{caller}" client="{client.clientid}" expire 15s as card
    ask FindC phone="{caller}" deadline 2s as other
    ring 101, 102 for 8s
    close card
}
on 501 "After" {
    answer
    form clientcard for petrov phone="{caller}" expire 12s as card
    ask FindB phone="{caller}" for petrov deadline 4s as client
    ring 102 for 6s
    after { await card 10s }
}
"#;

/// What outlives a crash.
#[derive(Default)]
pub(crate) struct Disk {
    safe: Vec<Record>,
    /// Told and not yet written.
    cached: Vec<Record>,
    /// How many were told and how many written in this life.
    told: u64,
    written: u64,
}

impl Disk {
    /// A new life begins. What the one before did not write is lost.
    fn begin(&mut self) {
        self.cached.clear();
        (self.told, self.written) = (0, 0);
    }

    fn flush(&mut self) {
        self.safe.append(&mut self.cached);
        self.written = self.told;
    }

    fn restore(&self, hub: &mut Hub) -> bool {
        let mut sessions: BTreeMap<Text, StoredSession> = BTreeMap::new();
        let mut forms: BTreeMap<Text, StoredForm> = BTreeMap::new();
        for record in &self.safe {
            match record {
                Record::Session(s) => drop(sessions.insert(s.hash.clone(), s.clone())),
                Record::SessionEnded { hash } => drop(sessions.remove(hash)),
                Record::Form(f) => drop(forms.insert(f.id.clone(), f.clone())),
                Record::FormEnded { id } => drop(forms.remove(id)),
                Record::Call(_) | Record::Kept(_) | Record::Text(_) | Record::TextsEnded { .. } => {}
            }
        }
        sessions.into_values().for_each(|session| hub.restore_session(session));
        forms.values().all(|form| hub.restore_form(form))
    }
}

/// Links are dialed over the simulated network.
struct Simulated;

impl Network for Simulated {
    fn connect(&self, host: &str, port: u16) -> Pin<Box<dyn Future<Output = Connected> + Send>> {
        let host = host.to_owned();
        Box::pin(async move {
            let io = TcpStream::connect((host.as_str(), port)).await?;
            let address = io.peer_addr()?.ip();
            Ok((Box::new(io) as Box<dyn Carrier>, address))
        })
    }
}

/// Everybody's password is `Secret1`.
struct Desk;

impl Accounts for Desk {
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(async move {
            let known = PEOPLE.iter().find(|(login, _)| *login == &*attempt.login);
            match (known, attempt.hash.as_ref().and_then(|hash| password::verify(HASH, hash))) {
                (Some((login, _)), Some(proof)) => Ok(Identity::user(*login, LoginBy::Password, proof)),
                _ => Err(LoginError::WrongPassword),
            }
        })
    }
}

impl Archive for Desk {
    fn fetch(&self, _: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(async { Err(ctigate::proto::message::Code::Internal.into()) })
    }
}

/// How one life of the gateway ends.
#[derive(Clone, Default)]
pub(crate) struct Life {
    /// Set before it is taken down, so that nothing it does while it falls counts.
    pub(crate) dead: Arc<AtomicBool>,
    /// Asks it to stop in order.
    pub(crate) leave: CancellationToken,
}

/// One life of the gateway.
pub(crate) async fn run(scene: Scene, number: u64, life: Life) -> turmoil::Result {
    let ledger = scene.ledger.clone();
    ledger.new_life();
    let mut dice = SmallRng::seed_from_u64(scene.seed_of("gateway") ^ number);
    let mut seed = [0; 32];
    seed.iter_mut().for_each(|byte| *byte = dice.random());
    let mut hub = Hub::new(settings(&scene, seed));
    {
        let mut disk = scene.disk.lock().expect("nobody panics with the disk");
        disk.begin();
        if !disk.restore(&mut hub) {
            ledger.fault("a form that was kept is not taken back");
        }
    }
    let (phone, ports, mut events) = pbx::channels(1024);
    // Not a watch channel: it wakes whoever waits in an order of its own choice.
    let flushed = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let engine = Engine::new(hub, outlets(&scene, &phone, &life, &stop, Arc::clone(&flushed)));
    let transport = Transport::new(Arc::clone(&engine), Telemetry::default(), limit::Settings::default(), stop.clone());
    tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        engine.run_timers(async move { stop.cancelled().await })
    });
    tokio::spawn(write(Arc::clone(&scene.disk), flushed, SmallRng::seed_from_u64(dice.random())));
    tokio::spawn({
        let (engine, ledger) = (Arc::clone(&engine), ledger.clone());
        async move {
            while let Some(event) = events.recv().await {
                ledger.telephone_tells(&event);
                engine.handle(Input::Pbx(event));
            }
        }
    });
    let extension = |(login, number): (&'static str, &'static str)| Extension {
        number: number.into(),
        name: Text::new(),
        login: Some(login.into()),
    };
    let directory = Directory { extensions: PEOPLE.map(extension).into(), queues: Vec::new() };
    let simulated = simulator::Settings {
        directory,
        timeline: TIMELINE.to_owned(),
        seed: u128::from(dice.random::<u64>()),
        ..simulator::Settings::default()
    };
    let telephones = tokio::spawn(supervise(Simulator::new(simulated)?, ports, stop.clone()));
    serve(&scene, &transport, &stop, &mut dice).await?;
    let asking = SmallRng::seed_from_u64(dice.random());
    tokio::task::spawn_local(programs(scene.clone(), Arc::clone(&engine), stop.clone(), asking));
    tokio::select! {
        biased;
        () = life.leave.cancelled() => {}
        () = street(&scene, &phone, &engine, &transport, &mut dice) => {}
    }
    // In the order in which `app` stops a node.
    ledger.note("gateway", "stops");
    stop.cancel();
    let drained = transport.drain(STAGGER, GRACE).await;
    if timeout(GRACE, telephones).await.is_err() {
        ledger.fault("the telephone system does not stop");
    }
    scene.disk.lock().expect("nobody panics with the disk").flush();
    life.dead.store(true, Ordering::Relaxed);
    ledger.note("gateway", if drained { "has stopped" } else { "has stopped, and somebody was cut off" });
    Ok(())
}

fn outlets(scene: &Scene, phone: &Handle, life: &Life, stop: &CancellationToken, flushed: Arc<Notify>) -> Outlets {
    let (ledger, phone, disk) = (scene.ledger.clone(), phone.clone(), Arc::clone(&scene.disk));
    let (falls, over, stop) = (Arc::clone(&life.dead), Arc::clone(&life.dead), stop.clone());
    Outlets {
        pbx: Box::new(move |command| {
            if !falls.load(Ordering::Relaxed) {
                ledger.telephone_hears(&command);
                if phone.command(command).is_err() && !stop.is_cancelled() {
                    ledger.fault("the telephone system's queue is full");
                }
            }
        }),
        record: Box::new({
            let (disk, ledger) = (Arc::clone(&disk), scene.ledger.clone());
            move |record| {
                if !over.load(Ordering::Relaxed) {
                    if let Record::Session(session) = &record {
                        ledger.comes_or_goes(&session.login);
                    }
                    let mut disk = disk.lock().expect("nobody panics with the disk");
                    disk.cached.push(record);
                    disk.told += 1;
                }
            }
        }),
        notice: Box::new(drop),
        kept: Box::new(move || {
            let told = {
                let disk = disk.lock().expect("nobody panics with the disk");
                (disk.told > disk.written).then_some(disk.told)?
            };
            let (disk, flushed) = (Arc::clone(&disk), Arc::clone(&flushed));
            Some(Box::pin(async move {
                loop {
                    let next = flushed.notified();
                    if disk.lock().expect("nobody panics with the disk").written >= told {
                        return;
                    }
                    next.await;
                }
            }) as Kept)
        }),
        accounts: Arc::new(Desk),
        archive: Arc::new(Desk),
    }
}

/// Writes what is cached, a while after it was told.
async fn write(disk: Arc<Mutex<Disk>>, flushed: Arc<Notify>, mut dice: SmallRng) {
    let slowest = [100, 400, 2500][dice.random_range(0..3)];
    loop {
        sleep(Duration::from_millis(dice.random_range(10..slowest))).await;
        disk.lock().expect("nobody panics with the disk").flush();
        flushed.notify_waiters();
    }
}

/// Opens the doors.
async fn serve(
    scene: &Scene,
    transport: &Arc<Transport>,
    stop: &CancellationToken,
    dice: &mut SmallRng,
) -> turmoil::Result {
    let config = Config::default();
    let browsers = Browsers::new(&config, Security::Plain, axum::Router::new());
    let width = [0, 1500, 3000, 6000][dice.random_range(0..4)];
    accept(4055, (width, dice.random()), {
        let transport = Arc::clone(transport);
        move |io, from| browser::serve_carried(&transport, &browsers, io, from)
    })
    .await?;
    for way in scene.crms.iter() {
        let link = link(*way);
        match way {
            Way::Connects => {
                let gate = Arc::new(Gate::new(&config, &link, Security::Plain));
                let (transport, stop) = (Arc::clone(transport), stop.clone());
                accept(PORT, (width, dice.random()), move |io, from| {
                    gate::serve_carried(&transport, &gate, &stop, io, from)
                })
                .await?;
            }
            Way::IsDialed => {
                let dialed = Dialed::new(&config, &link)?.over(Arc::new(Simulated), dice.random());
                tokio::spawn(dial::run(Arc::clone(transport), dialed, stop.clone()));
            }
            Way::IsPosted => {
                let posted = Posted::over(&config, &link, Arc::new(Simulated), dice.random())?;
                tokio::spawn(post::run(Arc::clone(transport), posted, stop.clone()));
            }
        }
    }
    Ok(())
}

/// Takes connections, which are as narrow as this, with pauses by this seed.
async fn accept(
    port: u16,
    (width, seed): (usize, u64),
    arrived: impl Fn(Box<dyn Carrier>, IpAddr) + 'static,
) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    let mut dice = SmallRng::seed_from_u64(seed);
    tokio::task::spawn_local(async move {
        while let Ok((io, from)) = listener.accept().await {
            arrived(Box::new(Narrow::new(io, width, dice.random())), from.ip());
        }
    });
    Ok(())
}

fn link(way: Way) -> Link {
    let mode = [LinkMode::AcceptWs, LinkMode::DialWs, LinkMode::PostHttp][way as usize];
    let format = match way.format() {
        Format::Json => LinkFormat::Json,
        Format::Xml => LinkFormat::Xml,
    };
    let url = match way {
        Way::Connects => String::new(),
        _ => format!("{}://{}:{PORT}/hook", mode.scheme(), way.name()),
    };
    Link { name: way.name().to_owned(), mode, format, url, ..Link::default() }
}

/// People outside call, and lose patience. When all is to be quiet everybody hangs up, and the gateway says how it is.
async fn street(scene: &Scene, phone: &Handle, engine: &Arc<Engine>, transport: &Arc<Transport>, dice: &mut SmallRng) {
    const CALLERS: [&str; 3] = ["79001112233", "79002223344", "79003334455"];
    loop {
        if scene.phase() == Phase::Quiet {
            for number in CALLERS.iter().copied().chain(PEOPLE.map(|(_, number)| number)) {
                // Most have no call.
                let _ = phone.control(Control::Hangup { number: number.into() }).await;
            }
            if let Some(truth) = truth(scene, engine, transport).await {
                scene.ledger.truth(truth);
            }
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        sleep(Duration::from_millis(dice.random_range(300..2500))).await;
        truth(scene, engine, transport).await;
        let caller = CALLERS[dice.random_range(0..CALLERS.len())];
        let number = PEOPLE[dice.random_range(0..PEOPLE.len())].1;
        let order = match dice.random_range(0..6) {
            0 | 1 => {
                let called = ["500", "501", number][dice.random_range(0..3)].into();
                Control::Incoming { caller: caller.into(), name: Text::new(), called }
            }
            2 => Control::Hangup { number: caller.into() },
            3 => Control::Hangup { number: number.into() },
            _ => Control::Answer { number: number.into() },
        };
        // What does not fit the moment is refused.
        let _ = phone.control(order).await;
    }
}

async fn truth(scene: &Scene, engine: &Arc<Engine>, transport: &Arc<Transport>) -> Option<Truth> {
    let Answer::Snapshot(snapshot) = engine.ask(Ask::Snapshot).await else { return None };
    scene.ledger.looks_at(&snapshot, wall_ms(), TUNNEL_GRACE + Duration::from_secs(1));
    let tabs = |tabs: &[TabView]| tabs.iter().map(|tab| (tab.link.to_string(), tab.tab.to_string())).collect();
    let mut truth = Truth {
        users: snapshot.users.iter().map(|u| (u.login.to_string(), (u.number.to_string(), u.state))).collect(),
        calls: snapshot.calls.len(),
        executions: snapshot.executions.len(),
        in_flight: snapshot.links.iter().map(|link| link.in_flight).sum(),
        links: snapshot.links.iter().map(|link| (link.name.to_string(), link.state)).collect(),
        connections: transport.connections(),
        tabs: snapshot.users.iter().map(|u| (u.login.to_string(), tabs(&u.tabs))).collect(),
        ..Truth::default()
    };
    for form in &snapshot.forms {
        truth.forms.entry(form.login.to_string()).or_default().insert(form.id.to_string());
    }
    Some(truth)
}

/// A program asks methods by the interface, and must be answered in time.
async fn programs(scene: Scene, engine: Arc<Engine>, stop: CancellationToken, mut dice: SmallRng) {
    while scene.phase() == Phase::Busy {
        sleep(Duration::from_millis(dice.random_range(500..4000))).await;
        let token = Text::from(format!("program-{}", dice.random::<u32>()));
        let deadline = Duration::from_millis(dice.random_range(300..5000));
        let call = ApiCall {
            method: ["FindA", "FindB", "FindC"][dice.random_range(0..3)].into(),
            input: Object::new().with("phone", token.clone()),
            deadline: Some(deadline),
            late: Duration::ZERO,
            fallback: None,
            link: Text::new(),
            user: Text::new(),
            chain: Text::new(),
        };
        let (engine, ledger, stop) = (Arc::clone(&engine), scene.ledger.clone(), stop.clone());
        tokio::task::spawn_local(async move {
            let since = Instant::now();
            match engine.ask(Ask::Call(call)).await {
                Answer::Outcome { outcome: Outcome::Ok(output), .. } => {
                    let given = output.get("clientid").and_then(Value::to_text).unwrap_or_default();
                    if *given != *token {
                        ledger.fault(format!("a program asked for {token} and was answered {given}"));
                    }
                }
                Answer::Outcome { .. } => {}
                other => ledger.fault(format!("a program was answered {other:?}")),
            }
            if since.elapsed() > deadline + Duration::from_millis(200) && !stop.is_cancelled() {
                ledger.fault(format!("a program waited {:?} instead of {deadline:?}", since.elapsed()));
            }
            ledger.count(|c| &mut c.outcomes);
        });
    }
}

fn settings(scene: &Scene, seed: [u8; 32]) -> Settings {
    let account = |(login, number): (&'static str, &'static str)| Account {
        id: format!("3f0a7c11-0000-4000-8000-000000000{number}").into(),
        login: login.into(),
        name: login.into(),
        number: number.into(),
        number_id: format!("11aa7c11-0000-4000-8000-000000000{number}").into(),
        rights: Rights::role("agent").expect("a role"),
        ..Account::default()
    };
    let link = |way: &Way| {
        let link = link(*way);
        LinkSettings {
            name: link.name.as_str().into(),
            mode: link.mode.as_str().into(),
            post: link.mode.posts(),
            users: None,
            trust_users: false,
            rights: Rights::link_default(),
            tunnel_grace: TUNNEL_GRACE,
            silent_events: Vec::new(),
        }
    };
    Settings {
        seed,
        wall_ms: wall_ms(),
        web_ports: (4055, 4056),
        accounts: PEOPLE.map(account).into(),
        links: scene.crms.iter().map(link).collect(),
        forms: Vec::new(),
        numbers: vec![GroupNumber {
            number: "500".into(),
            id: "15cc7c11-0000-4000-8000-000000000500".into(),
            name: "Support".into(),
            members: Vec::new(),
        }],
        breaks: Vec::new(),
        procedures: Vec::new(),
        utc_offset: |_| 0,
        limits: ctigate::proto::hub::settings::Limits::default(),
        notation: capture::notation(),
    }
}

/// What a clock on the wall says.
fn wall_ms() -> i64 {
    1_790_000_000_000 + i64::try_from(turmoil::sim_elapsed().unwrap_or_default().as_millis()).unwrap_or_default()
}
