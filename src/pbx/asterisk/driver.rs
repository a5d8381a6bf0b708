//! The Asterisk as a backend: drives the machine, the connection to AMI and the FastAGI server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::Time;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::agi::{self, Desk, Runs, Whose, Wish};
use super::ami::{self, Action, Message, Told};
use super::machine::{Machine, Now, Out, Plan};
use super::{Asterisk, Extensions, Settings};
use crate::pbx::{Backend, BackendError, Control, ControlError, Done, Heard, Ports};
use crate::telemetry::{self, Telemetry};

/// How many actions may wait for the connection.
const ACTIONS: usize = 4096;
/// How many messages of Asterisk's may wait for the machine. While it is full nothing is read.
const MESSAGES: usize = 1024;
/// The id of the question which devices there are, and how long the answer may take.
const DEVICES: &str = "x-devices";
const DEVICES_TIME: Duration = Duration::from_secs(5);
/// How many wishes of the dialplan may wait.
const WISHES: usize = 4 * agi::SESSIONS;

impl Asterisk {
    /// An Asterisk that is connected to when it is run. `listener`: where the dialplan asks.
    pub fn new(settings: Settings, listener: Option<TcpListener>) -> Self {
        Self { settings, listener, runs: Runs::default(), started: Instant::now() }
    }
}

impl Backend for Asterisk {
    const KIND: &'static str = "asterisk";
    const CALLS_LIVE_ON: bool = true;

    async fn run(&mut self, ports: &mut Ports, stop: &CancellationToken) -> Result<(), BackendError> {
        let (actions, actions_in) = mpsc::channel(ACTIONS);
        let (told, mut told_in) = mpsc::channel(MESSAGES);
        let (wishes, mut wishes_in) = mpsc::channel(WISHES);
        let dialplan = async {
            match &self.listener {
                Some(listener) => agi::serve(listener, &self.settings, wishes, self.runs.clone()).await,
                None => std::future::pending().await,
            }
        };
        let mut driver = Driver {
            machine: Machine::new(self.settings.plan.clone()),
            settings: &self.settings,
            extensions: &self.settings.extensions,
            telemetry: &self.settings.telemetry,
            reading: None,
            desk: Desk::default(),
            up: false,
            out: Out::default(),
            actions,
            started: self.started,
        };
        // One task: they share nothing but these channels, and end together.
        tokio::select! {
            ended = driver.run(ports, stop, &mut told_in, &mut wishes_in) => ended,
            () = ami::run(&self.settings.account, actions_in, told) => {
                Err(BackendError::Again("the connection to AMI was given up".to_owned()))
            }
            () = dialplan => Err(BackendError::Again("the FastAGI server ended".to_owned())),
        }
    }
}

/// What is in motion during one life of the backend.
struct Driver<'a> {
    machine: Machine,
    settings: &'a Settings,
    extensions: &'a Extensions,
    telemetry: &'a Telemetry,
    /// The devices so far, and how long they are waited for: the machine is not told of the connection before.
    reading: Option<(Vec<String>, Instant)>,
    desk: Desk,
    /// Whether AMI is there.
    up: bool,
    out: Out,
    actions: mpsc::Sender<Action>,
    started: Instant,
}

