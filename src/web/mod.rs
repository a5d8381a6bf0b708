//! What the web port answers to plain HTTP: the agent's page, the browser library, the demo's board, `POST /rpc` for CRMs that post
//! to us, uploads, recordings and photos, and the commands of programs. WebSocket upgrades branch off before; the listener is the transport's.
//!
//! Files of pages are embedded; of the file system only what [`crate::files`] gives can be reached. Every answer carries a strict content security policy,
//! and pages show what peers sent as text only.

mod commands;
mod demo;
mod files;
mod people;
mod routes;
mod rpc;
mod xml;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use tokio_util::sync::CancellationToken;

use crate::admin::Door;
use crate::assets;
use crate::config::Link;
use crate::files::Files;

use people::People;

pub use demo::Person;
pub use routes::Routes;

/// What the web port is made of.
pub struct Settings {
    /// The links whose CRMs may post to `/rpc`: those with an `rpc_login` or, posting, a `ticket`.
    pub links: Vec<Link>,
    /// The largest message a link may send, in bytes.
    pub max_message: usize,
    /// Deepest nesting of a message.
    pub nesting: usize,
    /// Which pages may reach us.
    pub origins: Arc<OriginRule>,
    /// Where a request comes from, as the listener has noted it among the request's extensions.
    pub caller: fn(&Extensions) -> Caller,
    /// Uploads, photos and recordings. `None`: none of them, nor the commands of programs.
    pub files: Option<Files>,
    /// Whether people's passwords are taken by Basic without TLS from other machines.
    pub insecure_basic: bool,
    /// What programs with an integration key ask for, which the admin port serves too.
    pub api: Option<Router>,
    /// The demonstration's people. `None`: there is no demonstration, and `/demo` is nothing.
    pub demo: Option<Vec<Person>>,
    /// Ends the event streams.
    pub stop: CancellationToken,
}

/// Whether a page of an origin (the first text) may reach us, who were asked for as a host (the second).
pub type OriginRule = dyn Fn(&str, &str) -> bool + Send + Sync;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The address.
    pub address: IpAddr,
    /// Whether the way to us is TLS.
    pub tls: bool,
}

impl Caller {
    /// Whether others on the way can read what is sent.
    fn exposed(self) -> bool {
        !self.tls && !self.address.is_loopback()
    }
}

/// Everything the web port answers.
pub fn router(door: Arc<dyn Door>, settings: Settings) -> Router {
    let Settings { links, max_message, nesting, origins, caller, files, insecure_basic, api, demo, stop } = settings;
    let origins = Origins(origins);
    let rpc = rpc::Rpc::new(Arc::clone(&door), &links, rpc::Limits { max_message, nesting }, origins.clone(), caller);
    let people = files.map(|files| {
        let people = People { door: Arc::clone(&door), files, caller, insecure_basic, origins: origins.clone() };
        people_routes(people)
    });
    let api = api.unwrap_or_default().layer(middleware::from_fn_with_state(origins.clone(), Origins::only));
    let pages = Router::new()
        .route("/", get(|request: Request| page("agent/index.html", request)))
        .route("/agent", get(|| async { Redirect::permanent("/") }))
        .route("/agent/", get(|| async { Redirect::permanent("/") }))
        .route("/agent/{*path}", get(file))
        .route("/page/{*path}", get(file))
        .route("/client/{*path}", get(file).layer(middleware::from_fn_with_state(origins, Origins::share)))
        .route("/rpc", post(rpc::serve).with_state(Arc::new(rpc)));
    let demo = match demo {
        Some(people) => demo::router(door, people, stop),
        None => Router::new()
            .route("/demo", any(nothing_here))
            .route("/demo/", any(nothing_here))
            .route("/demo/{*path}", any(nothing_here)),
    };
    pages
        .merge(people.unwrap_or_default())
        .merge(demo)
        .merge(api)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(harden))
}

/// What people fetch and bring, and what programs order.
fn people_routes(people: People) -> Router {
    let command = |path: &'static str, to: axum::routing::MethodRouter<People>| Router::new().route(path, to);
    let both = [
        command("/execsvcscript", get(commands::script).post(commands::script)),
        command("/execsvcscriptplain", get(commands::script_plain).post(commands::script_plain)),
        command("/tst_getuserstate", get(commands::user_state).post(commands::user_state)),
        command("/gettotalqueueinfo", get(commands::queues).post(commands::queues)),
        command("/wp_switchcall", get(commands::switch_call).post(commands::switch_call)),
        command("/wp_autocallstop", get(commands::stop_dialling).post(commands::stop_dialling)),
        command("/wp_flash", get(commands::flash).post(commands::flash)),
        command("/wp_setuserstate", get(commands::set_user_state).post(commands::set_user_state)),
        command("/wp_getabonentinfo", get(commands::party).post(commands::party)),
        command("/wp_getchaincontent", get(commands::chain).post(commands::chain)),
    ];
    let origins = people.origins.clone();
    let shared = Router::new()
        .route("/upload", post(files::upload))
        .route("/record/{name}", get(files::record))
        .route("/fax/{id}", get(files::fax))
        // Known clients put a link behind the address of their connection, which may end with a slash.
        .route("//record/{name}", get(files::record))
        .route("//fax/{id}", get(files::fax))
        .route("/downloadrecordbylink", get(files::record_by_link))
        .route("/photo/{name}", get(files::photo))
        .layer(middleware::from_fn_with_state(origins, Origins::share));
    both.into_iter().fold(shared, Router::merge).with_state(people)
}

/// Which pages may reach us.
#[derive(Clone)]
struct Origins(Arc<OriginRule>);

impl Origins {
    /// Whether the request comes from no page, or from one that may reach us.
    fn allow(&self, headers: &axum::http::HeaderMap) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        match headers.get(header::ORIGIN) {
            None => true,
            Some(origin) => origin.to_str().is_ok_and(|origin| (self.0)(origin, host)),
        }
    }

    /// Refuses pages that may not reach us.
    async fn only(State(origins): State<Self>, request: Request, next: middleware::Next) -> Response {
        match origins.allow(request.headers()) {
            true => next.run(request).await,
            false => {
                (StatusCode::FORBIDDEN, "pages of this origin may not ask here: web.allowed_origins\n").into_response()
            }
        }
    }

    /// Lets allowed pages of other origins load the browser library from here.
    async fn share(State(origins): State<Self>, request: Request, next: middleware::Next) -> Response {
        let origin = request.headers().get(header::ORIGIN).filter(|_| origins.allow(request.headers())).cloned();
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        response
    }
}

/// The file under the request's own path.
async fn file(request: Request) -> Response {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    page(&name, request).await
}

/// A file by name.
async fn page(name: &str, request: Request) -> Response {
    match assets::find(name, request.headers()) {
        Some(response) => response,
        None => nothing_here(request).await,
    }
}

/// The page for addresses under which there is nothing.
async fn nothing_here(request: Request) -> Response {
    const PAGE: &str = include_str!("404.html");
    match *request.method() {
        Method::GET | Method::HEAD => (StatusCode::NOT_FOUND, Html(PAGE)).into_response(),
        _ => (StatusCode::NOT_FOUND, "nothing is served under this address\n").into_response(),
    }
}

async fn wrong_method() -> Response {
    let text = "this address does not serve the request's method; see Allow\n";
    (StatusCode::METHOD_NOT_ALLOWED, text).into_response()
}

/// What every answer says to browsers.
async fn harden(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
                          connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Files say themselves how they are kept; nothing else is.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
