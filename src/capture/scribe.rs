//! Writes the lines. Every secret is replaced before it is written:
//!
//! - what the Hub made itself by what its replica will make instead;
//! - anything else by a hash of it with a salt that is written nowhere, as long as it was.
//!
//! The same stands for the same throughout one capture, and the hash of a session for the hash of what stands for it. So the
//! replica finds whom the Hub found, and nobody finds the secret.

use std::collections::HashMap;

use ctigate_proto::Time;
use ctigate_proto::auth::{Identity, LoginBy, Who};
use ctigate_proto::codec;
use ctigate_proto::hub::archive::Fetch;
use ctigate_proto::hub::input::{Ask, By};
use ctigate_proto::hub::output::{Answer, Record, StoredSession};
use ctigate_proto::hub::settings::Settings;
use ctigate_proto::hub::{Input, Output};
use ctigate_proto::message::{Body, Envelope, Format, Part, Shared, Text};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::VERSION;
use super::line::{FormatWord, Head, In, Kept, Made, Out, WhoIs};
use super::mask;

/// Most secrets of the Hub that are remembered. What was made before them stands for itself no more, and what is said of it later
/// shows as another.
const MOST_TWINS: usize = 200_000;

/// Makes lines.
#[derive(Debug)]
pub struct Scribe {
    /// `None`: nothing is replaced.
    salt: Option<[u8; 32]>,
    /// What the replica has instead of a secret, by the secret and by its hash.
    twins: HashMap<Text, Text>,
}

/// Whose a line is, for whoever looks for lines.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct About<'a> {
    /// The link, or empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub link: &'a str,
    /// The user, or empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub user: &'a str,
    /// The tab, or empty.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub tab: &'a str,
}

#[derive(Serialize)]
struct Written<'a> {
    at: u64,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    input: Option<&'a In>,
    #[serde(rename = "out", skip_serializing_if = "Option::is_none")]
    output: Option<&'a Out<'a>>,
    #[serde(flatten)]
    about: About<'a>,
}

impl Scribe {
    /// `salt` must come from the system's generator.
    pub fn new(salt: [u8; 32]) -> Self {
        Self { salt: Some(salt), twins: HashMap::new() }
    }

    /// One that replaces nothing: for what holds no secrets any more.
    pub fn plain() -> Self {
        Self { salt: None, twins: HashMap::new() }
    }

    /// The first line. `hub`: what the Hub is made of and the seed of its replica, for a capture that begins with it.
    pub fn head(wall_ms: i64, hub: Option<(&Settings, [u8; 32])>) -> String {
        let head = Head {
            ctigate: "capture".to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            plays: hub.is_some(),
            wall_ms,
            hub: hub.map(|(settings, seed)| Box::new(Made::of(settings, seed))),
        };
        text(&head)
    }

    /// The last line.
    pub fn end(at: Time, why: &str) -> String {
        format!("{{\"at\":{},\"end\":{}}}", at.as_micros(), text(&why))
    }

    /// What the store gave back.
    pub fn kept(&self, kept: Kept) -> String {
        let kept = match kept {
            Kept::Session(session) => {
                Kept::Session(StoredSession { hash: self.hash_instead(&session.hash), ..session })
            }
            other => other,
        };
        format!("{{\"kept\":{}}}", text(&kept))
    }

    /// Learns what the replica makes instead of the secrets that the Hub has just made.
    pub fn learn(&mut self, twins: Vec<(Text, Text)>) {
        if self.twins.len() > MOST_TWINS {
            self.twins.clear();
        }
        for (real, twin) in twins {
            self.twins.insert(sha256_hex(&real), sha256_hex(&twin));
            self.twins.insert(real, twin);
        }
    }

    /// What goes in. `None` for what changes nothing and says nothing: a look at the whole.
    pub fn input(&self, at: Time, input: &Input, about: About<'_>) -> Option<String> {
        Some(Self::written(at, Some(&self.of_input(input)?), None, about))
    }

