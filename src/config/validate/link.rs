//! The rules of `[[link]]`.

use ctigate_proto::hub::settings::LinkSettings;
use ctigate_proto::method;

use super::people::stored_hash;
use super::{Report, is_loopback, known_users, line, unique};
use crate::config::url::Url;
use crate::config::{Auth, Config, Link, LinkMode};

pub(super) fn check(config: &Config, set: &dyn Fn(&str) -> bool, report: &mut Report) {
    for (index, link) in config.links.iter().enumerate() {
        let mut rules = Rules { config, link, index, report };
        rules.name();
        rules.keys_of_the_mode(set);
        if link.mode.accepts() {
            rules.accepting();
        } else {
            rules.calling();
        }
        if link.mode.posts() {
            rules.posting();
        }
        rules.credentials();
        rules.rest();
    }
    let names = config.links.iter().enumerate().map(|(i, link)| (format!("link[{i}].name"), link.name.as_str()));
    unique(names, true, "link", report);
    let logins =
        config.links.iter().enumerate().map(|(i, link)| (format!("link[{i}].rpc_login"), link.rpc_login.as_str()));
    unique(logins, false, "rpc_login", report);
    for (index, link) in config.links.iter().enumerate() {
        let Some(ticket) = &link.ticket else { continue };
        if let Some(other) = config.links[..index].iter().position(|other| other.ticket.as_ref() == Some(ticket)) {
            let keys = [format!("link[{index}].ticket"), format!("link[{other}].ticket")];
            report.error(
                keys,
                "two links have the same ticket",
                "a ticket tells which link it is, so each needs its own",
            );
        }
    }
}

/// The rules for one link.
struct Rules<'a> {
    config: &'a Config,
    link: &'a Link,
    index: usize,
    report: &'a mut Report,
}

/// Keys that count for some modes only.
struct Scope {
    keys: &'static [&'static str],
    counts: fn(LinkMode) -> bool,
    modes: &'static str,
}

const SCOPES: &[Scope] = &[
    Scope {
        keys: &["bind", "allow_from", "password_hash"],
        counts: LinkMode::accepts,
        modes: "the modes accept-ws and accept-wss",
    },
    Scope { keys: &["certificate", "key"], counts: |mode| mode == LinkMode::AcceptWss, modes: "the mode accept-wss" },
    Scope { keys: &["insecure_basic"], counts: |mode| !mode.tls(), modes: "the modes without TLS" },
    Scope { keys: &["url", "format"], counts: |mode| !mode.accepts(), modes: "the modes that dial or post" },
    Scope { keys: &["websocket_version"], counts: LinkMode::dials, modes: "the modes dial-ws and dial-wss" },
    Scope { keys: &["deflate"], counts: |mode| !mode.posts(), modes: "the modes that connect by WebSocket" },
    Scope {
        keys: &["ca_file", "pin_sha256", "danger_accept_any_certificate"],
        counts: |mode| mode.tls() && !mode.accepts(),
        modes: "the modes dial-wss and post-https",
    },
    Scope {
        keys: &[
            "poll_interval",
            "post_connections",
            "rpc_login",
            "rpc_password",
            "rpc_password_file",
            "rpc_password_env",
        ],
        counts: LinkMode::posts,
        modes: "the modes post-http and post-https",
    },
    Scope {
        keys: &["ticket", "ticket_file", "ticket_env"],
        counts: |mode| !mode.dials(),
        modes: "the modes that accept or post",
    },
];

impl Link {
    /// Whether a key counts for a mode.
    pub fn has_key(mode: LinkMode, key: &str) -> bool {
        SCOPES.iter().find(|scope| scope.keys.contains(&key)).is_none_or(|scope| (scope.counts)(mode))
    }
}

