//! The head of a request that wants to become a WebSocket, as hyper hands it on; and what is answered to it.
#![no_main]
#![allow(dead_code, unreachable_pub, reason = "the listeners use more of this module")]

#[path = "../../src/transport/deflate/offer.rs"]
mod offer;
#[path = "../../src/transport/upgrade.rs"]
mod upgrade;

mod deflate {
    pub(crate) use super::offer;
    pub(crate) use super::offer::Agreed;
}

/// What `upgrade` uses of the house, as small as it can be: none of it judges anything.
mod telemetry {
    pub(crate) mod logging {
        pub(crate) fn tame(text: &str) -> String {
            text.escape_debug().to_string()
        }
    }
}
mod http {
    use hyper::StatusCode;
    use hyper::header::{HeaderName, HeaderValue};

    #[derive(Debug)]
    pub(crate) struct Refusal(pub(crate) StatusCode);

    impl Refusal {
        pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
            assert!(!text.into().is_empty());
            Self(status)
        }

        pub(crate) fn with(self, _: HeaderName, _: HeaderValue) -> Self {
            self
        }
    }
}
mod socket {
    pub(crate) fn accept_key(key: &[u8]) -> String {
        assert_eq!(key.len(), 24);
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()
    }
}

use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use upgrade::Origins;

fuzz_target!(|data: &[u8]| {
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut lines);
    let Ok(httparse::Status::Complete(_)) = parsed.parse(data) else { return };
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(if parsed.version == Some(1) { hyper::Version::HTTP_11 } else { hyper::Version::HTTP_10 });
    for line in parsed.headers.iter() {
        let Ok(name) = HeaderName::from_bytes(line.name.as_bytes()) else { return };
        let Ok(value) = HeaderValue::from_bytes(line.value) else { return };
        request = request.header(name, value);
    }
    let Ok(request) = request.body(()) else { return };
    let (head, ()) = request.into_parts();
    let origins = Origins::new(["https://crm.example"], "https://cti.example/");
    let meant = upgrade::is_meant(&head);
    let _ = upgrade::foreign_origin(&head, &origins);
    match upgrade::judge(&head, &origins) {
        Ok(wanted) => {
            assert!(meant, "a handshake that was not meant");
            for origin in head.headers.get_all("origin").iter().chain(head.headers.get_all("sec-websocket-origin")) {
                let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
                assert!(origins.allows(&String::from_utf8_lossy(origin.as_bytes()), host), "a page from elsewhere");
            }
            let wanted = wanted.with_deflate(&head);
            // Bytes of the client's never become a line of ours.
            let answer = wanted.answer();
            let text = std::str::from_utf8(&answer).expect("our own head");
            assert!(text.is_ascii() && text.ends_with("\r\n\r\n"));
            let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
            let mut more = lines[4..].iter().peekable();
            more.next_if(|line| line.starts_with("Sec-WebSocket-Protocol: "));
            let extension = more.next_if(|line| line.starts_with("Sec-WebSocket-Extensions: permessage-deflate; "));
            assert_eq!(extension.is_some(), wanted.deflate().is_some(), "{text:?}");
            assert!(more.next().is_none(), "{text:?}");
            assert!(!text.trim_end().replace("\r\n", "").contains(char::is_control), "{text:?}");
        }
        Err(refusal) => assert!(refusal.0.is_client_error() || refusal.0.is_server_error()),
    }
});
