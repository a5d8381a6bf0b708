//! The rules of users, queues, breaks, procedures and forms.

use argon2::PasswordHash;
use ctigate_proto::auth::{password, same_login};

use super::{Report, known_users, line, unique};
use crate::config::{Config, DatabaseUrl, FormEvent, Piece, Placeholder, RightChange, Secret, User};

pub(super) fn check(config: &Config, report: &mut Report) {
    users(config, report);
    queues(config, report);
    numbers(config, report);
    breaks(config, report);
    procedures(config, report);
    forms(config, report);
}

fn users(config: &Config, report: &mut Report) {
    for (index, user) in config.users.iter().enumerate() {
        let key = |name: &str| format!("user[{index}].{name}");
        login(&key("login"), &user.login, report);
        for (name, text) in [("name", &user.name), ("department", &user.department)] {
            if !text.is_empty() {
                line(&key(name), text, report);
            }
        }
        credentials(user, &key, report);
        if !user.id.is_empty()
            && uuid::Uuid::try_parse(&user.id).map(|id| id.to_string()).ok().as_ref() != Some(&user.id)
        {
            let message = format!("found \"{}\", which is no UUID", user.id.escape_debug());
            report.error(
                [key("id")],
                message,
                "write it like \"3f0a7c11-0000-4000-8000-000000000101\", or leave it out",
            );
        }
        known_users(config, &key("subordinates"), &user.subordinates, report);
        if let Some(at) = user.subordinates.iter().position(|login| same_login(login, &user.login) && !login.is_empty())
        {
            report.error([format!("user[{index}].subordinates[{at}]")], "a user cannot be their own subordinate", "");
        }
        for (at, change) in user.rights.iter().enumerate() {
            let (RightChange::Add(right) | RightChange::Remove(right)) = change;
            let same =
                |other: &RightChange| matches!(other, RightChange::Add(r) | RightChange::Remove(r) if r == right);
            if user.rights[..at].iter().any(same) {
                report.error(
                    [format!("user[{index}].rights[{at}]")],
                    format!("the right \"{right}\" is named twice"),
                    "",
                );
            }
        }
        if let Some(path) = &user.photo {
            report.file(&key("photo"), path);
        }
    }
    let logins = config.users.iter().enumerate().map(|(i, user)| (format!("user[{i}].login"), user.login.as_str()));
    unique(logins, true, "login", report);
    let ids = config.users.iter().enumerate().map(|(i, user)| (format!("user[{i}].id"), user.id.as_str()));
    unique(ids, true, "id", report);
}

fn login(key: &str, login: &str, report: &mut Report) {
    if !line(key, login, report) {
        return;
    }
    if login.trim() != login {
        report.error([key], format!("found \"{}\" with blanks around it", login.escape_debug()), "");
    } else if login.contains(':') {
        report.error([key], "found a login with \":\", which HTTP Basic cannot carry", "");
    } else if login.chars().count() > 64 {
        report.error([key], "the login is longer than 64 characters", "");
    }
}

fn credentials(user: &User, key: &dyn Fn(&str) -> String, report: &mut Report) {
    let elsewhere = user.password_file.is_some() || user.password_env.is_some();
    match (&user.password, &user.password_hash) {
        (Some(_), Some(_)) => {
            report.error(
                [key("password"), key("password_hash")],
                "the password is given clear and hashed",
                "keep one of them",
            );
        }
        (Some(secret), None) => clear_password(&key("password"), secret, report),
        (None, Some(hash)) => stored_hash(&key("password_hash"), hash, report),
        (None, None) if !elsewhere => report.warn(
            [key("password")],
            format!(
                "\"{}\" has no password and can only act through a link with trust_users = true",
                user.login.escape_debug()
            ),
            "set password, password_file, password_env or password_hash",
        ),
        (None, None) => {}
    }
}

/// A password that clients must be able to hash.
fn clear_password(key: &str, secret: &Secret, report: &mut Report) {
    if secret.is_empty() {
        report.error([key], "the password is empty", "");
    } else if let Err(unfit) = password::hash(secret.expose()) {
        report.error([key], unfit.to_string(), "choose a password of ASCII and Russian letters, digits and signs");
    } else if let Some(at) = password::dropped(secret.expose()) {
        let message = format!("clients leave character {at} out of the hash, so the password is weaker than it looks");
        report.warn([key], message, "choose a password of ASCII and Russian letters, digits and signs");
    }
}

/// A hash as `ctigate hash-password` prints it.
pub(super) fn stored_hash(key: &str, hash: &Secret, report: &mut Report) {
    let fits =
        PasswordHash::new(hash.expose()).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some());
    if !fits {
        let message = "this is no argon2id hash (it begins with \"$argon2id$v=19$\")";
        report.error([key], message, "make one with: ctigate hash-password");
    }
}

