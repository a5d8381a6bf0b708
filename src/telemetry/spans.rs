//! Spans for OpenTelemetry, behind the feature `otel`: one for each call of the protocol that was answered, each order to the
//! telephone system, each dynamic method and each form. They are made of the Hub's notices when something has ended, so that
//! nothing is measured twice and nobody waits; a bounded queue of the SDK sends them by OTLP over HTTP (protobuf).
//!
//! Where they go is said by the environment, as OpenTelemetry has it: `OTEL_EXPORTER_OTLP_ENDPOINT`, or
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` with the whole path. Without either nothing is made. Plain HTTP only: a collector stands
//! beside the gateway.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use ctigate_proto::hub::output::Notice;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry::trace::{Span, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpStream;

/// Where spans go, by the environment.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// Most orders and forms whose end is awaited.
const MOST_OPEN: usize = 10_000;
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of a collector, bytes.
const LONGEST: usize = 64 << 10;

/// Makes spans and sends them.
#[derive(Debug)]
pub struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// When what has not ended yet began: forms and orders by their names.
    open: Mutex<BTreeMap<String, (SystemTime, Vec<KeyValue>)>>,
}

impl Spans {
    /// Sends to where the environment says. `None`: it says nothing. Call it inside a runtime.
    ///
    /// # Errors
    /// What the environment says is no address.
    pub fn from_environment() -> Result<Option<Self>, String> {
        if ENDPOINTS.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            return Ok(None);
        }
        let client = Client(tokio::runtime::Handle::current());
        let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
        let exporter = exporter.map_err(|error| format!("{}: {error}", ENDPOINTS[0]))?;
        let about = Resource::builder()
            .with_service_name("ctigate")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(about).build();
        Ok(Some(Self { tracer: provider.tracer("ctigate"), provider, open: Mutex::default() }))
    }

    /// Takes a notice of the Hub.
    pub(super) fn notice(&self, notice: &Notice) {
        match notice {
            Notice::Replied { method, error, micros } => {
                let attributes = vec![KeyValue::new("ctigate.method", *method)];
                let failed = error.map(|code| format!("{}: {}", code.number(), code.text()));
                self.ended(*method, SpanKind::Server, Duration::from_micros(*micros), attributes, failed);
            }
            Notice::MethodDone { method, link, outcome, millis } => {
                let attributes = vec![
                    KeyValue::new("ctigate.dynamic_method", method.to_string()),
                    KeyValue::new("ctigate.link", link.to_string()),
                    KeyValue::new("ctigate.outcome", *outcome),
                ];
                let failed = (!matches!(*outcome, "ok" | "fallback")).then(|| (*outcome).to_owned());
                let took = Duration::from_millis(*millis);
                self.ended(format!("dynamic method {method}"), SpanKind::Client, took, attributes, failed);
            }
            Notice::Form { id, name, login, state: "open" } => {
                let attributes = vec![
                    KeyValue::new("ctigate.form", name.to_string()),
                    KeyValue::new("ctigate.form_id", id.to_string()),
                    KeyValue::new("ctigate.user", login.to_string()),
                ];
                self.begun(format!("form {id}"), attributes);
            }
            Notice::Form { id, name, state, .. } => {
                self.closed(
                    &format!("form {id}"),
                    format!("form {name}"),
                    vec![KeyValue::new("ctigate.outcome", *state)],
                    None,
                );
            }
            Notice::Ordered { order, peer, qid, who, method } => {
                let mut attributes = vec![
                    KeyValue::new("ctigate.order", i64::try_from(*order).unwrap_or(i64::MAX)),
                    KeyValue::new("ctigate.qid", qid.to_string()),
                    KeyValue::new("ctigate.who", who.clone()),
                    KeyValue::new("ctigate.method", *method),
                ];
                attributes.extend(peer.map(|p| KeyValue::new("ctigate.peer", i64::try_from(p.0).unwrap_or(i64::MAX))));
                self.begun(format!("order {order}"), attributes);
            }
            Notice::OrderDone { order, error } => {
                let failed = error.as_ref().map(ctigate_proto::message::CallError::errormsg);
                self.closed(&format!("order {order}"), "order to the telephone system".to_owned(), Vec::new(), failed);
            }
            _ => {}
        }
    }

    /// Sends what waits; what comes later is thrown away. Blocks for at most ten seconds: not for a task.
    pub fn close(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }

    fn begun(&self, key: String, attributes: Vec<KeyValue>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Beyond the bound there is no span; everything else goes on.
        if open.len() < MOST_OPEN {
            open.insert(key, (SystemTime::now(), attributes));
        }
    }

    fn closed(&self, key: &str, name: String, more: Vec<KeyValue>, failed: Option<String>) {
        let begun = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some((began, mut attributes)) = begun {
            attributes.extend(more);
            let took = began.elapsed().unwrap_or_default();
            self.ended(name, SpanKind::Internal, took, attributes, failed);
        }
    }

    /// Something has ended just now that took so long.
    fn ended(
        &self,
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: SpanKind,
        took: Duration,
        attributes: Vec<KeyValue>,
        failed: Option<String>,
    ) {
        let now = SystemTime::now();
        let span =
            self.tracer.span_builder(name).with_kind(kind).with_start_time(now - took).with_attributes(attributes);
        let mut span = span.start_with_context(&self.tracer, &Context::new());
        if let Some(why) = failed {
            span.set_status(Status::error(why));
        }
        span.end_with_timestamp(now);
    }
}

/// Sends by the runtime's own sockets, whichever thread asks.
#[derive(Debug)]
struct Client(tokio::runtime::Handle);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.0.spawn(async move { tokio::time::timeout(PATIENCE, send(request)).await });
        sent.await??
    }
}

/// One request on a connection of its own.
async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().cloned().ok_or("the collector has no address")?;
    if head.uri.scheme_str() != Some("http") {
        return Err("a collector is reached by http:// only".into());
    }
    let tcp = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut to, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await?;
    let connection = tokio::spawn(connection);
    head.headers.insert(hyper::header::HOST, authority.as_str().parse()?);
    head.uri = head.uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let response = to.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}
