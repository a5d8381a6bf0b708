//! The machines and the engine in one process: what a message costs before any socket is involved. Prints figures, judges
//! nothing. `cargo bench --bench machines`, or some of it: `-- dialog call fan engine decisions`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and fails loudly")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctigate::engine::outbox::Limit;
use ctigate::engine::{Accounts, Archive, Engine, Outbox, Outlets, Ready};
use ctigate_proto::Time;
use ctigate_proto::auth::{Attempt, Identity, LoginBy, LoginError, Proof};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::dialog::{self, Dialog, Role};
use ctigate_proto::hub::archive::{Fetch, FetchResult};
use ctigate_proto::hub::input::Opening;
use ctigate_proto::hub::settings::{self, Account, LinkSettings, Notation};
use ctigate_proto::hub::{Hub, Input, Output, Rights};
use ctigate_proto::message::{Envelope, Format, Object, PeerId, Text, Value};
use ctigate_proto::telephony::{CallId, End, EndCause, Event, Fact, LegFact, LegId, LegState, Place};
use tokio::sync::mpsc;

const CALL: &str = r#"["executemethod",{"qid":"0.5182736450192837","name":"Find","inputparameters":{"phone":"79001112233","note":"a text of about this length"}}]"#;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:<58} {:>12} {:>8}", "what", "ns", "rounds");
    let all: [(&str, fn()); 5] = [
        ("dialog", dialog_ping),
        ("call", hub_call),
        ("fan", fan_out),
        ("engine", engine_both_ways),
        ("decisions", decisions),
    ];
    for (name, measured) in all {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measured();
        }
    }
}

/// What it costs that decisions are remembered: the same calls with it and without, by turns; CPU of the whole engine.
fn decisions() {
    let mut ratios = Vec::new();
    let mut with_it = Vec::new();
    for round in 0..11 {
        let mut both = [Duration::ZERO; 2];
        for turn in [0, 1] {
            // Who goes first changes.
            let on = (turn + round) % 2 == 0;
            both[usize::from(on)] = engine_cpu(false, on, 100_000);
        }
        ratios.push(both[1].as_secs_f64() / both[0].as_secs_f64());
        with_it.push(both[1]);
    }
    ratios.sort_by(f64::total_cmp);
    with_it.sort_unstable();
    println!(
        "{:<58} {:>12} {:>8}   ratio with / without {:.3}, {:.3}..{:.3}",
        "engine: CPU of a call, decisions remembered",
        with_it[5].as_nanos(),
        ratios.len(),
        ratios[5],
        ratios[0],
        ratios[10]
    );
}

