//! The rules of the configuration: which phone event opens a form, with which values, and which closes it.

use std::sync::Arc;
use std::time::Duration;

use crate::hub::Hub;
use crate::hub::dynamic::{Asker, Order};
use crate::hub::ids::ExecutionId;
use crate::hub::settings::{FormRule, Piece, Trigger};
use crate::hub::trace::{About, What, why_of};
use crate::hub::user::UserIx;
use crate::message::{Object, Text, Value};
use crate::telephony::{CallId, FormEnd, Outcome};

use super::{Form, Opening, RuleAsk};

impl Hub {
    /// Something happened on a phone, or (`user` absent) to a whole call: rules open and close forms.
    pub(in crate::hub) fn form_trigger(&mut self, trigger: Trigger, user: Option<UserIx>, call: &CallId) {
        self.close_by_trigger(trigger, user, call);
        self.trace_trigger(trigger, user, call);
        if trigger == Trigger::Hangup {
            // A form that opens because somebody hung up is not given up because somebody did.
            let gone = |(_, ask): &&(ExecutionId, RuleAsk)| {
                ask.call == *call && user.is_none_or(|user| ask.user == user) && ask.rule.on != Trigger::Hangup
            };
            let asks: Vec<_> = self.forms.asking.iter().filter(gone).map(|(id, ..)| *id).collect();
            asks.into_iter().for_each(|id| self.cancel_execution(id, "the call is over"));
        }
        // Only into a queue comes a call without anybody's phone.
        let fires = |rule: &&FormRule| rule.on == trigger && (user.is_some() || trigger == Trigger::Queue);
        let rules: Vec<Arc<FormRule>> = self.settings.forms.iter().filter(fires).cloned().map(Arc::new).collect();
        for rule in rules {
            let parties = self.calls.parties(call).cloned();
            for user in self.rule_users(&rule, user) {
                let (rule, parties) = (Arc::clone(&rule), parties.clone());
                self.rule_fires(RuleAsk { rule, user, call: call.clone(), parties });
            }
        }
    }

    /// Whom a rule is for: the one whose phone it is, or, for what happens to a call without a phone, those the rule names.
    fn rule_users(&self, rule: &FormRule, user: Option<UserIx>) -> Vec<UserIx> {
        let named = &rule.users;
        match user {
            Some(user) if named.is_empty() || named.iter().any(|n| self.users.by_login(n) == Some(user)) => vec![user],
            Some(_) => Vec::new(),
            None => named.iter().filter_map(|login| self.users.by_login(login)).collect(),
        }
    }

    /// Which rules wait for something else, and which for this of somebody else.
    fn trace_trigger(&mut self, trigger: Trigger, user: Option<UserIx>, call: &CallId) {
        if !self.is_traced() || self.settings.forms.is_empty() {
            return;
        }
        let rules = &self.settings.forms;
        let others = rules.iter().filter(|r| r.on != trigger).map(|r| (r.name.clone(), r.on)).collect();
        let foreign = |rule: &&FormRule| {
            let named = |user| rule.users.iter().any(|n| self.users.by_login(n) == Some(user));
            rule.on == trigger && !rule.users.is_empty() && user.is_some_and(|user| !named(user))
        };
        let numberless = |rule: &FormRule| {
            let named = rule.users.iter().filter_map(|login| self.users.by_login(login));
            named.map(|u| &self.users[u].account).filter(|a| a.number.is_empty()).map(|a| a.login.clone()).collect()
        };
        let foreign = rules.iter().filter(foreign).map(|r| (r.name.clone(), numberless(r)));
        let foreign: Vec<(Text, Vec<Text>)> = foreign.collect();
        let about = About::call(call).and_user(user);
        self.step(about.clone(), What::Triggered { on: trigger, others });
        for (rule, numberless) in foreign {
            self.step(about.clone(), What::NotForUser { rule, numberless });
        }
    }

