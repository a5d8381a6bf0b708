//! `/api/v1/signin`, `/api/v1/signout` and `/api/v1/me`: people who come to the console, and what they change about themselves.

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use ctigate_proto::auth::LoginError;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::message::{Code, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{By, COOKIE, Caller, Source};
use super::answer::{Nothing, Refusal, ok};
use super::read::typed;
use super::{Failure, Shared};
use crate::people::{Doer, Person, Refused, SignIn};

/// How long a browser keeps the cookie, seconds: as long as a session that nobody uses.
const KEPT: i64 = 12 * 3600;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(change_password))
        .routes(routes!(begin_second_factor, end_second_factor))
        .routes(routes!(confirm_second_factor))
}

/// Who wants to come in.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"login": "sidorova", "password": "as typed"}))]
struct Credentials {
    /// The login.
    login: String,
    /// The password, as typed.
    password: String,
    /// The code of the second factor, when the first try said that it is wanted.
    code: Option<String>,
}

/// Who is in.
#[derive(Serialize, ToSchema)]
struct SignedIn<'a> {
    /// The login, as its account spells it.
    #[schema(example = "sidorova")]
    login: &'a str,
    /// The display name.
    name: &'a str,
    /// The role.
    #[schema(example = "admin")]
    role: &'static str,
    /// Whether the password must be changed before anything else.
    must_change_password: bool,
}

/// Sign in to the console
///
/// For accounts with the right `admin`. The answer sets the cookie `ctigate_console`. 403 with `"need":"code"`: a code of the second
/// factor is wanted too. Failures count as those of logins do.
#[utoipa::path(
    post, path = "/api/v1/signin", tag = "people", request_body = Credentials,
    responses(
        (status = 200, description = "The person is in", body = SignedIn),
        (status = 429, description = "Too many failures from here", body = Refusal),
        (status = 503, description = "Passwords cannot be checked now", body = Refusal),
    ),
)]
async fn sign_in(
    State(shared): State<Shared>,
    Extension(source): Extension<Source>,
    request: Request,
) -> Result<Response, Failure> {
    let given: Credentials = typed(request).await?;
    if given.login.is_empty() {
        return Err(Failure::bad("login is missing or empty, expected a string"));
    }
    let desk = shared.desk()?;
    let refused = |text: &str| Failure::with(StatusCode::UNAUTHORIZED, Code::NotAuthorized, text);
    // Codes are counted apart: a right password must not wash out wrong codes.
    let codes = format!("code/{}", given.login);
    let now = shared.door.now();
    shared.door.throttle().check(now, source.address, &codes).map_err(|_| Failure::throttled())?;
    let login = match shared.door.verify(&given.login, &given.password, source.address).await {
        Ok(login) => login,
        Err(LoginError::Throttled) => return Err(Failure::throttled()),
        Err(LoginError::NotAvailable | LoginError::NoSeat) => {
            let text = "passwords cannot be checked now";
            return Err(Failure::with(StatusCode::SERVICE_UNAVAILABLE, Code::Internal, text));
        }
        Err(_) => return Err(refused("wrong login or password")),
    };
    let doer = Doer { who: login.to_string(), from: source.address.to_string() };
    let signed = desk.sign_in(&login, given.code.as_deref(), &doer).await.map_err(|error| Failure::broken(&error))?;
    match signed {
        SignIn::In(session, person) => {
            shared.door.throttle().succeeded(source.address, &codes);
            let mut response = ok(&SignedIn {
                login: &person.login,
                name: &person.name,
                role: person.role.as_str(),
                must_change_password: person.must_change_password,
            });
            set_cookie(&mut response, session.expose(), KEPT, source);
            Ok(response)
        }
        SignIn::NeedsCode => {
            let text = "a code of the second factor is wanted";
            Err(Failure::with(StatusCode::FORBIDDEN, Code::NotAuthorized, text).and("need", "code"))
        }
        SignIn::WrongCode => {
            shared.door.throttle().failed(now, source.address, &codes);
            Err(refused("the code is wrong, or was used already"))
        }
        SignIn::MayNot => {
            let text = "the right admin is missing";
            Err(Failure::with(StatusCode::FORBIDDEN, Code::AccessDenied, text))
        }
    }
}

