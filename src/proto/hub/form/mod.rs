//! Forms: a form is state, not a message. It is open, and then answered, closed or expired, once; it shows in the tabs of one
//! person, and the first valid answer is the answer. `proto-spec/forms.md`.
//!
//! `rules`: which phone events open and close one; `showing`: where it shows; `answer`: what people say to it; `keeping`: over a
//! restart.

mod answer;
mod keeping;
mod rules;
mod showing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::message::{CallError, Code, Object, PeerId, Text, Value};
use crate::telephony::{CallId, Command, FormEnd, FormOrder, Parties, RunId};

use super::Hub;
use super::declaration::{self, Parameter};
use super::dynamic::chain_of;
use super::ids::ExecutionId;
use super::input::{Ask, Ticket};
use super::output::{Answer, Notice, Output, Record};
use super::route::Caller;
use super::settings::{FormKind, FormRule, Trigger};
use super::timer::{Key, Timer};
use super::trace::{About, What};
use super::user::UserIx;

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
    /// Number and name of the other party, as they were when it opened: the call may be over when it is shown again.
    party: (Text, Text),
}

impl Form {
    /// In how many places it shows.
    pub(super) fn shown(&self) -> usize {
        self.tabs.len() + self.links.len()
    }

    pub(super) fn tabs_shown(&self) -> usize {
        self.tabs.len()
    }

    pub(super) fn shows_on(&self, link: usize) -> bool {
        self.links.contains(&link)
    }
}

/// What became of a form.
#[derive(Debug)]
enum Gone {
    /// It was answered: by whom.
    Answered(String),
    /// It ended without an answer: how.
    Over(&'static str),
}

/// All open forms, and what became of those that ended a moment ago.
#[derive(Debug, Default)]
pub(super) struct Forms {
    open: BTreeMap<Text, Form>,
    /// When, which, and what a late answer is told.
    ended: VecDeque<(Time, Text, Gone)>,
    /// Methods that form rules are asking.
    asking: Vec<(ExecutionId, RuleAsk)>,
    next: u64,
}

/// A form rule that asks a dynamic method before it opens its form.
#[derive(Clone, Debug)]
pub(super) struct RuleAsk {
    rule: Arc<FormRule>,
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
    parties: Option<Parties>,
    input: Object,
    run: Option<RunId>,
}

impl Forms {
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.ended.len() + self.asking.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Form> {
        self.open.get(id)
    }

    /// Open forms, oldest first.
    pub(super) fn list(&self) -> Vec<(&Text, &Form)> {
        let mut all: Vec<_> = self.open.iter().collect();
        all.sort_by_key(|(_, f)| f.order);
        all
    }

    pub(super) fn note_ask(&mut self, execution: ExecutionId, ask: &RuleAsk) {
        self.asking.push((execution, ask.clone()));
    }

    /// Methods that rules are asking for a form of this user.
    pub(super) fn asked_for(&self, user: UserIx) -> Vec<ExecutionId> {
        self.asking.iter().filter(|(_, ask)| ask.user == user).map(|(id, _)| *id).collect()
    }

    pub(super) fn forget_ask(&mut self, execution: ExecutionId) {
        self.asking.retain(|(id, ..)| *id != execution);
    }

    pub(super) fn sweep(&mut self, now: Time) {
        while self.ended.front().is_some_and(|(at, ..)| now.since(*at) > REMEMBER) {
            self.ended.pop_front();
        }
    }

    pub(super) fn of_user(&self, user: UserIx) -> Vec<Text> {
        self.list().into_iter().filter(|(_, f)| f.user == user).map(|(id, _)| id.clone()).collect()
    }

