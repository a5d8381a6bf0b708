//! The links that run: each a task that stops alone. A link is first made ready, which may fail and changes nothing, and then run,
//! which may not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ctigate_proto::dialog::CloseReason;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Link};
use crate::shutdown::Shutdown;
use crate::transport::Transport;
use crate::transport::dial::{self, Dialed};
use crate::transport::gate::{self, Allowance, Gate};
use crate::transport::listen::{self, Security};
use crate::transport::post::{self, Posted};

use super::certified::Certified;
use super::{StartError, bind_error};

/// How long a link that is closed has to say goodbye before the next takes its place.
const GOODBYE: Duration = Duration::from_secs(4);

/// What the connections of a link are told that is opened anew.
pub(super) const RELINK: CloseReason = CloseReason::new(1012, "the settings of this link have changed; connect again");
/// What those of a link are told that is no more, if the Hub does not know them yet.
pub(super) const REMOVED: CloseReason = CloseReason::new(1001, "the link was removed from the configuration");

/// What those of a link are told that somebody wants connected anew.
pub(super) const RECONNECT: CloseReason = CloseReason::new(1012, "an operator wants this link anew; connect again");

/// A link that can run: nothing about it can fail any more.
pub(super) struct Ready {
    link: Link,
    how: How,
}

enum How {
    Accepts { listener: Arc<TcpListener>, gate: Gate, security: Security },
    Dials(Dialed),
    Posts(Box<Posted>),
}

/// The links that run.
pub(super) struct Links {
    transport: Arc<Transport>,
    shutdown: Shutdown,
    running: Vec<Running>,
}

struct Running {
    link: Link,
    stop: CancellationToken,
    task: JoinHandle<()>,
    way: Way,
}

/// What can be changed of a link while it runs.
enum Way {
    Accepts { listener: Arc<TcpListener>, gate: Arc<ArcSwap<Gate>>, security: Security },
    Goes(Allowance),
}

impl Links {
    pub(super) fn new(transport: Arc<Transport>, shutdown: Shutdown) -> Self {
        Self { transport, shutdown, running: Vec::new() }
    }

    /// Makes a link ready. An accepting one listens on `listener`, or on a port that is bound now.
    ///
    /// # Errors
    /// The port is taken, or a certificate, address or authority cannot be used.
    pub(super) fn ready(
        config: &Config,
        at: usize,
        listener: Option<Arc<TcpListener>>,
        certified: &Certified,
    ) -> Result<Ready, StartError> {
        let link = config.links[at].clone();
        let tls = |why| StartError::Tls { key: format!("link[{at}]"), why };
        let how = match link.bind.filter(|_| link.mode.accepts()) {
            Some(address) => {
                let security = match (link.mode.tls(), &link.certificate, &link.key) {
                    (false, ..) => Security::Plain,
                    (true, Some(certificate), Some(key)) => {
                        Security::Tls(certified.load(&format!("link[{at}].certificate"), certificate, key)?)
                    }
                    (true, ..) => {
                        Security::Tls(certified.of_web(config)?.expect("a link without its own certificate needs it"))
                    }
                };
                let listener = match listener {
                    Some(listener) => listener,
                    None => {
                        let key = || format!("link[{at}].bind (link {})", link.name);
                        Arc::new(listen::bind(address).map_err(|why| bind_error(key(), address, why))?)
                    }
                };
                How::Accepts { listener, gate: Gate::new(config, &link, security.clone()), security }
            }
            None if link.mode.dials() => How::Dials(Dialed::new(config, &link).map_err(tls)?),
            None => How::Posts(Box::new(Posted::new(config, &link).map_err(tls)?)),
        };
        Ok(Ready { link, how })
    }

    /// Runs a link that is ready.
    pub(super) fn run(&mut self, ready: Ready) {
        let Ready { link, how } = ready;
        let (transport, stop) = (Arc::clone(&self.transport), self.transport.link_token());
        let (way, task) = match how {
            How::Accepts { listener, gate, security } => {
                let gate = Arc::new(ArcSwap::from_pointee(gate));
                let serve = gate::serve(transport, Arc::clone(&listener), Arc::clone(&gate), stop.clone());
                (Way::Accepts { listener, gate, security }, self.shutdown.spawn("link", serve))
            }
            How::Dials(dialed) => {
                (Way::Goes(dialed.allowance()), self.shutdown.spawn("link", dial::run(transport, dialed, stop.clone())))
            }
            How::Posts(posted) => (
                Way::Goes(posted.allowance()),
                self.shutdown.spawn("link", post::run(transport, *posted, stop.clone())),
            ),
        };
        self.running.push(Running { link, stop, task, way });
    }

    /// Closes links and waits until they are closed, but not for long.
    pub(super) async fn stop(&mut self, names: &[(String, CloseReason)]) {
        let mut ending = Vec::new();
        for (name, reason) in names {
            while let Some(at) = self.running.iter().position(|running| running.link.name == *name) {
                let running = self.running.swap_remove(at);
                running.stop.cancel();
                self.transport.close_link(name, reason);
                ending.push(running.task);
            }
        }
        let ended = join_all(ending.into_iter().map(|task| timeout(GOODBYE, task))).await;
        let late = ended.iter().filter(|ended| ended.is_err()).count();
        if late > 0 {
            tracing::info!(late, "links still say goodbye while the next begin");
        }
    }

    /// Closes the connections of a link, which then is opened anew as it was. False: there is no such link.
    pub(super) fn reconnect(&self, name: &str, reason: &CloseReason) -> bool {
        let there = self.running.iter().any(|running| running.link.name == name);
        if there {
            self.transport.close_link(name, reason);
        }
        there
    }

    /// Forgets them all, with their ports: the node has stopped.
    pub(super) fn forget(&mut self) {
        self.running.clear();
    }

    /// What the configuration allows, for links that go on as they are; it counts from their next connection on.
    pub(super) fn allow(&mut self, config: &Config) {
        for running in &mut self.running {
            let Some(link) = config.links.iter().find(|link| link.name == running.link.name) else { continue };
            match &running.way {
                Way::Accepts { gate, security, .. } => gate.store(Arc::new(Gate::new(config, link, security.clone()))),
                Way::Goes(allowance) => allowance.set(config, link),
            }
            running.link = link.clone();
        }
    }

    /// The listener of a link, by the address that the configuration names.
    pub(super) fn listener(&self, name: &str) -> Option<(SocketAddr, Arc<TcpListener>)> {
        let running = self.running.iter().find(|running| running.link.name == name)?;
        match &running.way {
            Way::Accepts { listener, .. } => Some((running.link.bind?, Arc::clone(listener))),
            Way::Goes(_) => None,
        }
    }
}
