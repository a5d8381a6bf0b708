//! The interface described for programs (OpenAPI 3.1.0, spec.openapis.org/oas/v3.1.0), made of the handlers themselves, and the page
//! on which people read it. Both hold nothing of the node, so no token is asked for.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, Info, License, OpenApi, PathItem, Ref, RefOr, Response as Described, ResponseBuilder, Tag,
};

use super::answer::Refusal;
use super::{Failure, Shared};
use crate::assets;

/// The groups of addresses, in the order in which they are read.
const TAGS: [(&str, &str); 10] = [
    ("overview", "The node as a whole, and who is here"),
    ("calls", "Live calls, and the simulated telephone system"),
    ("journal", "Calls of the past"),
    ("methods", "Dynamic methods of CRMs"),
    ("forms", "Forms in people's tabs"),
    ("events", "What happens, as it happens, and the log"),
    ("links", "The CRMs"),
    ("settings", "The configuration while the node runs"),
    ("people", "Signing in, people, integration keys, and who changed what"),
    ("health", "For supervisors, balancers and Prometheus"),
];

const INTRODUCTION: &str = "What programs, the console and the commands of a gateway use. The admin port serves it \
    (`[web] admin_bind`, by default 127.0.0.1:4058). Bodies are JSON objects of at most 1 MiB; a field that is not known is \
    refused. `Host` must name localhost, an address, or a configured name of the gateway; a request from a page must come from a \
    page of that same host. Moments are milliseconds since 1970.";

/// The page's policy: what is its own, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// The page and the document.
pub(super) fn pages() -> Router<Shared> {
    Router::new()
        .route("/api", get(page))
        .route("/api/reader.js", get(file))
        .route("/api/reader.css", get(file))
        .route("/page/{*path}", get(file))
        .route("/api/v1/openapi.json", get(document))
}

async fn page(request: Request) -> Result<Response, Failure> {
    find("api/index.html", &request)
}

async fn file(request: Request) -> Result<Response, Failure> {
    find(request.uri().path().trim_start_matches('/'), &request)
}

fn find(name: &str, request: &Request) -> Result<Response, Failure> {
    let mut response =
        assets::find(name, request.headers()).ok_or_else(|| Failure::not_found("there is no such file"))?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

async fn document(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shared.document).into_response()
}

/// The document as it is served.
pub(super) fn text(document: &OpenApi) -> Bytes {
    document.to_json().expect("a document of plain values can be written").into()
}

/// Adds to the document of what asks for the token all that its addresses have in common, and the document of what asks
/// for nothing.
pub(super) fn finish(document: &mut OpenApi, mut open: OpenApi) {
    document.info = Info::new("ctigate", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(INTRODUCTION.to_owned());
    document.info.license = Some(License::new("MIT OR Apache-2.0"));
    document.tags = Some(TAGS.iter().map(|(name, about)| tag(name, about)).collect());
    document.security = Some(["token", "session", "key", "ticket"].map(|way| requirement(Some(way))).to_vec());
    document.paths.paths.values_mut().flat_map(operations).for_each(refusals);
    for operation in open.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![requirement(None)]);
    }
    document.merge(open);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in named_operations(item) {
            operation.operation_id = Some(id_of(method, path));
        }
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Refusal::name().into_owned(), <Refusal as utoipa::PartialSchema>::schema());
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
}

fn tag(name: &str, about: &str) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(about.to_owned());
    tag
}

fn requirement(way: Option<&str>) -> SecurityRequirement {
    way.map_or_else(SecurityRequirement::default, |way| SecurityRequirement::new(way, Vec::<String>::new()))
}

fn schemes() -> [(&'static str, SecurityScheme); 4] {
    let bearer =
        |about: &str| -> Http { HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build() };
    let cookie = ApiKeyValue::with_description(
        "ctigate_console",
        "The session of somebody who signed in by /api/v1/signin and has the right admin",
    );
    let ticket = ApiKeyValue::with_description("ticket", "An integration key, where a header cannot be set");
    [
        ("token", SecurityScheme::Http(bearer("The token of the admin port, from data/admin.token: everything"))),
        ("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
        ("key", SecurityScheme::Http(bearer("An integration key: everything but administration"))),
        ("ticket", SecurityScheme::ApiKey(ApiKey::Query(ticket))),
    ]
}

/// What every address that asks for the token may answer besides.
fn refusals(operation: &mut Operation) {
    let mut wanted = vec![
        ("401", "Nothing or something wrong proves who asks"),
        ("403", "Whoever asks may not, or `Host` or `Origin` is foreign"),
    ];
    if operation.request_body.is_some() || operation.parameters.is_some() {
        wanted.push(("400", "The address or the body is wrong"));
    }
    if operation.request_body.is_some() {
        wanted.push(("413", "The body is larger than 1 MiB"));
        wanted.push(("415", "The body is not `application/json`"));
    }
    for (status, about) in wanted {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(about)));
    }
}

fn refusal(about: &str) -> Described {
    let schema = Ref::from_schema_name(Refusal::name());
    ResponseBuilder::new().description(about).content("application/json", Content::new(Some(schema))).build()
}

/// What an address can do.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    named_operations(item).map(|(_, operation)| operation)
}