    fn remember(&mut self, now: Time, id: Text, gone: Gone) {
        if self.ended.len() >= MAX_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((now, id, gone));
    }
}

impl Hub {
    /// A scenario orders a form.
    pub(super) fn form_for_scenario(&mut self, run: Option<RunId>, order: FormOrder) {
        let about = About { call: chain_of(order.call.as_ref()), ..About::default() };
        let name = order.name.clone();
        if let Err(why) = self.order_form(run, order) {
            self.step(about, What::NotOpened { name, why: why.errormsg().into() });
            if let Some(run) = run {
                let end = FormEnd::Refused(why.errormsg());
                self.out.push_back(Output::Pbx(Box::new(Command::FormDone { run, end })));
            }
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
        let parties = order.call.as_ref().and_then(|call| self.calls.parties(call)).cloned();
        self.open_form(Opening { rule, user, call: order.call, parties, input: order.parameters, run })
    }

    /// Opens a form, and shows it where it should show.
    ///
    /// # Errors
    /// 59002 when its card would be too long for a tab.
    fn open_form(&mut self, opening: Opening) -> Result<Text, CallError> {
        let Opening { rule, user, call, parties, input, run } = opening;
        let by = if run.is_some() { "scenario" } else { rule.on.word() };
        let id = self.ids.guid();
        let declared = self.links.in_order().filter(|l| l.has_user(user)).find_map(|l| l.form(&rule.name)).cloned();
        let (caption, declared_input, output) = match declared {
            Some(form) => (form.caption.clone(), form.input.clone(), form.output.clone()),
            None => (rule.name.clone(), Vec::new(), None),
        };
        let input = declaration::coerce(input, &declared_input);
        let undeclared = input.iter().filter(|(name, _)| !declared_input.iter().any(|p| p.name == **name));
        let undeclared: Vec<Parameter> = undeclared.map(|(name, value)| Parameter::of_value(name, value)).collect();
        let party = parties.map(|p| self.party_of(&p)).unwrap_or_default();
        let of_party = |field: &str| party.get(field).and_then(Value::to_text).unwrap_or_default();
        let wall = self.wall(self.now);
        self.forms.next += 1;
        let mut form = Form {
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
            key: Key::default(),
            tabs: Vec::new(),
            links: Vec::new(),
            tab: None,
            party: (of_party("number"), of_party("name")),
        };
        self.fits_any_tab(&self.card(&id, &form).into())?;
        while self.forms.of_user(user).len() >= self.settings.limits.forms_per_user {
            let oldest = self.forms.of_user(user).swap_remove(0);
            self.end_form(&oldest, FormEnd::Closed, None);
        }
        form.key = self.timers.set(self.now + rule.expire, Timer::FormExpires(id.clone()));
        self.form_notice(&id, &form, "open");
        self.out.push_back(Output::Record(Record::Form(self.stored(&id, &form))));
        let opened = What::Opened { name: form.name.clone(), by };
        self.step(About::form(&id, &form), opened);
        let event = showing::opening_event(form.kind);
        self.forms.open.insert(id.clone(), form);
        self.show_form(&id);
        if self.forms.get(&id).is_some_and(|form| form.shown() == 0) {
            self.trace_places(&id, event);
        }
        Ok(id)
    }

    /// A scenario takes back the form it opened.
    pub(super) fn close_form_of(&mut self, run: RunId) {
        let of_run = self.forms.open.iter().find(|(_, f)| f.run == Some(run)).map(|(id, _)| id.clone());
        if let Some(id) = of_run {
            self.end_form(&id, FormEnd::Closed, None);
        }
    }

    pub(super) fn form_expires(&mut self, id: &Text) {
        self.end_form(id, FormEnd::Expired, None);
    }

    /// Ends a form: everybody who shows it and did not answer it is told, the scenario gets its result, it is kept no longer.
    pub(super) fn end_form(&mut self, id: &Text, end: FormEnd, answered: Option<&Caller>) {
        let Some(form) = self.forms.open.remove(id) else { return };
        self.timers.cancel(form.key);
        let (reason, gone) = match &end {
            FormEnd::Answered { by, .. } => {
                let how = answered.map(|c| self.who(c)).unwrap_or_default();
                ("answered", Gone::Answered(format!("by {by} ({how})")))
            }
            FormEnd::Expired => ("expired", Gone::Over("the form has expired")),
            FormEnd::Closed | FormEnd::Refused(_) => ("closed", Gone::Over("the form is closed")),
        };
        self.forms.remember(self.now, id.clone(), gone);
        let direct = answered.filter(|c| c.link.is_none()).map(|c| c.peer);
        let others: Vec<PeerId> = form.tabs.iter().filter(|t| Some(**t) != direct).copied().collect();
        let mut body = self.identity_body(form.user);
        body.set("cardid", id.clone());
        body.set("reason", reason);
        self.fan(&others, "dlgcard_closeall", |qid| {
            body.set("qid", qid);
            body
        });
        form.links.iter().for_each(|link| self.close_on_link(id, form.user, *link, reason));
        self.step(About::form(id, &form), What::Ended { name: form.name.clone(), how: reason });
        self.form_notice(id, &form, reason);
        self.out.push_back(Output::Record(Record::FormEnded { id: id.clone() }));
        if let Some(run) = form.run {
            self.out.push_back(Output::Pbx(Box::new(Command::FormDone { run, end })));
        }
    }

    fn form_notice(&mut self, id: &Text, form: &Form, state: &'static str) {
        let login = self.users[form.user].account.login.clone();
        self.out.push_back(Output::Notice(Notice::Form { id: id.clone(), name: form.name.clone(), login, state }));
    }

    /// A question or order from outside.
    pub(super) fn asked(&mut self, ticket: Ticket, ask: Ask) {
        let answer = match ask {
            Ask::Call(call) => return self.execute_for_api(ticket, call),
            Ask::Run(run) => return self.run(ticket, run),
            Ask::Upload { password } => return self.upload_begins(ticket, &password),
            Ask::Uploaded(uploaded) => return self.upload_ended(ticket, uploaded),
            Ask::Recording { link, by } => return self.recording_wanted(ticket, link, by),
            Ask::OpenForm(order) => match self.order_form(None, order) {
                Ok(id) => Answer::FormOpened { id },
                Err(error) => Answer::Refused(error),
            },
            Ask::CloseForm { id } if self.forms.open.contains_key(&id) => {
                self.end_form(&id, FormEnd::Closed, None);
                Answer::Done
            }
            Ask::CloseForm { id } => Answer::Refused(match self.form_gone("formid", &id) {
                e if e.code == Some(Code::AlreadyAnswered) => e,
                _ => CallError::new(Code::NotFound, format!("no form {id} is open")),
            }),
            Ask::EndSessions { login, password_changed } => self.end_sessions(&login, password_changed),
            Ask::Snapshot => Answer::Snapshot(Box::new(self.snapshot())),
        };
        self.out.push_back(Output::Answer { ticket, answer });
    }
}
