//! Why one call failed. The connection lives on; what ends a connection is [`super::CloseReason`].

use std::fmt;

use super::{Body, Qid};

/// The error codes of `proto-spec/errors.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 50025: no seat is free.
    NoSeat,
    /// 52710: ghost mode towards somebody who is not a subordinate.
    NotSubordinate,
    /// 59001
    UnknownMethod,
    /// 59002
    BadRequest,
    /// 59003
    NotAuthorized,
    /// 59004
    AccessDenied,
    /// 59005
    PhoneNotConnected,
    /// 59006
    InvalidLineState,
    /// 59007
    NumberNotFound,
    /// 59008
    ConferenceNotFound,
    /// 59009
    ProcedureNotAllowed,
    /// 59010
    CrmNotConnected,
    /// 59011
    Timeout,
    /// 59012
    TooManyRequests,
    /// 59013
    AlreadyAnswered,
    /// 59014
    NotFound,
    /// 59099
    Internal,
}

impl Code {
    /// Every code, in ascending order of its number.
    pub const ALL: [Self; 17] = [
        Self::NoSeat,
        Self::NotSubordinate,
        Self::UnknownMethod,
        Self::BadRequest,
        Self::NotAuthorized,
        Self::AccessDenied,
        Self::PhoneNotConnected,
        Self::InvalidLineState,
        Self::NumberNotFound,
        Self::ConferenceNotFound,
        Self::ProcedureNotAllowed,
        Self::CrmNotConnected,
        Self::Timeout,
        Self::TooManyRequests,
        Self::AlreadyAnswered,
        Self::NotFound,
        Self::Internal,
    ];

    /// The number in `error`.
    pub const fn number(self) -> i64 {
        match self {
            Self::NoSeat => 50025,
            Self::NotSubordinate => 52710,
            Self::UnknownMethod => 59001,
            Self::BadRequest => 59002,
            Self::NotAuthorized => 59003,
            Self::AccessDenied => 59004,
            Self::PhoneNotConnected => 59005,
            Self::InvalidLineState => 59006,
            Self::NumberNotFound => 59007,
            Self::ConferenceNotFound => 59008,
            Self::ProcedureNotAllowed => 59009,
            Self::CrmNotConnected => 59010,
            Self::Timeout => 59011,
            Self::TooManyRequests => 59012,
            Self::AlreadyAnswered => 59013,
            Self::NotFound => 59014,
            Self::Internal => 59099,
        }
    }

    /// The text that opens `errormsg`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoSeat => "No seat is free",
            Self::NotSubordinate => "No right to monitor this user",
            Self::UnknownMethod => "Unknown method",
            Self::BadRequest => "Bad request",
            Self::NotAuthorized => "Not authorized",
            Self::AccessDenied => "Access denied",
            Self::PhoneNotConnected => "Phone is not connected",
            Self::InvalidLineState => "Invalid line state",
            Self::NumberNotFound => "Number not found",
            Self::ConferenceNotFound => "Conference not found",
            Self::ProcedureNotAllowed => "Procedure is not allowed",
            Self::CrmNotConnected => "CRM is not connected",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "Too many requests",
            Self::AlreadyAnswered => "Already answered",
            Self::NotFound => "Not found",
            Self::Internal => "Internal error",
        }
    }
}

/// One failed call: what the peer is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallError {
    /// The number in `error`; `None` for the login texts that clients compare literally and that stand bare.
    pub code: Option<Code>,
    /// What `errormsg` adds behind the code's text; the whole text when there is no code.
    pub detail: String,
}

impl CallError {
    /// A failure with a detail: which field was wrong, what was expected.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code: Some(code), detail: detail.into() }
    }

    /// A login failure whose text clients compare literally (`proto-spec/errors.md`).
    pub fn bare(text: &'static str) -> Self {
        Self { code: None, detail: text.to_owned() }
    }

    /// The parameters of the reply that tells it: `qid`, `result` 0, `error`, `errormsg`.
    pub fn body(&self, qid: Option<Qid>) -> Body {
        Body::new()
            .with_some("qid", qid)
            .with("result", 0)
            .with_some("error", self.code.map(Code::number))
            .with("errormsg", self.errormsg())
    }

    /// The text of `errormsg`.
    pub fn errormsg(&self) -> String {
        match self.code {
            None => self.detail.clone(),
            Some(code) if self.detail.is_empty() => code.text().to_owned(),
            Some(code) => format!("{}: {}", code.text(), self.detail),
        }
    }
}

impl From<Code> for CallError {
    fn from(code: Code) -> Self {
        Self { code: Some(code), detail: String::new() }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, "{} ", code.number())?;
        }
        f.write_str(&self.errormsg())
    }
}

impl std::error::Error for CallError {}