fn named_operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The name by which generators know an operation: the names of handlers are not unique, addresses are.
fn id_of(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [method].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ctigate_proto::hub::output::Answer;
    use serde_json::Value;

    use super::super::tests::{House, admin, ask, request};
    use super::TAGS;

    async fn served() -> Value {
        let mut bare = request("GET", "/api/v1/openapi.json", "");
        bare.headers_mut().remove("authorization");
        let seen = ask(&admin(&House::new()), bare).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, "application/json"));
        serde_json::from_str(&seen.body).unwrap()
    }

    /// Methods by path, as the document has them.
    fn described(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
        let paths = document["paths"].as_object().unwrap().iter();
        let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        paths.map(|(path, item)| (path.clone(), methods(item))).collect()
    }

    #[tokio::test]
    async fn every_route_is_described_and_every_description_is_served() {
        let house = House::new();
        let router = admin(&house);
        // The only way a router tells its addresses.
        let debug = format!("{router:?}");
        let paths: BTreeSet<&str> = debug.split('"').filter(|part| part.starts_with('/')).collect();
        assert!(paths.contains("/api/v1/snapshot") && paths.contains("/healthz"), "{debug}");
        let mut served = BTreeMap::new();
        for path in paths {
            // The document itself and what browsers load are no part of the interface.
            let outside = !["/api/v1/", "/healthz", "/readyz", "/metrics"].iter().any(|own| path.starts_with(own));
            if outside || path == "/api/v1/openapi.json" {
                continue;
            }
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
            let seen = ask(&router, request("OPTIONS", &filled.join("/"), "")).await;
            assert_eq!(seen.status, 405, "{path}");
            let methods = seen.header("allow").split(',').filter(|method| *method != "HEAD").map(str::to_owned);
            served.insert(path.to_owned(), methods.collect::<BTreeSet<_>>());
        }
        assert_eq!(served, described(&self::served().await));
    }

    #[tokio::test]
    async fn every_operation_says_what_it_is_and_belongs_to_a_group() {
        let document = served().await;
        assert_eq!(document["openapi"], "3.1.0");
        let tags: BTreeSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let what = format!("{method} {path}");
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what} has no heading");
                let own: Vec<&str> =
                    operation["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
                assert!(own.len() == 1 && tags.contains(own[0]), "{what}: {own:?}");
                assert!(
                    ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                    "{what}: its id is another's"
                );
                let responses = operation["responses"].as_object().unwrap();
                let open = operation["security"].as_array().is_some_and(|ways| ways[0] == serde_json::json!({}));
                assert_eq!(responses.contains_key("401"), !open, "{what}");
                assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
            }
        }
    }

    /// Whatever reads a body field by field and the struct that describes it know the same fields.
    #[tokio::test]
    async fn a_described_body_has_the_fields_that_are_read() {
        let document = served().await;
        let mut looked_at = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema/$ref") else {
                    continue;
                };
                let name = schema.as_str().unwrap().rsplit('/').next().unwrap();
                let schema = &document["components"]["schemas"][name];
                let fields: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(|k| &**k).collect();
                // What is needed is given, so that only the unknown field is wrong.
                let needed = schema["required"].as_array().into_iter().flatten().map(|field| field.as_str().unwrap());
                let example = &schema["example"];
                let mut body: serde_json::Map<String, Value> =
                    needed.map(|field| (field.to_owned(), example[field].clone())).collect();
                body.insert("nobody_knows_this".to_owned(), Value::Bool(true));
                let house = House::answering(Answer::Done);
                let path = path.replace("{", "").replace("}", "");
                let seen =
                    ask(&admin(&house), request(&method.to_uppercase(), &path, &Value::Object(body).to_string())).await;
                let Some((_, known)) = seen.body.split_once("known are: ") else {
                    // An order needs other fields for each word, the keys of a link are those of the configuration, and a first run
                    // asks for its code first; their own tests know them.
                    let other = ["Order", "LinkWanted", "SetupWanted"].contains(&name);
                    assert!(other || seen.status == 403, "{path}: {}", seen.body);
                    continue;
                };
                let known: BTreeSet<&str> = known.trim_end_matches("\"}").split(", ").collect();
                assert_eq!(known, fields, "{method} {path}");
                looked_at += 1;
            }
        }
        assert!(looked_at >= 2);
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere_and_needs_no_token() {
        let house = House::new();
        let bare = |path: &str, host: &str| {
            let mut bare = request("GET", path, "");
            bare.headers_mut().remove("authorization");
            bare.headers_mut().insert("host", host.parse().unwrap());
            bare
        };
        for (path, kind) in [
            ("/api", "text/html; charset=utf-8"),
            ("/api/reader.js", "text/javascript; charset=utf-8"),
            ("/api/reader.css", "text/css; charset=utf-8"),
            ("/page/page.css", "text/css; charset=utf-8"),
        ] {
            let seen = ask(&admin(&house), bare(path, "localhost")).await;
            assert_eq!((seen.status, seen.header("content-type")), (200, kind), "{path}");
            let policy = seen.header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert!(!seen.body.contains("http://") && !seen.body.contains("https://"), "{path}");
            assert_eq!(ask(&admin(&house), bare(path, "evil.example")).await.status, 403);
        }
        assert_eq!(ask(&admin(&house), bare("/page/nothing.css", "localhost")).await.status, 404);
    }
}
