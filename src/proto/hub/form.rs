//! Forms: a form is state, not a message. It is open, and then answered, closed or expired, once; it shows in the tabs of one
//! person, and the first valid answer is the answer. `proto-spec/forms.md`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::Time;
use crate::message::{Body, CallError, Code, Envelope, Object, PeerId, Text, Value};
use crate::telephony::{CallId, Command, FormEnd, FormOrder, Outcome, Parties, RunId};

use super::declaration::{self, Parameter};
use super::dynamic::{Asker, Order, chain_of};
use super::input::{Ask, Ticket};
use super::output::{Answer, Notice, Output, Record, StoredForm};
use super::route::{Caller, Handled, object_part, required};
use super::settings::{FormKind, FormRule, Piece, Trigger};
use super::timer::{Key, Timer};
use super::user::UserIx;
use super::{Hub, Peer};

/// How long it is remembered who answered a form.
const REMEMBER: Duration = Duration::from_secs(600);
/// How many of them.
const MAX_REMEMBERED: usize = 4096;

/// One open form.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) name: Text,
    caption: Text,
    pub(super) user: UserIx,
    pub(super) call: Option<CallId>,
    kind: FormKind,
    one: bool,
    pub(super) input: Object,
    /// What direct tabs show of the input, declared or not.
    shown_input: Vec<Parameter>,
    /// What may be answered; `None`: anything.
    output: Option<Vec<Parameter>>,
    close_on: Vec<Trigger>,
    run: Option<RunId>,
    order: u64,
    pub(super) since_ms: i64,
    expires_ms: i64,
    key: Key,
    /// Direct tabs that show it.
    tabs: Vec<PeerId>,
    /// Links that were told to show it.
    links: Vec<usize>,
    /// The tab behind the link, for a form that shows in one alone.
    tab: Option<Text>,
}

impl Form {
    /// In how many places it shows.
    pub(super) fn shown(&self) -> usize {
        self.tabs.len() + self.links.len()
    }
}

/// All open forms, and what became of those that ended a moment ago.
#[derive(Debug, Default)]
pub(super) struct Forms {
    open: BTreeMap<Text, Form>,
    /// When, which, and what a late answer is told.
    ended: VecDeque<(Time, Text, CallError)>,
    /// Methods that form rules are asking.
    asking: Vec<(Text, RuleAsk)>,
    next: u64,
}

/// A form rule that asks a dynamic method before it opens its form.
#[derive(Clone, Debug)]
pub(super) struct RuleAsk {
    rule: usize,
    user: UserIx,
    call: CallId,
    /// The ends of the call as they were when the rule fired: it may be over when the form opens.
    parties: Option<Parties>,
}

/// What opens a form.
struct Opening {
    rule: FormRule,
    user: UserIx,
    call: Option<CallId>,
    input: Object,
    run: Option<RunId>,
}

impl Forms {
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.ended.len() + self.asking.len()
    }

    /// Open forms, oldest first.
    pub(super) fn list(&self) -> Vec<(&Text, &Form)> {
        let mut all: Vec<_> = self.open.iter().collect();
        all.sort_by_key(|(_, f)| f.order);
        all
    }

    pub(super) fn note_ask(&mut self, execution: Text, ask: &RuleAsk) {
        self.asking.push((execution, ask.clone()));
    }

    pub(super) fn forget_ask(&mut self, execution: &Text) {
        self.asking.retain(|(id, ..)| id != execution);
    }

    pub(super) fn sweep(&mut self, now: Time) {
        while self.ended.front().is_some_and(|(at, ..)| now.since(*at) > REMEMBER) {
            self.ended.pop_front();
        }
    }

    fn of_user(&self, user: UserIx) -> Vec<Text> {
        self.list().into_iter().filter(|(_, f)| f.user == user).map(|(id, _)| id.clone()).collect()
    }

    fn remember(&mut self, now: Time, id: Text, error: CallError) {
        if self.ended.len() >= MAX_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((now, id, error));
    }
}

