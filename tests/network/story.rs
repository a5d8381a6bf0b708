//! One story: hosts, a network, what befalls them, all by one seed.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctigate::proto::message::Format;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use turmoil::{Builder, Sim};

use crate::crm::{self, Way};
use crate::ledger::{Counts, Ledger};
use crate::node::{self, Disk, Life};
use crate::tab::{self, Door, Storage};

/// The gateway's host.
pub(crate) const GATEWAY: &str = "gateway";

/// Everybody, with their numbers.
pub(crate) const PEOPLE: [(&str, &str); 3] = [("ivanov", "101"), ("petrov", "102"), ("sidorova", "103")];

/// How long all is well, how long anything may happen, and how long it may then take until all is well again: a silence of a
/// minute is noticed, and the longest pause between attempts of a link is half a minute and a fifth.
const CALM: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_secs(22);
const QUIET: Duration = Duration::from_secs(110);

/// The least time that a gateway which is asked to stop is given: goodbyes are spread over two seconds, and each side's last words
/// may take three.
const ORDERLY: Duration = Duration::from_secs(9);

/// A story has come to its end when all was well for so long.
const WELL: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Busy = 0,
    Quiet = 1,
}

/// What everybody in a story shares.
#[derive(Clone)]
pub(crate) struct Scene {
    seed: u64,
    phase: Arc<AtomicU8>,
    pub(crate) ledger: Ledger,
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) crms: Arc<[Way]>,
}

impl Scene {
    pub(crate) fn phase(&self) -> Phase {
        if self.phase.load(Ordering::Relaxed) == 0 { Phase::Busy } else { Phase::Quiet }
    }

    /// A seed of one host's own.
    pub(crate) fn seed_of(&self, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        hasher.finish()
    }
}

/// What a story came to.
pub(crate) struct Told {
    pub(crate) faults: Vec<String>,
    pub(crate) counts: Counts,
    /// The same for two tellings of one story.
    pub(crate) trace: u64,
}

/// Something that happens to the network.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing passes between the gateway and a host, and what was under way is lost.
    Cut,
    /// The same for one direction.
    HalfCut { to_gateway: bool },
    /// Everything waits, and then comes at once.
    Delay,
    /// A host stops without a word, and starts anew.
    Restart,
    /// The gateway is asked to stop, and starts anew; one that takes too long is stopped like any host.
    Stop,
}

/// Where a page is.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) login: &'static str,
    /// The CRM whose tunnel it uses; without one it has a connection and a host of its own.
    pub(crate) behind: Option<Way>,
    format: Format,
}

impl Seat {
    /// As the gateway names it: the link and the tab behind it.
    pub(crate) fn place(&self) -> (String, String) {
        self.behind.map_or_else(Default::default, |way| (way.name().to_owned(), self.name.clone()))
    }

    /// The host its page lives on.
    fn host(&self) -> &str {
        self.behind.map_or(self.name.as_str(), |way| way.name())
    }
}

/// A page behind a CRM, with what its browser keeps.
#[derive(Clone)]
pub(crate) struct Attended {
    pub(crate) seat: Seat,
    pub(crate) storage: Rc<RefCell<Storage>>,
}

/// Tells the story of this seed.
pub(crate) fn tell(seed: u64) -> Told {
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut crms = Way::ALL.to_vec();
    if dice.random_bool(0.6) {
        crms.remove(dice.random_range(0..3));
    }
    let scene =
        Scene { seed, phase: Arc::default(), ledger: Ledger::default(), disk: Arc::default(), crms: crms.into() };
    let tick = Duration::from_millis([50, 100, 100, 200][dice.random_range(0..4)]);
    let mut sim = Builder::new()
        .rng_seed(dice.random())
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(tick)
        .min_message_latency(Duration::from_millis(dice.random_range(0..20)))
        .max_message_latency(Duration::from_millis(dice.random_range(20..300)))
        .tcp_capacity(dice.random_range(16..256))
        .enable_random_order()
        .build();
    let seats = seats(&scene);
    let life = populate(&mut sim, &scene, &seats);
    let mut hosts: Vec<String> = seats.iter().filter(|s| s.behind.is_none()).map(|s| s.name.clone()).collect();
    hosts.extend(scene.crms.iter().map(|way| way.name().to_owned()));
    let mut faults = plan(&mut dice, &hosts);
    let unkind = dice.random_bool(0.5);
    let mut stage = Stage { scene: &scene, seats: &seats, hosts, life, mending: Vec::new(), told: None };
    let mut failed = None;
    let mut looked = (CALM + BUSY, CALM + BUSY);
    while sim.elapsed() < CALM + BUSY + QUIET {
        let now = sim.elapsed();
        let quiet = now >= CALM + BUSY;
        if quiet && scene.phase() == Phase::Busy {
            scene.phase.store(1, Ordering::Relaxed);
            stage.mend_until(&mut sim, Duration::MAX);
        }
        stage.mend_until(&mut sim, now);
        if scene.ledger.take_new_session() && unkind {
            // What a login has just promised must outlive a machine that goes down at this moment.
            let down = faults.iter().position(|(_, fault, host, _)| matches!(fault, Fault::Restart) && host == GATEWAY);
            if let Some((_, fault, host, length)) = down.map(|at| faults.remove(at)) {
                stage.happens(&mut sim, fault, host, length);
            }
        }
        while faults.last().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, fault, host, length)) = faults.pop() else { break };
            stage.happens(&mut sim, fault, host, length);
        }
        if let Err(why) = sim.step() {
            failed = Some(why.to_string());
            break;
        }
        let (last, well_since) = &mut looked;
        if quiet && now >= *last + Duration::from_millis(500) {
            *last = now;
            if !scene.ledger.wrong(&seats, scene.crms.len()).is_empty() {
                *well_since = now;
            } else if now >= *well_since + WELL {
                break;
            }
        }
    }
    match failed {
        Some(why) => scene.ledger.fault(why),
        None => scene.ledger.wrong(&seats, scene.crms.len()).into_iter().for_each(|what| scene.ledger.fault(what)),
    }
    stage.life.borrow().dead.store(true, Ordering::Relaxed);
    drop(sim);
    let (counts, trace) = scene.ledger.result();
    let mut faults = scene.ledger.faults();
    faults.extend(panics(seed));
    Told { faults, counts, trace }
}