    fn rule_fires(&mut self, ask: RuleAsk) {
        let rule = Arc::clone(&ask.rule);
        let first = What::Fires { rule: rule.name.clone(), ask: rule.ask.clone().unwrap_or_default() };
        self.step(About::call(&ask.call).and_user(Some(ask.user)), first);
        let Some(method) = rule.ask.clone() else { return self.open_by_rule(&ask, None) };
        let declared: Vec<Text> = self
            .links
            .in_order()
            .filter_map(|l| l.method(&method))
            .find_map(|m| m.input.as_ref().map(|i| i.iter().map(|p| p.name.clone()).collect()))
            .unwrap_or_default();
        let plain = rule.parameters.iter().filter(|(name, template)| {
            !template.iter().any(|p| matches!(p, Piece::Ask(_))) && (declared.is_empty() || declared.contains(name))
        });
        let input: Object = plain.map(|(name, template)| (name.clone(), self.fill(template, &ask, None))).collect();
        let (user, chain) = (Some(ask.user), ask.call.0.clone());
        let order = Order {
            method,
            input: input.into(),
            deadline: None,
            late: Duration::ZERO,
            fallback: None,
            link: None,
            user,
            chain,
        };
        self.execute(Asker::Rule(ask), order);
    }

    /// The method that a rule asked has an outcome. Without a result the form opens all the same, with `ask.error`.
    pub(in crate::hub) fn rule_asked(&mut self, ask: &RuleAsk, outcome: Outcome) {
        let rule = ask.rule.name.clone();
        let what = What::RuleAsked { rule, outcome: outcome.word(), why: why_of(&outcome) };
        self.step(About::call(&ask.call).and_user(Some(ask.user)), what);
        let values = match outcome {
            Outcome::Ok(output) | Outcome::Fallback(output) => output,
            Outcome::Cancelled => return,
            Outcome::Failed(why) | Outcome::BadInput(why) => Object::new().with("error", why),
            Outcome::Timeout => Object::new().with("error", "no answer in time"),
            Outcome::NoLink => Object::new().with("error", "the CRM is not connected"),
            Outcome::OpenCircuit => Object::new().with("error", "the CRM failed several times in a row"),
            Outcome::NoMethod => Object::new().with("error", "no CRM offers this method"),
        };
        self.open_by_rule(ask, Some(&values));
    }

    pub(super) fn open_by_rule(&mut self, ask: &RuleAsk, values: Option<&Object>) {
        let rule = (*ask.rule).clone();
        let input =
            rule.parameters.iter().map(|(name, template)| (name.clone(), self.fill(template, ask, values))).collect();
        let name = rule.name.clone();
        let (call, parties) = (Some(ask.call.clone()), ask.parties.clone());
        if let Err(error) = self.open_form(Opening { user: ask.user, call, parties, input, run: None, rule }) {
            let what = What::NotOpened { name: name.clone(), why: error.errormsg().into() };
            self.step(About::call(&ask.call).and_user(Some(ask.user)), what);
            self.odd(format!("form {name}"), format!("not opened: {}", error.errormsg()));
        }
    }

    /// Fills a template. One that is a single placeholder keeps the type of what it stands for.
    fn fill(&self, template: &[Piece], ask: &RuleAsk, values: Option<&Object>) -> Value {
        let parties = ask.parties.as_ref();
        let value = |piece: &Piece| -> Value {
            match piece {
                Piece::Text(text) => text.into(),
                Piece::Caller => parties.map(|p| p.caller.clone()).unwrap_or_default().into(),
                Piece::Called => parties.map(|p| p.called.clone()).unwrap_or_default().into(),
                Piece::Chain => (&ask.call.0).into(),
                Piece::User => (&self.users[ask.user].account.login).into(),
                Piece::Ask(name) => values.and_then(|v| v.get(name)).cloned().unwrap_or_else(|| "".into()),
            }
        };
        match template {
            [piece] => value(piece),
            pieces => {
                let texts = pieces.iter().map(|p| value(p).to_text().unwrap_or_default());
                texts.fold(String::new(), |all, text| all + &text).into()
            }
        }
    }

    fn close_by_trigger(&mut self, trigger: Trigger, user: Option<UserIx>, call: &CallId) {
        let closes = |f: &Form| {
            // What happens to one phone closes that person's forms; the end of the call closes everybody's.
            f.call.as_ref() == Some(call) && f.close_on.contains(&trigger) && user.is_none_or(|u| u == f.user)
        };
        let ids: Vec<Text> =
            self.forms.list().into_iter().filter(|(_, f)| closes(f)).map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.end_form(id, FormEnd::Closed, None));
    }
}