    /// Nothing but time.
    pub fn time(at: Time) -> String {
        Self::written(at, Some(&In::Time), None, About::default())
    }

    /// What comes out.
    pub fn output(&self, at: Time, output: &Output, about: About<'_>) -> Option<String> {
        Some(Self::written(at, None, Some(&self.of_output(output)?), about))
    }

    /// What comes out, as it is compared.
    pub fn compared(&self, output: &Output) -> Option<String> {
        self.of_output(output).map(|output| text(&output))
    }

    fn written(at: Time, input: Option<&In>, output: Option<&Out<'_>>, about: About<'_>) -> String {
        text(&Written { at: at.as_micros(), input, output, about })
    }

    /// What stands for a secret.
    fn instead(&self, secret: &str) -> Text {
        if secret.is_empty() || self.salt.is_none() {
            return secret.into();
        }
        if let Some(twin) = self.twins.get(secret) {
            return twin.clone();
        }
        let mut text = self.of_hash(&sha256_hex(secret)).to_string();
        while text.len() < secret.len() {
            text = text.repeat(2);
        }
        text.truncate(secret.len());
        text.into()
    }

    /// What stands for the hash of a session: the hash of what stands for it.
    fn hash_instead(&self, hash: &Text) -> Text {
        match self.salt {
            None => hash.clone(),
            Some(_) => self.twins.get(hash).cloned().unwrap_or_else(|| sha256_hex(&self.of_hash(hash))),
        }
    }

    /// What stands for the secret that has this hash.
    fn of_hash(&self, hash: &str) -> Text {
        let salted = Sha256::new().chain_update(self.salt.unwrap_or_default()).chain_update(hash.as_bytes()).finalize();
        hex(&salted)
    }

    fn clean(&self, envelope: &Envelope) -> Envelope {
        mask::replaced(envelope, &|secret| self.instead(secret))
    }

    fn clean_body(&self, body: &Body) -> Body {
        mask::replaced_object(&body.open(), &|secret| self.instead(secret)).into()
    }

    fn who(&self, identity: &Identity) -> WhoIs {
        match identity.who() {
            Who::Link(name) => WhoIs::Link(name.clone()),
            Who::Program(grant) => WhoIs::ByKey((**grant).clone()),
            Who::User { login, by: LoginBy::Password } => WhoIs::ByPassword(login.clone()),
            Who::User { login, by: LoginBy::Session(id) } => {
                WhoIs::BySession { login: login.clone(), session: self.instead(id) }
            }
        }
    }

    fn of_input(&self, input: &Input) -> Option<In> {
        Some(match input.clone() {
            Input::Opened { peer, identity, opening } => {
                In::Opened { peer, who: self.who(&identity), opening: Box::new((*opening).into()) }
            }
            Input::Received { peer, envelope } => {
                let format = format_of(&envelope.body);
                let text = codec::encode(&self.clean(&envelope), format);
                let format = if format == Format::Json { FormatWord::Json } else { FormatWord::Xml };
                In::Received { peer, format, text }
            }
            Input::Undelivered { peer, qid, why } => {
                In::Undelivered { peer, qid: qid.map(|qid| Part::from(qid).open()), why }
            }
            Input::EventsLost { peer } => In::EventsLost { peer },
            Input::Closed { peer, reason } => In::Closed { peer, reason },
            Input::LinkState { link, state } => In::LinkState { link, state },
            Input::Authenticated { ticket, verdict } => {
                In::Authenticated { ticket, verdict: verdict.map(|identity| self.who(&identity)) }
            }
            Input::Pbx(event) => In::Pbx(event),
            Input::Ask { ask, .. } if matches!(*ask, Ask::Snapshot) => return None,
            Input::Ask { ticket, ask } => In::Ask { ticket, ask: self.of_ask(*ask) },
            Input::Fetched { ticket, result } => In::Fetched { ticket, result },
            Input::AskGone { ticket } => In::AskGone { ticket },
            Input::Reconfigure(choices) => In::Reconfigure(choices),
        })
    }

