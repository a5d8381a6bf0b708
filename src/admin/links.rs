//! `/api/v1/links` and `/api/v1/ports/check`: the CRMs, as they are and as they are set.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use ctigate_proto::codec;
use ctigate_proto::hub::declaration::{Form, Method};
use ctigate_proto::hub::snapshot::LinkView;
use ctigate_proto::message::Introduction;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::answer::{Nothing, Refusal};
use super::methods::{MethodParameter, parameters, target};
use super::operator::{KEPT, Steps, Tried};
use super::settings::{ConfigChanged, ConfigRefused, note, operator, refused, told};
use super::{Failure, Shared, body, look, ok, with};
use crate::config::key::{self, Key, Kind};
use crate::config::{Link, LinkMode, Loaded, Place};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(links, add_link))
        .routes(routes!(link_schema))
        .routes(routes!(test_link))
        .routes(routes!(link, change_link, remove_link))
        .routes(routes!(reconnect_link))
        .routes(routes!(check_port))
}

/// A link as it is now.
#[derive(Serialize, ToSchema)]
struct LinkTold {
    name: String,
    /// `accept-ws`, `accept-wss`, `dial-ws`, `dial-wss`, `post-http` or `post-https`.
    mode: String,
    /// `json` or `xml`.
    format: &'static str,
    /// `up`, `waiting`, `dialing`, `retrying`, `refused` or `competing`.
    state: &'static str,
    /// Since when, milliseconds since 1970.
    since_ms: i64,
    /// What people should know: the last failure, who is connected.
    detail: String,
    /// Name and version of the CRM, when it has introduced itself.
    crm: String,
    /// Names of the methods it offers.
    methods: Vec<String>,
    /// Names of the forms it offers.
    forms: Vec<String>,
    /// Calls to it that wait for an answer.
    in_flight: usize,
    /// `file` or `store`: where it is kept, and so where it is changed.
    origin: &'static str,
    /// Where the gateway goes; empty when the CRM comes.
    url: String,
    /// Where the CRM comes to; empty when the gateway goes.
    bind: String,
}

/// The links.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"name": "crm", "mode": "dial-wss", "format": "json", "state": "up", "since_ms": 1790000000000_i64,
    "detail": "connected to 192.0.2.9", "crm": "Demo CRM 1.0", "methods": ["FindClient"], "forms": ["clientcard"], "in_flight": 0,
    "origin": "store", "url": "wss://crm.example/cti", "bind": ""}]}))]
struct LinksNow {
    items: Vec<LinkTold>,
}

/// A link as it is now, with what the CRM said of itself and how the link is set.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "crm", "mode": "accept-wss", "format": "json", "state": "up", "since_ms": 1790000000000_i64,
    "detail": "connected from 192.0.2.9:41000", "crm": "Demo CRM 3.1", "methods": ["FindClient"], "forms": ["clientcard"], "in_flight": 0,
    "origin": "file", "url": "", "bind": "127.0.0.1:4067",
    "introduction": {"type": "ws-server", "name": "Demo CRM", "version": "3.1", "more": {}},
    "capabilities": {"methods": [{"name": "FindClient", "target": "server", "wait_ms": 5000, "input": null, "output": null}],
        "forms": [{"name": "clientcard", "caption": "Client", "input": [], "output": null}],
        "events": {"heard": true, "users": [], "silent": ["queueevent"]}, "active_users": 1, "tunnel_users": 0},
    "settings": {"name": "crm", "mode": "accept-wss", "password": "***"}}))]
struct LinkWhole<'a> {
    #[serde(flatten)]
    link: LinkTold,
    /// What the CRM said of itself in `iam`; null while it is not connected.
    introduction: Option<LinkIntroduction<'a>>,
    /// What it can do, and what it hears.
    capabilities: LinkCapabilities<'a>,
    /// The keys of the link that are set; secrets as `***`.
    #[schema(value_type = Object)]
    settings: Value,
}

