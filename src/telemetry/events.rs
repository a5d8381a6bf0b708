//! What operators should hear of. Each event is logged and counted here, and nowhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::auth::LoginError;
use ctigate_proto::hub::output::Notice;
use tokio::sync::broadcast;

use super::Metrics;
use super::metrics::Counter;
use super::series::Series;

/// How many notices wait for one who follows; a slower one loses the oldest and is told.
const NOTICES: usize = 256;

/// Logs and counts. Clones are the same, and as small as a reference: every connection holds one.
#[derive(Clone, Debug, Default)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    store_trouble: Mutex<Option<String>>,
    series: Mutex<Series>,
    notices: broadcast::Sender<Told>,
    #[cfg(feature = "otel")]
    spans: std::sync::OnceLock<Arc<super::spans::Spans>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            metrics: Metrics::default(),
            store_trouble: Mutex::default(),
            series: Mutex::default(),
            notices: broadcast::Sender::new(NOTICES),
            #[cfg(feature = "otel")]
            spans: std::sync::OnceLock::new(),
        }
    }
}

/// A notice for people who have the console open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// `info`, `warn` or `error`.
    pub level: &'static str,
    /// What it is about: `link`, `method`, `pbx`, `store`, `peer`, `node`.
    pub what: &'static str,
    /// In words.
    pub text: String,
}

/// Something that happened in the shell.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A connection is open.
    Connected {
        /// `tab`, `link` or `admin`.
        peer: &'static str,
    },
    /// It is open no more. What it was about stands in the transport's own line.
    Disconnected {
        /// `tab`, `link` or `admin`.
        peer: &'static str,
        /// The close code; 0 when it was cut.
        code: u16,
    },
    /// A connection or handshake was refused.
    Refused {
        /// Why, in one word.
        reason: &'static str,
    },
    /// A task ended by a panic. What it was about was logged when it happened.
    Panicked {
        /// What the task did, in one word.
        task: &'static str,
    },
    /// A panic left the Hub half changed: the node stops.
    Fallen,
    /// Something was thrown away because its queue was full. Who throws it away says what it was.
    Dropped {
        /// What, in one word.
        what: &'static str,
    },
    /// A login was checked.
    Login {
        /// What came of it.
        verdict: Result<(), LoginError>,
    },
    /// The telephone system is connected, or not: lost, or not reached. Why stands in the connection's own line.
    Pbx {
        /// Its kind.
        kind: &'static str,
        /// Whether it is.
        up: bool,
    },
    /// The dialplan has asked, and was told so.
    Dialplan {
        /// `CTI_STATUS`.
        status: &'a str,
    },
    /// The store wrote a batch of facts.
    Stored {
        /// How many.
        facts: usize,
        /// How long it took.
        took: Duration,
    },
    /// The store could not write; it tries again.
    StoreFailed {
        /// What is the matter, in a few words without places.
        what: &'a str,
        /// Why, at length.
        why: &'a str,
        /// What to do.
        advice: &'a str,
        /// How many facts wait.
        waiting: usize,
        /// Whether it could not the last time either: then it is not said again.
        still: bool,
    },
    /// The store writes again.
    StoreRecovered {
        /// For how long it could not.
        after: Duration,
    },
}

