//! What an operator changes of a node that runs, besides reading the configuration again: links, the first run, emptying. Every change
//! of the configuration is a change of the store first, then goes the one way of [`Live::apply`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::auth::login_key;
use futures_util::stream;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::admin::door::Later;
use crate::admin::operator::{
    Administrator, Changed, Diagnosis, Drain, Drained, KEPT, NotChanged as Refusal, Operator, Steps, Tried,
};
use crate::config::key::{self, Kind};
use crate::config::{Change, Layer, Link, Loaded, Role, Row, Web};
use crate::store::hash_password;
use crate::transport::listen;
use crate::trial;

use super::links::RECONNECT;
use super::live::{Live, NotChanged};
use super::{bind_error, diagnosis, unix_ms};

/// How long a trial waits for a CRM that connects by itself.
const ARRIVAL: Duration = Duration::from_secs(60);
/// The shortest password of an administrator.
const SHORTEST: usize = 8;

impl Live {
    /// Keeps a link and opens it.
    async fn save_link(&self, link: Map<String, Value>, replaces: Option<String>) -> Result<Changed, Refusal> {
        let name = link.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut links = self.links.lock().await;
        let mut layer = self.layer().await?;
        let old = layer.links.iter().find(|row| row.name == name).map(|row| row.body.clone());
        match &replaces {
            Some(known) if *known != name => {
                return Err(Refusal::Wrong(format!("a link keeps its name: {known} cannot become {name}")));
            }
            Some(_) if old.is_none() => return Err(self.not_in_store(&name)),
            None if self.config().config.links.iter().any(|link| link.name == name) => {
                return Err(Refusal::Conflict(format!("there is a link {name} already")));
            }
            _ => {}
        }
        let body = body(link, old.as_deref()).to_string();
        layer.links.retain(|row| row.name != name);
        layer.links.push(Row::new(&*name, &*body));
        let loaded = self.read(layer)?;
        self.store().put_link(&name, &body, unix_ms()).await.map_err(NotChanged::from)?;
        let applied = self.apply(&mut links, loaded).await;
        if applied.is_err() {
            match old {
                Some(old) => self.store().put_link(&name, &old, unix_ms()).await.map_err(NotChanged::from)?,
                None => drop(self.store().remove_link(&name).await.map_err(NotChanged::from)?),
            }
        }
        Ok(applied?)
    }

    async fn remove_link(&self, name: String) -> Result<Changed, Refusal> {
        let mut links = self.links.lock().await;
        let mut layer = self.layer().await?;
        if !layer.links.iter().any(|row| row.name == name) {
            return Err(self.not_in_store(&name));
        }
        layer.links.retain(|row| row.name != name);
        let loaded = self.read(layer)?;
        self.store().remove_link(&name).await.map_err(NotChanged::from)?;
        Ok(self.apply(&mut links, loaded).await?)
    }

    fn not_in_store(&self, name: &str) -> Refusal {
        match self.config().config.links.iter().any(|link| link.name == name) {
            true => Refusal::Conflict(format!("the link {name} stands in the file: change it there")),
            false => Refusal::NotFound(format!("there is no link {name}")),
        }
    }

    async fn layer(&self) -> Result<Layer, Refusal> {
        Ok(self.store().layer().await.map_err(NotChanged::from)?)
    }

    /// The link that these keys make, checked with everything else.
    async fn wanted(&self, link: Map<String, Value>) -> Result<Link, Refusal> {
        let name = link.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut layer = self.layer().await?;
        let old = layer.links.iter().find(|row| row.name == name).map(|row| row.body.clone());
        layer.links.retain(|row| row.name != name);
        layer.links.push(Row::new(&*name, body(link, old.as_deref()).to_string()));
        let loaded = self.read(layer)?;
        let found = loaded.config.links.iter().rfind(|link| link.name == name).cloned();
        let mut found = found.ok_or_else(|| Refusal::Wrong("the link has no name".to_owned()))?;
        if found.mode.accepts() && found.mode.tls() && found.certificate.is_none() {
            // What it would show.
            let Web { certificate, key, .. } = loaded.config.web;
            (found.certificate, found.key) = (Some(certificate), Some(key));
        }
        Ok(found)
    }