/// The links
#[utoipa::path(
    get, path = "/api/v1/links", tag = "links",
    responses((status = 200, description = "All of them, in the order of the configuration", body = LinksNow)),
)]
async fn links(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    let loaded = operator(&shared)?.configuration();
    let items = now.links.iter().filter_map(|view| Some(tell(view, &loaded)?.0)).collect();
    Ok(ok(&LinksNow { items }))
}

/// What is told of a link, and its settings.
fn tell<'a>(view: &LinkView, loaded: &'a Loaded) -> Option<(LinkTold, &'a Link)> {
    let at = loaded.config.links.iter().position(|link| *link.name == *view.name)?;
    let link = &loaded.config.links[at];
    let kept = matches!(loaded.origins.get(&format!("link[{at}]")), Some(Place::Store(_)));
    let names = |all: &[ctigate_proto::message::Text]| all.iter().map(ToString::to_string).collect();
    let told = LinkTold {
        name: link.name.clone(),
        mode: link.mode.to_string(),
        format: link.format.as_str(),
        state: view.state,
        since_ms: view.since_ms,
        detail: view.detail.clone(),
        crm: view.crm.clone(),
        methods: names(&view.methods),
        forms: names(&view.forms),
        in_flight: view.in_flight,
        origin: if kept { "store" } else { "file" },
        url: link.url.clone(),
        bind: link.bind.filter(|_| link.mode.accepts()).map(|bind| bind.to_string()).unwrap_or_default(),
    };
    Some((told, link))
}

/// One link
#[utoipa::path(
    get, path = "/api/v1/links/{name}", tag = "links", params(("name" = String, Path, description = "The link's name")),
    responses(
        (status = 200, description = "The link", body = LinkWhole),
        (status = 404, description = "There is none of this name", body = Refusal),
    ),
)]
async fn link(State(shared): State<Shared>, name: Result<Path<String>, PathRejection>) -> Result<Response, Failure> {
    let name = named(name)?;
    let now = look(&*shared.door).await?;
    let loaded = operator(&shared)?.configuration();
    let view = now.links.iter().find(|view| *view.name == *name);
    let view = view.ok_or_else(|| no_such(&name))?;
    let (link, settings) = tell(view, &loaded).ok_or_else(|| no_such(&name))?;
    let introduction = view.introduction.as_ref().map(LinkIntroduction::of);
    let capabilities = LinkCapabilities::of(view, settings);
    Ok(ok(&LinkWhole { introduction, capabilities, settings: set_keys(settings), link }))
}

/// What a CRM said of itself in `iam`.
#[derive(Serialize, ToSchema)]
struct LinkIntroduction<'a> {
    /// What it is, in its own word.
    #[serde(rename = "type")]
    #[schema(example = "ws-server")]
    kind: &'a str,
    /// The product.
    #[schema(example = "Demo CRM")]
    name: &'a str,
    /// Its version.
    #[schema(example = "3.1")]
    version: &'a str,
    /// What else it said: texts, numbers and flags, 16 at most.
    #[schema(value_type = Object)]
    more: Map<String, Value>,
}

impl<'a> LinkIntroduction<'a> {
    fn of(said: &'a Introduction) -> Self {
        Self { kind: &said.kind, name: &said.name, version: &said.version, more: values(&said.more) }
    }
}

/// What a CRM can do, and what it hears.
#[derive(Serialize, ToSchema)]
struct LinkCapabilities<'a> {
    /// The dynamic methods, as it declares them.
    methods: Vec<LinkMethod<'a>>,
    /// The forms, as it declares them.
    forms: Vec<LinkForm<'a>>,
    /// Which events it is sent.
    events: LinkEvents<'a>,
    /// How many of its users it has named as active.
    active_users: usize,
    /// How many users are logged in through it.
    tunnel_users: usize,
}

/// A dynamic method of a CRM.
#[derive(Serialize, ToSchema)]
struct LinkMethod<'a> {
    #[schema(example = "FindClient")]
    name: &'a str,
    /// Who carries it out: `server`, or `client` for the user's tabs.
    #[schema(example = "server")]
    target: &'static str,
    /// How long a result is awaited.
    #[schema(example = 5000)]
    wait_ms: u64,
    /// What it takes; null: nothing is declared, and nothing checked.
    input: Option<Vec<MethodParameter<'a>>>,
    /// What it gives, likewise.
    output: Option<Vec<MethodParameter<'a>>>,
}

