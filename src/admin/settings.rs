//! `/api/v1/settings` and `/api/v1/reload`: the configuration of the node while it runs.

use std::time::Duration;

use axum::extract::{Extension, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ctigate_proto::codec;
use ctigate_proto::message::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::operator::{Changed, Drain, Drained, NotChanged, Operator};
use super::{Failure, Shared, body, ok, with};
use crate::config::key::{self, KEYS, Key};
use crate::config::{Change, Config, Finding};
use crate::people::Doer;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(settings, change_settings))
        .routes(routes!(reload))
        .routes(routes!(drained, drain, end_drain))
}

/// One key that is another.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyChanged {
    /// The key: `limits.in_flight_tab`, `link[crm].url`, `user[ivanov]`.
    key: String,
    /// What it was, as the file would say it; secrets are masked. Empty: there was nothing.
    was: String,
    /// What it is. Empty: there is nothing.
    is: String,
    /// `now`: it counts at once; `relink`: its link is opened anew; `restart`: it counts after the next start.
    effect: &'static str,
}

/// Something that is wrong with a configuration, or deserves a warning.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigFinding {
    /// `error` or `warning`.
    severity: &'static str,
    /// The keys it is about.
    keys: Vec<String>,
    /// Where the first of them was set: `file`, `store`, `env`, `flag` or `default`.
    layer: &'static str,
    /// The same in words: the file with its line, the row of the store, the variable.
    place: String,
    /// What was found and what is allowed.
    message: String,
    /// What to do; empty when the message says it.
    help: String,
}

/// What a change did.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"changes": [{"key": "limits.in_flight_tab", "was": "256", "is": "64", "effect": "now"}], "findings": []}))]
pub(super) struct ConfigChanged {
    /// Key by key. Empty: everything is as it was.
    changes: Vec<KeyChanged>,
    /// Warnings.
    findings: Vec<ConfigFinding>,
}

/// Why a change was not made.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": 59002, "errormsg": "Bad request: the configuration has errors; nothing was changed",
    "findings": [{"severity": "error", "keys": ["limits.nesting"], "layer": "store", "place": "in the store, setting limits.nesting",
    "message": "found 500; allowed: from 4 to 127", "help": ""}]}))]
pub(super) struct ConfigRefused {
    /// A code of the protocol; 0 when there is none for it.
    error: i64,
    /// What was wrong.
    errormsg: String,
    /// Everything that is wrong with the configuration that was wanted.
    findings: Vec<ConfigFinding>,
}

/// A key as it is now.
#[derive(Serialize, ToSchema)]
struct SettingTold {
    /// The path of the key.
    #[schema(example = "limits.in_flight_tab")]
    key: String,
    /// Its value; secrets are masked.
    value: Value,
    /// What it is when nobody sets it.
    default: Value,
    /// `default`, `file`, `store`, `env` or `flag`.
    origin: &'static str,
    /// `now` or `restart`: what a change does.
    effect: &'static str,
    /// `text`, `number`, `duration`, `size`, `flag`, `choice`, `address`, `path`, `list`, `table` or `secret`.
    kind: &'static str,
    /// The words of a choice.
    choices: Vec<&'static str>,
    /// What it is for.
    help_en: &'static str,
    /// The same in Russian.
    help_ru: &'static str,
    /// Whether the store may hold it.
    changeable: bool,
    /// Whether it is another than when the node was started, and counts after a restart only.
    waits: bool,
}

/// Every key of the tables that stand once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"key": "limits.in_flight_tab", "value": 256, "default": 256, "origin": "default", "effect": "now",
    "kind": "number", "choices": [], "help_en": "most unanswered requests of one tab", "help_ru": "больше всего запросов одной вкладки без ответа",
    "changeable": true, "waits": false}]}))]
struct SettingsNow {
    items: Vec<SettingTold>,
}

/// The settings
///
/// Every key of the tables that stand once, with its value, where that comes from and what a change does. People, links, forms and the
/// other lists have addresses of their own, or stand in the file.
#[utoipa::path(
    get, path = "/api/v1/settings", tag = "settings",
    responses((status = 200, description = "All of them, table by table", body = SettingsNow)),
)]
async fn settings(State(shared): State<Shared>) -> Result<Response, Failure> {
    let operator = operator(&shared)?;
    let loaded = operator.configuration();
    let waiting = operator.waits_for_restart();
    let (now, default) = (written(&loaded.config), written(&Config::default()));
    let once =
        KEYS.iter().filter(|key| !crate::config::schema::is_list(key.section) && !matches!(key.kind, key::Kind::Table));
    let told = once.map(|key| {
        let path = key.path();
        SettingTold {
            value: at(&now, key),
            default: at(&default, key),
            origin: loaded.origins.get(&path).map_or("default", crate::config::Place::layer),
            effect: key.effect.word(),
            kind: key.kind.word(),
            choices: key.kind.choices(),
            help_en: key.help_en,
            help_ru: key.help_ru,
            changeable: key.is_changeable(),
            waits: waiting.iter().any(|change| change.key == path),
            key: path,
        }
    });
    Ok(ok(&SettingsNow { items: told.collect() }))
}

