//! The link cut at every step of its introduction and of a dynamic method, in each of the six ways: nothing hangs, a caller
//! gets one outcome, and the link is well afterwards.

use std::sync::Arc;

use ctigate::config::{Link, LinkMode};
use ctigate::proto::message::{Envelope, Format};

use crate::support::gateway::link;
use crate::support::post_crm::{PostCrm, Reply};
use crate::support::server::Server;
use crate::support::{FakeCrm, FakeTab, Gateway, Setup, Ws, tls};

const METHODS: &str = r#"[{"name":"Find","outputparameters":[{"name":"who","type":"string"}]}]"#;

/// A gateway with one link, whose CRM can come again and again.
struct Place {
    gateway: Gateway,
    /// What is dialed, where the gateway dials.
    server: Option<Server>,
    mode: LinkMode,
    format: Format,
}

impl Place {
    async fn new(mode: LinkMode, format: Format, pair: &tls::Pair) -> Self {
        let mut server = None;
        let link = if mode.accepts() {
            link("crm", mode)
        } else {
            let mut dialed = Server::new().await;
            dialed.tls = mode.tls().then(|| pair.acceptor());
            let link = Link { ca_file: mode.tls().then(|| pair.certificate.clone()), ..dialed.link(format) };
            server = Some(dialed);
            link
        };
        let setup = Setup::new().link(link);
        let setup = if mode == LinkMode::AcceptWss { setup.tls(pair) } else { setup };
        Self { gateway: setup.start().await, server, mode, format }
    }

    /// The CRM's next connection, upgraded and nothing more.
    async fn crm(&self) -> FakeCrm {
        match &self.server {
            Some(server) => FakeCrm::accept(server.accept().await, self.format).await,
            None if self.mode.tls() => {
                let (io, _) = tls::connect(self.gateway.link("crm")).await;
                let ws = Ws::shake(io, "/", &[("Sec-WebSocket-Protocol", self.format.word())]).await;
                FakeCrm(crate::support::peers::Channel::new(ws, self.format))
            }
            None => FakeCrm::connect(self.gateway.link("crm"), self.format).await,
        }
    }

    /// The CRM's next connection, introduced.
    async fn introduced(&self) -> FakeCrm {
        let mut crm = self.crm().await;
        crm.introduce(METHODS, "[]", "[]").await;
        self.gateway.link_is("crm", "up with its method", |v| v.state == "up" && v.methods.len() == 1).await;
        crm
    }

    /// The link works: a call of `tab` is answered, and no other outcome has come meanwhile.
    async fn is_well(&self, tab: &mut FakeTab) {
        let mut crm = self.introduced().await;
        ask(tab, 7).await;
        let id = crm.0.hear_named("executemethod").await.body.text("executionid").unwrap();
        crm.0.say(&result(&id)).await;
        let outcomes = outcomes(tab).await;
        assert_eq!(outcomes, [(Some(7), Some(1), None)], "of the call after the cut, and no other");
        assert_eq!(self.gateway.link_view("crm").await.in_flight, 0);
    }
}