impl Hub {
    /// Something happened on a phone, or (`user` absent) to a whole call: rules open and close forms.
    pub(super) fn form_trigger(&mut self, trigger: Trigger, user: Option<UserIx>, call: &CallId) {
        self.close_by_trigger(trigger, user, call);
        if trigger == Trigger::Hangup {
            // A form that opens because somebody hung up is not given up because somebody did.
            let gone = |(_, ask): &&(Text, RuleAsk)| {
                ask.call == *call
                    && user.is_none_or(|user| ask.user == user)
                    && self.settings.forms[ask.rule].on != Trigger::Hangup
            };
            let asks: Vec<Text> = self.forms.asking.iter().filter(gone).map(|(id, ..)| id.clone()).collect();
            asks.iter().for_each(|id| self.cancel_execution(id, "the call is over"));
        }
        for rule in 0..self.settings.forms.len() {
            // Only into a queue comes a call without anybody's phone.
            if self.settings.forms[rule].on != trigger || (user.is_none() && trigger != Trigger::Queue) {
                continue;
            }
            let parties = self.calls.get(call).map(|c| c.parties.clone());
            for user in self.rule_users(rule, user) {
                self.rule_fires(RuleAsk { rule, user, call: call.clone(), parties: parties.clone() });
            }
        }
    }

    /// Whom a rule is for: the one whose phone it is, or, for what happens to a call without a phone, those the rule names.
    fn rule_users(&self, rule: usize, user: Option<UserIx>) -> Vec<UserIx> {
        let named = &self.settings.forms[rule].users;
        match user {
            Some(user) if named.is_empty() || named.contains(&self.users[user].account.login) => vec![user],
            Some(_) => Vec::new(),
            None => named.iter().filter_map(|login| self.users.by_login(login)).collect(),
        }
    }

