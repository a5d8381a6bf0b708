//! What is known of a channel and of a bridge.

use super::places;

/// One channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) linkedid: String,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) caller: String,
    pub(super) caller_name: String,
    pub(super) connected: String,
    pub(super) context: String,
    pub(super) exten: String,
    /// The first extension it was in: what was dialled.
    pub(super) first_exten: String,
    /// The application it runs, as far as Asterisk tells.
    pub(super) app: String,
    pub(super) app_data: String,
    /// In which order it came.
    pub(super) serial: u64,
    pub(super) began_ms: i64,
    pub(super) rang: bool,
    pub(super) was_up: bool,
    pub(super) bridge: Option<String>,
    /// Whether its own phone has put the others on hold.
    pub(super) hold: bool,
    /// Who called it, if it was called.
    pub(super) dial: Option<Dial>,
    pub(super) queue: Option<String>,
    /// The channel it listens in to.
    pub(super) spies: Option<String>,
    /// Whether its party hung up.
    pub(super) left: bool,
    /// Whether it handed its call on.
    pub(super) transferred: bool,
    pub(super) gone: Option<Gone>,
    /// Whether the newest list of channels had it.
    pub(super) listed: bool,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A party.
    #[default]
    Party,
    /// Half of a channel that leads from one extension to another.
    Local,
    /// Something of Asterisk's own: an announcer, a recorder.
    Inner,
}

/// `ChannelStateDesc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It is only made.
    #[default]
    Down,
    /// It calls.
    Calls,
    /// It is called.
    Rings,
    /// It is there.
    Up,
}

/// A call to a channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Dial {
    /// By whom; none for Asterisk itself.
    pub(super) by: Option<String>,
    /// The number that was really dialled.
    pub(super) string: String,
    /// The extension in which it was dialled.
    pub(super) exten: String,
    /// How it ended, if it did.
    pub(super) status: Option<String>,
}

/// How a channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// With this Q.850 cause.
    Hung(u32),
    /// Unseen: it was not there any more after a gap.
    Unseen,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Bridge {
    pub(super) kind: String,
    pub(super) creator: String,
    pub(super) name: String,
}

impl Bridge {
    /// The conference room it is.
    pub(super) fn room(&self) -> Option<&str> {
        (self.creator == "ConfBridge" && !self.name.is_empty()).then_some(&*self.name)
    }
}

impl Channel {
    /// The endpoint: the name without its last part.
    pub(super) fn endpoint(&self) -> &str {
        self.name.rsplit_once('-').map_or(&*self.name, |(endpoint, _)| endpoint)
    }

    /// Whether it is at one of the places to which the gateway sends channels, and talks with nobody.
    pub(super) fn is_at(&self, exten: &str) -> bool {
        self.context == places::CONTEXT && self.exten == exten && self.bridge.is_none() && self.gone.is_none()
    }

    pub(super) fn lives(&self) -> bool {
        self.gone.is_none()
    }

    /// Whether it is called and was not answered yet.
    pub(super) fn is_called(&self) -> bool {
        // Its first word may come before that of the call to it.
        !self.was_up && (self.dial.is_some() || matches!(self.state, State::Down | State::Rings))
    }
}

/// What a channel is, by its name.
pub(super) fn kind_of(name: &str) -> Kind {
    const INNER: [&str; 10] = [
        "CBAnn/",
        "CBRec/",
        "Recorder/",
        "Announcer/",
        "Snoop/",
        "Surrogate/",
        "Bridge/",
        "Message/",
        "MulticastRTP/",
        "AsyncGoto/",
    ];
    if name.starts_with("Local/") {
        Kind::Local
    } else if name.contains("<ZOMBIE>") || INNER.iter().any(|inner| name.starts_with(inner)) {
        Kind::Inner
    } else {
        Kind::Party
    }
}