fn queues(config: &Config, report: &mut Report) {
    for (index, queue) in config.queues.iter().enumerate() {
        line(&format!("queue[{index}].number"), &queue.number, report);
        if !queue.name.is_empty() {
            line(&format!("queue[{index}].name"), &queue.name, report);
        }
        known_users(config, &format!("queue[{index}].users"), &queue.users, report);
        for (at, login) in queue.users.iter().enumerate() {
            if config.users.iter().any(|user| same_login(&user.login, login) && user.number.is_empty()) {
                let message = format!("\"{}\" serves a queue but has no number", login.escape_debug());
                report.error([format!("queue[{index}].users[{at}]")], message, "give the user a number");
            }
        }
    }
}

fn numbers(config: &Config, report: &mut Report) {
    let users = config.users.iter().enumerate().map(|(i, user)| (format!("user[{i}].number"), user.number.as_str()));
    let queues =
        config.queues.iter().enumerate().map(|(i, queue)| (format!("queue[{i}].number"), queue.number.as_str()));
    let all: Vec<(String, &str)> = users.chain(queues).collect();
    for (key, number) in all.iter().filter(|(_, number)| !number.is_empty()) {
        let sign = |c: char| c.is_ascii_alphanumeric() || "*#+._-".contains(c);
        if number.len() > 32 || !number.chars().all(sign) {
            let message = format!("found \"{}\", which is no number", number.escape_debug());
            report.error([key], message, "a number has at most 32 digits, ASCII letters or signs of *#+._-");
        }
    }
    unique(all, false, "number", report);
}

fn breaks(config: &Config, report: &mut Report) {
    for (index, reason) in config.breaks.iter().enumerate() {
        line(&format!("break[{index}].name"), &reason.name, report);
        if reason.id < 1 || reason.id > i64::from(i32::MAX) {
            report.error(
                [format!("break[{index}].id")],
                format!("found {}; allowed: from 1 to 2147483647", reason.id),
                "",
            );
        } else if let Some(other) = config.breaks[..index].iter().position(|other| other.id == reason.id) {
            let keys = [format!("break[{index}].id"), format!("break[{other}].id")];
            report.error(keys, format!("the id {} is given twice", reason.id), "");
        }
    }
    let names = config.breaks.iter().enumerate().map(|(i, reason)| (format!("break[{i}].name"), reason.name.as_str()));
    unique(names, false, "name", report);
}

fn procedures(config: &Config, report: &mut Report) {
    for (index, procedure) in config.procedures.iter().enumerate() {
        let key = |name: &str| format!("procedure[{index}].{name}");
        line(&key("name"), &procedure.name, report);
        if procedure.sql.to_string().trim().is_empty() {
            report.error([key("sql")], "this is empty, expected a query", "");
        }
        report.range(&key("rows"), &procedure.rows, &1, &10_000);
        report.time(&key("timeout"), procedure.timeout, "10ms", "10s");
        match &procedure.database {
            Some(path) => report.file(&key("database"), path),
            None if config.store.url == DatabaseUrl::Memory => {
                let message = "this reads the gateway's own store, which is in memory and has no file";
                report.error(
                    [key("database"), "store.url".to_owned()],
                    message,
                    "name a database, or keep the store in a file",
                );
            }
            None => {}
        }
    }
    let names = config.procedures.iter().enumerate();
    unique(names.map(|(i, p)| (format!("procedure[{i}].name"), p.name.as_str())), true, "procedure", report);
}

fn forms(config: &Config, report: &mut Report) {
    for (index, form) in config.forms.iter().enumerate() {
        let key = |name: &str| format!("form[{index}].{name}");
        line(&key("name"), &form.name, report);
        known_users(config, &key("users"), &form.users, report);
        report.time(&key("expire"), form.expire, "1s", "24h");
        for (at, event) in form.close_on.iter().enumerate() {
            if *event == form.on {
                let message = format!("the form would be closed by what opens it (\"{event}\")");
                report.error([format!("form[{index}].close_on[{at}]"), key("on")], message, "");
            } else if *event == FormEvent::Api {
                let message = "found \"api\"; allowed: ring, answer, hangup, queue";
                report.error(
                    [format!("form[{index}].close_on[{at}]")],
                    message,
                    "the HTTP interface closes any form by its id",
                );
            }
        }
        for (name, template) in &form.parameters.0 {
            let asks = |piece: &Piece| matches!(piece, Piece::Value(Placeholder::Ask(_)));
            if form.ask.is_empty() && template.pieces().iter().any(asks) {
                let message = format!("\"{template}\" takes the output of a dynamic method, but \"ask\" names none");
                report.error([format!("form[{index}].parameters.{name}"), key("ask")], message, "set ask = \"METHOD\"");
            }
        }
        let overlaps = |other: &crate::config::Form| {
            other.users.is_empty()
                || form.users.is_empty()
                || form.users.iter().any(|login| other.users.iter().any(|also| same_login(login, also)))
        };
        let twin = |other: &crate::config::Form| other.name == form.name && other.on == form.on && overlaps(other);
        if let Some(other) = config.forms[..index].iter().position(twin).filter(|_| !form.name.is_empty()) {
            let message = format!("the form \"{}\" would open twice on \"{}\"", form.name.escape_debug(), form.on);
            report.error(
                [key("name"), format!("form[{other}].name")],
                message,
                "narrow one of the two with users = [...]",
            );
        }
    }
}