    fn rule_fires(&mut self, ask: RuleAsk) {
        let rule = &self.settings.forms[ask.rule];
        let Some(method) = rule.ask.clone() else { return self.open_by_rule(&ask, None) };
        let declared: Vec<Text> = self
            .links
            .iter()
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
    pub(super) fn rule_asked(&mut self, ask: &RuleAsk, outcome: Outcome) {
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

    fn open_by_rule(&mut self, ask: &RuleAsk, values: Option<&Object>) {
        let rule = self.settings.forms[ask.rule].clone();
        let input =
            rule.parameters.iter().map(|(name, template)| (name.clone(), self.fill(template, ask, values))).collect();
        self.open_form(Opening { user: ask.user, call: Some(ask.call.clone()), input, run: None, rule });
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

    /// A scenario orders a form.
    pub(super) fn form_for_scenario(&mut self, run: Option<RunId>, order: FormOrder) {
        if let Err(why) = self.order_form(run, order)
            && let Some(run) = run
        {
            let end = FormEnd::Refused(why.errormsg());
            self.out.push_back(Output::Pbx(Command::FormDone { run, end }));
        }
    }

    fn order_form(&mut self, run: Option<RunId>, order: FormOrder) -> Result<Text, CallError> {
        if order.name.is_empty() {
            return Err(CallError::new(Code::BadRequest, "name is missing, expected the form's name"));
        }
        let user = self.users.by_login(&order.user).or_else(|| self.users.by_number(&order.user));
        let user =
            user.ok_or_else(|| CallError::new(Code::NotFound, format!("userlogin: {:?} is no user", &*order.user)))?;
        let configured = self.settings.forms.iter().find(|r| r.name == order.name).cloned();
        let mut rule = configured.unwrap_or_else(|| FormRule::default_for(order.name));
        if let Some(expire) = order.expire {
            rule.expire = expire;
        }
        Ok(self.open_form(Opening { rule, user, call: order.call, input: order.parameters, run }))
    }

    fn open_form(&mut self, opening: Opening) -> Text {
        let Opening { rule, user, call, input, run } = opening;
        while self.forms.of_user(user).len() >= self.settings.limits.forms_per_user {
            let oldest = self.forms.of_user(user).swap_remove(0);
            self.end_form(&oldest, FormEnd::Closed, None);
        }
        let id = self.ids.guid();
        let declared = self.links.iter().filter(|l| l.has_user(user)).find_map(|l| l.form(&rule.name)).cloned();
        let (caption, declared_input, output) = match declared {
            Some(form) => (form.caption.clone(), form.input.clone(), form.output.clone()),
            None => (rule.name.clone(), Vec::new(), None),
        };
        let input = declaration::coerce(input, &declared_input);
        let undeclared = input.iter().filter(|(name, _)| !declared_input.iter().any(|p| p.name == **name));
        let undeclared: Vec<Parameter> = undeclared.map(|(name, value)| Parameter::of_value(name, value)).collect();
        let key = self.timers.set(self.now + rule.expire, Timer::FormExpires(id.clone()));
        let wall = self.wall(self.now);
        self.forms.next += 1;
        let form = Form {
            name: rule.name,
            caption,
            user,
            call,
            kind: rule.kind,
            one: rule.one,
            input,
            shown_input: declared_input.into_iter().chain(undeclared).collect(),
            output,
            close_on: rule.close_on,
            run,
            order: self.forms.next,
            since_ms: wall,
            expires_ms: wall.saturating_add(i64::try_from(rule.expire.as_millis()).unwrap_or(i64::MAX)),
            key,
            tabs: Vec::new(),
            links: Vec::new(),
            tab: None,
        };
        self.form_notice(&id, &form, "open");
        self.out.push_back(Output::Record(Record::Form(self.stored(&id, &form))));
        self.forms.open.insert(id.clone(), form);
        self.show_form(&id);
        id
    }

    /// Shows a form wherever it should show and does not yet.
    fn show_form(&mut self, id: &Text) {
        let Some(form) = self.forms.open.get(id) else { return };
        let event = opening_event(form.kind);
        let tabs: Vec<PeerId> =
            self.tabs_hearing(form.user, event).into_iter().filter(|t| !form.tabs.contains(t)).collect();
        let shows = |l: &usize| {
            let link = &self.links[*l];
            link.peer.is_some()
                && link.has_user(form.user)
                && link.reaches(form.user)
                && link.form(&form.name).is_some()
        };
        let links: Vec<usize> = (0..self.links.len()).filter(shows).filter(|l| !form.links.contains(l)).collect();
        if !form.one {
            self.show_in_tabs(id, tabs);
            links.into_iter().for_each(|l| self.show_on_link(id, l, None));
        } else if form.shown() == 0 {
            self.show_in_one(id, &tabs, &links);
        }
    }

    /// Where the focus was last, else the newest tab.
    fn show_in_one(&mut self, id: &Text, tabs: &[PeerId], links: &[usize]) {
        let Some(user) = self.forms.open.get(id).map(|f| f.user) else { return };
        let direct = tabs.iter().filter_map(|peer| match self.peers.get(peer) {
            Some(Peer::Tab(t)) => Some(((t.focus, t.since_ms), Ok(*peer))),
            _ => None,
        });
        let tunnelled = links.iter().flat_map(|l| {
            let known = self.links[*l].tunnel.get(&user).map(|t| &t.tabs[..]).unwrap_or_default();
            let mut known: Vec<_> =
                known.iter().map(|t| ((t.focus, t.since_ms), Err((*l, Some(t.id.clone()))))).collect();
            let listed = self.links[*l].active.get(&user).into_iter().flatten();
            known.extend(listed.map(|t| ((None, 0), Err((*l, Some(t.clone()))))));
            if known.is_empty() { vec![((None, 0), Err((*l, None)))] } else { known }
        });
        match direct.chain(tunnelled).max_by_key(|(rank, _)| *rank).map(|(_, place)| place) {
            Some(Ok(peer)) => self.show_in_tabs(id, vec![peer]),
            Some(Err((link, tab))) => self.show_on_link(id, link, tab.filter(|t| !t.is_empty())),
            None => {}
        }
    }

    fn show_in_tabs(&mut self, id: &Text, tabs: Vec<PeerId>) {
        let Some(form) = self.forms.open.get_mut(id) else { return };
        form.tabs.extend(&tabs);
        let (event, user) = (opening_event(form.kind), form.user);
        let mut body = self.identity_body(user);
        let Some(form) = self.forms.open.get(id) else { return };
        body.set("cardid", id.clone());
        body.set("chainid", chain_of(form.call.as_ref()));
        let left = (form.expires_ms - self.wall(self.now)).max(0);
        match form.kind {
            FormKind::Reserve | FormKind::Confirm => {
                body.set("taskid", id.clone());
                body.set("taskname", form.caption.clone());
                body.set("timeoutms", left);
                if form.kind == FormKind::Confirm {
                    let party = form.call.as_ref().map(|c| self.party(c)).unwrap_or_default();
                    for (field, of) in [("callerid", "number"), ("callername", "name")] {
                        body.set(field, party.get(of).and_then(Value::to_text).unwrap_or_default());
                    }
                    body.set("fields", form.fields());
                }
            }
            FormKind::Dialog | FormKind::Stop => {
                body.set("formid", id.clone());
                body.set("formname", form.name.clone());
                body.set("caption", form.caption.clone());
                body.set("timeoutms", left);
                body.set("fields", form.fields());
                if form.kind == FormKind::Stop {
                    body.set("results", Vec::new());
                }
            }
        }
        self.fan(tabs, event, |qid| {
            body.set("qid", qid);
            body
        });
    }

    /// The forms of a user that are open now, oldest first, as `statereset` tells them.
    pub(super) fn open_forms(&self, user: UserIx) -> Vec<Value> {
        let account = &self.users[user].account;
        let of_user = self.forms.list().into_iter().filter(|(_, form)| form.user == user);
        of_user
            .map(|(id, form)| {
                Object::new()
                    .with("formid", id.clone())
                    .with("name", form.name.clone())
                    .with("userid", account.id.clone())
                    .with("userlogin", account.login.clone())
                    .with("chainid", chain_of(form.call.as_ref()))
                    .with("inputparameters", form.input.clone())
                    .into()
            })
            .collect()
    }

    fn show_on_link(&mut self, id: &Text, link: usize, tab: Option<Text>) {
        let Some(peer) = self.links[link].peer else { return };
        let qid = self.call_qid();
        let Some(form) = self.forms.open.get_mut(id) else { return };
        if !form.links.contains(&link) {
            form.links.push(link);
        }
        if form.one {
            form.tab.clone_from(&tab);
        }
        let account = &self.users[form.user].account;
        let body = Body::new()
            .with("qid", qid)
            .with("formid", id.clone())
            .with("name", form.name.clone())
            .with("userid", account.id.clone())
            .with("userlogin", account.login.clone())
            .with("chainid", chain_of(form.call.as_ref()))
            .with("inputparameters", form.input.clone())
            .with_some("tabid", tab);
        self.send(peer, Envelope::new("showform", body));
    }

    /// A tab has come, or hears cards now: it is shown what is open.
    pub(super) fn show_forms_in_tab(&mut self, user: UserIx, _tab: PeerId) {
        for id in self.forms.of_user(user) {
            self.show_form(&id);
        }
    }

    /// A link offers forms, or somebody came in through it. `user`: only that person, whose new tab is told again.
    pub(super) fn show_forms_on_link(&mut self, link: usize, user: Option<UserIx>) {
        let ids: Vec<Text> = self.forms.list().into_iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(form) = self.forms.open.get(&id) else { continue };
            let told = form.links.contains(&link);
            if user == Some(form.user) && told && !form.one {
                let tab = self.links[link].tunnel.get(&form.user).and_then(|t| t.tabs.last()).map(|t| t.id.clone());
                self.show_on_link(&id, link, tab.filter(|t| !t.is_empty()));
            } else {
                self.show_form(&id);
            }
        }
    }

    /// The link went down or was replaced: what it showed is to be shown again.
    pub(super) fn forms_forget_link(&mut self, link: usize) {
        for form in self.forms.open.values_mut() {
            form.links.retain(|l| *l != link);
        }
    }

    pub(super) fn form_tab_gone(&mut self, user: UserIx, peer: PeerId) {
        for id in self.forms.of_user(user) {
            if let Some(form) = self.forms.open.get_mut(&id) {
                form.tabs.retain(|t| *t != peer);
            }
            self.show_form(&id);
        }
    }

    /// A tab of the user behind the link has left, or the user has: a form that showed there alone moves to another place.
    pub(super) fn forms_tab_left(&mut self, link: usize, user: UserIx) {
        for id in self.forms.of_user(user) {
            let Some(form) = self.forms.open.get_mut(&id) else { continue };
            let l = &self.links[link];
            let there = match &form.tab {
                Some(tab) => l.has_tab(user, tab),
                None => l.reaches(user),
            };
            if !form.one || there || !form.links.contains(&link) {
                continue;
            }
            form.links.clear();
            form.tab = None;
            self.close_on_link(&id, user, link, "moved");
            self.show_form(&id);
        }
    }

    fn close_on_link(&mut self, id: &Text, user: UserIx, link: usize, reason: &'static str) {
        let Some(peer) = self.links[link].peer else { return };
        let qid = self.call_qid();
        let mut body = Body::new().with("qid", qid).with("formid", id.clone());
        self.identity(user).into_iter().for_each(|(n, v)| body.set(n, v));
        body.set("reason", reason);
        self.send(peer, Envelope::new("closeform", body));
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

    pub(super) fn form_expires(&mut self, id: &Text) {
        self.end_form(id, FormEnd::Expired, None);
    }

    /// `dlgcard_values` of a tab.
    pub(super) fn card_values(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "cardid")?;
        self.answer_form(caller, &id, body, &["values"])
    }

    /// `dlgcard_confirm` of a tab.
    pub(super) fn card_confirm(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "cardid")?;
        let accept = body
            .flag("accept")
            .ok_or_else(|| CallError::new(Code::BadRequest, "accept is missing, expected true or false"))?;
        let user = self.acting(caller)?;
        let form = self.form_of(user, &id)?;
        if form.kind != FormKind::Confirm {
            return Err(CallError::new(
                Code::BadRequest,
                "cardid: this card asks for no confirmation, answer with dlgcard_values",
            ));
        }
        self.finish_answer(caller, user, &id, Object::new().with("accept", accept), Text::new());
        Ok(Some(Body::new().with("cardid", id)))
    }

    /// `formresult` of a CRM, for one of its people.
    pub(super) fn form_result(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "formid")?;
        self.answer_form(caller, &id, body, &["outputparameters", "values"])
    }