async fn ask(tab: &mut FakeTab, qid: i64) {
    tab.0.say(&format!(r#"["executemethod",{{"qid":{qid},"name":"Find","inputparameters":{{}}}}]"#)).await;
}

fn result(execution: &str) -> String {
    format!(r#"["methodresult",{{"executionid":"{execution}","result":1,"outputparameters":{{"who":"Ann"}}}}]"#)
}

type Outcome = (Option<i64>, Option<i64>, Option<i64>);

fn outcome(envelope: &Envelope) -> Outcome {
    (envelope.body.int("qid"), envelope.body.int("result"), envelope.body.int("error"))
}

/// The next outcome of a call, and all that came up to the answer of a ping sent after it.
async fn outcomes(tab: &mut FakeTab) -> Vec<Outcome> {
    let mut all = vec![outcome(&tab.0.hear_named("methodresult").await)];
    tab.0.say(r#"["ping",{"qid":"last"}]"#).await;
    loop {
        let heard = tab.0.hear().await;
        match &*heard.name {
            "methodresult" => all.push(outcome(&heard)),
            "pong" => return all,
            _ => {}
        }
    }
}

/// The first half of a frame that says this.
async fn say_half(crm: &mut FakeCrm, json: &str) {
    let text = crate::support::peers::written(crm.0.format, json);
    let frame = if crm.0.ws.masks() {
        crate::support::ws::masked(0x81, text.as_bytes())
    } else {
        crate::support::ws::plain(0x81, text.as_bytes())
    };
    crm.0.ws.raw(&frame[..frame.len() / 2]).await;
}

/// Where the introduction is cut.
const INTRODUCTION: usize = 9;

/// Goes so many steps into the introduction, and no further.
async fn introduce_until(crm: &mut FakeCrm, step: usize) {
    if step == 0 {
        return;
    }
    let qid = crm.0.hear_named("whoareyou").await.body.text("qid").unwrap();
    let iam = format!(r#"["iam",{{"qid":"{qid}","type":"t","name":"n","version":"1"}}]"#);
    match step {
        1 => return,
        2 => return say_half(crm, &iam).await,
        _ => crm.0.say(&iam).await,
    }
    if step == 3 {
        return;
    }
    // All three questions are here before the first answer.
    for (at, (question, answer)) in [
        ("getavailablemethods", format!(r#"["availablemethods",{{"methods":{METHODS}}}]"#)),
        ("getavailableforms", r#"["availableforms",{"forms":[]}]"#.to_owned()),
        ("getactiveusers", r#"["activeusers",{"users":[]}]"#.to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        crm.0.hear_named(question).await;
        if step == 4 + at {
            return;
        }
        if step == 7 + at {
            return say_half(crm, &answer).await;
        }
        crm.0.say(&answer).await;
    }
}

/// Cuts the introduction at a step, while somebody calls.
async fn cut_the_introduction(mode: LinkMode, format: Format, pair: Arc<tls::Pair>, step: usize) {
    let place = Place::new(mode, format, &pair).await;
    let mut tab = FakeTab::login(place.gateway.web, format, "ivanov").await;
    let mut crm = place.crm().await;
    introduce_until(&mut crm, step).await;
    ask(&mut tab, 5).await;
    // A call that comes while the CRM is asked for its methods may wait for them; the cut ends that too.
    drop(crm);
    let outcomes = outcomes(&mut tab).await;
    let [(Some(5), Some(0), Some(59001 | 59010))] = outcomes[..] else {
        panic!("{mode} {format:?} step {step}: {outcomes:?}");
    };
    place.is_well(&mut tab).await;
}

/// Where a dynamic method is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The CRM has not read the call.
    BeforeTheCall,
    AfterTheCall,
    InTheAnswer,
    AfterTheAnswer,
}

/// Cuts a dynamic method at a step.
async fn cut_the_method(mode: LinkMode, format: Format, pair: Arc<tls::Pair>, cut: Cut) {
    let place = Place::new(mode, format, &pair).await;
    let mut crm = place.introduced().await;
    let mut tab = FakeTab::login(place.gateway.web, format, "ivanov").await;
    ask(&mut tab, 5).await;
    place.gateway.link_is("crm", "asked", |v| v.in_flight == 1).await;
    let mut execution = "00000000-0000-4000-8000-000000000000".to_owned();
    if cut != Cut::BeforeTheCall {
        execution = crm.0.hear_named("executemethod").await.body.text("executionid").unwrap().to_string();
    }
    match cut {
        Cut::BeforeTheCall | Cut::AfterTheCall => {}
        Cut::InTheAnswer => say_half(&mut crm, &result(&execution)).await,
        Cut::AfterTheAnswer => crm.0.say(&result(&execution)).await,
    }
    drop(crm);
    let expected = if cut == Cut::AfterTheAnswer { (Some(5), Some(1), None) } else { (Some(5), Some(0), Some(59010)) };
    assert_eq!(outcomes(&mut tab).await, [expected], "{mode} {format:?} {cut:?}");

    // The CRM comes back with what it wanted to say: that is over.
    let mut back = place.introduced().await;
    back.0.say(&result(&execution)).await;
    back.0.say(r#"["ping",{"qid":"p"}]"#).await;
    back.0.hear_named("pong").await;
    drop(back);
    place.is_well(&mut tab).await;
}

const SOCKETS: [LinkMode; 4] = [LinkMode::AcceptWs, LinkMode::AcceptWss, LinkMode::DialWs, LinkMode::DialWss];

/// Runs stories side by side, and fails with the first that fails.
async fn all(stories: Vec<tokio::task::JoinHandle<()>>) {
    for story in stories {
        story.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_cut_at_any_step_of_its_introduction_comes_back() {
    let pair = Arc::new(tls::Pair::new());
    for mode in SOCKETS {
        for format in [Format::Json, Format::Xml] {
            let story = |step| tokio::spawn(cut_the_introduction(mode, format, Arc::clone(&pair), step));
            all((0..=INTRODUCTION).map(story).collect()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_cut_at_any_step_has_one_outcome() {
    let pair = Arc::new(tls::Pair::new());
    for mode in SOCKETS {
        let mut stories = Vec::new();
        for format in [Format::Json, Format::Xml] {
            for cut in [Cut::BeforeTheCall, Cut::AfterTheCall, Cut::InTheAnswer, Cut::AfterTheAnswer] {
                stories.push(tokio::spawn(cut_the_method(mode, format, Arc::clone(&pair), cut)));
            }
        }
        all(stories).await;
    }
}

/// A CRM that is posted to, its link, and a way to cut at a message.
async fn posted(format: Format, pair: Option<&tls::Pair>) -> (PostCrm, Link) {
    let crm = PostCrm::new(format, pair).await;
    let link = Link { ca_file: pair.map(|pair| pair.certificate.clone()), ..crm.link() };
    (crm, link)
}

/// Cuts the first exchange about a message of this name: before the request is read, after it, in the head of the answer, in
/// its body, or after it.
fn cut_once(crm: &PostCrm, name: &'static str, part: Option<usize>) {
    let done = std::sync::atomic::AtomicBool::new(false);
    crm.answers(move |m| {
        let now = m.name == name && !done.swap(true, std::sync::atomic::Ordering::SeqCst);
        now.then_some(part.map_or(Reply::Hangup, Reply::Part))
    });
}

async fn is_up(gateway: &Gateway) {
    gateway.link_is("crm", "up with its methods", |v| v.state == "up" && v.methods.len() == 2).await;
}

async fn post_is_well(gateway: &Gateway, crm: &PostCrm, tab: &mut FakeTab) {
    is_up(gateway).await;
    ask(tab, 7).await;
    assert_eq!(outcomes(tab).await, [(Some(7), Some(1), None)]);
    let executions = crm.heard("executemethod");
    let ids: std::collections::BTreeSet<_> = executions.iter().map(|(.., m)| m.body.text("executionid")).collect();
    assert_eq!(ids.len(), executions.len(), "no execution was posted twice");
}

async fn cut_a_posted_introduction(
    format: Format,
    pair: Option<Arc<tls::Pair>>,
    name: &'static str,
    part: Option<usize>,
) {
    let (crm, link) = posted(format, pair.as_deref()).await;
    cut_once(&crm, name, part);
    let gateway = Setup::new().link(link).start().await;
    let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
    crm.hears(name, 1).await;
    ask(&mut tab, 5).await;
    let outcomes = outcomes(&mut tab).await;
    assert!(matches!(outcomes[..], [(Some(5), Some(0 | 1), _)]), "{name} {part:?}: {outcomes:?}");
    post_is_well(&gateway, &crm, &mut tab).await;
}

async fn cut_a_posted_method(format: Format, pair: Option<Arc<tls::Pair>>, part: Option<usize>, deaf: bool) {
    let (crm, link) = posted(format, pair.as_deref()).await;
    let gateway = Setup::new().link(link).start().await;
    is_up(&gateway).await;
    crm.hears("getactiveusers", 1).await;
    if deaf {
        *crm.state.deaf.lock().unwrap() = 1;
    } else {
        cut_once(&crm, "executemethod", part);
    }
    let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
    ask(&mut tab, 5).await;
    let whole = part == Some(100) && !deaf;
    let expected = if whole { (Some(5), Some(1), None) } else { (Some(5), Some(0), Some(59011)) };
    assert_eq!(outcomes(&mut tab).await, [expected], "{format:?} {part:?} {deaf}");
    post_is_well(&gateway, &crm, &mut tab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_link_cut_at_any_step_of_its_introduction_comes_back() {
    let pair = Arc::new(tls::Pair::new());
    for with_tls in [false, true] {
        let mut stories = Vec::new();
        for name in ["whoareyou", "getavailablemethods", "getavailableforms", "getactiveusers"] {
            for (at, part) in [None, Some(10), Some(90), Some(100)].into_iter().enumerate() {
                let format = if at % 2 == 0 { Format::Json } else { Format::Xml };
                let pair = with_tls.then(|| Arc::clone(&pair));
                stories.push(tokio::spawn(cut_a_posted_introduction(format, pair, name, part)));
            }
        }
        all(stories).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_method_cut_at_any_step_has_one_outcome() {
    let pair = Arc::new(tls::Pair::new());
    let mut stories = Vec::new();
    for with_tls in [false, true] {
        for format in [Format::Json, Format::Xml] {
            for (part, deaf) in [(None, true), (None, false), (Some(10), false), (Some(90), false), (Some(100), false)]
            {
                let pair = with_tls.then(|| Arc::clone(&pair));
                stories.push(tokio::spawn(cut_a_posted_method(format, pair, part, deaf)));
            }
        }
    }
    all(stories).await;
}
