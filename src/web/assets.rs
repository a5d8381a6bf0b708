//! The files of `web/`, embedded.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::nothing_here;

/// In debug builds the files are read from the source tree, so that a page can be worked on without building anew.
#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// The file under the request's own path.
pub(super) async fn file(request: Request) -> Response {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    page(&name, request).await
}

/// A file by name, unless the client has it already.
pub(super) async fn page(name: &str, request: Request) -> Response {
    // Names are plain: nothing is decoded, and no part may step out of its folder.
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let file = if name.split('/').all(plain) { Files::get(name) } else { None };
    let Some(EmbeddedFile { data, metadata }) = file else {
        return nothing_here(request).await;
    };
    let hash = metadata.sha256_hash();
    let tag: String = ['"'].into_iter().chain(hash[..16].iter().flat_map(|byte| hex(*byte))).chain(['"']).collect();
    let body = match data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = match knows(request.headers(), &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(body).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    // Kept, but never used without asking: a page and its scripts must be of one version.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether the client has this version: RFC 9110 section 13.1.2.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map") => "application/json",
        Some("woff2") => "font/woff2",
        Some("ts" | "txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn hex(byte: u8) -> [char; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]))
}

/// Every file there is.
#[cfg(test)]
pub(super) fn names() -> Vec<String> {
    Files::iter().map(|name| name.into_owned()).collect()
}
