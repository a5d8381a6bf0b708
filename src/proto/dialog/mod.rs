//! Machine one: the state of one connection. Frames go in; messages for the Hub, frames to send, a login to check or a close
//! come out. It knows the order of things (login, introduction), the heartbeat and the limits; it knows no user and no link
//! but its own.
//!
//! How to drive it: hand in what happens with `handle_*`, then take [`Dialog::poll_output`] until it says `None`. Between two
//! things, wait until [`Dialog::poll_timeout`] at the latest and call [`Dialog::handle_timeout`]. After [`Output::Close`] only
//! the close itself is left to do.

mod machine;
mod outgoing;
mod rate;

use std::time::Duration;

use crate::auth::{Attempt, Identity, LoginError};
use crate::message::{Envelope, Introduction, Qid, Text};

pub use crate::message::CloseReason;
pub use machine::Dialog;
pub use outgoing::Writer;
pub use rate::Rate;

/// Which of the two kinds of peer the connection is for.
#[derive(Clone, Debug)]
pub enum Role {
    /// A person's browser: proves itself by `login`.
    Tab,
    /// A CRM whose identity the transport has checked (or whose URL we dialed): proves itself further by `iam`.
    Link(Identity),
    /// A program whose integration key the transport has found: open from the beginning.
    Program(Identity),
}

/// What the dialog is allowed and told. Everything has the default of the specification.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest message of a peer that is open, bytes (tab: 1 MiB, link: 16 MiB).
    pub max_message: usize,
    /// Largest message before login or introduction, bytes.
    pub max_message_guest: usize,
    /// Largest multipart set, bytes.
    pub max_multipart: usize,
    /// Most packets of a multipart set.
    pub max_packets: usize,
    /// How long an incomplete multipart set is kept.
    pub multipart_life: Duration,
    /// Deepest nesting.
    pub depth: usize,
    /// How long login or introduction may take.
    pub opening: Duration,
    /// How often a WebSocket ping goes out; up to a 128th of it early, together with those of other peers.
    pub ping_every: Duration,
    /// After how much silence the peer is gone.
    pub silence: Duration,
    /// How many unreadable messages within a minute close the connection.
    pub strikes: u32,
    /// Messages a second, and the burst; 0: no limit.
    pub rate: (u32, u32),
    /// Longest plain frame sent, bytes; longer messages go as multipart where that is allowed.
    pub multipart_threshold: usize,
    /// `version` of our `iam`.
    pub version: Text,
    /// Answer the first frame with `websocketredirect` (plain tab while TLS is required).
    pub redirect: bool,
    /// Whether the dialog begins with our own `whoareyou` (links) and its heartbeat uses WebSocket pings. False for POST.
    pub socket: bool,
}

impl Settings {
    /// The defaults for a tab.
    pub fn tab() -> Self {
        Self {
            max_message: 1 << 20,
            max_message_guest: 64 << 10,
            max_multipart: 16 << 20,
            max_packets: 4096,
            multipart_life: Duration::from_secs(60),
            depth: 64,
            opening: Duration::from_secs(30),
            ping_every: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            strikes: 20,
            rate: (200, 400),
            multipart_threshold: 256 << 10,
            version: Text::from_static(env!("CARGO_PKG_VERSION")),
            redirect: false,
            socket: true,
        }
    }

    /// The defaults for a link.
    pub fn link() -> Self {
        Self {
            max_message: 16 << 20,
            opening: Duration::from_secs(10),
            rate: (0, 0),
            multipart_threshold: 64 << 10,
            ..Self::tab()
        }
    }
}

/// What comes out of a dialog.
#[derive(Debug)]
pub enum Output {
    /// For the Hub: a message of a peer that is open.
    Deliver(Envelope),
    /// Send this text as one frame.
    Transmit(Text),
    /// Send a WebSocket ping.
    Ping,
    /// Check this login, then call [`Dialog::handle_verdict`]. Read nothing from the peer until then.
    Authenticate(Box<Attempt>),
    /// The peer is open: tell the Hub, then go on.
    Opened(Box<Opened>),
    /// Send what is queued, then close with this reason.
    Close(CloseReason),
    /// A line for the log: what the peer did wrong.
    Odd(String),
}

/// What the Hub is told when a dialog opens.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Who it is.
    pub identity: Identity,
    /// The qid of the login to be answered (tabs).
    pub qid: Option<Qid>,
    /// `expires` of the login.
    pub expires: Option<i64>,
    /// Subscribed before the login.
    pub subscribed: Vec<Text>,
    /// What the CRM said of itself.
    pub introduction: Option<Introduction>,
}

/// What came of [`Output::Authenticate`].
pub type Verdict = Result<Identity, LoginError>;
