//! The house as the HTTP sides see it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, OnceLock};

use ctigate_proto::Time;
use ctigate_proto::auth::grant::Grant;
use ctigate_proto::auth::throttle::Throttle;
use ctigate_proto::auth::{Attempt, LoginError, Who, password};
use ctigate_proto::calls::{Entry, JournalQuery};
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{CallError, Envelope, Format, Text};
use ctigate_proto::telephony::CallId;

use crate::admin::door::{Later, Lines, Recorded};
use crate::admin::explain::{Explained, Kind};
use crate::admin::operator::Operator;
use crate::admin::{Door, NodeFacts, Part};
use crate::engine::{Captured, Engine, Filter, Pulse, Wanted};
use crate::pbx::{Control, ControlError, Done, Handle};
use crate::people::Desk;
use crate::store::Store;
use crate::telemetry::{Now, Telemetry};
use crate::transport::Transport;

use super::archive::unreadable;
use super::certified::Certified;
use super::explain::Explainer;
use super::live::Live;
use super::{Addresses, health, people};

/// What the HTTP sides reach.
pub(super) struct House {
    pub(super) explainer: Explainer,
    pub(super) engine: Arc<Engine>,
    pub(super) phone: Handle,
    pub(super) telemetry: Telemetry,
    pub(super) desk: Arc<Desk>,
    pub(super) transport: Arc<Transport>,
    /// The certificates that listeners show.
    pub(super) certified: Arc<Certified>,
    /// The configuration; set once the node runs.
    pub(super) live: OnceLock<Arc<Live>>,
    pub(super) store: Arc<Store>,
    pub(super) about: About,
}

/// What does not change while the node runs.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) started_ms: i64,
    pub(super) addresses: Addresses,
    /// The folder of the data.
    pub(super) folder: PathBuf,
    /// The file of the store, if it is one.
    pub(super) file: Option<PathBuf>,
}

