//! Whether the choices fit together. Every rule tells the keys, what was found, what is allowed and what to do; all that is
//! wrong is told at once.

mod link;
mod pbx;
mod people;
mod web;

use std::net::IpAddr;
use std::path::Path;

use ctigate_proto::auth::same_login;

use super::Config;
use super::finding::{Finding, Refused};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) errors: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

impl Report {
    /// Something that stops the start.
    pub(super) fn error<K: Into<String>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.errors.push(Finding::new(keys, message).help(help));
    }

    /// Something that does not.
    pub(super) fn warn<K: Into<String>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings.push(Finding::new(keys, message).help(help));
    }

    /// A number that must lie in a range.
    fn range<T: PartialOrd + std::fmt::Display>(&mut self, key: &str, found: &T, least: &T, most: &T) {
        if found < least || found > most {
            self.error([key], format!("found {found}; allowed: from {least} to {most}"), "");
        }
    }

    /// A length of time that must lie in a range.
    fn time(&mut self, key: &str, found: std::time::Duration, least: &str, most: &str) {
        let parse = |text| super::units::duration::parse(text).expect("the ranges below are durations");
        if found < parse(least) || found > parse(most) {
            let found = super::units::duration::text(found);
            self.error([key], format!("found \"{found}\"; allowed: from \"{least}\" to \"{most}\""), "");
        }
    }

    /// A file that must be there.
    fn file(&mut self, key: &str, path: &Path) {
        if !path.is_file() {
            self.error(
                [key],
                format!("there is no file {}", path.display()),
                "relative paths count from the folder of the configuration",
            );
        }
    }
}

impl From<Report> for Refused {
    fn from(report: Report) -> Self {
        Self { errors: report.errors, warnings: report.warnings }
    }
}

/// Every rule. `set` says whether somebody set a key.
pub(super) fn check(config: &Config, set: &dyn Fn(&str) -> bool, report: &mut Report) {
    web::check(config, report);
    ports(config, report);
    pbx::check(config, report);
    people::check(config, report);
    link::check(config, set, report);
}

/// The demo shows people and passwords to everybody, so it stays on this machine.
pub(super) fn check_demo(config: &Config, report: &mut Report) {
    for (key, address) in config.listeners() {
        if !is_loopback(address.ip()) {
            report.error(
                [key],
                format!("the demo has well-known passwords, so it listens on loopback only; found {address}"),
                "use an address like 127.0.0.1, or \"ctigate serve\" with a configuration of your own",
            );
        }
    }
}

/// No two listeners may want the same port. Port 0 lets the system choose, so it never meets another.
fn ports(config: &Config, report: &mut Report) {
    let all = config.listeners();
    for (at, (key, address)) in all.iter().enumerate() {
        for (earlier_key, earlier) in &all[..at] {
            let same_host =
                earlier.ip() == address.ip() || earlier.ip().is_unspecified() || address.ip().is_unspecified();
            if address.port() != 0 && earlier.port() == address.port() && same_host {
                report.error(
                    [key, earlier_key],
                    format!("port {} is given twice: {address} here and {earlier} for {earlier_key}", address.port()),
                    "every listener needs a port of its own",
                );
            }
        }
    }
}

/// A text that must not be empty and must fit on one line.
fn line(key: &str, text: &str, report: &mut Report) -> bool {
    let wrong = if text.trim().is_empty() {
        "this is empty, expected a text"
    } else if text.contains(char::is_control) {
        "this holds control characters, expected a plain text"
    } else if text.chars().count() > 256 {
        "this is longer than 256 characters"
    } else {
        return true;
    };
    report.error([key], wrong, "");
    false
}

/// Whether only this machine reaches an address.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Tells every value of a list that equals an earlier one.
fn unique<'a>(values: impl IntoIterator<Item = (String, &'a str)>, fold_case: bool, what: &str, report: &mut Report) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for (key, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
        let folded = if fold_case { value.to_lowercase() } else { value.to_owned() };
        match seen.iter().find(|(_, other)| *other == folded) {
            Some((other, _)) => {
                report.error([&key, other], format!("the {what} \"{}\" is given twice", value.escape_debug()), "");
            }
            None => seen.push((key, folded)),
        }
    }
}

/// Tells every login of a list that no `[[user]]` has.
fn known_users(config: &Config, key: &str, logins: &[String], report: &mut Report) {
    for (at, login) in logins.iter().enumerate() {
        if config.users.iter().any(|user| same_login(&user.login, login)) {
            continue;
        }
        let names = config.users.iter().map(|user| user.login.as_str());
        let near = super::keyword::nearest(login, names)
            .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let message = format!("there is no [[user]] with the login \"{}\"{near}", login.escape_debug());
        report.error([format!("{key}[{at}]")], message, "");
    }
}
