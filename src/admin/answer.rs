//! Answers in JSON, and the ways to say no.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ctigate_proto::codec;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{CallError, Code, Object, Value};
use serde::Serialize;
use utoipa::ToSchema;

use crate::pbx::ControlError;
use crate::people;

/// A value as the body of a response.
pub fn json(value: &Value) -> Response {
    let text = codec::encode_value(value);
    let mut response = Response::new(Body::from(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A status and a body that writes itself.
pub fn with<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let text = serde_json::to_vec(body).expect("what is answered has names of text only, and no other way to fail");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The same with 200.
pub fn ok<T: Serialize>(body: &T) -> Response {
    with(StatusCode::OK, body)
}

/// Why a request was not followed.
#[derive(ToSchema)]
#[schema(example = json!({"error": 59002, "errormsg": "Bad request: name is missing or empty, expected a string"}))]
#[expect(dead_code, reason = "describes what Failure writes")]
pub(super) struct Refusal {
    /// One of the codes of the protocol (proto-spec/errors.md); 0 when there is none for it.
    error: i64,
    /// What was wrong, where, and what was expected.
    errormsg: String,
}

/// Nothing to tell: `{}`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({}))]
pub(super) struct Nothing {}

/// A request that was not followed: the status, and why in `{"error":…,"errormsg":…}`.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    body: Object,
    challenge: Option<&'static str>,
}

impl Failure {
    /// A status and what stands in the body.
    pub fn new(status: StatusCode, error: &CallError) -> Self {
        let code = error.code.map_or(0, Code::number);
        let body = Object::new().with("error", code).with("errormsg", error.errormsg());
        Self { status, body, challenge: None }
    }

    /// A status, a code and what was wrong.
    pub fn with(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Self::new(status, &CallError::new(code, detail))
    }

    /// 400: the request is not as it should be.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, Code::BadRequest, detail)
    }

    /// 404
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::with(StatusCode::NOT_FOUND, Code::NotFound, detail)
    }

    /// 405; the router adds `Allow`.
    pub fn wrong_method() -> Self {
        let detail = "this address does not serve the request's method; see Allow";
        Self::with(StatusCode::METHOD_NOT_ALLOWED, Code::UnknownMethod, detail)
    }

    /// 401 with this challenge.
    pub fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Self {
        let failure = Self::with(StatusCode::UNAUTHORIZED, Code::NotAuthorized, detail);
        Self { challenge: Some(challenge), ..failure }
    }

    /// 429: too many wrong passwords, codes or keys.
    pub fn throttled() -> Self {
        let detail = "too many wrong passwords, codes or keys; wait a minute";
        Self::with(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail)
    }

    /// 500: the store failed. Why is for the log.
    pub fn broken(why: &dyn std::fmt::Display) -> Self {
        tracing::error!(%why, "the store cannot be read or written");
        let detail = "the store cannot be read or written; the log says why";
        Self::with(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, detail)
    }

    /// The Hub refused, or answered what was not asked.
    pub fn unexpected(answer: &Answer) -> Self {
        match answer {
            Answer::Refused(error) => error.clone().into(),
            _ => Self::with(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "the Hub gave another kind of answer"),
        }
    }

    /// One more field of the body.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.body = self.body.with(name, value);
        self
    }
}

/// What the desk refuses.
impl From<people::Refused> for Failure {
    fn from(refused: people::Refused) -> Self {
        let status = match &refused {
            people::Refused::Unknown(_) => return Self::not_found(refused.to_string()),
            people::Refused::Unfit(_) => return Self::bad(refused.to_string()),
            people::Refused::Store(error) => return Self::broken(error),
            people::Refused::Conflict(_) => StatusCode::CONFLICT,
            people::Refused::Wrong(_) => StatusCode::FORBIDDEN,
        };
        Self::with(status, Code::AccessDenied, refused.to_string())
    }
}

/// What the Hub refuses, by its code.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let status = match error.code {
            Some(Code::BadRequest) => StatusCode::BAD_REQUEST,
            Some(Code::NotAuthorized | Code::AccessDenied | Code::NotSubordinate | Code::ProcedureNotAllowed) => {
                StatusCode::FORBIDDEN
            }
            Some(Code::UnknownMethod | Code::NotFound | Code::NumberNotFound | Code::ConferenceNotFound) => {
                StatusCode::NOT_FOUND
            }
            Some(Code::AlreadyAnswered | Code::InvalidLineState) => StatusCode::CONFLICT,
            Some(Code::TooManyRequests) => StatusCode::TOO_MANY_REQUESTS,
            Some(Code::CrmNotConnected | Code::PhoneNotConnected | Code::NoSeat) => StatusCode::SERVICE_UNAVAILABLE,
            Some(Code::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            Some(Code::Internal) | None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, &error)
    }
}

/// What the telephone system refuses.
impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let (status, code) = match error {
            ControlError::NoSuchNumber(_) => (StatusCode::NOT_FOUND, Code::NumberNotFound),
            ControlError::NoSuchCall(_) => (StatusCode::NOT_FOUND, Code::NotFound),
            ControlError::NotRinging(_)
            | ControlError::NeverAnswers(_)
            | ControlError::NoCall(_)
            | ControlError::Refused(_) => (StatusCode::CONFLICT, Code::InvalidLineState),
            ControlError::BadNumber { .. }
            | ControlError::BadKeys(_)
            | ControlError::BadPages(_)
            | ControlError::Script(_) => (StatusCode::BAD_REQUEST, Code::BadRequest),
            ControlError::Full(_) | ControlError::NoLine(_) => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
            ControlError::NotSupported => (StatusCode::NOT_IMPLEMENTED, Code::UnknownMethod),
            ControlError::Busy | ControlError::Down => (StatusCode::SERVICE_UNAVAILABLE, Code::PhoneNotConnected),
        };
        let failure = Self::with(status, code, error.to_string());
        match error {
            ControlError::Script(script) => failure.and("excerpt", script.excerpt()),
            _ => failure,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = json(&self.body.into());
        *response.status_mut() = self.status;
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// What every answer of the admin port says to browsers: read it as what it is, keep nothing, show it nowhere. A page says
/// itself what it may do and how it is kept.
pub(super) async fn harden(mut response: Response) -> Response {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