/// A form of a CRM.
#[derive(Serialize, ToSchema)]
struct LinkForm<'a> {
    #[schema(example = "clientcard")]
    name: &'a str,
    /// What people see.
    caption: &'a str,
    /// What it shows.
    input: Vec<MethodParameter<'a>>,
    /// What it asks for; null: nothing is declared, and nothing checked.
    output: Option<Vec<MethodParameter<'a>>>,
}

/// Which events a CRM is sent: those of its users, and what goes to everybody.
#[derive(Serialize, ToSchema)]
struct LinkEvents<'a> {
    /// Whether it is sent any: it is connected, and is not one that is only posted to without `poll_interval`.
    heard: bool,
    /// Logins of the only users whose events it is sent (`users`); empty: everybody's.
    users: &'a [String],
    /// Names of events that it is not sent (`silent_events`).
    silent: &'a [String],
}

impl<'a> LinkCapabilities<'a> {
    fn of(view: &'a LinkView, settings: &'a Link) -> Self {
        let method = |method: &'a Arc<Method>| LinkMethod {
            name: &method.name,
            target: target(method),
            wait_ms: u64::try_from(method.wait.as_millis()).unwrap_or(u64::MAX),
            input: method.input.as_deref().map(parameters),
            output: method.output.as_deref().map(parameters),
        };
        let form = |form: &'a Arc<Form>| LinkForm {
            name: &form.name,
            caption: &form.caption,
            input: parameters(&form.input),
            output: form.output.as_deref().map(parameters),
        };
        Self {
            methods: view.declared.iter().map(method).collect(),
            forms: view.declared_forms.iter().map(form).collect(),
            events: LinkEvents { heard: view.hears_events, users: &settings.users, silent: &settings.silent_events },
            active_users: view.active,
            tunnel_users: view.tunnel,
        }
    }
}

/// The keys that differ from the defaults; secrets as [`KEPT`].
fn set_keys(link: &Link) -> Value {
    let plain = serde_json::to_value(Link::default()).unwrap_or_default();
    let all = serde_json::to_value(link).unwrap_or_default();
    let mut set = Map::new();
    for (name, value) in all.as_object().into_iter().flatten() {
        let secret = key::find("link", name).is_some_and(|key| matches!(key.kind, Kind::Secret));
        if secret && !value.is_null() {
            set.insert(name.clone(), Value::from(KEPT));
        } else if plain.get(name) != Some(value) || matches!(name.as_str(), "mode" | "format") {
            set.insert(name.clone(), value.clone());
        }
    }
    Value::Object(set)
}

/// The keys of a link.
#[derive(ToSchema)]
#[schema(example = json!({"name": "crm", "mode": "dial-ws", "url": "ws://127.0.0.1:9000/cti", "format": "json"}))]
#[expect(dead_code, reason = "describes the body, whose keys are those of [[link]]")]
pub(super) struct LinkWanted {
    /// Its name.
    name: String,
    /// How the two find each other.
    mode: String,
    /// Where the gateway goes; for the modes that go.
    url: Option<String>,
    /// Where the CRM comes to; for the modes that accept.
    bind: Option<String>,
    /// `json` or `xml`.
    format: Option<String>,
    /// And every other key of the mode: see `/api/v1/links/schema`. A secret that is `***` stays as it is.
    login: Option<String>,
}