fn set_cookie(response: &mut Response, value: &str, age: i64, source: Source) {
    let secure = if source.tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

/// Sign out of the console
#[utoipa::path(
    post, path = "/api/v1/signout", tag = "people",
    responses((status = 200, description = "The session has ended", body = Nothing)),
)]
async fn sign_out(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Result<Response, Failure> {
    let (_, id) = caller.person()?;
    shared.desk()?.sign_out(id.expose(), &caller.doer()).await.map_err(|error| Failure::broken(&error))?;
    let mut response = ok(&Nothing {});
    set_cookie(&mut response, "", 0, caller.source);
    Ok(response)
}

/// Who asks.
#[derive(Serialize, ToSchema)]
struct Me {
    /// The login of a person; `token`; the CLIENT_ID of a key.
    #[schema(example = "sidorova")]
    login: String,
    /// The display name.
    name: String,
    /// The role of a person; else empty.
    #[schema(example = "admin")]
    role: &'static str,
    /// What whoever asks may do.
    #[schema(value_type = Vec<String>, example = json!(["call", "admin"]))]
    rights: Vec<String>,
    /// `token`, `session` or `key`.
    #[schema(example = "session")]
    by: &'static str,
    /// Whether the person has a second factor.
    second_factor: bool,
    /// Whether the password must be changed before anything else.
    must_change_password: bool,
}

/// Who asks, and what they may do
#[utoipa::path(
    get, path = "/api/v1/me", tag = "people",
    responses((status = 200, description = "You", body = Me)),
)]
async fn me(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Result<Response, Failure> {
    let words = |rights: ctigate_proto::hub::Rights| rights.words().map(str::to_owned).collect();
    let nobody = |login: String, by: &'static str, rights: Vec<String>| Me {
        name: login.clone(),
        login,
        role: "",
        rights,
        by,
        second_factor: false,
        must_change_password: false,
    };
    let me = match &caller.by {
        By::Token => {
            let all = crate::config::Role::Admin.rights();
            nobody("token".to_owned(), "token", words(all))
        }
        By::Key(grant) => {
            nobody(grant.client.to_string(), "key", grant.rights.iter().map(ToString::to_string).collect())
        }
        By::Session { person, .. } => {
            let factor = shared.desk()?.has_second_factor(&person.login).await;
            Me {
                login: person.login.clone(),
                name: person.name.clone(),
                role: person.role.as_str(),
                rights: words(person.rights),
                by: "session",
                second_factor: factor.map_err(|error| Failure::broken(&error))?,
                must_change_password: person.must_change_password,
            }
        }
    };
    Ok(ok(&me))
}

/// A change of the own password.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"old": "as typed", "new": "another, as typed"}))]
struct PasswordChange {
    /// The old one, as typed.
    old: String,
    /// The new one: 8 characters or more, of ASCII and Russian letters, digits and signs.
    new: String,
}

/// Change your password
///
/// Your other sessions end, in the console and in browsers.
#[utoipa::path(
    post, path = "/api/v1/me/password", tag = "people", request_body = PasswordChange,
    responses(
        (status = 200, description = "It is changed", body = Nothing),
        (status = 429, description = "Too many wrong passwords", body = Refusal),
    ),
)]
async fn change_password(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let given: PasswordChange = typed(request).await?;
    let (person, id) = caller.person()?;
    let now = shared.door.now();
    let address = caller.source.address;
    shared.door.throttle().check(now, address, &person.login).map_err(|_| Failure::throttled())?;
    let login = person.login.as_str();
    match shared.desk()?.change_password(login, &given.old, &given.new, id.expose(), &caller.doer()).await {
        Ok(()) => {}
        Err(wrong @ Refused::Wrong(_)) => {
            shared.door.throttle().failed(now, address, login);
            return Err(wrong.into());
        }
        Err(other) => return Err(other.into()),
    }
    let ended = Ask::EndSessions { login: Text::from(login), password_changed: true };
    shared.door.ask(ended).await;
    shared.door.people_changed().await;
    Ok(ok(&Nothing {}))
}

