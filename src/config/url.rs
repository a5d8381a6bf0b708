//! The addresses of other programs, taken apart for checking.

use std::net::IpAddr;

use hyper::Uri;

/// A full address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// Lower case.
    pub(super) scheme: String,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    /// When it is written.
    pub(super) port: Option<u16>,
    /// With its query; at least `/`.
    pub(super) path: String,
}

impl Url {
    /// Reads an address with one of `schemes`. Credentials and fragments are refused.
    pub(super) fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let allowed = || schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
        let uri: Uri = text
            .parse()
            .map_err(|_| format!("found \"{}\", which is no address; it begins with {}", hide(text), allowed()))?;
        let scheme = uri.scheme_str().map(str::to_ascii_lowercase).unwrap_or_default();
        let Some(authority) = uri.authority().filter(|_| schemes.contains(&scheme.as_str())) else {
            return Err(format!("found \"{}\"; the address begins with {}", hide(text), allowed()));
        };
        if authority.as_str().contains('@') {
            return Err("found a user name in the address; set login and password in place of it".to_owned());
        }
        if text.contains('#') {
            return Err(format!("found \"{}\"; an address for programs has no \"#\"", hide(text)));
        }
        let written =
            authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map(|(_, port)| port);
        let port = match written {
            None => None,
            Some(port) => Some(
                port.parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| format!("found the port \"{port}\"; allowed: from 1 to 65535"))?,
            ),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("found \"{}\" without a host", hide(text)));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { scheme, host, port, path: path.to_owned() })
    }

    /// Whether it leads to this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

/// The address without what may be a password.
fn hide(text: &str) -> String {
    let shown = text.rfind('@').map_or_else(|| text.to_owned(), |at| format!("…{}", &text[at..]));
    shown.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let url = Url::parse("wss://[::1]:9000/cti?x=1", &["wss"]).unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("::1", Some(9000), "/cti?x=1"));
        assert!(url.is_loopback());
        let url = Url::parse("https://crm.example", &["http", "https"]).unwrap();
        assert_eq!((url.port, url.path.as_str(), url.is_loopback()), (None, "/", false));
        assert_eq!(Url::parse("ws://[::1]/", &["ws"]).unwrap().port, None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for bad in
            ["", "crm.example", "/path", "ws://", "http://x", "ws://h:0/", "ws://h:70000/", "ws://h/#a", "ws://пример/"]
        {
            assert!(Url::parse(bad, &["ws"]).is_err(), "{bad}");
        }
        let error = Url::parse("ws://me:hunter2@h/", &["ws"]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        let error = Url::parse("http://me:hunter2@h/", &["ws"]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
