//! The configuration of a node that runs, and its changes. Whoever wants another (SIGHUP, `ctigate reload`, the console) goes through
//! [`Live`]: it reads the layers, finds the difference, makes ready what could fail, and only then changes anything. What the
//! difference does not touch goes on as if nothing had been.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use ctigate_proto::hub::Input;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::admin::Door;
use crate::admin::operator::{self, Changed};
use crate::config::key::{self, Key};
use crate::config::{Change, Config, Effect, Finding, Layer, Loaded, Place, Refused, Row, Sources, difference};
use crate::engine::Engine;
use crate::files::Files;
use crate::pbx::Handle;
use crate::people::Desk;
use crate::shutdown::Shutdown;
use crate::store::{Procedures, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::transport::browser::Browsers;
use crate::transport::listen::Security;
use crate::transport::{Transport, limit};
use crate::web;

use super::certified::Certified;
use super::links::{Links, RELINK, REMOVED};
use super::setup::Setup;
use super::{StartError, people, settings, unix_ms};

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum NotChanged {
    /// There is nothing to read again: the node was put together by a program.
    #[error("this gateway was not started from a configuration that can be read again")]
    NoSources,
    /// The configuration has errors.
    #[error("the configuration has errors; nothing was changed")]
    Refused(Refused),
    /// The store cannot be read or written.
    #[error("{0}; nothing was changed")]
    Store(#[from] StoreError),
    /// Something that the configuration names cannot be used.
    #[error("{0}; nothing was changed")]
    Start(#[from] StartError),
    /// What was wanted makes no sense.
    #[error("{0}")]
    Wrong(String),
}

impl From<NotChanged> for operator::NotChanged {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::Refused(refused) => Self::Refused(refused),
            NotChanged::Wrong(text) => Self::Wrong(text),
            NotChanged::NoSources => Self::Conflict(why.to_string()),
            NotChanged::Store(_) | NotChanged::Start(_) => Self::Failed(why.to_string()),
        }
    }
}

/// The configuration of a node that runs.
pub(super) struct Live {
    pub(super) sources: Option<Sources>,
    /// What is in effect, but for what counts after a restart only.
    pub(super) loaded: ArcSwap<Loaded>,
    /// What the node was started with.
    pub(super) started: Config,
    pub(super) parts: Parts,
    pub(super) links: Mutex<Links>,
    pub(super) setup: Setup,
    /// Itself, for what goes on after a call.
    pub(super) own: Weak<Self>,
}

/// What a change reaches.
pub(super) struct Parts {
    pub(super) demo: bool,
    pub(super) engine: Arc<Engine>,
    pub(super) transport: Arc<Transport>,
    pub(super) telemetry: Telemetry,
    pub(super) phone: Handle,
    pub(super) store: Arc<Store>,
    pub(super) desk: Arc<Desk>,
    pub(super) procedures: Arc<ArcSwap<Procedures>>,
    pub(super) files: Files,
    pub(super) certified: Arc<Certified>,
    pub(super) shutdown: Shutdown,
    /// The house as the web port's routes reach it. It holds the node, so the node does not hold it.
    pub(super) house: Weak<dyn Door>,
    /// What those find who come to the web port.
    pub(super) browsers: Vec<(Security, Arc<ArcSwap<Browsers>>)>,
    pub(super) routes: web::Routes,
}

impl Live {
    pub(super) fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The configuration in effect.
    pub(super) fn config(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }

    /// Reads all layers again and applies what is another.
    ///
    /// # Errors
    /// [`NotChanged`]: everything is as before.
    pub(super) async fn reload(&self) -> Result<Changed, NotChanged> {
        let mut links = self.links.lock().await;
        let layer = self.parts.store.layer().await?;
        let changed = self.apply(&mut links, self.read(layer)?).await?;
        people::refresh_keys(&self.parts.desk, &self.parts.engine).await?;
        Ok(changed)
    }

    /// What the configuration would be with this in the store.
    ///
    /// # Errors
    /// [`NotChanged::Refused`] with all that is wrong.
    pub(super) fn read(&self, layer: Layer) -> Result<Loaded, NotChanged> {
        let sources = self.sources.clone().ok_or(NotChanged::NoSources)?;
        Config::load(&sources.with_store(layer)).map_err(NotChanged::Refused)
    }

    /// The node has stopped: nothing of it is held any more.
    pub(super) async fn end(&self) {
        self.links.lock().await.forget();
        self.parts.routes.set(axum::Router::new());
    }

    /// What counts only after a restart and is another than at the start.
    pub(super) fn waits_for_restart(&self) -> Vec<Change> {
        let changes = difference(&self.started, &self.config().config);
        changes.into_iter().filter(|change| change.effect == Effect::Restart).collect()
    }

    /// Puts settings into the store and applies them.
    ///
    /// # Errors
    /// [`NotChanged`]: everything is as before, the store too.
    pub(super) async fn set(
        &self,
        wanted: Vec<(String, Option<Value>)>,
        only_try: bool,
    ) -> Result<Changed, NotChanged> {
        for (key, _) in &wanted {
            let known = key.rsplit_once('.').and_then(|(section, name)| key::find(section, name));
            if !known.is_some_and(Key::is_changeable) {
                let why = format!("{key} cannot be kept in the store: see /api/v1/settings for what can");
                return Err(NotChanged::Wrong(why));
            }
        }
        let mut links = self.links.lock().await;
        let mut layer = self.parts.store.layer().await?;
        let mut rows = Vec::new();
        let mut before = Vec::new();
        for (key, value) in wanted {
            let value = value.map(|value| value.to_string());
            let old = layer.settings.iter().position(|row| row.name == key).map(|at| layer.settings.remove(at).body);
            layer.settings.extend(value.as_ref().map(|value| Row::new(&*key, &**value)));
            before.push((key.clone(), old));
            rows.push((key, value));
        }
        let mut loaded = self.read(layer)?;
        for (key, _) in &rows {
            if let Some(place @ (Place::Environment(_) | Place::Flag(_))) = loaded.origins.get(key) {
                let finding = Finding {
                    keys: vec![key.clone()],
                    place: place.clone(),
                    message: format!("it is set by {place}, which wins over the store"),
                    help: String::new(),
                };
                loaded.warnings.push(finding);
            }
        }
        if only_try {
            let changes = difference(&self.config().config, &loaded.config);
            return Ok(Changed { changes, warnings: loaded.warnings });
        }
        self.parts.store.put_settings(&rows, unix_ms()).await?;
        let applied = self.apply(&mut links, loaded).await;
        if applied.is_err() {
            self.parts.store.put_settings(&before, unix_ms()).await?;
        }
        applied
    }

    /// Applies a configuration. The links are held, so there is one change at a time.
    pub(super) async fn apply(&self, links: &mut Links, new: Loaded) -> Result<Changed, NotChanged> {
        let old = self.config();
        let changes = difference(&old.config, &new.config);
        let warnings = new.warnings.clone();
        if changes.is_empty() {
            self.loaded.store(Arc::new(new));
            return Ok(Changed { changes, warnings });
        }
        let config = &new.config;
        let parts = &self.parts;

        // What may fail comes first, and changes nothing.
        let touches = |of: &str| changes.iter().any(|change| change.key.starts_with(of));
        let procedures = match touches("procedure[") {
            true => {
                let opened = Procedures::open(&config.procedures, &self.started.store.url).await;
                Some(opened.map_err(|why| StartError::Other(why.to_string()))?)
            }
            false => None,
        };
        let names = |config: &Config| config.links.iter().map(|link| link.name.clone()).collect::<Vec<_>>();
        let (before, after) = (names(&old.config), names(config));
        let removed: Vec<String> = before.iter().filter(|name| !after.contains(name)).cloned().collect();
        let relinked = |name: &String| {
            let own = format!("link[{name}].");
            changes.iter().any(|change| change.effect == Effect::Relink && change.key.starts_with(&own))
        };
        let anew: Vec<String> = after.iter().filter(|name| before.contains(name) && relinked(name)).cloned().collect();
        // Their listeners are handed on to whoever wants the same address.
        let free: Vec<_> = removed.iter().chain(&anew).filter_map(|name| links.listener(name)).collect();
        let mut ready = Vec::new();
        for (at, link) in config.links.iter().enumerate() {
            if before.contains(&link.name) && !anew.contains(&link.name) {
                continue;
            }
            let same = |(address, _): &&(_, _)| Some(*address) == link.bind;
            let listener = free.iter().find(same).map(|(_, listener)| Arc::clone(listener));
            ready.push(Links::ready(config, at, listener, &parts.certified)?);
        }
        if touches("user[") {
            parts.store.publish(&settings::people(config)).await?;
        }
        parts.desk.file_is(people::of_file(&new));
        let (effective, _) = parts.desk.refresh().await?;

        // From here on nothing fails.
        if let Some(procedures) = procedures {
            parts.procedures.store(Arc::new(procedures));
        }
        parts.transport.set_limits(limit::Settings {
            connections: config.limits.connections,
            per_address: config.limits.connections_per_address,
        });
        if touches("user[") || touches("queue[") {
            // First the phones, then what is said of them.
            parts.phone.directory(settings::directory(&effective));
        }
        let choices = settings::hub(&effective, (0, 0), unix_ms(), [0; 32]).into();
        parts.engine.handle(Input::Reconfigure(Box::new(choices)));
        let removed = removed.into_iter().map(|name| (name, REMOVED));
        let closing: Vec<_> = removed.chain(anew.into_iter().map(|name| (name, RELINK))).collect();
        links.stop(&closing).await;
        drop(free);
        if touches("limits.") || touches("web.") || touches("link[") {
            links.allow(config);
            self.web_is(config);
        }
        ready.into_iter().for_each(|ready| links.run(ready));
        parts.certified.keep_only(config);
        for Change { key, was, is, effect } in &changes {
            tracing::info!(key, was, is, effect = effect.word(), "the configuration has changed");
        }
        self.loaded.store(Arc::new(new));
        Ok(Changed { changes, warnings })
    }

    /// What the web port does for those who come from now on.
    fn web_is(&self, config: &Config) {
        let parts = &self.parts;
        let Some(house) = parts.house.upgrade() else { return };
        let (files, stop) = (parts.files.clone(), parts.shutdown.token());
        let wanted = people::web(config, parts.demo, files, &parts.desk, &house, stop);
        parts.routes.set(web::router(house, wanted));
        for (security, browsers) in &parts.browsers {
            browsers.store(Arc::new(Browsers::new(config, security.clone(), parts.routes.router())));
        }
    }
}

/// Reloads whenever the process is told to by SIGHUP, until `stop`. What comes of it is in the log.
pub(super) async fn on_hangup(live: Arc<Live>, stop: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
            match live.reload().await {
                Ok(changed) if changed.changes.is_empty() => tracing::info!("the configuration is as it was"),
                Ok(_) => {}
                Err(NotChanged::Refused(refused)) => {
                    tracing::error!("nothing was changed, the configuration has errors: {refused}")
                }
                Err(why) => tracing::error!("{why}"),
            }
        }
    }
    #[cfg(not(unix))]
    drop((live, stop));
}
