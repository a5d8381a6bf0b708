//! The administrator's console: its page at `/` and `/setup`, and the files that the page loads. They are the same for
//! everybody and hold nothing of the node, so no sign-in is asked for; everything that is told comes from `/api/v1`. What
//! they share with the reading page (`/page`) is served there.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Failure;
use crate::assets;

/// The page. It decides itself what it shows, by its address.
const PAGE: &str = "console/index.html";
/// What stands around the page's only inline script, which says where its modules are.
const MAP: (&str, &str) = ("<script type=\"importmap\">", "</script>");

/// The console's addresses.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(page))
        .route("/setup", get(page))
        .route("/console/{*path}", get(file))
        .route("/vendor/{*path}", get(file))
}

async fn page(request: Request) -> Result<Response, Failure> {
    let text = assets::text(PAGE).unwrap_or_default();
    Ok(strict(find(PAGE, &request)?, &policy(&text)))
}

async fn file(request: Request) -> Result<Response, Failure> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    Ok(strict(find(&name, &request)?, &policy("")))
}

fn find(name: &str, request: &Request) -> Result<Response, Failure> {
    assets::find(name, request.headers()).ok_or_else(|| Failure::not_found("there is no such file"))
}

/// The policy of the pages. The map of modules cannot be a file of its own, so its very text is allowed by its hash.
fn policy(page: &str) -> String {
    let map = page.split_once(MAP.0).and_then(|(_, rest)| rest.split_once(MAP.1)).map(|(map, _)| map);
    let hash = map.map(|map| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(map)))).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'{hash}; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// What every file says to browsers besides what it is.
fn strict(response: Response, policy: &str) -> Response {
    let mut response = response.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use serde_json::Value;

    use super::*;
    use crate::admin;
    use crate::admin::tests::House;

    #[test]
    fn the_policy_allows_the_map_of_modules_and_nothing_else_inline() {
        let page = assets::text(PAGE).expect("the page");
        let policy = policy(&page);
        assert!(policy.contains("script-src 'self' 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.matches("<script").count(), 2, "the map and the entry");
        assert!(!page.contains("style="));
        let (_, rest) = page.split_once(MAP.0).expect("a map");
        let map: Value = serde_json::from_str(rest.split_once(MAP.1).expect("its end").0).expect("JSON");
        for (_, address) in map["imports"].as_object().expect("imports") {
            let name = address.as_str().expect("an address").trim_start_matches('/');
            assert!(assets::text(name).is_some(), "{name} is not there");
        }
    }

    #[tokio::test]
    async fn the_console_asks_for_no_token_but_for_a_host_that_is_ours() {
        let router = admin::tests::admin(&House::new());
        for path in ["/", "/setup?code=x", "/console/console.js", "/vendor/htm/htm.mjs"] {
            for (host, status) in [("localhost:4058", 200), ("evil.example", 403)] {
                let request = Request::builder().uri(path).header("host", host).body(Body::empty()).expect("a request");
                let seen = admin::tests::ask(&router, request).await;
                assert_eq!(seen.status, status, "{path} {host}");
                if status == 200 {
                    assert!(
                        seen.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'")
                    );
                    assert_eq!(seen.header("cache-control"), "no-cache", "{path}");
                }
            }
        }
    }

    #[test]
    fn what_others_wrote_is_as_they_published_it() {
        let list: Value = serde_json::from_str(&assets::text("vendor/vendor.json").expect("a list")).expect("JSON");
        let mut listed = BTreeSet::from(["vendor/README.md", "vendor/vendor.json"].map(str::to_owned));
        for package in list["packages"].as_array().expect("packages") {
            for key in ["name", "version", "license", "license_text", "integrity"] {
                assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{package}: {key}");
            }
            for file in package["files"].as_array().expect("files") {
                let name = format!("vendor/{}", file["path"].as_str().expect("a path"));
                let text = assets::text(&name).unwrap_or_else(|| panic!("{name} is not there"));
                let sum: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(file["sha256"], sum, "{name} is not what the package holds");
                listed.insert(name);
            }
        }
        let there: BTreeSet<_> = assets::names().into_iter().filter(|name| name.starts_with("vendor/")).collect();
        assert_eq!(there, listed, "every file of web/vendor is in vendor.json");
    }
}