/// Whose pages there are, and where: some on hosts of their own, some behind CRMs; one person may have both.
fn seats(scene: &Scene) -> Vec<Seat> {
    let mut dice = SmallRng::seed_from_u64(scene.seed_of("tabs"));
    let carriers: Vec<Way> = scene.crms.iter().copied().filter(|way| way.has_tunnel()).collect();
    let mut seats = Vec::new();
    for i in 0..dice.random_range(1..4) {
        let format = if i % 2 == 0 { Format::Json } else { Format::Xml };
        seats.push(Seat { name: format!("tab{i}"), login: PEOPLE[[0, 1, 0][i]].0, behind: None, format });
    }
    // Mostly behind one CRM, as its people are.
    let most = carriers.choose(&mut dice).copied();
    for i in 0..dice.random_range(1..4) {
        let login = PEOPLE[[0, 0, 1, 2][dice.random_range(0..4)]].0;
        let behind = if dice.random_bool(0.7) { most } else { carriers.choose(&mut dice).copied() };
        seats.push(Seat { name: format!("page{i}"), login, behind, format: Format::Json });
    }
    seats
}

/// Puts everybody on a host. Gives how the gateway's present life is ended.
fn populate(sim: &mut Sim<'_>, scene: &Scene, seats: &[Seat]) -> Rc<RefCell<Life>> {
    let life: Rc<RefCell<Life>> = Rc::default();
    let lives = Rc::new(Cell::new(0));
    sim.host(GATEWAY, {
        let (scene, life) = (scene.clone(), Rc::clone(&life));
        move || {
            lives.set(lives.get() + 1);
            life.replace(Life::default());
            node::run(scene.clone(), lives.get(), life.borrow().clone())
        }
    });
    let attended = |seat: &Seat| Attended { seat: seat.clone(), storage: Rc::default() };
    for way in scene.crms.iter().copied() {
        let (scene, lives) = (scene.clone(), Cell::new(0));
        let pages: Vec<_> = seats.iter().filter(|seat| seat.behind == Some(way)).map(attended).collect();
        sim.host(way.name(), move || {
            lives.set(lives.get() + 1);
            let (scene, life, pages) = (scene.clone(), lives.get(), pages.clone());
            async move {
                crm::run(way, scene, life, pages).await;
                Ok(())
            }
        });
    }
    for Attended { seat, storage } in seats.iter().filter(|seat| seat.behind.is_none()).map(attended) {
        let scene = scene.clone();
        sim.host(seat.name.clone(), move || {
            let (seat, scene, storage) = (seat.clone(), scene.clone(), Rc::clone(&storage));
            async move {
                tab::run(seat.name, seat.login, Door::Direct(seat.format), scene, storage).await;
                Ok(())
            }
        });
    }
    life
}

/// What befalls whom when, and for how long; the first is last.
fn plan(dice: &mut SmallRng, hosts: &[String]) -> Vec<(Duration, Fault, String, Duration)> {
    let count = dice.random_range(2..9);
    let mut plan: Vec<_> = (0..count)
        .map(|_| {
            let at = CALM + Duration::from_millis(dice.random_range(0..BUSY.as_millis() as u64));
            let fault = match dice.random_range(0..10) {
                0..=2 => Fault::Cut,
                3..=4 => Fault::HalfCut { to_gateway: dice.random_bool(0.5) },
                5..=6 => Fault::Delay,
                _ => Fault::Restart,
            };
            let host = hosts.choose(dice).cloned().unwrap_or_default();
            let length = Duration::from_millis(dice.random_range(20..15_000));
            match (fault, dice.random_range(0..5)) {
                (Fault::Restart, 0) => (at, Fault::Restart, GATEWAY.to_owned(), length),
                (Fault::Restart, 1) => (at, Fault::Stop, GATEWAY.to_owned(), length.max(ORDERLY)),
                _ => (at, fault, host, length),
            }
        })
        .collect();
    plan.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    plan
}

