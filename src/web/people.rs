//! People and programs that ask by HTTP: what stands in a request, and whose password it brings.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ctigate_proto::auth::{LoginError, basic};
use ctigate_proto::message::{CallError, Code, Text};

use crate::admin::{Door, bytes};
use crate::files::Files;

use super::{Caller, Origins};

/// The largest form that carries the parameters of a command.
const FORM: usize = 32 << 10;

/// What the doors for people and programs share.
#[derive(Clone)]
pub(super) struct People {
    pub(super) door: Arc<dyn Door>,
    pub(super) files: Files,
    pub(super) caller: fn(&axum::http::Extensions) -> Caller,
    /// Whether Basic is taken without TLS from other machines.
    pub(super) insecure_basic: bool,
    pub(super) origins: Origins,
}

impl People {
    /// Who sends a request, by Basic.
    pub(super) async fn who(&self, head: &Parts) -> Result<Text, Refusal> {
        let headers = &head.headers;
        if !self.origins.allow(headers) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "pages of this origin may not ask here: web.allowed_origins",
            ));
        }
        let caller = (self.caller)(&head.extensions);
        if caller.exposed() && !self.insecure_basic {
            let text = "Basic without TLS is taken from this machine only, or with web.insecure_basic";
            return Err(Refusal::new(StatusCode::FORBIDDEN, text));
        }
        let mut lines = headers.get_all(header::AUTHORIZATION).iter().map(|line| std::str::from_utf8(line.as_bytes()));
        let given = match (lines.next(), lines.next()) {
            (Some(Ok(line)), None) => basic::Basic::parse(line).map_err(|_| challenge("Basic is wanted"))?,
            (None, _) => return Err(challenge("this address wants the login and password of a user, by Basic")),
            _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "Authorization must stand there once, in UTF-8")),
        };
        match self.door.verify(&given.login, &given.password, caller.address).await {
            Ok(login) => Ok(login),
            Err(LoginError::Throttled) => {
                let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords");
                Err(refusal.with(header::RETRY_AFTER, HeaderValue::from_static("60")))
            }
            Err(LoginError::NotAvailable | LoginError::NoSeat) => {
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "logins cannot be checked now"))
            }
            Err(_) => Err(challenge("wrong login or password")),
        }
    }
}

fn challenge(text: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, text);
    match HeaderValue::from_str(basic::CHALLENGE) {
        Ok(value) => refusal.with(header::WWW_AUTHENTICATE, value),
        Err(_) => refusal,
    }
}

/// The parameters of a request: of its query and, when it posts a form, of that.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    /// Those of the query. Empty parts are passed over.
    pub(super) fn of_query(uri: &Uri) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "the query cannot be read");
        Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(all)| Self(all)).map_err(|_| wrong())
    }

    /// Those of the query and of the form.
    pub(super) async fn of(head: &Parts, body: Body) -> Result<Self, Refusal> {
        let mut given = Self::of_query(&head.uri)?;
        let declared = head.headers.get(header::CONTENT_TYPE).and_then(|line| line.to_str().ok());
        let form = declared.is_some_and(|line| line.starts_with("application/x-www-form-urlencoded"));
        if form {
            let wrong = |status, text| Refusal::new(status, text);
            let body = bytes(body, FORM).await;
            let body = body.map_err(|_| wrong(StatusCode::PAYLOAD_TOO_LARGE, "the form is larger than 32768 bytes"))?;
            let text =
                std::str::from_utf8(&body).ok().and_then(|text| format!("/?{}", text.trim()).parse::<Uri>().ok());
            let uri = text.ok_or_else(|| wrong(StatusCode::BAD_REQUEST, "the form cannot be read"))?;
            given.0.append(&mut Self::of_query(&uri)?.0);
        }
        Ok(given)
    }

    /// A parameter; empty when it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Whether a parameter is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// Whether a flag is set: 1 or true.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), "1" | "true")
    }
}

/// A request that was not served.
pub(super) struct Refusal(Box<Response>);

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self(Box::new((status, format!("{}\n", text.into())).into_response()))
    }

    pub(super) fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().append(name, value);
        self
    }

    /// What the Hub refused.
    pub(super) fn of(error: &CallError) -> Self {
        Self::new(status(error), error.errormsg())
    }
}

/// The status that stands for an error.
pub(super) fn status(error: &CallError) -> StatusCode {
    match error.code {
        Some(Code::BadRequest) => StatusCode::BAD_REQUEST,
        Some(Code::AccessDenied | Code::NotAuthorized | Code::NotSubordinate | Code::ProcedureNotAllowed) => {
            StatusCode::FORBIDDEN
        }
        Some(Code::NotFound | Code::UnknownMethod | Code::NumberNotFound | Code::ConferenceNotFound) => {
            StatusCode::NOT_FOUND
        }
        Some(Code::TooManyRequests) => StatusCode::TOO_MANY_REQUESTS,
        Some(Code::Timeout) => StatusCode::GATEWAY_TIMEOUT,
        Some(Code::Internal) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}
