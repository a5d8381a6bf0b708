//! Networks other than the system's own. The simulated network of the tests brings its connections to
//! [`serve_carried`](super::browser::serve_carried) and its like, and is dialed through [`Network`]; from there on everything is the
//! code that serves sockets.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

pub use super::stream::Carrier;

/// A connection that was made, and where it leads.
pub type Connected = io::Result<(Box<dyn Carrier>, IpAddr)>;

/// A network that links are dialed over.
pub trait Network: Send + Sync {
    /// Connects to a host by name or address.
    fn connect(&self, host: &str, port: u16) -> Pin<Box<dyn Future<Output = Connected> + Send>>;
}
