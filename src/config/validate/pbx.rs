//! The rules of the telephone system.

use super::{Report, line, unique};
use crate::config::{Asterisk, Config, NumberRule, PbxKind};

pub(super) fn check(config: &Config, report: &mut Report) {
    let pbx = &config.pbx;
    if pbx.kind == PbxKind::Simulator {
        if let Some(path) = &pbx.timeline {
            report.file("pbx.timeline", path);
        }
        report.range("pbx.lines", &pbx.lines, &0, &10_000);
        return;
    }
    if pbx.timeline.is_some() {
        report.error(
            ["pbx.timeline", "pbx.kind"],
            "a timeline is played by the simulator, but kind is \"asterisk\"",
            "",
        );
    }
    account(&pbx.asterisk, report);
    people(config, report);
    queues(config, report);
    rules("number_told", &pbx.asterisk.number_told, report);
    rules("number_dialled", &pbx.asterisk.number_dialled, report);
    agi(&pbx.asterisk, report);
}

fn account(asterisk: &Asterisk, report: &mut Report) {
    let key = |name: &str| format!("pbx.asterisk.{name}");
    for (name, text) in [("host", &asterisk.host), ("user", &asterisk.user)] {
        line(&key(name), text, report);
    }
    if !asterisk.system.is_empty() {
        line(&key("system"), &asterisk.system, report);
    }
    if !is_context(&asterisk.context) {
        let message = format!("found \"{}\", which is no context of a dialplan", asterisk.context.escape_debug());
        report.error([key("context")], message, "a context is named with ASCII letters, digits and signs of -_.");
    }
    match &asterisk.secret {
        None if asterisk.secret_file.is_none() && asterisk.secret_env.is_none() => {
            report.error(
                [key("secret")],
                "kind is \"asterisk\", but there is no AMI secret",
                "it stands in manager.conf; \"ctigate asterisk config\" prints the section to add there",
            );
        }
        Some(secret) if secret.is_empty() || secret.expose().contains(char::is_control) => {
            report.error([key("secret")], "the AMI secret is empty or holds control characters", "");
        }
        _ => {}
    }
    if asterisk.port == 0 {
        report.error([key("port")], "found 0; allowed: from 1 to 65535", "AMI listens on 5038 by default");
    }
    match &asterisk.ca_file {
        Some(_) if !asterisk.tls => {
            report.error([key("ca_file"), key("tls")], "ca_file counts with tls = true only", "");
        }
        Some(path) => report.file(&key("ca_file"), path),
        None => {}
    }
    report.time(&key("ring"), asterisk.ring, "1s", "10m");
    let folder = &asterisk.record_folder;
    if !folder.is_empty()
        && (!folder.starts_with('/') || folder.contains(|c: char| c.is_control() || ",;^$".contains(c)))
    {
        let message = format!("found \"{}\", which Asterisk cannot record into", folder.escape_debug());
        report.error(
            [key("record_folder")],
            message,
            "write a whole path of Asterisk's machine, without any of , ; ^ $",
        );
    }
}

/// Endpoints and the numbers that have one.
fn people(config: &Config, report: &mut Report) {
    let asterisk = &config.pbx.asterisk;
    let template = &asterisk.endpoint;
    if template.matches("{number}").count() != 1 || !is_endpoint(&template.replace("{number}", "1")) {
        let message = format!("found \"{}\"; expected a technology, a slash and {{number}}", template.escape_debug());
        report.error(["pbx.asterisk.endpoint"], message, "write it like \"PJSIP/{number}\"");
    }
    for (number, endpoint) in &asterisk.phones {
        let key = format!("pbx.asterisk.phones.{number}");
        if !is_endpoint(endpoint) {
            let message = format!("found \"{}\", which is no endpoint", endpoint.escape_debug());
            report.error([&key], message, "write it like \"PJSIP/101\" or \"SIP/reception\"");
        }
        known_number(config, &key, number, report);
    }
    let endpoints = asterisk.phones.iter().map(|(n, e)| (format!("pbx.asterisk.phones.{n}"), e.as_str()));
    unique(endpoints, false, "endpoint", report);
    for (at, pattern) in asterisk.inside.iter().enumerate() {
        if !is_number(pattern) {
            let message = format!("found \"{}\", which is no pattern of a number", pattern.escape_debug());
            let help = "write it like \"1XX\": X is any digit, Z one from 1, N one from 2";
            report.error([format!("pbx.asterisk.inside[{at}]")], message, help);
        }
    }
    for (at, number) in asterisk.talk_notify.iter().enumerate() {
        known_number(config, &format!("pbx.asterisk.talk_notify[{at}]"), number, report);
    }
    for (at, trunk) in asterisk.trunks.iter().enumerate() {
        let key = format!("pbx.asterisk.trunks[{at}]");
        if !is_endpoint(trunk) {
            let message = format!("found \"{}\", which is no endpoint", trunk.escape_debug());
            report.error([key], message, "write it like \"PJSIP/trunk\"");
        } else if let Some(user) = config
            .users
            .iter()
            .position(|u| !u.number.is_empty() && asterisk.endpoint_of(&u.number).eq_ignore_ascii_case(trunk))
        {
            let message = format!("{trunk} is the phone of {} as well", config.users[user].number);
            report.error([key, format!("user[{user}].number")], message, "an endpoint is a phone or an outside line");
        }
    }
}

