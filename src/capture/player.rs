//! Plays a capture again: offline, on its own clock, as fast as it goes.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::auth::{Identity, LoginBy, Proof};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::hub::{Hub, Input};
use ctigate_proto::message::{Format, Qid};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::line::{Head, In, Kept, Line, WhoIs};
use super::{Scribe, VERSION};

/// The longest line.
const LONGEST: u64 = 64 << 20;
/// How many lines before a difference are shown.
const CONTEXT: usize = 8;

/// Seconds east of UTC where the capture that is played was made: the Hub takes a plain function.
static OFFSET: AtomicI32 = AtomicI32::new(0);

/// What came of playing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Played {
    /// How many inputs went in.
    pub inputs: u64,
    /// How many outputs came out.
    pub outputs: u64,
    /// How many of the inputs were nothing but time.
    pub timeouts: u64,
    /// From the beginning of the node to the last input.
    pub span: Duration,
    /// SHA-256 of all that came out, line by line, hex.
    pub digest: String,
    /// Why the capture ended; empty when it broke off.
    pub end: String,
    /// Where what came out is not what had come out; then playing stopped there.
    pub difference: Option<Difference>,
}

/// The first difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The line of the capture, from 1.
    pub line: u64,
    /// What had come out; empty: nothing more.
    pub recorded: String,
    /// What came out now; empty: nothing.
    pub played: String,
    /// The lines before it.
    pub before: Vec<String>,
}

/// Why a capture cannot be played.
#[derive(Debug, Error)]
pub enum PlayError {
    /// It cannot be read.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why.
        why: String,
    },
    /// It is no capture.
    #[error("this is no capture of ctigate: its first line is not {{\"ctigate\":\"capture\",…}}")]
    NoCapture,
    /// It is of another version.
    #[error("the capture is of version {0} of the format, this program reads {VERSION}")]
    Version(u32),
    /// It began later than the node.
    #[error("the capture began when the node had been running already: what comes out cannot be compared")]
    InTheMiddle,
}

/// Reads lines with a bound.
pub struct Lines<R> {
    from: R,
    /// The number of the line read last.
    pub number: u64,
    text: String,
}

impl<R: BufRead> Lines<R> {
    /// Lines of this.
    pub fn new(from: R) -> Self {
        Self { from, number: 0, text: String::new() }
    }

    /// The first line.
    ///
    /// # Errors
    /// It is no capture, or of another version.
    pub fn head(&mut self) -> Result<Head, PlayError> {
        let Some(text) = self.line()? else { return Err(PlayError::NoCapture) };
        let head: Head = serde_json::from_str(text).map_err(|_| PlayError::NoCapture)?;
        match head.version {
            _ if head.ctigate != "capture" => Err(PlayError::NoCapture),
            VERSION => Ok(head),
            other => Err(PlayError::Version(other)),
        }
    }

    /// The next line, without its end. A last line that broke off is left out.
    ///
    /// # Errors
    /// It cannot be read, or is too long.
    pub fn line(&mut self) -> Result<Option<&str>, PlayError> {
        use std::io::Read;

        self.text.clear();
        self.number += 1;
        let line = self.number;
        let read = (&mut self.from).take(LONGEST).read_line(&mut self.text);
        let read = read.map_err(|error| PlayError::Line { line, why: error.to_string() })?;
        if read as u64 >= LONGEST {
            return Err(PlayError::Line { line, why: "it is longer than 64 MiB".to_owned() });
        }
        match self.text.strip_suffix('\n') {
            Some(text) => Ok(Some(text)),
            None => Ok(None),
        }
    }
}

