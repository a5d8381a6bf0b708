//! The house as the HTTP sides see it.

use std::net::IpAddr;
use std::sync::{Arc, MutexGuard};

use ctigate_proto::Time;
use ctigate_proto::auth::throttle::Throttle;
use ctigate_proto::auth::{Attempt, LoginError, Who, password};
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{Envelope, Format, Text};

use crate::admin::Door;
use crate::admin::door::{Later, Lines};
use crate::engine::{Engine, Filter};
use crate::pbx::{Control, ControlError, Done, Handle};
use crate::telemetry::Telemetry;
use crate::transport::Transport;

/// What the HTTP sides reach.
pub(super) struct House {
    pub(super) engine: Arc<Engine>,
    pub(super) phone: Handle,
    pub(super) telemetry: Telemetry,
    pub(super) transport: Arc<Transport>,
}

impl Door for House {
    fn ask(&self, ask: Ask) -> Later<'_, Answer> {
        Box::pin(self.engine.ask(ask))
    }

    fn tail(&self, filter: Filter) -> Lines {
        let tail = self.engine.tail(filter);
        Box::pin(futures_util::stream::unfold(tail, |mut tail| async { tail.next().await.map(|line| (line, tail)) }))
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
                Who::Link(_) => Err(LoginError::WrongPassword),
            }
        })
    }

    fn metrics(&self, now: Option<&Snapshot>) -> String {
        self.telemetry.metrics().page(now)
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn now(&self) -> Time {
        self.engine.now()
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.engine.throttle()
    }
}