/// A key that names an inside number wants a user who has it.
fn known_number(config: &Config, key: &str, number: &str, report: &mut Report) {
    if config.users.iter().any(|user| user.number == number) {
        return;
    }
    let numbers = config.users.iter().map(|user| user.number.as_str()).filter(|number| !number.is_empty());
    let near = crate::config::keyword::nearest(number, numbers);
    let near = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
    report.error([key], format!("there is no [[user]] with the number \"{}\"{near}", number.escape_debug()), "");
}

fn queues(config: &Config, report: &mut Report) {
    let asterisk = &config.pbx.asterisk;
    for (number, name) in &asterisk.queues {
        let key = format!("pbx.asterisk.queues.{number}");
        line(&key, name, report);
        if !config.queues.iter().any(|queue| queue.number == *number) {
            let message = format!("there is no [[queue]] with the number \"{}\"", number.escape_debug());
            report.error([key], message, "add one, so that people see its name and who serves it");
        }
    }
    let names = config.queues.iter().enumerate();
    unique(
        names.map(|(i, queue)| (format!("queue[{i}].number"), asterisk.queue_name(&queue.number))),
        false,
        "name of a queue in Asterisk",
        report,
    );
    let taken = |number: &String| {
        config.users.iter().any(|user| user.number == *number) || config.queues.iter().any(|q| q.number == *number)
    };
    for (at, number) in asterisk.services.iter().enumerate() {
        let key = format!("pbx.asterisk.services[{at}]");
        if !is_number(number) {
            let message = format!("found \"{}\", which is no number", number.escape_debug());
            report.error([key], message, "a number has at most 32 digits, ASCII letters or signs of *#+._-");
        } else if taken(number) {
            report.error([key], format!("{number} is a user's number or a queue's"), "");
        }
    }
}

fn rules(name: &str, rules: &[NumberRule], report: &mut Report) {
    for (at, rule) in rules.iter().enumerate() {
        let key = |part: &str| format!("pbx.asterisk.{name}[{at}].{part}");
        for (part, text) in [("begins", &rule.begins), ("put", &rule.put)] {
            if !text.is_empty() && !is_number(text) {
                let message = format!("found \"{}\", which no number begins with", text.escape_debug());
                report.error([key(part)], message, "numbers have digits, ASCII letters or signs of *#+._-");
            }
        }
        if let Some(length) = rule.length {
            report.range(&key("length"), &length, &1, &32);
            if rule.cut > length || rule.begins.len() > length {
                let message = format!(
                    "a number of {length} characters has no {} to cut or compare",
                    rule.cut.max(rule.begins.len())
                );
                report.error([key("length")], message, "");
            }
        }
        if rule.cut > 32 {
            report.range(&key("cut"), &rule.cut, &0, &32);
        }
        if rule.cut == 0 && rule.put.is_empty() && rules.len() == at + 1 {
            report.warn([format!("pbx.asterisk.{name}[{at}]")], "the last rule changes nothing", "leave it out");
        }
        let covers = |earlier: &NumberRule| {
            rule.begins.starts_with(&earlier.begins) && (earlier.length.is_none() || earlier.length == rule.length)
        };
        if let Some(earlier) = rules[..at].iter().position(covers) {
            let message = format!("this rule is never reached: rule {} fits whatever it fits", earlier + 1);
            let keys = [format!("pbx.asterisk.{name}[{at}]"), format!("pbx.asterisk.{name}[{earlier}]")];
            report.error(keys, message, "the first rule that fits is taken: put the narrower one first");
        }
    }
}

fn agi(asterisk: &Asterisk, report: &mut Report) {
    let key = |name: &str| format!("pbx.asterisk.{name}");
    if asterisk.agi_bind.is_some() && asterisk.agi_allow.is_empty() {
        let help = "name the addresses of Asterisk, or switch agi_bind off with \"\"";
        report.error([key("agi_allow")], "the list is empty, so nobody could reach agi_bind", help);
    }
    for (at, range) in asterisk.agi_allow.iter().enumerate() {
        if range.is_everything() {
            let message = "everybody who reaches agi_bind may ask the CRM: FastAGI knows no passwords";
            report.warn([format!("pbx.asterisk.agi_allow[{at}]")], message, "name the addresses of Asterisk");
        }
    }
    report.time(&key("agi_timeout"), asterisk.agi_timeout, "100ms", "1m");
    line(&key("route_method"), &asterisk.route_method, report);
}

/// Whether a text names an endpoint: a technology, a slash, a name, and nothing that means more to a dialplan.
fn is_endpoint(text: &str) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || "+._-@:".contains(c);
    text.len() <= 80
        && text.split_once('/').is_some_and(|(technology, name)| {
            !technology.is_empty()
                && technology.chars().all(|c| c.is_ascii_alphanumeric())
                && !name.is_empty()
                && name.chars().all(sign)
        })
}

fn is_context(text: &str) -> bool {
    !text.is_empty() && text.len() < 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || "*#+._-".contains(c))
}