    /// Tries a link, telling each step.
    async fn trial(self: Arc<Self>, link: Map<String, Value>, to: mpsc::Sender<Tried>) {
        let step = |state, detail: String| Tried::Step { step: "settings", state, detail, advice: Default::default() };
        let link = match self.wanted(link).await {
            Ok(link) => link,
            Err(why) => {
                let detail = match why {
                    Refusal::Refused(refused) => {
                        let all = refused.errors.iter().map(|f| format!("{}: {}", f.keys.join(", "), f.message));
                        all.collect::<Vec<_>>().join("; ")
                    }
                    Refusal::Wrong(text)
                    | Refusal::NotFound(text)
                    | Refusal::Conflict(text)
                    | Refusal::Failed(text) => text,
                };
                // Nobody has to listen.
                let _ = to.send(step("fail", detail)).await;
                let _ = to.send(Tried::Done(false)).await;
                return;
            }
        };
        let _ = to.send(step("ok", String::new())).await;
        let (teller, mut told) = mpsc::channel(16);
        let pass_on = async {
            while let Some(trial::Step { step, state, detail, advice: (english, russian) }) = told.recv().await {
                let advice = (english.to_owned(), russian.to_owned());
                if to.send(Tried::Step { step, state, detail, advice }).await.is_err() {
                    return;
                }
            }
        };
        let tried = async {
            let well = trial::briefly(&link, ARRIVAL, &teller).await;
            drop(teller);
            well
        };
        let (well, ()) = tokio::join!(tried, pass_on);
        let _ = to.send(Tried::Done(well)).await;
    }

    /// Whether a listener could be opened.
    async fn port(&self, address: SocketAddr, except: &str) -> Result<(), String> {
        let loaded = self.config();
        let config = &loaded.config;
        if config.links.iter().any(|link| link.name == except && link.bind == Some(address) && link.mode.accepts()) {
            return Ok(());
        }
        let same = |other: SocketAddr| {
            let host = other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified();
            address.port() != 0 && other.port() == address.port() && host
        };
        for (key, other) in config.listeners() {
            let of_except = config.links.iter().position(|l| l.name == except).map(|at| format!("link[{at}].bind"));
            if same(other) && Some(&key) != of_except.as_ref() {
                let at = key.strip_prefix("link[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
                let named = at.map_or(key, |at| format!("link {}", config.links[at].name));
                return Err(format!("{named} has it"));
            }
        }
        listen::bind(address).map(drop).map_err(|why| bind_error("port".to_owned(), address, why).to_string())
    }

    fn drain(&self, wanted: Option<Drain>) -> Drained {
        let transport = &self.parts.transport;
        match wanted {
            Some(Drain { over, back }) => {
                transport.begin_drain(over, back, self.config().config.limits.stop_grace);
                tracing::warn!(over_s = over.as_secs(), back_s = back.as_secs(), "the node is being emptied");
            }
            None => {
                if transport.end_drain() {
                    tracing::info!("the node is not emptied any more");
                }
            }
        }
        self.drained()
    }

    fn drained(&self) -> Drained {
        let transport = &self.parts.transport;
        match transport.draining() {
            None => Drained { left: transport.connections(), ..Drained::default() },
            Some(draining) => Drained {
                draining: true,
                left: transport.connections(),
                takes: draining.until.saturating_duration_since(Instant::now()),
                back: draining.back,
            },
        }
    }

    /// The first run.
    async fn set_up(&self, admin: Administrator, link: Option<Map<String, Value>>) -> Result<Changed, Refusal> {
        let Administrator { login, name, password } = admin;
        if password.expose().chars().count() < SHORTEST {
            return Err(Refusal::Wrong(format!("admin.password is too short: at least {SHORTEST} characters")));
        }
        let clear = password.expose().to_owned();
        let hashed = tokio::task::spawn_blocking(move || hash_password(&clear)).await;
        let hash = hashed.map_err(|why| why.to_string()).and_then(|hash| hash.map_err(|why| why.to_string()));
        let hash = hash.map_err(|why| Refusal::Wrong(format!("admin.password: {why}")))?;
        let mut account = Map::new();
        for (key, value) in
            [("login", login.trim()), ("name", name.trim()), ("password_hash", &hash), ("role", Role::Admin.as_str())]
        {
            if !value.is_empty() {
                account.insert(key.to_owned(), Value::from(value));
            }
        }
        let key = login_key(login.trim()).into_owned();
        let account = Row::new(key, Value::Object(account).to_string());

        let mut links = self.links.lock().await;
        let mut layer = self.layer().await?;
        layer.accounts.push(account.clone());
        let link = link.map(|link| {
            let name = link.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            Row::new(name, body(link, None).to_string())
        });
        layer.links.extend(link.clone());
        let loaded = self.read(layer)?;
        let store = self.store();
        store.put_first(&account, link.as_ref(), unix_ms()).await.map_err(NotChanged::from)?;
        match self.apply(&mut links, loaded).await {
            Ok(changed) => {
                self.setup.end();
                tracing::info!(admin = login.trim(), "the first run is over: the gateway has an administrator");
                Ok(changed)
            }
            Err(why) => {
                store.remove_first(&account, link.as_ref()).await.map_err(NotChanged::from)?;
                Err(why.into())
            }
        }
    }
}

/// The keys of a link as they are kept: nothing that says nothing, and secrets that are to stay as they were.
fn body(link: Map<String, Value>, old: Option<&str>) -> Value {
    let old: Map<String, Value> = old.and_then(|old| serde_json::from_str(old).ok()).unwrap_or_default();
    let mut body = Map::new();
    for (name, value) in link {
        let secret = key::find("link", &name).is_some_and(|key| matches!(key.kind, Kind::Secret));
        if secret && value == KEPT {
            body.extend(old.get(&name).map(|kept| (name, kept.clone())));
        } else if !value.is_null() && value != "" {
            body.insert(name, value);
        }
    }
    Value::Object(body)
}

impl Operator for Live {
    fn reload(&self) -> Later<'_, Result<Changed, Refusal>> {
        Box::pin(async move { Ok(Self::reload(self).await?) })
    }

