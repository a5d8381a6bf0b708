//! The rules of `[web]`, `[limits]` and `[log]`.

use tracing_subscriber::filter::Targets;

use super::{Report, is_loopback};
use crate::config::url::Url;
use crate::config::{Config, TlsPort};

pub(super) fn check(config: &Config, report: &mut Report) {
    addresses(config, report);
    names(config, report);
    limits(config, report);
    if let Err(error) = config.log.filter.parse::<Targets>() {
        let message = format!("found \"{}\": {error}", config.log.filter.escape_debug());
        let help = "write a level (error, warn, info, debug, trace, off), or levels by module like \"info,ctigate::transport=debug\"";
        report.error(["log.filter"], message, help);
    }
}

fn addresses(config: &Config, report: &mut Report) {
    let web = &config.web;
    if !is_loopback(web.admin_bind.ip()) && !web.admin_tls {
        report.error(
            ["web.admin_bind", "web.admin_tls"],
            format!("the admin port is reachable from outside ({}) without TLS", web.admin_bind),
            "bind it to 127.0.0.1, or set admin_tls = true",
        );
    }
    if web.browsers && !web.require_tls && !is_loopback(web.bind.ip()) {
        report.warn(
            ["web.bind"],
            format!(
                "browsers may log in without TLS from outside ({}): the MD5 they send is as good as the password to whoever listens",
                web.bind
            ),
            "bind it to 127.0.0.1 behind a proxy with TLS, or set require_tls = true with a public_url",
        );
    }
    let serves_tls = web.tls_bind.is_some() || web.tls == TlsPort::Both || web.admin_tls;
    for (key, path) in [("web.certificate", &web.certificate), ("web.key", &web.key)] {
        if path.as_os_str().is_empty() && serves_tls {
            report.error(
                [key],
                "this is empty, but TLS is served",
                "name a file, or switch TLS off with tls_bind = \"\"",
            );
        }
    }
    let (certificate, key) = (web.certificate.exists(), web.key.exists());
    if serves_tls && certificate != key {
        let (there, missing) = if certificate { ("certificate", &web.key) } else { ("key", &web.certificate) };
        report.error(
            ["web.certificate", "web.key"],
            format!("the {there} is there, but {} is missing", missing.display()),
            "put both there, or neither: then they are made on the first start",
        );
    }
    if web.trusted_proxies.iter().any(super::super::Cidr::is_everything) {
        report.warn(
            ["web.trusted_proxies"],
            "every address is trusted as a proxy, so anybody can claim to come from anywhere",
            "name the addresses of your proxies only",
        );
    }
}

fn names(config: &Config, report: &mut Report) {
    let web = &config.web;
    let mut public = None;
    if !web.public_url.is_empty() {
        match Url::parse(&web.public_url, &["http", "https"]) {
            Ok(url) if url.path != "/" => {
                let message =
                    format!("found the path \"{}\"; only scheme, host and port belong here", url.path.escape_debug());
                report.error(["web.public_url"], message, "write it like \"https://cti.example\"");
            }
            Ok(url) => public = Some(url),
            Err(message) => report.error(["web.public_url"], message, "write it like \"https://cti.example\""),
        }
    }
    if web.require_tls {
        match &public {
            Some(url) if url.scheme == "https" && url.port.is_none_or(|port| port == 443) => {}
            _ => report.error(
                ["web.require_tls", "web.public_url"],
                format!(
                    "clients that are sent to TLS always go to port 443, but public_url is \"{}\"",
                    web.public_url.escape_debug()
                ),
                "set public_url to an https address without a port, and see to it that it leads to tls_bind",
            ),
        }
    }
    for (at, origin) in web.allowed_origins.iter().enumerate() {
        let message = match Url::parse(origin, &["http", "https"]) {
            Ok(url) if url.path == "/" && !origin.ends_with('/') => continue,
            Ok(_) => format!("found \"{}\"; an origin has no path and no slash at its end", origin.escape_debug()),
            Err(message) => message,
        };
        report.error(
            [format!("web.allowed_origins[{at}]")],
            message,
            "write it like \"https://crm.example\" or \"https://crm.example:8443\"",
        );
    }
}

fn limits(config: &Config, report: &mut Report) {
    let limits = &config.limits;
    let sizes = [
        ("limits.max_message_tab", limits.max_message_tab),
        ("limits.max_message_link", limits.max_message_link),
        ("limits.max_message_guest", limits.max_message_guest),
        ("limits.multipart_size", limits.multipart_size),
    ];
    for (key, found) in sizes {
        if found < 1024 {
            let found = crate::config::units::size::text(found);
            report.error([key], format!("found \"{found}\"; allowed: from \"1KiB\" to \"1GiB\""), "");
        }
    }
    let smallest = limits.max_message_tab.min(limits.max_message_link);
    if limits.max_message_guest > smallest {
        report.error(
            ["limits.max_message_guest"],
            "strangers may send larger messages than those who are logged in",
            "make it at most max_message_tab and max_message_link",
        );
    }
    report.range("store.keep_calls_days", &config.store.keep_calls_days, &0, &36_500);
    report.range("store.keep_chats_days", &config.store.keep_chats_days, &0, &36_500);
    report.range("limits.nesting", &limits.nesting, &4, &127);
    report.range("limits.multipart_packets", &limits.multipart_packets, &1, &1_000_000);
    report.time("limits.multipart_timeout", limits.multipart_timeout, "1s", "1h");
    report.range("limits.in_flight_tab", &limits.in_flight_tab, &1, &1_000_000);
    report.range("limits.in_flight_link", &limits.in_flight_link, &1, &1_000_000);
    report.range("limits.connections", &limits.connections, &1, &10_000_000);
    report.range("limits.connections_per_address", &limits.connections_per_address, &1, &10_000_000);
    report.range("limits.tabs_per_user", &limits.tabs_per_user, &1, &100_000);
    report.range("limits.tab_rate", &limits.tab_rate, &0, &1_000_000);
    report.range("limits.tab_burst", &limits.tab_burst, &1, &1_000_000);
    if limits.tab_burst < limits.tab_rate {
        report.error(
            ["limits.tab_burst", "limits.tab_rate"],
            format!("a burst of {} is less than the rate of {} a second", limits.tab_burst, limits.tab_rate),
            "make tab_burst at least tab_rate",
        );
    }
    report.time("limits.stop_grace", limits.stop_grace, "0s", "10m");
}