impl Telemetry {
    /// The figures.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Why the store cannot write, in a few words; `None`: it can.
    pub fn store_trouble(&self) -> Option<String> {
        self.trouble().clone()
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.0.store_trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, with spans of what ends sent to where the environment says. Call it inside a runtime.
    ///
    /// # Errors
    /// What the environment says cannot be used.
    #[cfg(feature = "otel")]
    pub fn with_spans(self) -> Result<Self, String> {
        if let Some(spans) = super::spans::Spans::from_environment()? {
            // Asked for once, at the start.
            let _ = self.0.spans.set(Arc::new(spans));
        }
        Ok(self)
    }

    /// What sends spans, if anything does.
    #[cfg(feature = "otel")]
    pub fn spans(&self) -> Option<&Arc<super::spans::Spans>> {
        self.0.spans.get()
    }

    /// Works on the figures of the last hour. Held for a moment only.
    pub fn series<T>(&self, work: impl FnOnce(&mut Series) -> T) -> T {
        work(&mut self.0.series.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows the notices from now on.
    pub fn notices(&self) -> broadcast::Receiver<Told> {
        self.0.notices.subscribe()
    }

    /// Tells those who follow. Costs nothing when nobody does.
    pub fn tell(&self, level: &'static str, what: &'static str, text: impl FnOnce() -> String) {
        if self.0.notices.receiver_count() > 0 {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            // The last of them may just have gone.
            let _ = self.0.notices.send(Told { at_ms, level, what, text: text() });
        }
    }

    /// What of an event people should see at once.
    fn tell_event(&self, event: &Event<'_>) {
        match *event {
            Event::Fallen => self.tell("error", "node", || "a panic: the node stops".to_owned()),
            Event::Pbx { kind, up: true } => self.tell("info", "pbx", || format!("{kind}: connected")),
            Event::Pbx { kind, up: false } => self.tell("error", "pbx", || format!("{kind}: not connected")),
            Event::StoreFailed { why, still: false, .. } => {
                self.tell("error", "store", || format!("cannot write: {why}"));
            }
            Event::StoreRecovered { .. } => self.tell("info", "store", || "writes again".to_owned()),
            Event::Panicked { task } => self.tell("error", "node", || format!("a panic of a task: {task}")),
            _ => {}
        }
    }

    /// What of a notice people should see at once.
    fn tell_notice(&self, notice: &Notice) {
        match notice {
            Notice::LinkUp { link } => self.tell("info", "link", || format!("{link}: up")),
            Notice::LinkDown { link, why } => self.tell("warn", "link", || format!("{link}: down: {why}")),
            Notice::LinkContested { link } => self.tell("warn", "link", || format!("{link}: two CRMs compete for it")),
            Notice::Circuit { link, method, open: true } => {
                self.tell("warn", "method", || format!("{method} of {link}: fails again and again, left alone"));
            }
            Notice::Circuit { link, method, open: false } => {
                self.tell("info", "method", || format!("{method} of {link}: asked again"));
            }
            Notice::Odd { who, what } => self.tell("warn", "peer", || format!("{who}: {what}")),
            _ => {}
        }
    }

    /// Takes an event of the shell.
    pub fn event(&self, event: Event<'_>) {
        self.tell_event(&event);
        let metrics = self.metrics();
        match event {
            Event::Connected { peer } => {
                metrics.connections.with(peer).inc();
                metrics.connections_total.with(peer).inc();
            }
            Event::Disconnected { peer, code } => {
                metrics.connections.with(peer).dec();
                metrics.closed.with(&code.to_string()).inc();
            }
            Event::Refused { reason } => metrics.refused.with(reason).inc(),
            Event::Panicked { task } => metrics.panics.with(task).inc(),
            Event::Fallen => {
                metrics.engine_fallen.set(1);
                tracing::error!("a panic left the node in a state that cannot be trusted: it stops, start it anew");
            }
            Event::Login { verdict } => metrics.logins.with(verdict.err().map_or("ok", reason)).inc(),
            Event::Pbx { kind, up: false } => metrics.pbx_down.with(kind).inc(),
            Event::Pbx { up: true, .. } => {}
            Event::Dialplan { status } => metrics.dialplan.with(status).inc(),
            Event::Stored { facts, took } => {
                metrics.store_batches.with("ok").inc();
                metrics.store_batch.observe(took);
                tracing::debug!(facts, ?took, "stored");
            }
            Event::StoreFailed { what, why, advice, waiting, still } => {
                metrics.store_batches.with("failed").inc();
                metrics.store_failing.set(1);
                *self.trouble() = Some(what.to_owned());
                if still {
                    tracing::debug!(why, waiting, "the store still cannot write");
                } else {
                    tracing::error!(why, advice, waiting, "the store cannot write; it goes on trying");
                }
            }
            Event::StoreRecovered { after } => {
                metrics.store_failing.set(0);
                *self.trouble() = None;
                tracing::info!(?after, "the store writes again");
            }
            Event::Dropped { what } => metrics.dropped.with(what).inc(),
        }
    }

    /// Takes a notice of the Hub.
    pub fn notice(&self, notice: &Notice) {
        self.tell_notice(notice);
        #[cfg(feature = "otel")]
        if let Some(spans) = self.0.spans.get() {
            spans.notice(notice);
        }
        let metrics = self.metrics();
        match notice {
            Notice::LinkUp { link } => {
                metrics.link_up.with(link).inc();
                tracing::info!(link = &**link, "link up");
            }
            Notice::LinkDown { link, why } => {
                metrics.link_down.with(link).inc();
                tracing::warn!(link = &**link, why, "link down");
            }
            Notice::LinkContested { link } => {
                tracing::warn!(link = &**link, "two CRMs compete for the link; newcomers are sent away for a while");
            }
            Notice::Tabs { login } => tracing::debug!(login = &**login, "other tabs behind a link"),
            Notice::Presence { login, online } => tracing::info!(login = &**login, online, "presence"),
            Notice::MethodDone { method, link, outcome, millis } => {
                metrics.methods.on(outcome, Counter::inc_alone);
                let took = Duration::from_millis(*millis);
                metrics.method_wait.on(link, |wait| wait.observe_alone(took));
                // What a tab asks another by has whatever name it likes; what a link is asked by, it has declared.
                if !link.is_empty() {
                    metrics.method.on(method, |wait| wait.observe_alone(took));
                }
                tracing::debug!(method = &**method, link = &**link, outcome, millis, "dynamic method");
            }
            Notice::Replied { method, error, micros } => {
                metrics.reply.on(method, |reply| reply.observe_alone(Duration::from_micros(*micros)));
                if let Some(code) = error {
                    metrics.reply_errors.with(&code.number().to_string()).inc();
                }
            }
            Notice::Ordered { order, peer, qid, who, method } => {
                tracing::debug!(order, peer = peer.map(|peer| peer.0), qid = &**qid, who, method, "order");
            }
            Notice::OrderDone { order, error } => {
                let error = error.as_ref().map(ctigate_proto::message::CallError::errormsg);
                tracing::debug!(order, error, "order done");
            }
            Notice::Circuit { link, method, open: true } => {
                metrics.circuits.with(link).inc();
                tracing::warn!(link = &**link, method = &**method, "circuit open: callers get the fallback at once");
            }
            Notice::Circuit { link, method, open: false } => {
                tracing::info!(link = &**link, method = &**method, "circuit closed");
            }
            Notice::Odd { who, what } => {
                metrics.odd.inc();
                tracing::warn!(who, what, "odd");
            }
            Notice::Form { id, name, login, state } => {
                metrics.forms.with(state).inc();
                tracing::info!(form = &**name, id = &**id, login = &**login, state, "form");
            }
        }
    }
}

/// Why a login was refused, in one word.
fn reason(error: LoginError) -> &'static str {
    match error {
        LoginError::WrongPassword => "password",
        LoginError::NoSession => "session",
        LoginError::ForeignSession => "foreign",
        LoginError::NotAvailable => "unavailable",
        LoginError::NoSeat => "seat",
        LoginError::Throttled => "throttled",
    }
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Code;

    use super::*;

    #[test]
    fn people_who_look_are_told_at_once_and_nobody_else_costs_anything() {
        let telemetry = Telemetry::default();
        telemetry.tell("info", "node", || panic!("nobody looks"));
        let mut notices = telemetry.notices();
        telemetry.notice(&Notice::LinkDown { link: "crm".into(), why: "closed".to_owned() });
        telemetry.event(Event::Connected { peer: "tab" });
        telemetry.event(Event::StoreRecovered { after: Duration::ZERO });
        let told = notices.try_recv().unwrap();
        assert_eq!((told.level, told.what, &*told.text), ("warn", "link", "crm: down: closed"));
        assert!(told.at_ms > 0);
        assert_eq!(notices.try_recv().unwrap().what, "store");
        assert!(notices.try_recv().is_err());
    }

    #[test]
    fn what_is_told_is_counted() {
        let telemetry = Telemetry::default();
        telemetry.event(Event::Connected { peer: "tab" });
        telemetry.event(Event::Connected { peer: "tab" });
        telemetry.event(Event::Disconnected { peer: "tab", code: 1001 });
        telemetry.event(Event::Login { verdict: Err(LoginError::Throttled) });
        telemetry.event(Event::Panicked { task: "connection" });
        telemetry.event(Event::Fallen);
        telemetry.event(Event::Pbx { kind: "asterisk", up: true });
        telemetry.event(Event::Pbx { kind: "asterisk", up: false });
        telemetry.event(Event::Dialplan { status: "OK" });
        telemetry.notice(&Notice::LinkUp { link: "crm".into() });
        let replied = |error| Notice::Replied { method: "ping", error, micros: 70 };
        telemetry.notice(&replied(None));
        telemetry.notice(&replied(Some(Code::Timeout)));
        let done =
            |link: &str| Notice::MethodDone { method: "Find".into(), link: link.into(), outcome: "ok", millis: 5 };
        telemetry.notice(&done("crm"));
        telemetry.notice(&done(""));
        telemetry.event(Event::StoreFailed {
            what: "the disk is full",
            why: "full",
            advice: "",
            waiting: 1,
            still: true,
        });
        let circuit = |open| Notice::Circuit { link: "crm".into(), method: "F".into(), open };
        telemetry.notice(&circuit(true));
        telemetry.notice(&circuit(false));
        let metrics = telemetry.metrics();
        assert_eq!(metrics.connections.with("tab").get(), 1);
        assert_eq!(metrics.connections_total.with("tab").get(), 2);
        assert_eq!(metrics.closed.with("1001").get(), 1);
        assert_eq!(metrics.logins.with("throttled").get(), 1);
        assert_eq!((metrics.panics.with("connection").get(), metrics.engine_fallen.get()), (1, 1));
        assert_eq!(metrics.pbx_down.with("asterisk").get(), 1);
        assert_eq!(metrics.dialplan.with("OK").get(), 1);
        assert_eq!((metrics.reply.with("ping").count(), metrics.reply_errors.with("59011").get()), (2, 1));
        assert_eq!((metrics.method_wait.with("").count(), metrics.method.with("Find").count()), (1, 1));
        assert_eq!(metrics.store_failing.get(), 1);
        assert_eq!(telemetry.store_trouble().as_deref(), Some("the disk is full"));
        telemetry.event(Event::StoreRecovered { after: Duration::ZERO });
        assert_eq!(telemetry.store_trouble(), None);
        assert_eq!(metrics.store_failing.get(), 0);
        assert_eq!(metrics.link_up.with("crm").get(), 1);
        assert_eq!(metrics.circuits.with("crm").get(), 1);
    }
}