impl Driver<'_> {
    async fn run(
        &mut self,
        ports: &mut Ports,
        stop: &CancellationToken,
        told: &mut mpsc::Receiver<Told>,
        wishes: &mut mpsc::Receiver<Wish>,
    ) -> Result<(), BackendError> {
        self.machine.begun(&mut self.out);
        loop {
            ports.set_up(self.up);
            self.let_out(ports).await?;
            let due = async {
                let machine = self.machine.due().map(|at| self.started + at.since(Time::ZERO));
                match self.reading.as_ref().map_or(machine, |(_, until)| Some(*until)) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                heard = ports.hear() => self.heard(heard?),
                Some(told) = told.recv() => self.told(told),
                Some(wish) = wishes.recv() => self.wish(wish),
                () = due => self.time_has_passed(),
            }
        }
    }

    /// Sends and tells what follows. An action that does not fit is answered at once, so that nobody waits for it.
    async fn let_out(&mut self, ports: &mut Ports) -> Result<(), BackendError> {
        loop {
            let Out { actions, events } = std::mem::take(&mut self.out);
            if actions.is_empty() && events.is_empty() {
                return Ok(());
            }
            for action in actions {
                let order = action.order().map(|order| order.0);
                tracing::debug!(order, action = action.name(), id = action.action_id(), "to Asterisk");
                if let Err(full) = self.actions.try_send(action) {
                    let action = full.into_inner();
                    tracing::warn!(action = action.name(), "not sent: {ACTIONS} actions wait for Asterisk");
                    let why = "too many actions wait";
                    let fields = [("Response", "Error"), ("ActionID", action.action_id()), ("Message", why)];
                    self.machine.heard(now(self.started), &Message::from_fields(fields), &mut self.out);
                }
            }
            for event in events {
                ports.tell(event).await?;
            }
        }
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Directory(directory) => {
                let plan = Plan::of(&self.settings.choices, (*directory).clone());
                self.settings.agi.directory.store(directory);
                self.machine.plan_is(now(self.started), plan, &mut self.out);
            }
            Heard::Command(command) => {
                if let Some(command) = self.desk.heard(command) {
                    self.machine.command(now(self.started), command, &mut self.out);
                }
            }
            Heard::Order(order) => {
                let done = match order.control {
                    Control::Picture => Ok(Done::Picture(Box::new(self.machine.picture(now(self.started))))),
                    Control::End { .. } if !self.up => Err(ControlError::Down),
                    Control::End { call } => match self.machine.end_call(now(self.started), &call, &mut self.out) {
                        true => Ok(Done::Nothing),
                        false => Err(ControlError::NoSuchCall(call)),
                    },
                    _ => Err(ControlError::NotSupported),
                };
                // Whoever asked may be gone.
                let _ = order.answer.send(done);
            }
        }
    }

    fn told(&mut self, told: Told) {
        let now = now(self.started);
        if !matches!(told, Told::Message(_)) {
            let up = matches!(told, Told::Up { .. });
            self.telemetry.event(telemetry::Event::Pbx { kind: Asterisk::KIND, up });
        }
        match told {
            Told::Up { .. } if !self.extensions.inside.is_empty() => {
                self.reading = Some((Vec::new(), Instant::now() + DEVICES_TIME));
                self.out.actions.push(Action::new("DeviceStateList").id(DEVICES));
            }
            Told::Up { .. } => self.connected(),
            Told::Message(message) if message.action_id() == DEVICES => self.device(&message),
            Told::Message(message) => {
                if !message.response().is_empty() {
                    let (id, response, why) = (message.action_id(), message.response(), message.get("Message"));
                    tracing::debug!(id, response, why, "from Asterisk");
                }
                self.machine.heard(now, &message, &mut self.out);
            }
            Told::Down(_) => {
                self.reading = None;
                // An attempt that failed takes nothing away.
                if std::mem::take(&mut self.up) {
                    self.machine.lost(now, &mut self.out);
                }
            }
        }
    }

    /// One line of the list of devices, or its end.
    fn device(&mut self, message: &Message) {
        let Some((devices, _)) = &mut self.reading else { return };
        match (message.event(), message.response()) {
            ("DeviceStateChange", _) => devices.push(message.get("Device").to_owned()),
            ("DeviceStateListComplete", _) => self.connected(),
            (_, "Error") => {
                tracing::warn!(why = message.get("Message"), "the inside numbers cannot be read from Asterisk");
                self.connected();
            }
            _ => {}
        }
    }

    /// The connection stands, and the phones are known.
    fn connected(&mut self) {
        if let Some((devices, _)) = self.reading.take() {
            let phones = self.extensions.of(devices.iter().map(String::as_str));
            tracing::info!(devices = devices.len(), inside = phones.len(), "read the inside numbers from Asterisk");
            self.machine.learn(phones);
        }
        self.up = true;
        self.machine.connected(now(self.started), &mut self.out);
    }

    fn time_has_passed(&mut self) {
        if self.reading.is_some() {
            tracing::warn!("Asterisk did not list its devices in time");
            self.connected();
        } else {
            self.machine.tick(now(self.started), &mut self.out);
        }
    }

    fn wish(&mut self, wish: Wish) {
        let whose = |uniqueid: &str| match self.machine.call_of(uniqueid) {
            Some(call) => Whose::Call(call),
            None if self.up => Whose::NotYet,
            None => Whose::Unknown,
        };
        self.out.events.extend(self.desk.wish(wish, whose));
    }
}

fn now(started: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: Time::ZERO + started.elapsed(), wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
}
