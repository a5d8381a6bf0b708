//! `GET /api/v1/overview`: what an administrator sees first. `GET /api/v1/sessions`: every tab.

use std::net::SocketAddr;

use axum::extract::State;
use axum::response::Response;
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::snapshot::UserView;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, ok};
use super::picture::TabNow;
use super::{Failure, Shared, look};
use crate::telemetry::series::{self, Sample};

/// A day, milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(sessions))
}

/// What the process knows of itself.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// When it started, milliseconds since 1970.
    pub started_ms: i64,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// The plain web port.
    pub web: Option<SocketAddr>,
    /// The web port with TLS.
    pub web_tls: Option<SocketAddr>,
    /// The admin port.
    pub admin: Option<SocketAddr>,
    /// The certificates in use: the key of the configuration, whose, and until when, seconds since 1970.
    pub certificates: Vec<(String, String, i64)>,
    /// The folder of the data, and the free and the whole space of its disk, bytes.
    pub disk: Option<(String, u64, u64)>,
    /// How large the store is, bytes; `None`: it is no file of this machine.
    pub store_bytes: Option<u64>,
}

/// The node at a glance.
#[derive(Serialize, ToSchema)]
struct Overview {
    node: NodeAtGlance,
    counts: NodeCounts,
    /// How each part is, as in /readyz.
    parts: Vec<NodePart>,
    certificates: Vec<NodeCertificate>,
    disk: NodeDisk,
    rates: NodeRates,
    series: NodeSeries,
}

/// The process.
#[derive(Serialize, ToSchema)]
struct NodeAtGlance {
    /// What runs here.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When it started, milliseconds since 1970.
    started_ms: i64,
    /// Its clock, milliseconds since 1970.
    now_ms: i64,
    /// For how long it runs.
    uptime_ms: i64,
    addresses: NodeAddresses,
}

/// Where it listens.
#[derive(Serialize, ToSchema)]
struct NodeAddresses {
    /// Browsers and pages, plain.
    #[schema(value_type = Option<String>, example = "127.0.0.1:4055")]
    web: Option<SocketAddr>,
    /// Browsers and pages, TLS.
    #[schema(value_type = Option<String>, example = "127.0.0.1:4056")]
    web_tls: Option<SocketAddr>,
    /// This interface.
    #[schema(value_type = Option<String>, example = "127.0.0.1:4058")]
    admin: Option<SocketAddr>,
}

/// How much there is of what.
#[derive(Serialize, ToSchema)]
struct NodeCounts {
    links_up: usize,
    links: usize,
    users_online: usize,
    users: usize,
    tabs: usize,
    calls: usize,
    forms: usize,
    executions: usize,
}

/// How a part is.
#[derive(Serialize, ToSchema)]
struct NodePart {
    /// `store`, `links`, `telephone`, `certificate` or `web`.
    #[schema(example = "store")]
    name: &'static str,
    /// `ok`, `degraded` or `down`.
    #[schema(example = "ok")]
    state: &'static str,
    /// What people should know.
    detail: String,
}

/// A certificate in use.
#[derive(Serialize, ToSchema)]
struct NodeCertificate {
    /// The key of the configuration that names it.
    #[schema(example = "web.certificate")]
    key: String,
    /// Whole days left; negative when it has expired.
    #[schema(example = 364)]
    days: i64,
    /// Whose it is.
    #[schema(example = "CN=cti.example")]
    subject: String,
}

/// The disk under the data.
#[derive(Serialize, ToSchema)]
struct NodeDisk {
    /// The folder; empty when it cannot be looked at.
    #[schema(example = "/var/lib/ctigate")]
    path: String,
    /// Free for us.
    free_bytes: u64,
    /// All there is.
    total_bytes: u64,
    /// The store's files; null when it is no file of this machine.
    store_bytes: Option<u64>,
}

/// The last minute.
#[derive(Serialize, ToSchema)]
struct NodeRates {
    /// Calls that began, a minute.
    calls_minute: f64,
    /// Messages received and sent, a second.
    messages_second: f64,
    /// Replies that said no, messages that could not be read, methods without a result; a minute.
    errors_minute: f64,
}

/// The last hour.
#[derive(Serialize, ToSchema)]
struct NodeSeries {
    /// Between two points.
    #[schema(example = 10000)]
    step_ms: i64,
    /// At most 360, the oldest first; none in the first ten seconds.
    points: Vec<NodePoint>,
}