/// Runs `work` (which does `n` things) in rounds of at least 100 ms, and prints the median time of one thing.
fn measure(what: &str, n: u32, mut work: impl FnMut()) {
    let mut rounds = Vec::new();
    let began = Instant::now();
    work();
    while rounds.len() < 5 || (began.elapsed() < Duration::from_secs(2) && rounds.len() < 200) {
        let t = Instant::now();
        work();
        rounds.push(t.elapsed() / n);
    }
    rounds.sort_unstable();
    let (low, mid, high) = (rounds[0], rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    println!("{what:<58} {:>12} {:>8}   min {} max {}", mid.as_nanos(), rounds.len(), low.as_nanos(), high.as_nanos());
}

fn dialog_ping() {
    for format in [Format::Json, Format::Xml] {
        let mut dialog = Dialog::new(
            Time::ZERO,
            Role::Tab,
            Some(format),
            dialog::Settings { rate: (0, 0), ..dialog::Settings::tab() },
        );
        let envelope = codec::decode(
            Format::Json,
            &Text::from_static(r#"["ping",{"qid":"0.5182736450192837"}]"#),
            &Limits::default(),
        )
        .unwrap();
        let text = codec::encode(&envelope, format);
        measure(&format!("dialog: ping in, pong out, {}", format.word()), 1000, || {
            for _ in 0..1000 {
                dialog.handle_text(Time::ZERO, &text);
                while dialog.poll_output().is_some() {}
            }
        });
    }
}

fn hub(tabs: usize) -> (Hub, Vec<PeerId>, PeerId) {
    let accounts = (0..tabs.max(1))
        .map(|n| Account {
            id: format!("3f0a7c11-0000-4000-8000-{n:012}").into(),
            login: format!("u{n}").into(),
            name: format!("User {n}").into(),
            number: format!("{}", 1000 + n).into(),
            rights: Rights::role("agent").unwrap(),
            ..Account::default()
        })
        .collect();
    let mut hub = Hub::new(settings::Settings {
        seed: [1; 32],
        wall_ms: 0,
        web_ports: (4055, 4056),
        accounts,
        links: vec![LinkSettings {
            name: "crm".into(),
            mode: "accept-ws".into(),
            post: false,
            users: None,
            trust_users: false,
            rights: Rights::link_default(),
            tunnel_grace: Duration::from_secs(60),
            silent_events: Vec::new(),
        }],
        forms: Vec::new(),
        numbers: Vec::new(),
        breaks: Vec::new(),
        procedures: Vec::new(),
        utc_offset: |_| 0,
        limits: settings::Limits::default(),
        notation: Notation {
            write: |o| codec::encode_value(&Value::Object(o.clone())),
            read: |_| Some(Object::new()),
            size: codec::outgoing::size,
        },
    });
    let link = PeerId(1_000_000);
    open(&mut hub, link, Identity::link("crm", Proof::open_listener()), Vec::new());
    let methods = codec::decode(
        Format::Json,
        &Text::from_static(r#"["availablemethods",{"methods":[{"name":"Find"}]}]"#),
        &Limits::default(),
    );
    hub.handle(Time::ZERO, Input::Received { peer: link, envelope: methods.unwrap() });
    let peers: Vec<PeerId> = (0..tabs as u64).map(PeerId).collect();
    for (n, peer) in peers.iter().enumerate() {
        let identity = Identity::user(format!("u{n}"), LoginBy::Password, Proof::slow_hash());
        open(&mut hub, *peer, identity, vec!["pbxnumberstatechanged".into()]);
    }
    while hub.poll_output().is_some() {}
    (hub, peers, link)
}

fn open(hub: &mut Hub, peer: PeerId, identity: Identity, subscribed: Vec<Text>) {
    hub.handle(
        Time::ZERO,
        Input::Opened { peer, identity, opening: Opening { subscribed, ..Opening::default() }.into() },
    );
}

fn call() -> Envelope {
    codec::decode(Format::Json, &Text::from_static(CALL), &Limits::default()).unwrap()
}

fn result(execution: &str) -> Envelope {
    let text = format!(
        r#"["methodresult",{{"qid":"1","executionid":"{execution}","result":1,"outputparameters":{{"clientid":"42","vip":true}}}}]"#
    );
    codec::decode(Format::Json, &Text::from(text), &Limits::default()).unwrap()
}

/// A call of a tab and its result, decoded and encoded, without sockets.
fn hub_call() {
    let (mut hub, peers, link) = hub(100);
    measure("hub: call tab -> link -> tab, decode and encode, 100 tabs", 100, || {
        for peer in &peers {
            hub.handle(Time::ZERO, Input::Received { peer: *peer, envelope: call() });
            let mut execution = Text::new();
            while let Some(output) = hub.poll_output() {
                if let Output::Send { message, .. } = output {
                    execution = message.envelope().body.text("executionid").unwrap();
                    std::hint::black_box(codec::outgoing::text(&message, Format::Json));
                }
            }
            hub.handle(Time::ZERO, Input::Received { peer: link, envelope: result(&execution) });
            while let Some(output) = hub.poll_output() {
                if let Output::Send { message, .. } = output {
                    std::hint::black_box(codec::outgoing::text(&message, Format::Json));
                }
            }
        }
    });
}

/// An event for everybody: a phone rings, and all tabs that watch numbers hear it.
fn fan_out() {
    for tabs in [10, 100, 1000] {
        let (mut hub, ..) = hub(tabs);
        let mut calls = 0_u64;
        // Two broadcasts a round: the number is busy, and free again.
        measure(&format!("hub: one delivery of an event to {tabs} tabs"), 2 * tabs as u32, || {
            calls += 1;
            // A second a round, so that calls that ended are forgotten.
            let now = Time::from_millis(calls * 1000);
            hub.handle_timeout(now);
            let call = CallId(format!("c0ffee00-0000-4000-8000-{calls:012}").into());
            for state in [LegState::Ringing, LegState::Ended(EndCause::CallerGone)] {
                let seq = 1 + u64::from(state.is_ended());
                let leg = LegFact {
                    call: call.clone(),
                    leg: LegId(call.0.clone()),
                    seq,
                    at_ms: 0,
                    end: End::Inside("1000".into()),
                    origin: false,
                    state,
                    place: Place::None,
                    with: None,
                    toward: "500".into(),
                    held: false,
                    autocall: None,
                    role: ctigate_proto::telephony::Role::default(),
                };
                hub.handle(now, Input::Pbx(Event::Facts(vec![Fact::Leg(leg)])));
            }
            hub.handle(now, Input::Pbx(Event::Facts(vec![Fact::Over { call, at_ms: 0 }])));
            while let Some(output) = hub.poll_output() {
                if let Output::Fan { message, .. } | Output::Send { message, .. } = output {
                    std::hint::black_box(codec::outgoing::text(&message, Format::Json));
                }
            }
        });
    }
}

struct Nobody;

impl Accounts for Nobody {
    fn verify<'a>(&'a self, _: &'a Attempt) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(async { Err(LoginError::NotAvailable) })
    }
}

impl Archive for Nobody {
    fn fetch(&self, _: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(async { Err(ctigate_proto::message::Code::Internal.into()) })
    }
}

/// The same calls through the engine from tasks of their own: with the lock taken by the reader of the batch, as it is
/// built, and through a task that owns the engine's inbox, as it might have been.
fn engine_both_ways() {
    for mailbox in [false, true] {
        let way = if mailbox { "through a mailbox task" } else { "with a lock a batch" };
        let wall = Instant::now();
        let calls = 200_000;
        let cpu = engine_cpu(mailbox, true, calls);
        println!(
            "{:<58} {:>12} {:>8}   wall {} ns a call",
            format!("engine: CPU of a call tab -> link -> tab {way}"),
            cpu.as_nanos(),
            1,
            (wall.elapsed() / calls).as_nanos()
        );
    }
}

/// CPU of one of so many calls.
fn engine_cpu(mailbox: bool, tracing: bool, calls: u32) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (hub, peers, link) = hub(100);
    let outlets = Outlets {
        pbx: Box::new(|_| {}),
        record: Box::new(|_| {}),
        notice: Box::new(|_| {}),
        kept: Box::new(|| None),
        accounts: Arc::new(Nobody),
        archive: Arc::new(Nobody),
    };
    let engine = Engine::new(hub, outlets);
    engine.set_tracing(tracing);
    let cpu = cpu_time();
    runtime.block_on(drive(engine, peers, link, mailbox, calls));
    (cpu_time() - cpu) / calls
}

async fn drive(engine: Arc<Engine>, peers: Vec<PeerId>, link: PeerId, mailbox: bool, calls: u32) {
    let (inbox, mut letters) = mpsc::channel::<(PeerId, Vec<Envelope>)>(1024);
    let owner = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            while let Some((peer, mut batch)) = letters.recv().await {
                engine.hand_in(peer, &mut batch, &mut Ready::default());
            }
        })
    };
    let limit = Limit { messages: 65_536, bytes: 64 << 20 };
    let deliver = move |engine: Arc<Engine>,
                        inbox: mpsc::Sender<(PeerId, Vec<Envelope>)>,
                        peer,
                        mut batch: Vec<Envelope>| async move {
        if mailbox {
            inbox.send((peer, batch)).await.unwrap();
        } else {
            engine.hand_in(peer, &mut batch, &mut Ready::default());
        }
    };
    // The Hub knows a link already, but the engine has no outbox for it: a newer connection takes its place.
    let link = PeerId(link.0 + 1);
    let outbox = Outbox::new(limit);
    engine.opened(link, Identity::link("crm", Proof::open_listener()), Opening::default(), Arc::clone(&outbox));
    deliver(
        Arc::clone(&engine),
        inbox.clone(),
        link,
        vec![
            codec::decode(
                Format::Json,
                &Text::from_static(r#"["availablemethods",{"methods":[{"name":"Find"}]}]"#),
                &Limits::default(),
            )
            .unwrap(),
        ],
    )
    .await;
    let crm = {
        let (engine, inbox) = (Arc::clone(&engine), inbox.clone());
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            loop {
                outbox.ready().await;
                let _ = outbox.take(&mut waiting);
                let asked = waiting.drain(..).filter(|m| m.envelope().name == "executemethod");
                let batch: Vec<Envelope> =
                    asked.map(|m| result(&m.envelope().body.text("executionid").unwrap())).collect();
                deliver(Arc::clone(&engine), inbox.clone(), link, batch).await;
            }
        })
    };
    let each = calls / peers.len() as u32;
    let tabs: Vec<_> = peers
        .into_iter()
        .enumerate()
        .map(|(n, peer)| {
            let (engine, inbox) = (Arc::clone(&engine), inbox.clone());
            tokio::spawn(async move {
                let outbox = Outbox::new(limit);
                // A second tab of the same user, with an outbox.
                let peer = PeerId(peer.0 + 2_000_000);
                let identity = Identity::user(format!("u{n}"), LoginBy::Password, Proof::slow_hash());
                engine.opened(peer, identity, Opening::default(), Arc::clone(&outbox));
                let mut heard = Vec::new();
                for _ in 0..each {
                    deliver(Arc::clone(&engine), inbox.clone(), peer, vec![call()]).await;
                    while !heard
                        .iter()
                        .any(|m: &Arc<ctigate_proto::message::Shared>| m.envelope().name == "methodresult")
                    {
                        outbox.ready().await;
                        heard.clear();
                        let _ = outbox.take(&mut heard);
                    }
                    heard.clear();
                }
            })
        })
        .collect();
    for tab in tabs {
        tab.await.unwrap();
    }
    crm.abort();
    owner.abort();
}

/// What all threads of this process have used so far, by the kernel's counters.
fn cpu_time() -> Duration {
    let total: u64 = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(total)
}
