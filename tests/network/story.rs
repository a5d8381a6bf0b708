//! One story: hosts, a network, what befalls them, all by one seed.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctigate::proto::message::Format;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use turmoil::{Builder, Sim};

use crate::crm::{self, Way};
use crate::ledger::{Counts, Ledger};
use crate::node::{self, Disk};
use crate::tab::{self, Storage};

/// The gateway's host.
pub(crate) const GATEWAY: &str = "gateway";

/// Everybody, with their numbers.
pub(crate) const PEOPLE: [(&str, &str); 3] = [("ivanov", "101"), ("petrov", "102"), ("sidorova", "103")];

/// How long all is well, how long anything may happen, and how long it may then take until all is well again: a silence of a
/// minute is noticed, and the longest pause between attempts of a link is half a minute and a fifth.
const CALM: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_secs(22);
const QUIET: Duration = Duration::from_secs(110);

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
    let dead = populate(&mut sim, &scene);
    let tabs: Vec<String> = tabs(&scene).into_iter().map(|(name, ..)| name).collect();
    let hosts: Vec<String> = tabs.iter().cloned().chain(scene.crms.iter().map(|way| way.name().to_owned())).collect();
    let mut faults = plan(&mut dice, &hosts);
    let mut mending: Vec<(Duration, Fault, String)> = Vec::new();
    let mut failed = None;
    let mut looked = (CALM + BUSY, CALM + BUSY);
    while sim.elapsed() < CALM + BUSY + QUIET {
        let now = sim.elapsed();
        let quiet = now >= CALM + BUSY;
        if quiet && scene.phase() == Phase::Busy {
            scene.phase.store(1, Ordering::Relaxed);
            mending.drain(..).for_each(|(_, fault, host)| mend(&mut sim, fault, &host));
        }
        while let Some(at) = mending.iter().position(|(until, ..)| *until <= now) {
            let (_, fault, host) = mending.swap_remove(at);
            mend(&mut sim, fault, &host);
        }
        while faults.last().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, fault, host, length)) = faults.pop() else { break };
            // One thing at a time for a host; the gateway's own restart befalls everybody.
            if mending.iter().any(|(_, _, other)| *other == host) {
                continue;
            }
            scene.ledger.count(|c| &mut c.faults_of_the_network);
            if host == GATEWAY {
                // The machine goes down, and not a word is said any more: without this the connections would say goodbye in
                // an order that is not the seed's.
                hosts.iter().for_each(|host| sim.partition(GATEWAY, host.as_str()));
            }
            befall(&mut sim, &scene, &dead, fault, &host);
            if host == GATEWAY {
                for host in &hosts {
                    sim.repair(GATEWAY, host.as_str());
                    if let Some((_, fault, _)) = mending.iter().find(|(_, _, other)| other == host)
                        && !matches!(fault, Fault::Restart)
                    {
                        befall(&mut sim, &scene, &dead, *fault, host);
                    }
                }
            }
            mending.push((now + length, fault, host));
        }
        if let Err(why) = sim.step() {
            failed = Some(why.to_string());
            break;
        }
        let (last, well_since) = &mut looked;
        if quiet && now >= *last + Duration::from_millis(500) {
            *last = now;
            if !scene.ledger.wrong(&tabs, scene.crms.len()).is_empty() {
                *well_since = now;
            } else if now >= *well_since + WELL {
                break;
            }
        }
    }
    match failed {
        Some(why) => scene.ledger.fault(why),
        None => scene.ledger.wrong(&tabs, scene.crms.len()).into_iter().for_each(|what| scene.ledger.fault(what)),
    }
    dead.borrow().store(true, Ordering::Relaxed);
    drop(sim);
    let (counts, trace) = scene.ledger.result();
    let mut faults = scene.ledger.faults();
    faults.extend(panics(seed));
    Told { faults, counts, trace }
}

/// A tab on each host: its name, whose it is, and its format.
fn tabs(scene: &Scene) -> Vec<(String, &'static str, Format)> {
    let format = |i: usize| if i.is_multiple_of(2) { Format::Json } else { Format::Xml };
    let mut dice = SmallRng::seed_from_u64(scene.seed_of("tabs"));
    let count = dice.random_range(2..5);
    (0..count).map(|i| (format!("tab{i}"), PEOPLE[[0, 1, 0, 2][i]].0, format(i))).collect()
}

/// Puts everybody on a host. Gives what is to be set when the gateway's present life ends.
fn populate(sim: &mut Sim<'_>, scene: &Scene) -> Rc<RefCell<Arc<AtomicBool>>> {
    let dead: Rc<RefCell<Arc<AtomicBool>>> = Rc::default();
    let lives = Rc::new(Cell::new(0));
    sim.host(GATEWAY, {
        let (scene, dead) = (scene.clone(), Rc::clone(&dead));
        move || {
            lives.set(lives.get() + 1);
            let falls = Arc::new(AtomicBool::new(false));
            dead.replace(Arc::clone(&falls));
            node::run(scene.clone(), lives.get(), falls)
        }
    });
    for way in scene.crms.iter().copied() {
        let (scene, lives) = (scene.clone(), Cell::new(0));
        sim.host(way.name(), move || {
            lives.set(lives.get() + 1);
            let (scene, life) = (scene.clone(), lives.get());
            async move {
                crm::run(way, scene, life).await;
                Ok(())
            }
        });
    }
    for (name, login, format) in tabs(scene) {
        let (scene, storage) = (scene.clone(), Rc::new(RefCell::new(Storage::default())));
        sim.host(name.clone(), move || {
            let (name, scene, storage) = (name.clone(), scene.clone(), Rc::clone(&storage));
            async move {
                tab::run(name, login, format, scene, storage).await;
                Ok(())
            }
        });
    }
    dead
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
            let gateway = matches!(fault, Fault::Restart) && dice.random_bool(0.3);
            let host = if gateway { GATEWAY.to_owned() } else { hosts.choose(dice).cloned().unwrap_or_default() };
            (at, fault, host, Duration::from_millis(dice.random_range(20..15_000)))
        })
        .collect();
    plan.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    plan
}

fn befall(sim: &mut Sim<'_>, scene: &Scene, dead: &RefCell<Arc<AtomicBool>>, fault: Fault, host: &str) {
    match fault {
        Fault::Cut => sim.partition(GATEWAY, host),
        Fault::HalfCut { to_gateway: true } => sim.partition_oneway(host, GATEWAY),
        Fault::HalfCut { to_gateway: false } => sim.partition_oneway(GATEWAY, host),
        Fault::Delay => sim.hold(GATEWAY, host),
        Fault::Restart => {
            if host == GATEWAY {
                dead.borrow().store(true, Ordering::Relaxed);
                scene.disk.lock().unwrap_or_else(PoisonError::into_inner).crash();
            } else {
                scene.ledger.shows(host, None);
            }
            sim.crash(host);
        }
    }
}

fn mend(sim: &mut Sim<'_>, fault: Fault, host: &str) {
    match fault {
        Fault::Cut | Fault::HalfCut { .. } => sim.repair(GATEWAY, host),
        Fault::Delay => sim.release(GATEWAY, host),
        Fault::Restart => sim.bounce(host),
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
