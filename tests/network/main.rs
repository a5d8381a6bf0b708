//! The gateway on a simulated network (turmoil): its real transport, engine, Hub and simulator on one host, browsers' tabs and CRMs
//! on others, more pages behind the CRMs, and a network that loses, delays and reorders, with hosts that stop, in order or not, and start
//! anew. A story is told by a seed alone: what everybody does, what befalls them, and in which order the hosts run. Nobody speaks TLS
//! here: its keys and signatures are drawn from where no seed reaches.
//!
//! `SEEDS=n` tells so many stories, `SEED=n` the one story that failed.

#![allow(clippy::print_stdout, reason = "figures, and the command that tells a failed story again")]

mod channel;
mod crm;
mod ledger;
mod narrow;
mod node;
mod story;
mod tab;
mod tunnel;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ledger::Counts;

/// How many stories are told unless somebody wants more.
const SEEDS: u64 = 1000;

fn wanted(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_the_network_does_nobody_is_left_waiting_or_with_a_wrong_picture() {
    story::watch_panics();
    let (first, count) = match wanted("SEED") {
        Some(seed) => (seed, 1),
        None => (wanted("FIRST").unwrap_or(0), wanted("SEEDS").unwrap_or(SEEDS)),
    };
    let (next, all, failed) = (AtomicU64::new(first), Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count as usize);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || failed.lock().unwrap().len() >= 5 {
                        return;
                    }
                    let told = story::tell_watched(seed);
                    all.lock().unwrap().add(&told.counts);
                    if !told.faults.is_empty() {
                        failed.lock().unwrap().push((seed, told.faults));
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    println!("{count} stories in {:.1} s: {all:?}", began.elapsed().as_secs_f64());
    let failed = failed.into_inner().unwrap();
    for (seed, faults) in &failed {
        println!(
            "story {seed} does not hold; tell it again: SEED={seed} cargo test --locked --test network -- --nocapture"
        );
        faults.iter().take(8).for_each(|fault| println!("  {fault}"));
    }
    assert!(failed.is_empty(), "{} stories failed, see above", failed.len());
    if count >= 20 {
        // Stories in which nothing happens would show nothing.
        for (what, count_of, least) in [
            ("logins", all.logins, 3 * count),
            ("talks", all.talks, count),
            ("executions", all.executions, count),
            ("outcomes", all.outcomes, 5 * count),
            ("cards", all.cards, count),
            ("answered cards", all.card_answers, count / 4),
            ("introductions", all.introductions, 2 * count),
            ("sessions used again", all.sessions, count),
            ("faults of the network", all.faults_of_the_network, 2 * count),
            ("lives of gateways", all.lives, count + count / 4),
            ("looks behind an event", all.looks, 5 * count),
            ("messages through tunnels", all.forwarded, 30 * count),
            ("logins through tunnels", all.tunnelled_logins, 2 * count),
            ("cards answered through tunnels", all.tunnelled_answers, count / 5),
            ("gateways that stopped in order", all.stops, count / 10),
            ("pages that were told of it", all.farewells, count / 10),
            ("comparisons of cards", all.notes, 50 * count),
            ("events for everybody", all.broadcasts, 10 * count),
        ] {
            assert!(count_of >= least, "only {count_of} {what}");
        }
    }
}

#[test]
fn a_story_is_the_same_whenever_it_is_told() {
    for seed in [3, 14, 159, 26, 535] {
        let tellings: Vec<u64> = (0..3).map(|_| story::tell_watched(seed).trace).collect();
        assert!(tellings.iter().all(|trace| *trace == tellings[0]), "story {seed} goes now so, now so");
    }
}
