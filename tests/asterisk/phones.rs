//! Telephones: real SIP user agents, as many as a story wants, behind one socket. A call is found by the number it belongs
//! to: the extension that was registered here, or, on the provider's side, the number of somebody outside.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::SOON;
use crate::sip::{self, Sip};
use crate::voice;

/// What a phone does when it is rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Rings, one call at a time, and takes what asks to be taken at once (intercom).
    #[default]
    Rings,
    /// Is busy.
    Busy,
    /// Answers by itself.
    Answers,
}

/// How a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// We called and nobody has answered.
    Calling,
    /// We are called.
    Ringing,
    Up,
    /// Over: the last status of the call, or 0 after a goodbye from there and 1 after ours.
    Over(u16),
}

/// One call of one phone.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) own: String,
    pub(crate) stage: Stage,
    /// Whom the phone's display names.
    pub(crate) shows: String,
    /// The last words about the sound: `sendrecv`, `sendonly`, …
    pub(crate) held: bool,
    id: String,
    /// `From` and `To` of the requests that we send.
    from: String,
    to: String,
    target: String,
    cseq: u32,
    version: u32,
    branch: String,
    /// The request that made the call.
    invite: Sip,
    last_reply: Vec<u8>,
    /// Where the sound goes.
    pub(crate) media: Option<SocketAddr>,
}

impl Call {
    fn live(&self) -> bool {
        !matches!(self.stage, Stage::Over(_))
    }
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    manners: BTreeMap<String, Manner>,
    /// Answers to requests outside the life of a call, by Call-ID and number.
    answers: BTreeMap<(String, u32), u16>,
    /// Who speaks, and the pitch of the voice in Hz.
    speaking: BTreeMap<String, u32>,
    /// The last second of sound that came, by the address it came from.
    heard: BTreeMap<SocketAddr, VecDeque<u8>>,
    next: u64,
}

/// A bank of phones.
#[derive(Clone)]
pub(crate) struct Phones(Arc<Inner>);

struct Inner {
    socket: UdpSocket,
    media: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    state: Mutex<State>,
    changed: Notify,
}

impl Phones {
    /// A bank at this address of this machine.
    pub(crate) async fn at(ip: Ipv4Addr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((IpAddr::V4(ip), 0)).await.unwrap();
        let media = UdpSocket::bind((IpAddr::V4(ip), 0)).await.unwrap();
        let local = socket.local_addr().unwrap();
        let inner = Inner { socket, media, local, server, state: Mutex::default(), changed: Notify::new() };
        let phones = Self(Arc::new(inner));
        let listening = phones.clone();
        tokio::spawn(async move { listening.listen().await });
        let sounding = phones.clone();
        tokio::spawn(async move { sounding.sound().await });
        phones
    }