    fn answer_form(&mut self, caller: &Caller, id: &Text, body: &Body, fields: &[&'static str]) -> Handled {
        let user = match caller.user {
            Some(user) => user,
            // A CRM may leave the user out: the form knows whose it is.
            None => {
                let mine = |f: &&Form| caller.link.is_none_or(|l| self.links[l].has_user(f.user));
                self.forms.open.get(id).filter(mine).map(|f| f.user).ok_or_else(|| self.form_gone(id))?
            }
        };
        let form = self.form_of(user, id)?;
        if form.kind == FormKind::Reserve {
            return Err(CallError::new(Code::BadRequest, "cardid: a reserve card is not answered"));
        }
        let Value::Object(mut output) = object_part(body, fields)?.open() else { return Err(Code::BadRequest.into()) };
        if let Some(declared) = &form.output {
            output = declaration::coerce(output, declared);
            declaration::check(&output, declared)
                .map_err(|why| CallError::new(Code::BadRequest, format!("{}: {why}", fields[0])))?;
        }
        let comment = body.text("comment").unwrap_or_default();
        self.finish_answer(caller, user, id, output, comment);
        let field = if fields[0] == "values" { "cardid" } else { "formid" };
        Ok(Some(Body::new().with(field, id.clone())))
    }

    fn finish_answer(&mut self, caller: &Caller, user: UserIx, id: &Text, output: Object, comment: Text) {
        let by = self.users[user].account.login.clone();
        self.end_form(id, FormEnd::Answered { by, output, comment }, Some(caller));
    }

    fn form_of(&self, user: UserIx, id: &Text) -> Result<&Form, CallError> {
        self.forms.open.get(id).filter(|f| f.user == user).ok_or_else(|| self.form_gone(id))
    }

    fn form_gone(&self, id: &Text) -> CallError {
        let known = self.forms.ended.iter().rev().find(|(_, ended, _)| ended == id);
        known
            .map_or_else(|| CallError::new(Code::NotFound, "cardid: no such form is open"), |(.., error)| error.clone())
    }

    /// Ends a form: everybody who shows it and did not answer it is told, the scenario gets its result, it is kept no longer.
    fn end_form(&mut self, id: &Text, end: FormEnd, answered: Option<&Caller>) {
        let Some(form) = self.forms.open.remove(id) else { return };
        self.timers.cancel(form.key);
        let (reason, error) = match &end {
            FormEnd::Answered { by, .. } => {
                let how = answered.map(|c| self.who(c)).unwrap_or_default();
                let detail = format!("by {by} ({how})");
                ("answered", CallError::new(Code::AlreadyAnswered, detail))
            }
            FormEnd::Expired => ("expired", CallError::new(Code::NotFound, "cardid: the form has expired")),
            FormEnd::Closed | FormEnd::Refused(_) => {
                ("closed", CallError::new(Code::NotFound, "cardid: the form is closed"))
            }
        };
        self.forms.remember(self.now, id.clone(), error);
        let direct = answered.filter(|c| c.link.is_none()).map(|c| c.peer);
        let others: Vec<PeerId> = form.tabs.iter().filter(|t| Some(**t) != direct).copied().collect();
        let mut body = self.identity_body(form.user);
        body.set("cardid", id.clone());
        body.set("reason", reason);
        self.fan(others, "dlgcard_closeall", |qid| {
            body.set("qid", qid);
            body
        });
        form.links.iter().for_each(|link| self.close_on_link(id, form.user, *link, reason));
        self.form_notice(id, &form, reason);
        self.out.push_back(Output::Record(Record::FormEnded { id: id.clone() }));
        if let Some(run) = form.run {
            self.out.push_back(Output::Pbx(Command::FormDone { run, end }));
        }
    }

    fn form_notice(&mut self, id: &Text, form: &Form, state: &'static str) {
        let login = self.users[form.user].account.login.clone();
        self.out.push_back(Output::Notice(Notice::Form { id: id.clone(), name: form.name.clone(), login, state }));
    }

    fn identity_body(&self, user: UserIx) -> Body {
        let mut body = Body::new().with("qid", "");
        self.identity(user).into_iter().for_each(|(n, v)| body.set(n, v));
        body
    }

    /// A question or order from outside.
    pub(super) fn asked(&mut self, ticket: Ticket, ask: Ask) {
        let answer = match ask {
            Ask::Call(call) => return self.execute_for_api(ticket, call),
            Ask::OpenForm(order) => match self.order_form(None, order) {
                Ok(id) => Answer::FormOpened { id },
                Err(error) => Answer::Refused(error),
            },
            Ask::CloseForm { id } if self.forms.open.contains_key(&id) => {
                self.end_form(&id, FormEnd::Closed, None);
                Answer::Done
            }
            Ask::CloseForm { id } => Answer::Refused(match self.form_gone(&id) {
                e if e.code == Some(Code::AlreadyAnswered) => e,
                _ => CallError::new(Code::NotFound, format!("no form {id} is open")),
            }),
            Ask::Snapshot => Answer::Snapshot(Box::new(self.snapshot())),
        };
        self.out.push_back(Output::Answer { ticket, answer });
    }

    fn stored(&self, id: &Text, form: &Form) -> StoredForm {
        let list =
            |parameters: &[Parameter]| Value::Array(parameters.iter().map(|p| Value::Object(p.to_object())).collect());
        let body = Object::new()
            .with("name", form.name.clone())
            .with("caption", form.caption.clone())
            .with("chainid", chain_of(form.call.as_ref()))
            .with("kind", form.kind.word())
            .with("one", form.one)
            .with("since", form.since_ms)
            .with("input", form.input.clone())
            .with("shown", list(&form.shown_input))
            .with("output", form.output.as_ref().map(|o| list(o)));
        StoredForm {
            id: id.clone(),
            login: self.users[form.user].account.login.clone(),
            expires_ms: form.expires_ms,
            body: (self.settings.notation.write)(&body),
        }
    }

    /// Puts an open form back that a store kept. Its call and its scenario are gone: only an answer, a request or its time
    /// ends it now. False when the record cannot be read or its user is gone.
    pub fn restore_form(&mut self, stored: &StoredForm) -> bool {
        let Some(user) = self.users.by_login(&stored.login) else { return false };
        let Some(body) = (self.settings.notation.read)(&stored.body) else { return false };
        let text = |name: &str| body.get(name).and_then(Value::to_text).unwrap_or_default();
        let list = |name: &str| body.get(name).and_then(Value::as_array).map(Parameter::from_values);
        let left = stored.expires_ms.saturating_sub(self.wall(self.now));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let key = self.timers.set(self.now + left, Timer::FormExpires(stored.id.clone()));
        let chain = text("chainid");
        self.forms.next += 1;
        let form = Form {
            name: text("name"),
            caption: text("caption"),
            user,
            call: (!chain.is_empty()).then(|| CallId(chain)),
            kind: FormKind::parse(&text("kind")).unwrap_or_default(),
            one: body.get("one").and_then(Value::to_bool).unwrap_or(false),
            input: body.get("input").and_then(Value::as_object).cloned().unwrap_or_default(),
            shown_input: list("shown").unwrap_or_default(),
            output: list("output"),
            close_on: Vec::new(),
            run: None,
            order: self.forms.next,
            since_ms: body.get("since").and_then(Value::to_i64).unwrap_or_default(),
            expires_ms: stored.expires_ms,
            key,
            tabs: Vec::new(),
            links: Vec::new(),
            tab: None,
        };
        self.forms.open.insert(stored.id.clone(), form);
        true
    }
}

impl Form {
    /// The fields of a card: declared and given input to read, output to fill in.
    fn fields(&self) -> Vec<Value> {
        let field = |p: &Parameter, value: Value, readonly: bool| {
            Value::Object(
                Object::new()
                    .with("name", p.name.clone())
                    .with("type", p.kind.type_word())
                    .with("caption", p.caption.clone())
                    .with("value", value)
                    .with("readonly", readonly)
                    .with("required", !readonly && p.required),
            )
        };
        let input = self
            .shown_input
            .iter()
            .map(|p| field(p, self.input.get(&p.name).cloned().unwrap_or_else(|| "".into()), true));
        let output = self.output.iter().flatten().map(|p| field(p, "".into(), false));
        input.chain(output).collect()
    }
}

/// The event that opens a card of this kind in a direct tab.
const fn opening_event(kind: FormKind) -> &'static str {
    match kind {
        FormKind::Reserve => "dlgcard_showreserve",
        FormKind::Confirm => "dlgcard_showconfirm",
        FormKind::Dialog => "dlgcard_showformdialog",
        FormKind::Stop => "dlgcard_showformstop",
    }
}