/// What the app that shows the codes is told.
#[derive(Serialize, ToSchema)]
struct SecondFactor<'a> {
    /// The secret in base32, for typing.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: &'a str,
    /// The same as an address, for a QR code.
    #[schema(example = "otpauth://totp/ctigate:sidorova?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ctigate")]
    uri: &'a str,
}

/// Begin to set up a second factor
///
/// It counts once a code shows that the app has it. Any app with one-time passwords by time does (RFC 6238, SHA-1, 6 digits, 30 s).
#[utoipa::path(
    post, path = "/api/v1/me/second_factor", tag = "people",
    responses(
        (status = 200, description = "The secret, once", body = SecondFactor),
        (status = 409, description = "There is one already", body = Refusal),
    ),
)]
async fn begin_second_factor(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Failure> {
    let (person, _) = caller.person()?;
    let made = shared.desk()?.begin_second_factor(&person.login).await?;
    Ok(ok(&SecondFactor { secret: made.secret.expose(), uri: made.uri.expose() }))
}

/// A code of the app.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"code": "287082"}))]
struct FactorCode {
    /// Six digits.
    code: String,
}

/// Let the second factor count
#[utoipa::path(
    post, path = "/api/v1/me/second_factor/confirm", tag = "people", request_body = FactorCode,
    responses(
        (status = 200, description = "From now on a code is wanted", body = Nothing),
        (status = 429, description = "Too many wrong codes", body = Refusal),
    ),
)]
async fn confirm_second_factor(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let given: FactorCode = typed(request).await?;
    let (person, _) = caller.person()?;
    let codes = counted(&shared, &caller, person)?;
    let done = shared.desk()?.confirm_second_factor(&person.login, &given.code, &caller.doer()).await;
    judged(&shared, &caller, &codes, done)
}

/// Take your second factor away
#[utoipa::path(
    delete, path = "/api/v1/me/second_factor", tag = "people", request_body = FactorCode,
    responses(
        (status = 200, description = "No code is wanted any more", body = Nothing),
        (status = 429, description = "Too many wrong codes", body = Refusal),
    ),
)]
async fn end_second_factor(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let given: FactorCode = typed(request).await?;
    let (person, _) = caller.person()?;
    let codes = counted(&shared, &caller, person)?;
    let done = shared.desk()?.end_second_factor(&person.login, &given.code, &caller.doer()).await;
    judged(&shared, &caller, &codes, done)
}

/// Whether another code may be looked at; what the codes of a person are counted by.
fn counted(shared: &Shared, caller: &Caller, person: &Person) -> Result<String, Failure> {
    let codes = format!("code/{}", person.login);
    let now = shared.door.now();
    shared.door.throttle().check(now, caller.source.address, &codes).map_err(|_| Failure::throttled())?;
    Ok(codes)
}

fn judged(shared: &Shared, caller: &Caller, codes: &str, done: Result<(), Refused>) -> Result<Response, Failure> {
    match done {
        Ok(()) => {
            shared.door.throttle().succeeded(caller.source.address, codes);
            Ok(ok(&Nothing {}))
        }
        Err(wrong @ Refused::Wrong(_)) => {
            let now = shared.door.now();
            shared.door.throttle().failed(now, caller.source.address, codes);
            Err(wrong.into())
        }
        Err(other) => Err(other.into()),
    }
}