/// Add a link
///
/// It is kept in the store and opened at once.
#[utoipa::path(
    post, path = "/api/v1/links", tag = "links", request_body = LinkWanted,
    responses(
        (status = 201, description = "What changed", body = ConfigChanged),
        (status = 409, description = "The name or the port is taken, or the settings are wrong; nothing was changed", body = ConfigRefused),
    ),
)]
async fn add_link(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let link = read(request).await?;
    let result = operator(&shared)?.save_link(link, None).await;
    note(&shared, &caller.doer(), "link.add", &result).await?;
    let added = result.is_ok();
    let mut response = told(result);
    if added {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// Change a link
///
/// Only those of the store. The link is opened anew when a key of its connection has changed.
#[utoipa::path(
    put, path = "/api/v1/links/{name}", tag = "links", request_body = LinkWanted,
    params(("name" = String, Path, description = "The link's name")),
    responses(
        (status = 200, description = "What changed", body = ConfigChanged),
        (status = 404, description = "There is none of this name", body = ConfigRefused),
        (status = 409, description = "It stands in the file, or the settings are wrong; nothing was changed", body = ConfigRefused),
    ),
)]
async fn change_link(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let name = named(name)?;
    let link = read(request).await?;
    let result = operator(&shared)?.save_link(link, Some(name)).await;
    note(&shared, &caller.doer(), "link.set", &result).await?;
    Ok(told(result))
}

/// Remove a link
#[utoipa::path(
    delete, path = "/api/v1/links/{name}", tag = "links", params(("name" = String, Path, description = "The link's name")),
    responses(
        (status = 200, description = "What changed", body = ConfigChanged),
        (status = 404, description = "There is none of this name", body = ConfigRefused),
        (status = 409, description = "It stands in the file", body = ConfigRefused),
    ),
)]
async fn remove_link(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let name = named(name)?;
    let result = operator(&shared)?.remove_link(name).await;
    note(&shared, &caller.doer(), "link.remove", &result).await?;
    Ok(told(result))
}

/// Connect a link anew
#[utoipa::path(
    post, path = "/api/v1/links/{name}/reconnect", tag = "links", params(("name" = String, Path, description = "The link's name")),
    responses(
        (status = 200, description = "Its connection is closed and opened anew", body = Nothing),
        (status = 404, description = "There is none of this name", body = ConfigRefused),
    ),
)]
async fn reconnect_link(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let name = named(name)?;
    Ok(match operator(&shared)?.reconnect(name.clone()).await {
        Ok(()) => {
            shared.noted(&caller.doer(), "link.reconnect", &name, Value::Null).await?;
            ok(&Nothing {})
        }
        Err(why) => refused(why),
    })
}

/// One step of a trial.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"step": "resolve", "state": "ok", "detail": "192.0.2.9", "advice": "", "advice_en": "", "advice_ru": ""}))]
pub(super) struct TrialStep {
    /// `settings`, `resolve`, `connect`, `tls`, `upgrade`, `sub_protocol`, `auth`, `introduction`, `ping`, `methods`, `forms`, `users`;
    /// for a CRM that comes by itself `port` and `wait` in place of what we do to reach it. The last event is
    /// `{"done":true,"ok":…}`.
    step: String,
    /// `running`, `ok`, `warn` or `fail`.
    state: String,
    /// What was seen.
    detail: String,
    /// What to do.
    advice: String,
    /// The same.
    advice_en: String,
    /// The same in Russian.
    advice_ru: String,
}

/// Try a link
///
/// Nothing is kept and no running link is touched. An event stream: each step when it begins and when it ends, then
/// `{"done":true,"ok":…}`.
#[utoipa::path(
    post, path = "/api/v1/links/test", tag = "links", request_body = LinkWanted,
    responses((status = 200, description = "The steps", body = TrialStep, content_type = "text/event-stream")),
)]
async fn test_link(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let link = read(request).await?;
    Ok(stream(operator(&shared)?.try_link(link)))
}

/// The steps of a trial as an event stream.
pub(super) fn stream(steps: Steps) -> Response {
    let events = steps.map(|tried| {
        let value = match tried {
            Tried::Step { step, state, detail, advice: (english, russian) } => serde_json::to_value(TrialStep {
                step: step.to_owned(),
                state: state.to_owned(),
                detail,
                advice: english.clone(),
                advice_en: english,
                advice_ru: russian,
            })
            .unwrap_or_default(),
            Tried::Done(well) => json!({"done": true, "ok": well}),
        };
        Ok::<_, Infallible>(Event::default().data(value.to_string()))
    });
    Sse::new(events).keep_alive(KeepAlive::new()).into_response()
}