    fn configuration(&self) -> Arc<Loaded> {
        self.config()
    }

    fn waits_for_restart(&self) -> Vec<Change> {
        Self::waits_for_restart(self)
    }

    fn set(&self, settings: Vec<(String, Option<Value>)>, only_try: bool) -> Later<'_, Result<Changed, Refusal>> {
        Box::pin(async move { Ok(Self::set(self, settings, only_try).await?) })
    }

    fn save_link(&self, link: Map<String, Value>, replaces: Option<String>) -> Later<'_, Result<Changed, Refusal>> {
        Box::pin(Self::save_link(self, link, replaces))
    }

    fn remove_link(&self, name: String) -> Later<'_, Result<Changed, Refusal>> {
        Box::pin(Self::remove_link(self, name))
    }

    fn reconnect(&self, name: String) -> Later<'_, Result<(), Refusal>> {
        Box::pin(async move {
            match self.links.lock().await.reconnect(&name, &RECONNECT) {
                true => Ok(()),
                false => Err(Refusal::NotFound(format!("there is no link {name}"))),
            }
        })
    }

    fn try_link(&self, link: Map<String, Value>) -> Steps {
        let (to, told) = mpsc::channel(16);
        if let Some(live) = self.own.upgrade() {
            // It ends with its time, or when nobody listens any more.
            tokio::spawn(live.trial(link, to));
        }
        Box::pin(stream::unfold(told, |mut told| async { told.recv().await.map(|tried| (tried, told)) }))
    }

    fn port(&self, address: SocketAddr, except: String) -> Later<'_, Result<(), String>> {
        Box::pin(async move { Self::port(self, address, &except).await })
    }

    fn examine(&self) -> Later<'_, Vec<Diagnosis>> {
        Box::pin(diagnosis::of(self))
    }

    fn drain(&self, wanted: Option<Drain>) -> Drained {
        Self::drain(self, wanted)
    }

    fn drained(&self) -> Drained {
        Self::drained(self)
    }

    fn is_setup(&self, code: &str) -> bool {
        self.setup.is(code)
    }

    fn set_up(&self, admin: Administrator, link: Option<Map<String, Value>>) -> Later<'_, Result<Changed, Refusal>> {
        Box::pin(Self::set_up(self, admin, link))
    }
}