impl Door for House {
    fn ask(&self, ask: Ask) -> Later<'_, Answer> {
        Box::pin(self.engine.ask(ask))
    }

    fn tail(&self, filter: Filter) -> Lines {
        let tail = self.engine.tail(filter);
        Box::pin(futures_util::stream::unfold(tail, |mut tail| async { tail.next().await.map(|line| (line, tail)) }))
    }

    fn explain(&self, kind: Kind, id: &str) -> Later<'_, Explained> {
        let id = id.to_owned();
        Box::pin(async move { self.explainer.explain(kind, &id, self.phone.is_up()).await })
    }

    fn begin_capture(&self, wanted: Wanted) -> Option<u64> {
        self.engine.begin_capture(wanted)
    }

    fn end_capture(&self, id: u64) -> bool {
        self.engine.end_capture(id)
    }

    fn captures(&self) -> Vec<Captured> {
        self.engine.captures()
    }

    fn captured(&self, id: u64) -> Option<bytes::Bytes> {
        self.engine.captured(id)
    }

    fn control(&self, control: Control) -> Later<'_, Result<Done, ControlError>> {
        Box::pin(self.phone.control(control))
    }

    fn rpc(&self, link: &str, format: Format, messages: Vec<Envelope>) -> Later<'_, Vec<Envelope>> {
        let link = link.to_owned();
        Box::pin(async move { self.transport.rpc(&link, format, messages).await })
    }

    fn verify<'a>(&'a self, login: &'a str, password: &'a str, address: IpAddr) -> Later<'a, Result<Text, LoginError>> {
        Box::pin(async move {
            let attempt = Attempt {
                login: login.into(),
                hash: Some(password::hash(password).unwrap_or_default().into()),
                folded_hash: None,
                session: None,
                expires: None,
                webrtc: false,
                workplace: None,
            };
            let identity = self.engine.authenticate(&attempt, address).await?;
            match identity.who() {
                Who::User { login, .. } => Ok(login.clone()),
                Who::Link(_) | Who::Program(_) => Err(LoginError::WrongPassword),
            }
        })
    }

    fn grant(&self, key: &str, address: IpAddr) -> Result<Grant, LoginError> {
        self.engine.grant(key, address)
    }

    fn people_changed(&self) -> Later<'_, ()> {
        Box::pin(people::changed(self))
    }

    fn metrics(&self, now: Option<&Snapshot>) -> String {
        let (orders, events) = self.phone.waiting();
        let (outboxes, longest_outbox) = self.engine.waiting();
        let metrics = self.telemetry.metrics();
        let store = usize::try_from(metrics.store_waiting.get()).unwrap_or_default();
        metrics.page(&Now {
            hub: now,
            queues: &[
                ("outboxes", outboxes),
                ("telephone_orders", orders),
                ("telephone_events", events),
                ("store", store),
            ],
            longest_outbox,
            dropped_messages: self.engine.dropped(),
            certificates: &self.certified.expires(),
            telephone: self.phone.is_up(),
            room: self.transport.room(),
        })
    }

    fn alive(&self) -> bool {
        !self.engine.has_fallen()
    }

    fn parts(&self) -> Later<'_, Vec<Part>> {
        Box::pin(async move {
            let links = match self.engine.ask(Ask::Snapshot).await {
                Answer::Snapshot(now) => Some(now.links.iter().map(|link| link.state == "up").collect()),
                _ => None,
            };
            let metrics = self.telemetry.metrics();
            health::parts(&health::Facts {
                store_trouble: self.telemetry.store_trouble(),
                store_waiting: metrics.store_waiting.get(),
                links,
                telephone: self.phone.is_up(),
                certificates: self.certified.expires().into_iter().map(|(_, until)| until).collect(),
                now: super::unix_ms() / 1000,
                stopping: self.transport.is_stopping(),
                draining: self.transport.draining().is_some(),
                room: self.transport.room(),
            })
        })
    }

    fn operator(&self) -> Option<&dyn Operator> {
        self.live.get().map(|live| &**live as &dyn Operator)
    }

    fn pulse(&self) -> &Arc<Pulse> {
        self.engine.pulse()
    }

    fn journal(&self, query: JournalQuery) -> Later<'_, Result<Vec<Recorded>, CallError>> {
        Box::pin(async move { self.store.journal(&query).await.map_err(|why| unreadable(&why)) })
    }

    fn entry(&self, call: CallId) -> Later<'_, Result<Option<Box<Entry>>, CallError>> {
        Box::pin(async move { Ok(self.store.call(&call).await.map_err(|why| unreadable(&why))?.map(Box::new)) })
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn facts(&self) -> Later<'_, NodeFacts> {
        let About { started_ms, addresses, folder, file } = self.about.clone();
        let certificates = self.certified.shown();
        Box::pin(async move {
            // A disk may take its time.
            let looked = tokio::task::spawn_blocking(move || (space(&folder), file.and_then(|file| size(&file))));
            let (disk, store_bytes) = looked.await.unwrap_or_default();
            let Addresses { web, web_tls, admin, .. } = addresses;
            NodeFacts { started_ms, now_ms: super::unix_ms(), web, web_tls, admin, certificates, disk, store_bytes }
        })
    }

    fn now(&self) -> Time {
        self.engine.now()
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.engine.throttle()
    }
}

/// The folder, and the free and the whole space of its disk.
fn space(folder: &Path) -> Option<(String, u64, u64)> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        let path = std::path::absolute(folder).ok()?;
        Some((path.display().to_string(), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// How large the store is, with what it has not taken into its file yet.
fn size(file: &Path) -> Option<u64> {
    let main = std::fs::metadata(file).ok()?.len();
    let mut journal = file.as_os_str().to_owned();
    journal.push("-wal");
    Some(main + std::fs::metadata(journal).map_or(0, |more| more.len()))
}