/// A field of a link.
#[derive(Serialize, ToSchema)]
struct LinkField {
    /// The key of `[[link]]`.
    key: &'static str,
    /// What stands before it.
    label_en: String,
    /// The same in Russian.
    label_ru: String,
    /// What it takes, as in `/api/v1/settings`.
    kind: &'static str,
    /// What it is when nobody sets it.
    default: Value,
    /// Whether the mode cannot do without it.
    needed: bool,
    /// The words of a choice.
    choices: Vec<&'static str>,
    /// What it is for.
    help_en: &'static str,
    /// The same in Russian.
    help_ru: &'static str,
}

/// A way to connect, with the fields that it has.
#[derive(Serialize, ToSchema)]
struct LinkWay {
    /// The mode.
    mode: &'static str,
    /// What it is called.
    label_en: &'static str,
    /// The same in Russian.
    label_ru: &'static str,
    /// Its fields, the first ones first.
    fields: Vec<LinkField>,
}

/// Every way to connect.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"mode": "dial-ws", "label_en": "We connect by WebSocket", "label_ru": "Подключаемся мы, WebSocket",
    "fields": [{"key": "url", "label_en": "Url", "label_ru": "Адрес CRM", "kind": "text", "default": "", "needed": true, "choices": [],
    "help_en": "the CRM's full address", "help_ru": "полный адрес CRM"}]}]}))]
struct LinkWays {
    items: Vec<LinkWay>,
}

/// The ways to connect
///
/// For each mode the fields that it has, as a page asks for them.
#[utoipa::path(
    get, path = "/api/v1/links/schema", tag = "links",
    responses((status = 200, description = "One item for each mode", body = LinkWays)),
)]
async fn link_schema() -> Response {
    ok(&ways())
}

/// The same as a value.
pub(super) fn ways_value() -> Value {
    serde_json::to_value(ways()).unwrap_or_default()
}

fn ways() -> LinkWays {
    let default = serde_json::to_value(Link::default()).unwrap_or_default();
    let field = |mode: LinkMode, key: &'static Key| LinkField {
        key: key.name,
        label_en: label(key.name).0.to_owned(),
        label_ru: label(key.name).1.to_owned(),
        kind: key.kind.word(),
        default: default.get(key.name).cloned().unwrap_or_default(),
        needed: needs(mode, key.name),
        choices: key.kind.choices(),
        help_en: key.help_en,
        help_ru: key.help_ru,
    };
    let way = |mode: LinkMode| LinkWay {
        mode: mode.as_str(),
        label_en: mode_label(mode).0,
        label_ru: mode_label(mode).1,
        fields: key::KEYS
            .iter()
            .filter(|key| key.section == "link" && key.name != "mode" && Link::has_key(mode, key.name))
            .map(|key| field(mode, key))
            .collect(),
    };
    LinkWays { items: LinkMode::ALL.iter().copied().map(way).collect() }
}

fn needs(mode: LinkMode, name: &str) -> bool {
    match name {
        "name" => true,
        "bind" => mode.accepts(),
        "url" => !mode.accepts(),
        _ => false,
    }
}

const fn mode_label(mode: LinkMode) -> (&'static str, &'static str) {
    match mode {
        LinkMode::AcceptWs => ("The CRM connects to us", "Подключается CRM"),
        LinkMode::AcceptWss => ("The CRM connects to us, with TLS", "Подключается CRM, с TLS"),
        LinkMode::DialWs => ("We connect to the CRM", "Подключаемся мы"),
        LinkMode::DialWss => ("We connect to the CRM, with TLS", "Подключаемся мы, с TLS"),
        LinkMode::PostHttp => ("We post to the CRM", "Мы шлём POST"),
        LinkMode::PostHttps => ("We post to the CRM, with TLS", "Мы шлём POST, с TLS"),
    }
}

