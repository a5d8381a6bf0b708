//! The layers of people: those of the file, and over them those of the store. Pure.

use ctigate_proto::auth::same_login;

use crate::config::{Config, User};
use crate::store::StoredUser;

/// The configuration with the accounts of the store, and why some of them are left out: what does not fit must not keep the gateway
/// from starting.
pub fn merge(file: &Config, stored: &[StoredUser]) -> (Config, Vec<String>) {
    let (mut config, mut findings) = (file.clone(), Vec::new());
    for row in stored {
        match &row.user {
            Err(why) => findings.push(format!("in the store, user {}: {why}", row.key)),
            Ok(user) if config.users.iter().any(|known| same_login(&known.login, &user.login)) => {
                findings.push(format!("in the store, user {}: the file has this login too, and counts", row.key));
            }
            Ok(user) => config.users.push(user.clone()),
        }
    }
    while let Some((at, why)) = misfit(&config, file.users.len()) {
        let user = config.users.remove(at);
        findings.push(format!("in the store, user {}: {why}; the account is left out", user.login));
    }
    (config, findings)
}

/// An account behind the first ones that does not fit, and why.
fn misfit(config: &Config, first: usize) -> Option<(usize, String)> {
    let refused = config.check().err()?;
    let place = |keys: &[String]| keys.iter().filter_map(|key| place(key)).filter(|at| *at >= first).max();
    refused.errors.iter().find_map(|finding| Some((place(&finding.keys)?, finding.message.clone())))
}

/// The place of the account that a key stands in: 5 for `user[5].number`.
fn place(key: &str) -> Option<usize> {
    key.strip_prefix("user[")?.split_once(']')?.0.parse().ok()
}

/// What is wrong with a configuration that was right before some of its accounts changed: each mistake with the place of the account
/// it stands in, if it is one, the key, and why.
pub(super) fn mistakes(config: &Config) -> Vec<(Option<usize>, String, String)> {
    let Err(refused) = config.check() else { return Vec::new() };
    let mistake = |finding: crate::config::Finding| {
        let key = finding.keys.first().cloned().unwrap_or_default();
        let at = place(&key);
        let key = match at {
            Some(_) => key.split_once("].").map_or("", |(_, rest)| rest).to_owned(),
            None => key,
        };
        let others = finding.keys.iter().skip(1).map(|other| named(config, other)).collect::<Vec<_>>().join(", ");
        let why = match (others.as_str(), finding.help.as_str()) {
            ("", "") => finding.message,
            ("", help) => format!("{} ({help})", finding.message),
            (others, _) => format!("{} (see {others})", finding.message),
        };
        (at, key, why)
    };
    refused.errors.into_iter().map(mistake).collect()
}

/// A key as people know it: `number of petrov` for `user[5].number`.
fn named(config: &Config, key: &str) -> String {
    let user = |at: usize| config.users.get(at).map(|user: &User| user.login.clone());
    match (place(key).and_then(user), key.split_once("].")) {
        (Some(login), Some((_, rest))) => format!("{rest} of {login}"),
        _ => key.to_owned(),
    }
}