/// Plays a capture, at most `until` a moment of its clock.
///
/// # Errors
/// [`PlayError`]. A difference is none: it is what playing is for.
pub fn play(from: impl BufRead, until: Option<Duration>) -> Result<Played, PlayError> {
    let mut lines = Lines::new(from);
    let head = lines.head()?;
    let Some(made) = head.hub.filter(|_| head.plays) else { return Err(PlayError::InTheMiddle) };
    OFFSET.store(made.utc_offset_s, Ordering::Relaxed);
    let settings = made.settings(head.wall_ms, |_| OFFSET.load(Ordering::Relaxed)).ok_or(PlayError::NoCapture)?;
    // What the replica makes is no secret: it is compared as it is. The salt does nothing then.
    let mut player = Player { hub: Hub::replica(settings), scribe: Scribe::plain(), out: VecDeque::new() };
    let mut played = Played::default();
    let mut digest = Sha256::new();
    let mut before: VecDeque<String> = VecDeque::new();
    loop {
        let number = lines.number + 1;
        let Some(text) = lines.line()? else { break };
        let bad = |error: serde_json::Error| PlayError::Line { line: number, why: error.to_string() };
        let line: Line<'_> = serde_json::from_str(text).map_err(bad)?;
        let at = Duration::from_micros(line.at);
        if until.is_some_and(|until| at > until) {
            break;
        }
        if let Some(kept) = line.kept {
            player.restore(serde_json::from_str(kept.get()).map_err(bad)?);
        } else if let Some(input) = line.input {
            let input: In = serde_json::from_str(input.get()).map_err(bad)?;
            played.inputs += 1;
            played.timeouts += u64::from(matches!(input, In::Time));
            played.span = at;
            player.hear(Time::from_micros(line.at), input).map_err(|why| PlayError::Line { line: number, why })?;
        } else if let Some(output) = line.output {
            let now = player.out.pop_front().unwrap_or_default();
            if now != output.get() {
                let recorded = output.get().to_owned();
                played.difference =
                    Some(Difference { line: number, recorded, played: now, before: before.iter().cloned().collect() });
                break;
            }
            played.outputs += 1;
            digest.update(now.as_bytes());
            digest.update(b"\n");
        } else if let Some(end) = line.end {
            played.end = end.into_owned();
        }
        if before.len() >= CONTEXT {
            before.pop_front();
        }
        before.push_back(text.chars().take(400).collect());
    }
    if played.difference.is_none()
        && until.is_none()
        && !played.end.is_empty()
        && let Some(more) = player.out.pop_front()
    {
        let before = before.into();
        played.difference = Some(Difference { line: lines.number, recorded: String::new(), played: more, before });
    }
    played.digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(played)
}

struct Player {
    hub: Hub,
    scribe: Scribe,
    /// What came out and was not compared yet.
    out: VecDeque<String>,
}

impl Player {
    fn restore(&mut self, kept: Kept) {
        // What the Hub did not take then it does not take now.
        match kept {
            Kept::Session(session) => self.hub.restore_session(session),
            Kept::Form(form) => drop(self.hub.restore_form(&form)),
            Kept::Of { kind, key, body } => drop(self.hub.restore_kept(&kind, &key, &body)),
            Kept::Photo { login, photo } => self.hub.set_photo_of(&login, photo),
        }
    }

    fn hear(&mut self, now: Time, input: In) -> Result<(), String> {
        match input {
            In::Time => self.hub.handle_timeout(now),
            other => {
                let input = input_of(other)?;
                self.hub.handle(now, input);
            }
        }
        while let Some(output) = self.hub.poll_output() {
            self.out.extend(self.scribe.compared(&output));
        }
        Ok(())
    }
}

fn input_of(input: In) -> Result<Input, String> {
    Ok(match input {
        In::Opened { peer, who, opening } => {
            Input::Opened { peer, identity: identity(who), opening: Box::new((*opening).into()) }
        }
        In::Received { peer, format, text } => {
            let limits = Limits { depth: 1000, ..Limits::default() };
            let envelope = codec::decode(Format::from(format), &text, &limits).map_err(|error| error.to_string())?;
            Input::Received { peer, envelope }
        }
        In::Undelivered { peer, qid, why } => {
            Input::Undelivered { peer, qid: qid.map(|qid| Qid::of_part(qid.into())), why }
        }
        In::EventsLost { peer } => Input::EventsLost { peer },
        In::Closed { peer, reason } => Input::Closed { peer, reason },
        In::LinkState { link, state } => Input::LinkState { link, state },
        In::Authenticated { ticket, verdict } => Input::Authenticated { ticket, verdict: verdict.map(identity) },
        In::Pbx(event) => Input::Pbx(event),
        In::Ask { ticket, ask } => Input::Ask { ticket, ask: Box::new(ask) },
        In::Fetched { ticket, result } => Input::Fetched { ticket, result },
        In::AskGone { ticket } => Input::AskGone { ticket },
        In::Reconfigure(choices) => Input::Reconfigure(choices),
        In::Time => return Err("time is no input".to_owned()),
    })
}

/// An identity that was checked when the capture was made; the replica is nobody's gateway.
fn identity(who: WhoIs) -> Identity {
    match who {
        WhoIs::Link(name) => Identity::link(name, Proof::configured_url()),
        WhoIs::ByKey(grant) => Identity::program(grant, Proof::known_key()),
        WhoIs::ByPassword(login) => Identity::user(login, LoginBy::Password, Proof::slow_hash()),
        WhoIs::BySession { login, session } => Identity::user(login, LoginBy::Session(session), Proof::live_session()),
    }
}
