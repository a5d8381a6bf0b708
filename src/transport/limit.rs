//! How many connections there may be: in all, and from one address. Counted from the moment of accepting, before a byte is
//! read.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

/// The bounds; 0 stands for none.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address. Trusted proxies are exempt: those they speak for are counted instead.
    pub per_address: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connections: 20_000, per_address: 1_000 }
    }
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node has as many connections as it may.
    Node,
    /// The address has as many as it may.
    Address,
}

/// The counters.
#[derive(Debug)]
pub struct Counters {
    connections: AtomicUsize,
    per_address: AtomicUsize,
    all: AtomicUsize,
    by_address: DashMap<IpAddr, usize>,
}

impl Counters {
    /// Nothing counted.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(settings.connections),
            per_address: AtomicUsize::new(settings.per_address),
            all: AtomicUsize::new(0),
            by_address: DashMap::new(),
        })
    }

    /// Other bounds from now on. Who is here stays.
    pub fn set(&self, settings: Settings) {
        self.connections.store(settings.connections, Ordering::Relaxed);
        self.per_address.store(settings.per_address, Ordering::Relaxed);
    }

    /// How many connections are counted now.
    pub fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// How many there may be; 0: no bound.
    pub fn most(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts one connection of the node until the permit is dropped.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn admit(self: &Arc<Self>) -> Result<Permit, Full> {
        let before = self.all.fetch_add(1, Ordering::Relaxed);
        let permit = Permit { counters: Arc::clone(self), address: None };
        if self.connections.load(Ordering::Relaxed) != 0 && before >= self.connections.load(Ordering::Relaxed) {
            return Err(Full::Node);
        }
        Ok(permit)
    }
}

/// A counted connection.
#[derive(Debug)]
pub struct Permit {
    counters: Arc<Counters>,
    address: Option<IpAddr>,
}

impl Permit {
    /// Counts the connection for an address too. Once: a later call changes nothing.
    ///
    /// # Errors
    /// When the address has as many as it may.
    pub fn count_for(&mut self, address: IpAddr) -> Result<(), Full> {
        if self.address.is_some() {
            return Ok(());
        }
        let address = address.to_canonical();
        let limit = self.counters.per_address.load(Ordering::Relaxed);
        let mut count = self.counters.by_address.entry(address).or_insert(0);
        if limit != 0 && *count >= limit {
            return Err(Full::Address);
        }
        *count += 1;
        drop(count);
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            self.counters.by_address.remove_if_mut(&address, |_, count| {
                *count -= 1;
                *count == 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room_again() {
        let counters = Counters::new(Settings { connections: 2, per_address: 1 });
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut first = counters.admit().unwrap();
        let mut second = counters.admit().unwrap();
        assert_eq!(counters.admit().unwrap_err(), Full::Node);
        assert_eq!(first.count_for(here), Ok(()));
        assert_eq!(first.count_for(here), Ok(()), "counted once");
        assert_eq!(second.count_for("::ffff:127.0.0.1".parse().unwrap()), Err(Full::Address));
        drop(first);
        assert_eq!(second.count_for(here), Ok(()));
        drop(second);
        assert_eq!(counters.all(), 0);
        assert!(counters.by_address.is_empty(), "no trace of an address without connections");
    }
}