/// What stands before a field, in English and in Russian.
fn label(key: &str) -> (&str, &'static str) {
    match key {
        "name" => ("Name", "Имя"),
        "bind" => ("Address and port", "Адрес и порт"),
        "url" => ("Address of the CRM", "Адрес CRM"),
        "format" => ("Format", "Формат"),
        "websocket_version" => ("WebSocket version", "Версия WebSocket"),
        "deflate" => ("Compression", "Сжатие"),
        "auth" => ("Authorization", "Авторизация"),
        "login" => ("Login", "Логин"),
        "password" => ("Password", "Пароль"),
        "password_file" => ("Password in a file", "Пароль в файле"),
        "password_env" => ("Password in a variable", "Пароль в переменной"),
        "password_hash" => ("Hash of the password", "Хэш пароля"),
        "ticket" => ("Ticket", "Билет"),
        "ticket_file" => ("Ticket in a file", "Билет в файле"),
        "ticket_env" => ("Ticket in a variable", "Билет в переменной"),
        "allow_from" => ("Who may connect", "Кто может подключаться"),
        "insecure_basic" => ("Basic without TLS", "Basic без TLS"),
        "certificate" => ("Certificate", "Сертификат"),
        "key" => ("Private key", "Закрытый ключ"),
        "ca_file" => ("Trusted authorities", "Доверенные центры"),
        "pin_sha256" => ("Fingerprint of the certificate", "Отпечаток сертификата"),
        "danger_accept_any_certificate" => ("Accept any certificate", "Принимать любой сертификат"),
        "trust_users" => ("Trust its users", "Доверять её пользователям"),
        "users" => ("Users", "Пользователи"),
        "rights" => ("Rights", "Права"),
        "tunnel_grace" => ("Users stay for", "Пользователи остаются"),
        "multipart_threshold" => ("In parts from", "По частям от"),
        "silent_events" => ("Events it does not want", "Ненужные события"),
        "poll_interval" => ("Ask every", "Спрашивать каждые"),
        "post_connections" => ("Connections for methods", "Соединения для методов"),
        "rpc_login" => ("Login for /rpc", "Логин для /rpc"),
        "rpc_password" => ("Password for /rpc", "Пароль для /rpc"),
        "rpc_password_file" => ("Password for /rpc in a file", "Пароль для /rpc в файле"),
        "rpc_password_env" => ("Password for /rpc in a variable", "Пароль для /rpc в переменной"),
        other => (other, ""),
    }
}

/// Whether a port can be had.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"free": false, "why": "web.bind has it"}))]
struct PortChecked {
    free: bool,
    /// Who has it, or what the system said.
    why: String,
}

#[derive(Deserialize)]
struct WhichPort {
    address: String,
    #[serde(default)]
    except: String,
}

/// Check a port
///
/// Against all listeners of the configuration, and by opening it for a moment.
#[utoipa::path(
    get, path = "/api/v1/ports/check", tag = "links",
    params(
        ("address" = String, Query, description = "Address and port, `127.0.0.1:4060`"),
        ("except" = Option<String>, Query, description = "The link that may have it"),
    ),
    responses((status = 200, description = "Whether it is free", body = PortChecked)),
)]
async fn check_port(State(shared): State<Shared>, Query(which): Query<WhichPort>) -> Result<Response, Failure> {
    let address: SocketAddr =
        which.address.parse().map_err(|_| Failure::bad("address is no IP address with a port, like 127.0.0.1:4060"))?;
    let why = operator(&shared)?.port(address, which.except).await.err();
    Ok(with(StatusCode::OK, &PortChecked { free: why.is_none(), why: why.unwrap_or_default() }))
}

fn named(name: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    name.map(|Path(name)| name).map_err(|_| Failure::bad("the link's name in the address is not UTF-8"))
}

fn no_such(name: &str) -> Failure {
    Failure::not_found(format!("there is no link {name}"))
}

/// The keys of a link, as they came.
///
/// # Errors
/// Those of the body.
async fn read(request: Request) -> Result<Map<String, Value>, Failure> {
    Ok(values(&body(request).await?.all()))
}

/// An object of the protocol as JSON.
pub(super) fn values(object: &ctigate_proto::message::Object) -> Map<String, Value> {
    let value = |value| serde_json::from_str(&codec::encode_value(value)).unwrap_or_default();
    object.iter().map(|(name, of)| (name.to_string(), value(of))).collect()
}