fn written(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

fn at(whole: &Value, key: &Key) -> Value {
    let table = key.section.split('.').fold(whole, |at, step| &at[step]);
    table[key.name].clone()
}

/// Whether to change anything.
#[derive(Default, Deserialize)]
pub(super) struct Trying {
    #[serde(default, rename = "try")]
    only: String,
}

impl Trying {
    pub(super) fn only(&self) -> bool {
        matches!(self.only.as_str(), "1" | "true")
    }
}

/// Change settings
///
/// They are kept in the store and applied at once, all or none. What the environment or a flag sets wins over the store.
#[utoipa::path(
    put, path = "/api/v1/settings", tag = "settings", 
    params(("try" = Option<String>, Query, description = "`1`: say what would change, and change nothing")),
    request_body(
        content = BTreeMap<String, Value>,
        description = "Each name the path of a key, each value as the file would have it; null takes the key out of the store, so that \
            the file or the default counts again",
        example = json!({"limits.in_flight_tab": 64, "limits.tab_rate": null}),
    ),
    responses(
        (status = 200, description = "What changed, or would change", body = ConfigChanged),
        (status = 400, description = "A key that cannot be changed here", body = super::answer::Refusal),
        (status = 409, description = "The configuration would have errors, or cannot be applied; nothing was changed", body = ConfigRefused),
    ),
)]
async fn change_settings(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(trying): Query<Trying>,
    request: Request,
) -> Result<Response, Failure> {
    let operator = operator(&shared)?;
    let wanted = body(request).await?.all();
    let mut settings = Vec::new();
    for (key, value) in wanted.iter() {
        let value: Value = serde_json::from_str(&codec::encode_value(value)).unwrap_or_default();
        settings.push((key.to_string(), Some(value).filter(|value| !value.is_null())));
    }
    if settings.is_empty() {
        return Err(Failure::bad("the body names no key"));
    }
    let only_try = trying.only();
    let result = operator.set(settings, only_try).await;
    if !only_try {
        note(&shared, &caller.doer(), "settings.set", &result).await?;
    }
    Ok(told(result))
}

/// Read the configuration again
///
/// File, store, environment and flags are read anew and what is another is applied: most of it at once, a link's own keys by opening
/// that link anew, ports, store and telephone system after the next start. Nothing else drops.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "settings",
    responses(
        (status = 200, description = "What changed", body = ConfigChanged),
        (status = 409, description = "The configuration has errors, or cannot be applied; nothing was changed", body = ConfigRefused),
    ),
)]
async fn reload(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Result<Response, Failure> {
    let result = operator(&shared)?.reload().await;
    note(&shared, &caller.doer(), "reload", &result).await?;
    Ok(told(result))
}

/// Notes what has changed, if anything has.
pub(super) async fn note(
    shared: &Shared,
    doer: &Doer,
    what: &str,
    result: &Result<Changed, NotChanged>,
) -> Result<(), Failure> {
    let Ok(Changed { changes, .. }) = result else { return Ok(()) };
    if changes.is_empty() {
        return Ok(());
    }
    let row = |change: &Change| serde_json::json!({ "key": change.key, "was": change.was, "is": change.is });
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).take(3).collect();
    let detail = changes.iter().take(100).map(row).collect();
    shared.noted(doer, what, &keys.join(", "), detail).await
}

/// How a node is emptied.
#[derive(ToSchema)]
#[schema(example = json!({"over_ms": 30000, "back_ms": 60000}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct DrainWanted {
    /// Over which time connections are closed, each at a moment of its own; without it 30 s.
    #[schema(minimum = 0, maximum = 3600000)]
    over_ms: Option<u64>,
    /// After how long they should come back; without it 60 s.
    #[schema(minimum = 1000, maximum = 86400000)]
    back_ms: Option<u64>,
}

