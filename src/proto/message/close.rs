//! Why a connection ends. What only fails one call is [`super::CallError`].

use std::borrow::Cow;

/// Ends a connection: the close code of RFC 6455 section 7.4 and the reason that is sent with it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CloseReason {
    /// The close code. 0: TCP is cut without a close frame (the peer is gone).
    pub code: u16,
    /// What the peer and the log are told; at most 123 bytes are sent.
    pub text: Cow<'static, str>,
}

impl CloseReason {
    /// A reason with a text known at compile time.
    pub const fn new(code: u16, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A reason whose text was made now.
    pub fn with_text(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: Cow::Owned(text.into()) }
    }

    /// 1000: the peer said goodbye.
    pub const NORMAL: Self = Self::new(1000, "");
    /// 1001: this node stops; come back.
    pub const GOING_AWAY: Self = Self::new(1001, "the gateway stops; connect again");
    /// The sub-protocol named neither json nor xml.
    pub const NO_FORMAT: Self = Self::new(1008, "sub-protocol must contain json or xml");
    /// 1008: the peer does not read what it is sent.
    pub const SLOW: Self = Self::new(1008, "too slow: what was sent is not read");
    /// The peer was silent for too long.
    pub const SILENT: Self = Self::new(0, "silent for too long");
    /// A user's session ended.
    pub const LOGOUT: Self = Self::new(1000, "logged out");
    /// Another connection of the same link took over.
    pub const REPLACED: Self = Self::new(1000, "replaced by a newer connection");
}
