//! `[limits]`: how much a peer may ask of the gateway. What happens when a limit is met stands in `proto-spec/`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{duration, size};

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message of a logged-in tab. Default 1 MiB, at least 1 KiB.
    #[serde(with = "size")]
    pub max_message_tab: usize,
    /// Largest message of an introduced link, and largest answer of a CRM that is posted to. Default 16 MiB, at least 1 KiB.
    #[serde(with = "size")]
    pub max_message_link: usize,
    /// Largest message before login or introduction. Default 64 KiB, at least 1 KiB.
    #[serde(with = "size")]
    pub max_message_guest: usize,
    /// Deepest nesting of objects and arrays; the parameters' object is depth 1. Default 64, from 4 to 127.
    pub nesting: usize,
    /// Largest message put together from a multipart set. Default 16 MiB.
    #[serde(with = "size")]
    pub multipart_size: usize,
    /// Most packets of a multipart set. Default 4096.
    pub multipart_packets: usize,
    /// After how long an incomplete multipart set is dropped. Default 60 s.
    #[serde(with = "duration")]
    pub multipart_timeout: Duration,
    /// Most unanswered requests of one tab. Default 256.
    pub in_flight_tab: usize,
    /// Most unanswered requests of one link. Default 4096.
    pub in_flight_link: usize,
    /// Messages a second that one tab may send for long; 0: no limit. Default 200.
    pub tab_rate: u32,
    /// Messages that one tab may send at once. Default 400, at least `tab_rate`.
    pub tab_burst: u32,
    /// Most connections in all. Default 20000.
    pub connections: usize,
    /// Most connections from one address. Default 1000.
    pub connections_per_address: usize,
    /// Most tabs of one user, direct and behind links together. Default 100.
    pub tabs_per_user: usize,
    /// Most users logged in at a time; 0: no limit. Default 0.
    pub max_users: usize,
    /// How long calls in flight may go on when the gateway stops. Default 10 s, at most 10 m.
    #[serde(with = "duration")]
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_tab: 1 << 20,
            max_message_link: 16 << 20,
            max_message_guest: 64 << 10,
            nesting: 64,
            multipart_size: 16 << 20,
            multipart_packets: 4096,
            multipart_timeout: Duration::from_secs(60),
            in_flight_tab: 256,
            in_flight_link: 4096,
            tab_rate: 200,
            tab_burst: 400,
            connections: 20_000,
            connections_per_address: 1000,
            tabs_per_user: 100,
            max_users: 0,
            stop_grace: Duration::from_secs(10),
        }
    }
}