    /// Where the bank is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local
    }

    // What a person does.

    /// Connects the phone of a number.
    pub(crate) async fn register(&self, number: &str) {
        self.registration(number, 3600).await;
    }

    /// Takes the phone of a number away.
    pub(crate) async fn unregister(&self, number: &str) {
        self.registration(number, 0).await;
    }

    pub(crate) fn manner(&self, number: &str, manner: Manner) {
        self.state().manners.insert(number.to_owned(), manner);
    }

    /// Calls a number by hand.
    pub(crate) async fn dial(&self, own: &str, name: &str, to: &str) {
        let (id, tag, branch) = (self.fresh("call"), self.fresh("tag"), self.fresh("z9hG4bK"));
        let server = self.0.server;
        let target = format!("sip:{to}@{server}");
        let name = if name.is_empty() { String::new() } else { format!("\"{name}\" ") };
        let from = format!("{name}<sip:{own}@{}>;tag={tag}", self.0.local);
        let invite = Sip::request("INVITE", &target)
            .with("Via", self.via(&branch))
            .with("Max-Forwards", "70")
            .with("From", &from)
            .with("To", format!("<{target}>"))
            .with("Call-ID", &id)
            .with("CSeq", "1 INVITE")
            .with("Contact", self.contact(own))
            .with("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, REFER, INFO")
            .sdp(sip::offer(self.media(), 1, "sendrecv"));
        let call = Call {
            own: own.to_owned(),
            stage: Stage::Calling,
            shows: to.to_owned(),
            held: false,
            id,
            from,
            to: format!("<{target}>"),
            target,
            cseq: 1,
            version: 1,
            branch,
            invite: invite.clone(),
            last_reply: Vec::new(),
            media: None,
        };
        self.state().calls.push(call);
        self.send(&invite.encode()).await;
    }

    /// Waits until the phone rings, and picks up.
    pub(crate) async fn answer(&self, own: &str) {
        let call = self.wait(own, "rings", |c| c.stage == Stage::Ringing).await;
        self.pick_up(&call).await;
    }

    /// Waits until the phone rings, and refuses with this status.
    pub(crate) async fn refuse(&self, own: &str, status: &str) {
        let call = self.wait(own, "rings", |c| c.stage == Stage::Ringing).await;
        self.reply_to(&call, status, None).await;
        self.over(&call.id, 1);
    }

    /// Waits until the phone rings, and sends the caller elsewhere (RFC 3261, 302).
    pub(crate) async fn forward(&self, own: &str, to: &str) {
        let call = self.wait(own, "rings", |c| c.stage == Stage::Ringing).await;
        let contact = format!("<sip:{to}@{}>", self.0.server);
        let reply = call.invite.reply("302 Moved Temporarily", sip::tag(&call.from)).with("Contact", contact);
        self.send(&reply.encode()).await;
        self.over(&call.id, 302);
    }

    /// Ends the newest live call of a number, whatever its stage.
    pub(crate) async fn hang_up(&self, own: &str) {
        let call = self.wait(own, "has a call", Call::live).await;
        match call.stage {
            Stage::Ringing => self.reply_to(&call, "603 Decline", None).await,
            Stage::Up => {
                self.request(&call.id, "BYE", &[]).await;
            }
            _ => {
                let cancel = Sip::request("CANCEL", call.invite.uri());
                let cancel = ["Via", "Max-Forwards", "From", "To", "Call-ID"]
                    .iter()
                    .fold(cancel, |c, name| c.with(name, call.invite.header(name)))
                    .with("CSeq", "1 CANCEL");
                self.send(&cancel.encode()).await;
                return;
            }
        }
        self.over(&call.id, 1);
    }

    /// Presses hold, or takes the other one back.
    pub(crate) async fn hold(&self, own: &str, held: bool) {
        let call = self.wait(own, "talks", |c| c.stage == Stage::Up && c.held != held).await;
        let cseq = self.reinvite(&call.id, if held { "sendonly" } else { "sendrecv" }).await;
        self.answered(&call.id, cseq, "the hold").await;
        self.change(&call.id, |c| c.held = held);
    }

    /// Presses a key (RFC 6086 INFO, which every Asterisk takes as a key).
    pub(crate) async fn press(&self, own: &str, key: char) {
        let call = self.wait(own, "talks", |c| c.stage == Stage::Up).await;
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        let cseq = self.in_dialog(&call.id, "INFO", &[("Content-Type", "application/dtmf-relay")], &body).await;
        self.answered(&call.id, cseq, "a key").await;
    }

    /// Hands the call on by the phone's own key: without a question (RFC 3515).
    pub(crate) async fn refer(&self, own: &str, to: &str) {
        let call = self.wait(own, "talks", |c| c.stage == Stage::Up).await;
        let to = format!("<sip:{to}@{}>", self.0.server);
        let cseq = self.request(&call.id, "REFER", &[("Refer-To", &to)]).await;
        self.answered(&call.id, cseq, "the transfer").await;
    }

    /// Hands the older of two calls to the party of the newer (RFC 3891).
    pub(crate) async fn refer_to_second(&self, own: &str) {
        let calls = self.calls(own);
        let up: Vec<&Call> = calls.iter().filter(|c| c.stage == Stage::Up).collect();
        let [first, second] = up[..] else { panic!("{own} has no two calls: {calls:?}") };
        let (there, here) = (sip::tag(&second.to), sip::tag(&second.from));
        let to = format!(
            "<{}?Replaces={}%3Bto-tag%3D{there}%3Bfrom-tag%3D{here}>",
            second.target.split(';').next().unwrap_or_default(),
            second.id.replace('@', "%40")
        );
        let cseq = self.request(&first.id, "REFER", &[("Refer-To", &to)]).await;
        self.answered(&first.id, cseq, "the transfer").await;
    }

    /// Ends whatever goes on, and forgets it.
    pub(crate) async fn quiet(&self) {
        let live: Vec<String> = self.state().calls.iter().filter(|c| c.live()).map(|c| c.own.clone()).collect();
        for own in &live {
            if self.calls(own).iter().any(Call::live) {
                self.hang_up(own).await;
            }
        }
        for own in &live {
            self.is_free(own).await;
        }
        self.forget();
    }

    /// Forgets every call: the other side is gone.
    pub(crate) fn forget(&self) {
        self.state().calls.clear();
        self.0.changed.notify_waiters();
    }

    /// Speaks from now on, in a voice of this pitch, in Hz.
    pub(crate) fn speaks(&self, own: &str, pitch: u32) {
        self.state().speaking.insert(own.to_owned(), pitch);
    }

    // What can be seen.

    /// Every call of a number, the oldest first.
    pub(crate) fn calls(&self, own: &str) -> Vec<Call> {
        self.state().calls.iter().filter(|c| c.own == own).cloned().collect()
    }

    /// Waits until a call of a number is as wanted; the newest such.
    pub(crate) async fn wait(&self, own: &str, what: &str, yes: impl Fn(&Call) -> bool) -> Call {
        let until = Instant::now() + SOON;
        loop {
            let changed = self.0.changed.notified();
            if let Some(call) = self.calls(own).into_iter().rfind(&yes) {
                return call;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                let calls: Vec<_> = self.calls(own).iter().map(|c| (c.stage, c.shows.clone())).collect();
                panic!("phone {own} {what}: not within {} s; its calls: {calls:?}", SOON.as_secs());
            }
        }
    }

    pub(crate) async fn rings(&self, own: &str) -> Call {
        self.wait(own, "rings", |c| c.stage == Stage::Ringing).await
    }

    pub(crate) async fn talks(&self, own: &str) -> Call {
        self.wait(own, "talks", |c| c.stage == Stage::Up).await
    }

    /// Waits until no call of a number is left; how the last one ended.
    pub(crate) async fn is_free(&self, own: &str) -> Option<u16> {
        let until = Instant::now() + SOON;
        loop {
            let changed = self.0.changed.notified();
            let calls = self.calls(own);
            if calls.iter().all(|c| !c.live()) {
                return calls.last().and_then(|c| if let Stage::Over(how) = c.stage { Some(how) } else { None });
            }
            let stages: Vec<Stage> = calls.iter().map(|c| c.stage).collect();
            let waited = tokio::time::timeout_at(until, changed).await;
            assert!(waited.is_ok(), "phone {own} is not free: {stages:?}");
        }
    }

    /// Waits until a phone hears the voices of these pitches, and none of those.
    pub(crate) async fn hears(&self, own: &str, voices: &[u32], not: &[u32]) {
        let call = self.talks(own).await;
        let until = Instant::now() + SOON;
        loop {
            let sound = call.media.and_then(|from| self.state().heard.get(&from).cloned()).unwrap_or_default();
            let all = |pitches: &[u32]| pitches.iter().map(|p| (*p, voice::loudness(&sound, *p))).collect::<Vec<_>>();
            let (there, absent) = (all(voices), all(not));
            let full = sound.len() >= voice::SECOND;
            if full && there.iter().all(|(_, l)| *l > voice::HEARD) && absent.iter().all(|(_, l)| *l < voice::HEARD) {
                return;
            }
            assert!(Instant::now() < until, "{own} should hear {there:?} and not {absent:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    // Requests.

    async fn registration(&self, number: &str, seconds: u32) {
        let server = self.0.server;
        let (id, branch) = (self.fresh("register"), self.fresh("z9hG4bK"));
        let address = format!("<sip:{number}@{server}>");
        let contact = match seconds {
            0 => "*".to_owned(),
            _ => self.contact(number),
        };
        let request = Sip::request("REGISTER", &format!("sip:{server}"))
            .with("Via", self.via(&branch))
            .with("Max-Forwards", "70")
            .with("From", format!("{address};tag={id}"))
            .with("To", address)
            .with("Call-ID", &id)
            .with("CSeq", "1 REGISTER")
            .with("Contact", contact)
            .with("Expires", seconds.to_string());
        self.send(&request.encode()).await;
        self.answered(&id, 1, "the registration").await;
    }

    /// Waits for the last answer to a request of ours; it must be a yes.
    async fn answered(&self, id: &str, cseq: u32, what: &str) {
        let until = Instant::now() + SOON;
        loop {
            let changed = self.0.changed.notified();
            let answer = self.state().answers.remove(&(id.to_owned(), cseq));
            if let Some(status) = answer {
                assert!((200..300).contains(&status), "{what} was answered with {status}");
                return;
            }
            let waited = tokio::time::timeout_at(until, changed).await;
            assert!(waited.is_ok(), "{what} was not answered within {} s", SOON.as_secs());
        }
    }

    async fn request(&self, id: &str, method: &str, headers: &[(&str, &str)]) -> u32 {
        self.in_dialog(id, method, headers, "").await
    }

    async fn in_dialog(&self, id: &str, method: &str, headers: &[(&str, &str)], body: &str) -> u32 {
        let branch = self.fresh("z9hG4bK");
        let call = self.change(id, |c| c.cseq += 1);
        let mut request = Sip::request(method, &call.target)
            .with("Via", self.via(&branch))
            .with("Max-Forwards", "70")
            .with("From", &call.from)
            .with("To", &call.to)
            .with("Call-ID", &call.id)
            .with("CSeq", format!("{} {method}", call.cseq))
            .with("Contact", self.contact(&call.own));
        for (name, value) in headers {
            request = request.with(name, *value);
        }
        request.body = body.to_owned();
        self.send(&request.encode()).await;
        call.cseq
    }

    async fn reinvite(&self, id: &str, direction: &str) -> u32 {
        let version = self.change(id, |c| c.version += 1).version;
        let offer = sip::offer(self.media(), version, direction);
        self.in_dialog(id, "INVITE", &[("Content-Type", "application/sdp")], &offer).await
    }

    async fn pick_up(&self, call: &Call) {
        let offer = sip::offer(self.media(), call.version, "sendrecv");
        // Up first: the other side may be as quick as to speak of it before this task goes on.
        self.change(&call.id, |c| c.stage = Stage::Up);
        self.reply_to(call, "200 OK", Some(offer)).await;
    }

    async fn reply_to(&self, call: &Call, status: &str, sdp: Option<String>) {
        let mut reply = call.invite.reply(status, sip::tag(&call.from));
        reply = reply.with("Contact", self.contact(&call.own)).with("Allow-Events", "talk, hold");
        if let Some(sdp) = sdp {
            reply = reply.sdp(sdp);
        }
        let bytes = reply.encode();
        self.change(&call.id, |c| c.last_reply.clone_from(&bytes));
        self.send(&bytes).await;
    }

    async fn acknowledge(&self, id: &str, response: &Sip) {
        let Some(call) = self.by_id(id) else { return };
        let refused = response.status().is_some_and(|s| s >= 300);
        let (cseq, _) = response.cseq();
        let branch = if refused {
            let via = response.header("Via");
            via.split_once("branch=").map_or("", |(_, b)| b.split([';', ',']).next().unwrap_or_default()).to_owned()
        } else {
            self.fresh("z9hG4bK")
        };
        let target = if refused { call.invite.uri() } else { &call.target };
        let ack = Sip::request("ACK", target)
            .with("Via", self.via(&branch))
            .with("Max-Forwards", "70")
            .with("From", response.header("From"))
            .with("To", response.header("To"))
            .with("Call-ID", id)
            .with("CSeq", format!("{cseq} ACK"));
        self.send(&ack.encode()).await;
    }

    // What comes in.

    async fn listen(&self) {
        let mut datagram = vec![0; 65_536];
        loop {
            let Ok((length, _)) = self.0.socket.recv_from(&mut datagram).await else { return };
            let Some(message) = Sip::parse(&datagram[..length]) else { continue };
            match message.status() {
                Some(status) => self.hear_response(status, &message).await,
                None => self.hear_request(message).await,
            }
            self.0.changed.notify_waiters();
        }
    }

    async fn hear_response(&self, status: u16, response: &Sip) {
        let id = response.header("Call-ID").to_owned();
        let (cseq, method) = response.cseq();
        if method == "INVITE" && status >= 200 {
            self.learn(&id, response);
            self.acknowledge(&id, response).await;
        }
        let mut state = self.state();
        if method == "INVITE" && cseq == 1 && state.calls.iter().any(|c| c.id == id && c.stage == Stage::Calling) {
            let call = state.calls.iter_mut().find(|c| c.id == id).expect("it was found above");
            match status {
                100..200 => {}
                200..300 => call.stage = Stage::Up,
                _ => call.stage = Stage::Over(status),
            }
        } else if status >= 200 {
            state.answers.insert((id, cseq), status);
        }
    }

    /// What an answer to our call tells about the other side.
    fn learn(&self, id: &str, response: &Sip) {
        let mut state = self.state();
        let Some(call) = state.calls.iter_mut().find(|c| c.id == id) else { return };
        if sip::tag(&call.to).is_empty() {
            response.header("To").clone_into(&mut call.to);
        }
        if !response.header("Contact").is_empty() {
            sip::address(response.header("Contact")).clone_into(&mut call.target);
        }
        call.media = response.media().or(call.media);
    }

    async fn hear_request(&self, request: Sip) {
        let id = request.header("Call-ID").to_owned();
        let known = self.by_id(&id);
        match (request.method(), known) {
            ("INVITE", None) => self.rung(request).await,
            ("INVITE", Some(call)) if sip::tag(request.header("To")).is_empty() => {
                // The same again: what we said was lost.
                self.send(&call.last_reply).await;
            }
            ("INVITE", Some(call)) => {
                let call = self.change(&call.id, |c| {
                    c.media = request.media().or(c.media);
                    c.version += 1;
                    shown(&request).clone_into(&mut c.shows);
                });
                let direction = if call.held { "sendonly" } else { "sendrecv" };
                let answer = sip::offer(self.media(), call.version, direction);
                let reply = request.reply("200 OK", "").with("Contact", self.contact(&call.own)).sdp(answer);
                self.send(&reply.encode()).await;
            }
            ("ACK", _) => {}
            ("CANCEL", known) => {
                self.send(&request.reply("200 OK", &self.fresh("tag")).encode()).await;
                if let Some(call) = known.filter(|c| c.stage == Stage::Ringing) {
                    self.reply_to(&call, "487 Request Terminated", None).await;
                    self.over(&id, 487);
                }
            }
            ("BYE", _) => {
                self.send(&request.reply("200 OK", "").encode()).await;
                self.over(&id, 0);
            }
            (method, known) => {
                let mut reply = request.reply("200 OK", &self.fresh("tag"));
                if let Some(call) = &known {
                    reply = reply.with("Contact", self.contact(&call.own));
                    if method == "UPDATE" {
                        self.change(&id, |c| shown(&request).clone_into(&mut c.shows));
                        if request.media().is_some() {
                            reply = reply.sdp(sip::offer(self.media(), call.version, "sendrecv"));
                        }
                    }
                }
                self.send(&reply.encode()).await;
                let over = request.header("Event").starts_with("refer") && request.body.starts_with("SIP/2.0 2");
                if let Some(call) = known.as_ref().filter(|c| method == "NOTIFY" && over && c.stage == Stage::Up) {
                    // The one who was handed on is there: whoever did it leaves.
                    self.request(&call.id, "BYE", &[]).await;
                    self.over(&call.id, 1);
                }
                if let Some(call) = known.filter(|c| method == "NOTIFY" && c.stage == Stage::Ringing)
                    && request.header("Event") == "talk"
                {
                    self.pick_up(&call).await;
                }
            }
        }
    }

    /// Somebody calls one of ours.
    async fn rung(&self, invite: Sip) {
        let own = sip::user(invite.uri()).to_owned();
        let tag = self.fresh("tag");
        let call = Call {
            own: own.clone(),
            stage: Stage::Ringing,
            shows: shown(&invite).to_owned(),
            held: false,
            id: invite.header("Call-ID").to_owned(),
            from: format!("{};tag={tag}", invite.header("To")),
            to: invite.header("From").to_owned(),
            target: sip::address(invite.header("Contact")).to_owned(),
            cseq: 0,
            version: 1,
            branch: String::new(),
            media: invite.media(),
            last_reply: Vec::new(),
            invite,
        };
        let (manner, busy) = {
            let mut state = self.state();
            let busy = state.calls.iter().any(|c| c.own == own && c.live());
            state.calls.push(call.clone());
            (state.manners.get(&own).copied().unwrap_or_default(), busy)
        };
        let asks = |name: &str, word: &str| call.invite.header(name).contains(word);
        let at_once = asks("Call-Info", "answer-after=0") || asks("Alert-Info", "auto");
        if manner == Manner::Busy || (busy && manner == Manner::Rings && self.0.local.ip() == Ipv4Addr::LOCALHOST) {
            self.reply_to(&call, "486 Busy Here", None).await;
            self.over(&call.id, 486);
        } else {
            self.reply_to(&call, "180 Ringing", None).await;
            if manner == Manner::Answers || at_once {
                self.pick_up(&call).await;
            }
        }
    }

    /// Sends sound for who speaks, and keeps what comes.
    async fn sound(&self) {
        let mut tick = tokio::time::interval(voice::FRAME);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let (mut packet, mut sequence) = (vec![0; 2048], 0_u16);
        loop {
            tokio::select! {
                came = self.0.media.recv_from(&mut packet) => {
                    let Ok((length, from)) = came else { return };
                    let mut state = self.state();
                    let sound = state.heard.entry(from).or_default();
                    sound.extend(voice::payload(&packet[..length]));
                    let old = sound.len().saturating_sub(voice::SECOND);
                    sound.drain(..old);
                }
                _ = tick.tick() => {
                    sequence = sequence.wrapping_add(1);
                    let to: Vec<(SocketAddr, u32)> = {
                        let state = self.state();
                        let up = state.calls.iter().filter(|c| c.stage == Stage::Up);
                        up.filter_map(|c| Some((c.media?, *state.speaking.get(&c.own)?))).collect()
                    };
                    for (to, pitch) in to {
                        let _ = self.0.media.send_to(&voice::packet(sequence, pitch), to).await;
                    }
                }
            }
        }
    }

    // Small things.

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn by_id(&self, id: &str) -> Option<Call> {
        self.state().calls.iter().find(|c| c.id == id).cloned()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Call)) -> Call {
        let mut state = self.state();
        let call = state.calls.iter_mut().find(|c| c.id == id).expect("a call");
        change(call);
        call.clone()
    }

    fn over(&self, id: &str, how: u16) {
        if let Some(call) = self.state().calls.iter_mut().find(|c| c.id == id && c.live()) {
            call.stage = Stage::Over(how);
        }
        self.0.changed.notify_waiters();
    }

    fn media(&self) -> SocketAddr {
        self.0.media.local_addr().expect("it is bound")
    }

    fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/UDP {};branch={branch}", self.0.local)
    }

    fn contact(&self, number: &str) -> String {
        format!("<sip:{number}@{}>", self.0.local)
    }

    fn fresh(&self, what: &str) -> String {
        let mut state = self.state();
        state.next += 1;
        format!("{what}{}-{:x}", state.next, rand::random::<u64>())
    }

    async fn send(&self, bytes: &[u8]) {
        self.0.socket.send_to(bytes, self.0.server).await.unwrap();
    }
}

/// Whom the display names.
fn shown(request: &Sip) -> &str {
    let asserted = request.header("P-Asserted-Identity");
    sip::user(sip::address(if asserted.is_empty() { request.header("From") } else { asserted }))
}