/// What goes on between the hosts.
struct Stage<'a> {
    scene: &'a Scene,
    seats: &'a [Seat],
    /// All but the gateway's.
    hosts: Vec<String>,
    life: Rc<RefCell<Life>>,
    mending: Vec<(Duration, Fault, String)>,
    /// Since when the gateway is stopping, and which tabs are to hear of it.
    told: Option<(Duration, Vec<String>)>,
}

impl Stage<'_> {
    /// One thing at a time for a host; the gateway's own restart befalls everybody.
    fn happens(&mut self, sim: &mut Sim<'_>, fault: Fault, host: String, length: Duration) {
        if self.mending.iter().any(|(_, _, other)| *other == host) {
            return;
        }
        let now = sim.elapsed();
        self.scene.ledger.count(|c| &mut c.faults_of_the_network);
        match fault {
            Fault::Stop => {
                let whole = |seat: &&Seat| seat.behind.is_none() && self.scene.ledger.is_connected(&seat.name);
                self.told = Some((now, self.seats.iter().filter(whole).map(|seat| seat.name.clone()).collect()));
                self.life.borrow().leave.cancel();
            }
            Fault::Restart if host == GATEWAY => {
                self.life.borrow().dead.store(true, Ordering::Relaxed);
                self.in_silence(sim, |sim| sim.crash(GATEWAY));
            }
            fault => self.befall(sim, fault, &host),
        }
        self.scene.ledger.befalls(&host, Duration::MAX);
        self.mending.push((now + length, fault, host));
    }

    fn befall(&self, sim: &mut Sim<'_>, fault: Fault, host: &str) {
        match fault {
            Fault::Cut => sim.partition(GATEWAY, host),
            Fault::HalfCut { to_gateway: true } => sim.partition_oneway(host, GATEWAY),
            Fault::HalfCut { to_gateway: false } => sim.partition_oneway(GATEWAY, host),
            Fault::Delay => sim.hold(GATEWAY, host),
            Fault::Restart | Fault::Stop => {
                self.seats.iter().filter(|s| s.host() == host).for_each(|s| self.scene.ledger.shows(&s.name, None));
                sim.crash(host);
            }
        }
    }

    /// Mends what has lasted its time at this moment.
    fn mend_until(&mut self, sim: &mut Sim<'_>, now: Duration) {
        while let Some(at) = self.mending.iter().position(|(until, ..)| *until <= now) {
            let (_, fault, host) = self.mending.swap_remove(at);
            self.scene.ledger.befalls(&host, sim.elapsed());
            match fault {
                Fault::Cut | Fault::HalfCut { .. } => sim.repair(GATEWAY, host.as_str()),
                Fault::Delay => sim.release(GATEWAY, host.as_str()),
                Fault::Restart => sim.bounce(host),
                Fault::Stop => self.has_stopped(sim),
            }
        }
    }

    /// Starts the gateway anew that was asked to stop.
    fn has_stopped(&mut self, sim: &mut Sim<'_>) {
        let told = self.told.take();
        if sim.is_host_running(GATEWAY) {
            self.life.borrow().dead.store(true, Ordering::Relaxed);
        } else if let Some((since, mut told)) = told {
            told.retain(|name| self.scene.ledger.is_untouched(name, since));
            self.scene.ledger.stopped(since, &told);
        }
        self.in_silence(sim, |sim| sim.bounce(GATEWAY));
    }

    /// The gateway's machine goes down, and not a word is said any more: without this the connections would say goodbye in an
    /// order that is not the seed's.
    fn in_silence(&self, sim: &mut Sim<'_>, go_down: impl FnOnce(&mut Sim<'_>)) {
        self.hosts.iter().for_each(|host| sim.partition(GATEWAY, host.as_str()));
        go_down(sim);
        for host in &self.hosts {
            sim.repair(GATEWAY, host.as_str());
            if let Some((_, fault, _)) = self.mending.iter().find(|(_, _, other)| other == host)
                && !matches!(fault, Fault::Restart)
            {
                self.befall(sim, *fault, host);
            }
        }
    }
}

// ---- panics, which a task keeps to itself

thread_local! {
    static TELLING: Cell<Option<u64>> = const { Cell::new(None) };
}

static PANICS: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());

/// From now on a panic in a story is a fault of that story.
pub(crate) fn watch_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match TELLING.get() {
        Some(seed) => PANICS.lock().unwrap_or_else(PoisonError::into_inner).push((seed, panic.to_string())),
        None => usual(panic),
    }));
}

/// Tells a story; a panic anywhere in it is one of its faults.
pub(crate) fn tell_watched(seed: u64) -> Told {
    TELLING.set(Some(seed));
    let told = std::panic::catch_unwind(|| tell(seed));
    TELLING.set(None);
    told.unwrap_or_else(|_| Told { faults: panics(seed), counts: Counts::default(), trace: 0 })
}

fn panics(seed: u64) -> Vec<String> {
    let mut all = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = all.extract_if(.., |(of, _)| *of == seed);
    mine.map(|(_, what)| what).collect()
}