impl Rules<'_> {
    fn key(&self, name: &str) -> String {
        format!("link[{}].{name}", self.index)
    }

    fn error(&mut self, names: &[&str], message: impl Into<String>, help: impl Into<String>) {
        let keys: Vec<String> = names.iter().map(|name| self.key(name)).collect();
        self.report.error(keys, message, help);
    }

    fn warn(&mut self, names: &[&str], message: impl Into<String>, help: impl Into<String>) {
        let keys: Vec<String> = names.iter().map(|name| self.key(name)).collect();
        self.report.warn(keys, message, help);
    }

    fn name(&mut self) {
        let name = &self.link.name;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() {
            self.error(&["name"], "the link has no name", "give it one, like name = \"crm\"");
        } else if name.len() > 64 || !name.chars().all(fits) {
            let message = format!("found \"{}\", which is no name for a link", name.escape_debug());
            self.error(&["name"], message, "a name has at most 64 ASCII letters, digits or signs of -_.");
        }
    }

    fn keys_of_the_mode(&mut self, set: &dyn Fn(&str) -> bool) {
        let mode = self.link.mode;
        for Scope { keys, counts, modes } in SCOPES {
            for name in *keys {
                if counts(mode) || !set(&self.key(name)) {
                    continue;
                }
                let message = format!("this counts for {modes} only, but the mode is {mode}");
                self.error(&[name, "mode"], message, "take the key out, or choose another mode");
            }
        }
    }

    fn accepting(&mut self) {
        let link = self.link;
        let Some(bind) = link.bind else {
            let help = "give it a port of its own, like bind = \"127.0.0.1:4067\"";
            return self.error(&["bind"], format!("the mode {} needs an address to listen on", link.mode), help);
        };
        let local = is_loopback(bind.ip());
        match link.effective_auth() {
            Auth::None => self.open_listener(local),
            Auth::Basic if !link.mode.tls() && !local && !link.insecure_basic => self.error(
                &["auth", "mode", "bind"],
                format!("Basic without TLS sends the password readable to {bind}, which is reachable from outside"),
                "use accept-wss or auth = \"digest\", bind to loopback, or say insecure_basic = true",
            ),
            Auth::Basic | Auth::Digest => {}
        }
        if link.mode.tls() && link.certificate.is_some() != link.key.is_some() {
            self.error(
                &["certificate", "key"],
                "a certificate and its key belong together",
                "set both, or neither to use those of [web]",
            );
        }
        for (name, path) in [("certificate", &link.certificate), ("key", &link.key)] {
            if let Some(path) = path.as_ref().filter(|_| link.mode.tls()) {
                let key = self.key(name);
                self.report.file(&key, path);
            }
        }
    }

    /// `auth = "none"` lets in whoever reaches the port.
    fn open_listener(&mut self, local: bool) {
        let link = self.link;
        if link.ticket.is_some() {
            let help = "set login and password (then auth is \"digest\"), or take the ticket out";
            return self.error(
                &["ticket", "auth"],
                "auth is \"none\", which lets in everybody, with the ticket or without",
                help,
            );
        }
        if link.allow_from.iter().any(crate::config::Cidr::is_everything) {
            let help = "name the addresses of the CRM";
            return self.error(&["allow_from", "auth"], "auth is \"none\" and every address is allowed", help);
        }
        if !link.allow_from.is_empty() {
            return;
        }
        let help = "set login and password, or name the CRM's addresses in allow_from";
        if !local {
            self.error(&["auth", "bind"], "auth is \"none\", but others than this machine reach the port", help);
        } else if !self.config.web.trusted_proxies.is_empty() {
            let keys = [self.key("auth"), "web.trusted_proxies".to_owned()];
            let message =
                "auth is \"none\" on loopback, but there are trusted proxies, so strangers may come over loopback";
            self.report.error(keys, message, help);
        }
    }

    fn calling(&mut self) {
        let link = self.link;
        let scheme = link.mode.scheme();
        if link.url.is_empty() {
            let help = format!("write the CRM's address, like url = \"{scheme}://crm.example/cti\"");
            return self.error(&["url"], format!("the mode {} needs a url", link.mode), help);
        }
        let url = match Url::parse(&link.url, &[scheme]) {
            Ok(url) => url,
            Err(message) => {
                return self.error(&["url", "mode"], message, format!("the mode {} needs {scheme}://…", link.mode));
            }
        };
        if link.effective_auth() == Auth::Basic && !link.mode.tls() && !url.is_loopback() && !link.insecure_basic {
            self.error(
                &["auth", "url"],
                format!("Basic without TLS sends the password readable to {}", url.host),
                "use TLS or auth = \"digest\", or say insecure_basic = true",
            );
        }
        if !link.pin_sha256.is_empty()
            && (link.pin_sha256.len() != 64 || !link.pin_sha256.chars().all(|c| c.is_ascii_hexdigit()))
        {
            self.error(
                &["pin_sha256"],
                "this is no SHA-256 fingerprint, expected 64 hex digits (colons do not count)",
                "",
            );
        }
        let ways = [
            ("ca_file", link.ca_file.is_some()),
            ("pin_sha256", !link.pin_sha256.is_empty()),
            ("danger_accept_any_certificate", link.danger_accept_any_certificate),
        ];
        let ways: Vec<&str> = ways.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
        if ways.len() > 1 {
            self.error(&ways, "there is more than one way to check the certificate", "keep one of them");
        }
        if link.danger_accept_any_certificate {
            self.warn(
                &["danger_accept_any_certificate"],
                format!(
                    "any certificate is accepted from {}: whoever stands between can read and change everything",
                    url.host
                ),
                "use pin_sha256 or ca_file",
            );
        }
        if let Some(path) = &link.ca_file {
            let key = self.key("ca_file");
            self.report.file(&key, path);
        }
    }

    fn posting(&mut self) {
        let link = self.link;
        if let Some(interval) = link.poll_interval {
            let key = self.key("poll_interval");
            self.report.time(&key, interval, "250ms", "1h");
        }
        let key = self.key("post_connections");
        self.report.range(&key, &link.post_connections, &1, &64);
        let elsewhere = link.rpc_password_file.is_some() || link.rpc_password_env.is_some();
        match (link.rpc_login.is_empty(), &link.rpc_password) {
            (true, Some(_)) => {
                self.error(&["rpc_login", "rpc_password"], "rpc_password is set, but rpc_login is not", "")
            }
            (false, None) if !elsewhere => {
                self.error(&["rpc_password", "rpc_login"], "rpc_login is set, but rpc_password is not", "")
            }
            (false, Some(password)) if password.is_empty() => {
                self.error(&["rpc_password"], "the password is empty", "")
            }
            _ => {}
        }
        self.http_login("rpc_login", &link.rpc_login);
    }

    fn credentials(&mut self) {
        let link = self.link;
        let elsewhere = link.password_file.is_some() || link.password_env.is_some();
        let clear = link.password.is_some() || elsewhere;
        let any = clear || link.password_hash.is_some();
        match (link.effective_auth(), link.login.is_empty()) {
            (Auth::None, false) => {
                self.error(&["login", "auth"], "login is set, but auth is \"none\", so it would never be used", "")
            }
            (Auth::None, true) if any => {
                self.error(&["password", "login"], "a password is set, but login is not", "set login too");
            }
            (auth @ (Auth::Basic | Auth::Digest), true) => {
                self.error(
                    &["login", "auth"],
                    format!("auth is \"{auth}\", but login is not set"),
                    "set login and password",
                );
            }
            (auth @ (Auth::Basic | Auth::Digest), false) if !any => {
                let help = "set password, password_file or password_env";
                self.error(&["password", "auth"], format!("auth is \"{auth}\", but there is no password"), help);
            }
            (Auth::Digest, false) if link.password_hash.is_some() => self.error(
                &["password_hash", "auth"],
                "Digest needs the clear password, a hash will not do",
                "set password, password_file or password_env, or auth = \"basic\"",
            ),
            _ => {}
        }
        if clear && link.password_hash.is_some() && link.effective_auth() == Auth::Basic {
            self.error(&["password", "password_hash"], "the password is given clear and hashed", "keep one of them");
        }
        if link.password.as_ref().is_some_and(crate::config::Secret::is_empty) {
            self.error(&["password"], "the password is empty", "");
        }
        if let Some(hash) = &link.password_hash {
            let key = self.key("password_hash");
            stored_hash(&key, hash, self.report);
        }
        self.http_login("login", &link.login);
        if let Some(ticket) = &link.ticket {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            if ticket.expose().len() < 16 || !ticket.expose().chars().all(fits) {
                let help = "make one with: openssl rand -hex 32";
                self.error(&["ticket"], "a ticket has at least 16 ASCII letters, digits or signs of -._~", help);
            }
        }
    }

    /// A user name that HTTP can carry.
    fn http_login(&mut self, name: &str, login: &str) {
        if login.contains([':', '"', '\\']) || login.contains(char::is_control) {
            self.error(
                &[name],
                "found a user name with one of : \" \\ or a control character, which HTTP cannot carry",
                "",
            );
        }
    }

    fn rest(&mut self) {
        let (config, link) = (self.config, self.link);
        known_users(config, &self.key("users"), &link.users, self.report);
        let grace = self.key("tunnel_grace");
        self.report.time(&grace, link.tunnel_grace, "0s", "1h");
        if link.multipart_threshold < 1024 {
            let found = crate::config::units::size::text(link.multipart_threshold);
            self.error(&["multipart_threshold"], format!("found \"{found}\"; allowed: from \"1KiB\" to \"1GiB\""), "");
        }
        for (at, event) in link.silent_events.iter().enumerate() {
            let key = self.key(&format!("silent_events[{at}]"));
            if line(&key, event, self.report) && !LinkSettings::can_silence(event) {
                let events = method::MESSAGES.iter().map(|m| m.name).filter(|name| LinkSettings::can_silence(name));
                let near = crate::config::keyword::nearest(event, events)
                    .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                let found =
                    format!("found \"{}\", which is no event that a link can do without{near}", event.escape_debug());
                let group =
                    method::group(event).map(|g| format!("it is a group; name its events: {}", g.members.join(", ")));
                self.report.error([key], found, group.as_deref().unwrap_or("proto-spec/events.md lists the events"));
            }
        }
    }
}