/// What happened since the point before.
#[derive(Serialize, ToSchema)]
struct NodePoint {
    /// When it was taken, milliseconds since 1970.
    at_ms: i64,
    /// Calls that went on.
    calls: usize,
    /// Calls that began.
    calls_begun: u64,
    /// Messages received and sent.
    messages: u64,
    /// What went wrong.
    errors: u64,
    /// Half of the dynamic methods were quicker; null: there was none.
    method_p50_ms: Option<f64>,
    /// Nineteen of twenty were quicker.
    method_p95_ms: Option<f64>,
    /// Tabs that were open.
    tabs: usize,
}

/// The node at a glance
///
/// Counts, the state of each part, certificates, the disk, and the figures of the last hour.
#[utoipa::path(
    get, path = "/api/v1/overview", tag = "overview",
    responses(
        (status = 200, description = "The node", body = Overview),
        (status = 500, description = "The node gives no picture", body = Refusal),
    ),
)]
async fn overview(State(shared): State<Shared>) -> Result<Response, Failure> {
    let door = &*shared.door;
    let now = look(door).await?;
    let NodeFacts { started_ms, now_ms, web, web_tls, admin, certificates, disk, store_bytes } = door.facts().await;
    let parts = door.parts().await.into_iter();
    let sample = sample(&now, door.telemetry().metrics(), now_ms);
    let (points, rates) = door.telemetry().series(|series| (series.points(), series.rates(&sample)));
    let (path, free_bytes, total_bytes) = disk.unwrap_or_default();
    let point = |point: series::Point| {
        let series::Point { at_ms, calls, calls_begun, messages, errors, method_p50_ms, method_p95_ms, tabs } = point;
        NodePoint { at_ms, calls, calls_begun, messages, errors, method_p50_ms, method_p95_ms, tabs }
    };
    let days = |until: i64| (until - now_ms / 1000).div_euclid(DAY_MS / 1000);
    let certificate = |(key, subject, until)| NodeCertificate { key, days: days(until), subject };
    let rounded = |rate: f64| (rate * 100.0).round() / 100.0;
    Ok(ok(&Overview {
        node: NodeAtGlance {
            version: env!("CARGO_PKG_VERSION"),
            started_ms,
            now_ms,
            uptime_ms: now_ms - started_ms,
            addresses: NodeAddresses { web, web_tls, admin },
        },
        counts: NodeCounts {
            links_up: now.links.iter().filter(|link| link.state == "up").count(),
            links: now.links.len(),
            users_online: now.users.iter().filter(|user| user.online).count(),
            users: now.users.len(),
            tabs: tabs(&now),
            calls: now.calls.len(),
            forms: now.forms.len(),
            executions: now.executions.len(),
        },
        parts: parts.map(|part| NodePart { name: part.name, state: part.state.word(), detail: part.detail }).collect(),
        certificates: certificates.into_iter().map(certificate).collect(),
        disk: NodeDisk { path, free_bytes, total_bytes, store_bytes },
        rates: NodeRates {
            calls_minute: rounded(rates.calls_minute),
            messages_second: rounded(rates.messages_second),
            errors_minute: rounded(rates.errors_minute),
        },
        series: NodeSeries { step_ms: series::STEP_MS, points: points.into_iter().map(point).collect() },
    }))
}

/// The figures of this moment, for the series.
pub fn sample(now: &Snapshot, metrics: &crate::telemetry::Metrics, now_ms: i64) -> Sample {
    Sample::take(metrics, now_ms, now.calls.len(), tabs(now), now.calls_begun)
}

fn tabs(now: &Snapshot) -> usize {
    now.users.iter().map(|user| user.tabs.len()).sum()
}

/// A tab and whose it is.
#[derive(Serialize, ToSchema)]
struct SessionNow<'a> {
    /// Whose, by login.
    #[schema(example = "ivanov")]
    login: &'a str,
    /// The display name.
    name: &'a str,
    #[serde(flatten)]
    tab: TabNow<'a>,
}

/// Every tab.
#[derive(Serialize, ToSchema)]
struct SessionsNow<'a> {
    items: Vec<SessionNow<'a>>,
}

/// Tabs that are open
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "overview",
    responses((status = 200, description = "All of them, by user in the order of the configuration", body = SessionsNow)),
)]
async fn sessions(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    let tabs = now.users.iter().flat_map(|UserView { login, name, tabs, .. }| {
        tabs.iter().map(move |tab| SessionNow { login, name, tab: TabNow::of(tab) })
    });
    Ok(ok(&SessionsNow { items: tabs.collect() }))
}