    fn of_ask(&self, ask: Ask) -> Ask {
        match ask {
            Ask::Upload { password } => Ask::Upload { password: self.instead(&password) },
            Ask::Uploaded(mut uploaded) => {
                uploaded.password = self.instead(&uploaded.password);
                Ask::Uploaded(uploaded)
            }
            Ask::Recording { link, by: By::Pass(password) } => {
                Ask::Recording { link, by: By::Pass(self.instead(&password)) }
            }
            Ask::Run(mut run) => {
                let envelope = Envelope { name: run.method.clone(), body: run.body };
                run.body = self.clean(&envelope).body;
                Ask::Run(run)
            }
            Ask::Call(mut call) => {
                call.input = mask::replaced_object(&call.input, &|secret| self.instead(secret));
                Ask::Call(call)
            }
            other => other,
        }
    }

    fn of_output<'a>(&self, output: &'a Output) -> Option<Out<'a>> {
        // Everything is opened: whether a part came as bytes or as a value makes no difference.
        let message = |message: &Shared| {
            let clean = self.clean(message.envelope());
            codec::encode(&Envelope { name: clean.name, body: clean.body.open().into() }, Format::Json)
        };
        Some(match output {
            Output::Send { to, message: m } => Out::Send { to: *to, text: message(m) },
            Output::SendOnceKept { to, message: m } => Out::SendOnceKept { to: *to, text: message(m) },
            Output::Fan { to, message: m } => Out::Fan { to, text: message(m) },
            Output::Close { peer, reason } => Out::Close { peer: *peer, reason },
            Output::Authenticate { ticket, peer, attempt } => {
                let shown = [&attempt.hash, &attempt.folded_hash, &attempt.session];
                let shown = shown.map(|shown| shown.as_ref().map(|shown| self.instead(shown)));
                Out::Authenticate { ticket: *ticket, peer: *peer, login: &attempt.login, shown }
            }
            Output::Fetch { ticket, fetch } => {
                Out::Fetch { ticket: *ticket, fetch: self.of_fetch(Fetch::clone(fetch)) }
            }
            Output::Pbx(command) => Out::Pbx(command),
            Output::Record(record) => Out::Record(match record.clone() {
                Record::Session(session) => {
                    Record::Session(StoredSession { hash: self.hash_instead(&session.hash), ..session })
                }
                Record::SessionEnded { hash } => Record::SessionEnded { hash: self.hash_instead(&hash) },
                other => other,
            }),
            Output::Answer { answer: Answer::Snapshot(_), .. } => return None,
            Output::Answer { ticket, answer } => {
                let answer = match answer.clone() {
                    Answer::Ran(body) => Answer::Ran(self.clean_body(&body)),
                    other => other,
                };
                Out::Answer { ticket: *ticket, answer }
            }
            Output::Notice(notice) => Out::Notice(notice),
        })
    }

    fn of_fetch(&self, fetch: Fetch) -> Fetch {
        match fetch {
            Fetch::Password { login, old, new } => {
                Fetch::Password { login, old: self.instead(&old), new: self.instead(&new) }
            }
            Fetch::Procedure { name, input } => {
                let object = mask::replaced_object(&input.into_iter().collect(), &|secret| self.instead(secret));
                Fetch::Procedure { name, input: object.into_iter().collect() }
            }
            other => other,
        }
    }
}

/// The format that the raw parts of a message are of; JSON when it has none.
fn format_of(body: &Body) -> Format {
    let raw = body.iter().find_map(|(_, part)| match part {
        Part::Raw(raw) => Some(raw.format()),
        Part::Value(_) => None,
    });
    raw.unwrap_or(Format::Json)
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values with names for keys can be written")
}

fn sha256_hex(text: &str) -> Text {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> Text {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