/// How emptying goes.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"draining": true, "left": 12, "takes_ms": 18000, "back_ms": 60000}))]
struct DrainTold {
    /// Whether it is under way.
    draining: bool,
    /// How many connections are left. 0: the gateway may be stopped.
    left: usize,
    /// How long it still takes, unless somebody waits for an answer for longer.
    takes_ms: u64,
    /// After how long those who went should come back.
    back_ms: u64,
}

fn drain_told(drained: Drained) -> Response {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Drained { draining, left, takes, back } = drained;
    ok(&DrainTold { draining, left, takes_ms: millis(takes), back_ms: millis(back) })
}

/// How the emptying goes
#[utoipa::path(
    get, path = "/api/v1/drain", tag = "settings",
    responses((status = 200, description = "How it goes", body = DrainTold)),
)]
async fn drained(State(shared): State<Shared>) -> Result<Response, Failure> {
    Ok(drain_told(operator(&shared)?.drained()))
}

/// Empty the node
///
/// Nobody new is taken (`/readyz` says so with 503, upgrades are answered with 503 and `Retry-After`), and whoever is here goes, one after
/// the other. Whoever waits for an answer gets it first.
#[utoipa::path(
    post, path = "/api/v1/drain", tag = "settings", request_body = DrainWanted,
    responses((status = 200, description = "It has begun", body = DrainTold)),
)]
async fn drain(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let over = fields.millis("over_ms", 0..=3_600_000)?.unwrap_or(Duration::from_secs(30));
    let back = fields.millis("back_ms", 1000..=86_400_000)?.unwrap_or(Duration::from_secs(60));
    fields.finish()?;
    let drained = operator(&shared)?.drain(Some(Drain { over, back }));
    let detail = json!({ "over_s": over.as_secs_f64(), "back_s": back.as_secs_f64() });
    shared.noted(&caller.doer(), "drain", "", detail).await?;
    Ok(drain_told(drained))
}

/// End the emptying
///
/// Newcomers are taken again; whoever has not gone yet stays.
#[utoipa::path(
    delete, path = "/api/v1/drain", tag = "settings",
    responses((status = 200, description = "It is over", body = DrainTold)),
)]
async fn end_drain(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Result<Response, Failure> {
    let operator = operator(&shared)?;
    let was = operator.drained().draining;
    let drained = operator.drain(None);
    if was {
        shared.noted(&caller.doer(), "drain.end", "", Value::Null).await?;
    }
    Ok(drain_told(drained))
}

/// Whoever may change the node.
///
/// # Errors
/// 503: this node has nobody.
pub(super) fn operator(shared: &Shared) -> Result<&dyn Operator, Failure> {
    shared.door.operator().ok_or_else(|| {
        Failure::with(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal,
            "this node has no configuration that could be changed",
        )
    })
}

/// What became of a change, as a response.
pub(super) fn told(result: Result<Changed, NotChanged>) -> Response {
    match result {
        Ok(Changed { changes, warnings }) => {
            let changes = changes.into_iter().map(KeyChanged::of).collect();
            let findings = warnings.iter().map(|finding| ConfigFinding::of(finding, "warning")).collect();
            ok(&ConfigChanged { changes, findings })
        }
        Err(why) => refused(why),
    }
}

pub(super) fn refused(why: NotChanged) -> Response {
    let (status, code, text, findings) = match why {
        NotChanged::Refused(refused) => {
            let errors = refused.errors.iter().map(|finding| ConfigFinding::of(finding, "error"));
            let warnings = refused.warnings.iter().map(|finding| ConfigFinding::of(finding, "warning"));
            let text = "the configuration has errors; nothing was changed".to_owned();
            (StatusCode::CONFLICT, Code::BadRequest, text, errors.chain(warnings).collect())
        }
        NotChanged::Wrong(text) => return Failure::bad(text).into_response(),
        NotChanged::NotFound(text) => (StatusCode::NOT_FOUND, Code::NotFound, text, Vec::new()),
        NotChanged::Conflict(text) => (StatusCode::CONFLICT, Code::BadRequest, text, Vec::new()),
        NotChanged::Failed(text) => (StatusCode::CONFLICT, Code::Internal, text, Vec::new()),
    };
    let errormsg = ctigate_proto::message::CallError::new(code, text).errormsg();
    with(status, &ConfigRefused { error: code.number(), errormsg, findings })
}

impl KeyChanged {
    fn of(change: Change) -> Self {
        let Change { key, was, is, effect } = change;
        Self { key, was, is, effect: effect.word() }
    }
}

impl ConfigFinding {
    fn of(finding: &Finding, severity: &'static str) -> Self {
        Self {
            severity,
            keys: finding.keys.clone(),
            layer: finding.place.layer(),
            place: finding.place.to_string(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}
