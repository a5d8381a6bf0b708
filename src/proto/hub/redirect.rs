//! Where people send the calls to their number, by rules of their own. `proto-spec/methods/redirect.md`.

use std::collections::BTreeMap;

use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::method::Typed;
use crate::method::redirect::SaveRedirectRules;

use super::Hub;
use super::output::{Kept, Output, Record};
use super::route::{Caller, Handled};
use super::rpc::phone::dialled;
use super::user::UserIx;

/// Most rules of one user.
const MOST_RULES: usize = 64;
/// The longest rule, as text.
const LONGEST_RULE: usize = 4096;

/// Everybody's rules.
#[derive(Debug, Default)]
pub(super) struct Redirects(BTreeMap<UserIx, Vec<Object>>);

impl Redirects {
    pub(super) fn forget(&mut self, user: UserIx) {
        self.0.remove(&user);
    }
}

impl Hub {
    /// Where calls to the user's number go now, and whether the redirection there counts too.
    pub(super) fn redirect_of(&self, user: UserIx) -> Option<(Text, bool)> {
        let on =
            |rule: &Object, field: &str, otherwise: bool| rule.get(field).and_then(Value::to_bool).unwrap_or(otherwise);
        let asked = self.users[user].chosen.redirect;
        let rules = self.redirects.0.get(&user)?;
        let rule = rules
            .iter()
            .filter(|r| on(r, "isenabled", true) && (asked || !on(r, "onlyforredirectstate", true)))
            .min_by_key(|r| r.get("priority").and_then(Value::to_i64).unwrap_or(1))?;
        let to = rule.get("destinationnumber").and_then(Value::to_text)?;
        Some((dialled("destinationnumber", &to).ok()?, on(rule, "allowcascade", true)))
    }

    pub(super) fn redirect_rules(&self, caller: &Caller) -> Handled {
        let rules = self.redirects.0.get(&self.acting(caller)?).cloned().unwrap_or_default();
        Ok(Some(Body::new().with("redirectrules", rules.into_iter().map(Value::Object).collect::<Vec<_>>())))
    }

    /// Keeps a rule; one with the same id takes its place.
    pub(super) fn save_redirect(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let typed = SaveRedirectRules::from_body(body)?.redirectrule;
        let to = typed.destinationnumber.clone();
        let enabled = typed.isenabled.unwrap_or(true);
        if enabled || !to.is_empty() {
            dialled("redirectrule.destinationnumber", &to)?;
        }
        if to == self.users[user].account.number {
            return Err(CallError::new(Code::NumberNotFound, "redirectrule.destinationnumber is the user's own"));
        }
        if typed.id.is_empty() || typed.id.len() > 64 {
            return Err(CallError::new(Code::BadRequest, "redirectrule.id is empty or longer than 64 bytes"));
        }
        if let Some(id) = typed.userid.as_ref().filter(|id| !id.is_empty()) {
            match self.users.by_id(id) {
                Some(named) if named == user => {}
                Some(_) => return Err(CallError::new(Code::AccessDenied, "redirectrule.userid is another's")),
                None => return Err(CallError::new(Code::NotFound, "redirectrule.userid names no user")),
            }
        }
        let rule = match body.value("redirectrule") {
            Some(Value::Object(rule)) => rule,
            _ => Object::new(),
        };
        if (self.settings.notation.write)(&rule).len() > LONGEST_RULE {
            let detail = format!("redirectrule is longer than {LONGEST_RULE} bytes");
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let rules = self.redirects.0.entry(user).or_default();
        let same = |r: &Object| {
            r.get("id").and_then(Value::to_text).as_deref().is_some_and(|id| plain(id) == plain(&typed.id))
        };
        match rules.iter().position(same) {
            Some(at) => rules[at] = rule,
            None if rules.len() < MOST_RULES => rules.push(rule),
            None => {
                let detail = format!("there are {MOST_RULES} rules already, delete one first");
                return Err(CallError::new(Code::TooManyRequests, detail));
            }
        }
        self.redirects_changed(user);
        Ok(Some(Body::new()))
    }

    pub(super) fn delete_redirects(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let Some(ids) = body.value("ids") else {
            return Err(CallError::new(Code::BadRequest, "ids is missing, expected an array of rule ids"));
        };
        let ids: Vec<String> = ids.to_texts().iter().map(|id| plain(id)).collect();
        let rules = self.redirects.0.entry(user).or_default();
        let id_of = |r: &Object| r.get("id").and_then(Value::to_text).map(|id| plain(&id)).unwrap_or_default();
        if let Some(unknown) = ids.iter().find(|id| !rules.iter().any(|r| id_of(r) == **id)) {
            return Err(CallError::new(Code::NotFound, format!("ids: {unknown} is no rule of the user")));
        }
        rules.retain(|r| !ids.contains(&id_of(r)));
        self.redirects_changed(user);
        Ok(Some(Body::new()))
    }

    fn redirects_changed(&mut self, user: UserIx) {
        let rules = self.redirects.0.get(&user).cloned().unwrap_or_default();
        let login = self.users[user].account.login.clone();
        let body = (!rules.is_empty()).then(|| {
            let rules: Vec<Value> = rules.into_iter().map(Value::Object).collect();
            (self.settings.notation.write)(&Object::new().with("rules", rules))
        });
        self.out.push_back(Output::Record(Record::Kept(Kept { kind: "redirect", key: login, body })));
        self.tell_state(user);
    }

    /// Puts a user's rules back that a store kept.
    pub(super) fn restore_redirects(&mut self, login: &str, kept: &Object) -> bool {
        let (Some(user), Some(rules)) = (self.users.by_login(login), kept.get("rules").and_then(Value::as_array))
        else {
            return false;
        };
        let rules = rules.iter().filter_map(Value::as_object).cloned();
        self.redirects.0.insert(user, rules.take(MOST_RULES).collect());
        self.tell_state(user);
        true
    }
}

/// Ids of rules are the same with and without dashes, in any case.
fn plain(id: &str) -> String {
    id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase()
}
