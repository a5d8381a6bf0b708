//! What the Hub tells of its own decisions, so that people can be told why something happened, or did not. A [`Step`] is made only
//! where something is decided, of what is at hand there; whoever drives the Hub takes the steps out with [`Hub::each_step`] and
//! remembers as many as it likes. Nothing in the Hub reads them.

use std::sync::Arc;

use crate::message::{Body, PeerId, Text};
use crate::method::Right;
use crate::telephony::{Act, CallId, End, Fact, LegFact, LegState, Outcome, Parties};

use super::Hub;
use super::form::Form;
use super::rights::Rights;
use super::route::Caller;
use super::settings::Trigger;
use super::subscription::Event;
use super::user::UserIx;

/// Most steps that wait to be taken out. Whoever does not take them out loses those that come after.
const MOST: usize = 10_000;
/// Most names of a subscription that are told.
const SHOWN_NAMES: usize = 16;
/// The longest number that may be an inside one: what is longer and nobody's is somebody outside.
const LONGEST_INSIDE: usize = 6;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The conversation it is about; empty for none.
    pub call: Text,
    /// The form it is about; empty for none.
    pub form: Text,
    /// The login of the user it is about; empty for none.
    pub user: Text,
    /// What was decided.
    pub what: What,
}

impl Step {
    /// A look at it.
    pub fn told(&self) -> Told<'_> {
        Told { at_ms: self.at_ms, call: &self.call, form: &self.form, user: &self.user, what: &self.what }
    }
}

/// A [`Step`] that is looked at where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The conversation it is about; empty for none.
    pub call: &'a Text,
    /// The form it is about; empty for none.
    pub form: &'a Text,
    /// The login of the user it is about; empty for none.
    pub user: &'a Text,
    /// What was decided.
    pub what: &'a What,
}

impl Told<'_> {
    /// A copy of it, for whoever keeps it.
    pub fn to_step(&self) -> Step {
        let (call, form, user) = (self.call.clone(), self.form.clone(), self.user.clone());
        Step { at_ms: self.at_ms, call, form, user, what: self.what.clone() }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A conversation began.
    Began {
        /// Who calls.
        caller: Text,
        /// Which number was dialled.
        called: Text,
    },
    /// A number takes part, or was dialled, that is no user's and no queue's.
    NobodysNumber {
        /// The number.
        number: Text,
    },
    /// A conversation is over.
    Over,
    /// An event of a phone came to the form rules.
    Triggered {
        /// Which.
        on: Trigger,
        /// The rules that wait for another event, each with that event.
        others: Vec<(Text, Trigger)>,
    },
    /// A rule waits for this event, but not of this user.
    NotForUser {
        /// The form of the rule.
        rule: Text,
        /// Those it is for who have no number.
        numberless: Vec<Text>,
    },
    /// A rule applies.
    Fires {
        /// The form of the rule.
        rule: Text,
        /// The method it asks first; empty for none.
        ask: Text,
    },
    /// The method that a rule asked has an outcome.
    RuleAsked {
        /// The form of the rule.
        rule: Text,
        /// The outcome in one word.
        outcome: &'static str,
        /// What went wrong; empty when nothing did.
        why: Text,
    },
    /// A form was to be opened and was not.
    NotOpened {
        /// Its name.
        name: Text,
        /// Why.
        why: Text,
    },
    /// A form is open.
    Opened {
        /// Its name.
        name: Text,
        /// What opened it: the word of a trigger, `scenario`, `api`.
        by: &'static str,
    },
    /// Where a form shows, and where it does not.
    Shown {
        /// Its name.
        name: Text,
        /// In how many of the user's own tabs.
        tabs: usize,
        /// How many of them do not hear such cards.
        deaf: usize,
        /// Each link: whether it shows there, or why not.
        links: Vec<Hears>,
    },
    /// A form is over.
    Ended {
        /// Its name.
        name: Text,
        /// `answered`, `closed`, `expired`.
        how: &'static str,
    },
    /// A dynamic method was asked.
    Asked {
        /// Its name.
        method: Text,
        /// Whom: a link, or empty for the user's own tabs.
        link: Text,
        /// Who asked: `scenario`, `tab`, `api`, `form`.
        by: &'static str,
    },
    /// A dynamic method was to be asked and was not.
    NotAsked {
        /// Its name.
        method: Text,
        /// The outcome in one word.
        outcome: &'static str,
        /// What went wrong, if there is more to say.
        why: Text,
        /// Who asked.
        by: &'static str,
    },
    /// A dynamic method has ended.
    Done {
        /// Its name.
        method: Text,
        /// The link that was asked, or empty.
        link: Text,
        /// The outcome in one word.
        outcome: &'static str,
        /// What went wrong, if there is more to say.
        why: Text,
        /// How long it took, milliseconds.
        millis: u64,
    },
    /// An event was told.
    Told {
        /// Which.
        event: &'static str,
        /// How many of the user's tabs heard it.
        tabs: usize,
        /// How many of them have not subscribed to it.
        deaf: usize,
        /// Each link: whether it heard it, or why not. Shared by the steps of which it is the same, as it mostly is.
        links: Arc<[Hears]>,
    },
    /// A tab has logged in.
    TabOpened {
        /// The tab.
        tab: PeerId,
        /// Where it connects from.
        address: Text,
    },
    /// A tab is gone.
    TabClosed {
        /// The tab.
        tab: PeerId,
    },
    /// A tab has subscribed.
    Subscribed {
        /// The tab.
        tab: PeerId,
        /// To what, as it named it; the first of them.
        events: Vec<Text>,
    },
    /// A login was refused.
    LoginRefused {
        /// Why.
        why: Text,
    },
    /// A telephone order was passed on.
    Ordered {
        /// The phone's number.
        number: Text,
        /// What, in one word.
        act: &'static str,
    },
    /// A call lacks a right.
    RightMissing {
        /// The method.
        method: &'static str,
        /// The right.
        right: &'static str,
        /// The link, when it is the link that does not hold it.
        link: Text,
    },
    /// A call failed in another way.
    Refused {
        /// The method.
        method: Text,
        /// The code of the error; 0 for none.
        code: i64,
        /// What was told.
        why: Text,
    },
    /// A link opened.
    LinkUp {
        /// Its name.
        link: Text,
    },
    /// A link closed.
    LinkDown {
        /// Its name.
        link: Text,
        /// Why.
        why: Text,
    },
    /// The telephone system is there, or is not. The shell says so.
    Telephone {
        /// Whether it is.
        up: bool,
    },
    /// A page was not let in because of where it comes from. The shell says so.
    OriginRefused {
        /// Where it comes from.
        origin: Text,
        /// What it asked for.
        host: Text,
    },
}

/// A link, and whether it hears, or why not.
pub type Hears = (Text, Result<(), Deaf>);

/// Why a link does not show a form or hear an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deaf {
    /// It is not open.
    Down,
    /// It is for other users.
    NotItsUser,
    /// Nobody of that name is behind it.
    NotBehind,
    /// The CRM has not declared the form.
    Undeclared,
    /// It is configured not to want the event.
    Silent,
    /// It is posted to and does not poll: it gets replies and forms only.
    PostedOnly,
}

impl Deaf {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::NotItsUser => "not_its_user",
            Self::NotBehind => "not_behind",
            Self::Undeclared => "undeclared",
            Self::Silent => "silent",
            Self::PostedOnly => "posted_only",
        }
    }
}

/// The steps that wait to be taken out.
#[derive(Debug, Default)]
pub(super) struct Trace {
    on: bool,
    /// When, about what, and what.
    steps: Vec<(i64, About, What)>,
    /// Which links heard the event that was told last.
    heard: Option<Arc<[Hears]>>,
}

/// What a step is about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) call: Text,
    pub(super) form: Text,
    pub(super) user: Option<UserIx>,
}

impl About {
    pub(super) fn call(call: &CallId) -> Self {
        Self { call: call.0.clone(), ..Self::default() }
    }

    pub(super) fn user(user: UserIx) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    pub(super) fn and_user(self, user: Option<UserIx>) -> Self {
        Self { user, ..self }
    }

    pub(super) fn form(id: &Text, form: &Form) -> Self {
        let call = form.call.as_ref().map(|c| c.0.clone()).unwrap_or_default();
        Self { call, form: id.clone(), user: Some(form.user) }
    }
}

impl Hub {
    /// Whether steps are made. They are not until this is called with `true`.
    pub fn set_tracing(&mut self, on: bool) {
        self.trace.on = on;
    }

    /// Takes out the steps made since this was called last, in order. Worth calling whenever outputs are taken out.
    pub fn each_step(&mut self, mut look: impl FnMut(Told<'_>)) {
        for (at_ms, about, what) in self.trace.steps.drain(..) {
            let nobody = Text::new();
            let user = about.user.map_or(&nobody, |user| &self.users[user].account.login);
            look(Told { at_ms, call: &about.call, form: &about.form, user, what: &what });
        }
    }

    /// Whether there is a step to take out.
    pub fn has_steps(&self) -> bool {
        !self.trace.steps.is_empty()
    }

    pub(super) fn is_traced(&self) -> bool {
        self.trace.on
    }

    pub(super) fn step(&mut self, about: About, what: What) {
        if !self.trace.on || self.trace.steps.len() >= MOST {
            return;
        }
        let at_ms = self.wall(self.now);
        self.trace.steps.push((at_ms, about, what));
    }

    /// A tab named what it wants to hear.
    pub(super) fn trace_subscribed(&mut self, user: UserIx, tab: PeerId, names: &[Text]) {
        if self.trace.on && !names.is_empty() {
            let events = names.iter().take(SHOWN_NAMES).map(|name| Text::from(&**name)).collect();
            self.step(About::user(user), What::Subscribed { tab, events });
        }
    }

    /// A call was made without the right it needs.
    pub(super) fn trace_right(&mut self, caller: &Caller, method: &'static str, right: Right, body: &Body) {
        if !self.trace.on {
            return;
        }
        let own = caller.user.is_none_or(|user| self.users[user].account.rights.has(right));
        let link = caller.link.filter(|_| own).map(|link| self.links[link].settings.name.clone()).unwrap_or_default();
        let text = |field: &str| body.text(field).map(|text| Text::from(&*text));
        let form = ["formid", "cardid"].into_iter().find_map(text).unwrap_or_default();
        let call = text("chainid").unwrap_or_default();
        let about = About { call, form, user: caller.user };
        self.step(about, What::RightMissing { method, right: right.word(), link });
    }

    /// What facts say first: that a conversation begins or ends, and which number is nobody's.
    pub(super) fn trace_facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Call(c) if self.calls.parties(&c.call).is_none() => {
                    let Parties { caller, called, .. } = c.parties.clone();
                    let user = self.users.by_number(&caller).or_else(|| self.users.by_number(&called));
                    let about = About::call(&c.call).and_user(user);
                    self.step(about, What::Began { caller, called: called.clone() });
                    let inside = called.len() <= LONGEST_INSIDE && !called.is_empty();
                    let group = self.settings.numbers.iter().any(|g| g.number == called);
                    if inside && !group && self.users.by_number(&called).is_none() {
                        self.step(About::call(&c.call), What::NobodysNumber { number: called });
                    }
                }
                Fact::Leg(LegFact { call, end: End::Inside(number), state: LegState::Ringing, .. })
                    if self.users.by_number(number).is_none() =>
                {
                    self.step(About::call(call), What::NobodysNumber { number: number.clone() });
                }
                Fact::Over { call, .. } => self.step(About::call(call), What::Over),
                _ => {}
            }
        }
    }

    /// Where a form shows now.
    pub(super) fn trace_places(&mut self, id: &Text, event: &str) {
        if !self.trace.on {
            return;
        }
        let Some(form) = self.forms.get(id) else { return };
        let all = self.users[form.user].tabs.len();
        let deaf = all - self.tabs_hearing(form.user, event).len();
        let shows = |link: usize| {
            let l = &self.links[link];
            match () {
                () if form.shows_on(link) => Ok(()),
                () if !l.has_user(form.user) => Err(Deaf::NotItsUser),
                () if l.peer.is_none() => Err(Deaf::Down),
                () if l.form(&form.name).is_none() => Err(Deaf::Undeclared),
                () => Err(Deaf::NotBehind),
            }
        };
        let links = self.links.numbered().map(|(at, l)| (l.settings.name.clone(), shows(at))).collect();
        let what = What::Shown { name: form.name.clone(), tabs: form.tabs_shown(), deaf, links };
        self.step(About::form(id, form), what);
    }

    /// Who heard an event of a user, and who did not.
    pub(super) fn trace_told(&mut self, user: UserIx, event: &'static str, call: Text, tabs: usize) {
        let deaf = self.users[user].tabs.len().saturating_sub(tabs);
        let hears = |link: usize| {
            let l = &self.links[link];
            match () {
                () if !l.has_user(user) => Err(Deaf::NotItsUser),
                () if l.peer.is_none() => Err(Deaf::Down),
                () if l.settings.silent_events.iter().any(|e| e == event) => Err(Deaf::Silent),
                () if !l.hears_events => Err(Deaf::PostedOnly),
                () if self.link_hears(link, Some(user), event).is_none() => Err(Deaf::NotBehind),
                () => Ok(()),
            }
        };
        let all = || self.links.numbered().map(|(at, l)| (&l.settings.name, hears(at)));
        let as_before =
            self.trace.heard.as_ref().filter(|before| before.iter().map(|(name, hears)| (name, *hears)).eq(all()));
        let links = match as_before {
            Some(before) => Arc::clone(before),
            None => all().map(|(name, hears)| (name.clone(), hears)).collect(),
        };
        self.trace.heard = Some(Arc::clone(&links));
        let about = About { call, ..About::user(user) };
        self.step(about, What::Told { event, tabs, deaf, links });
    }

    /// How a person is connected now, by login, number or id, whatever the case of the letters.
    pub fn person_now(&self, who: &str) -> Option<PersonNow> {
        let users = &self.users;
        let user = users.by_login(who).or_else(|| users.by_number(who)).or_else(|| users.by_id(who))?;
        let u = &users[user];
        let cards = ["dlgcard_showformdialog", "dlgcard_showformstop", "dlgcard_showconfirm", "dlgcard_showreserve"];
        let tabs = u.tabs.iter().filter_map(|peer| match self.peers.get(peer) {
            Some(super::Peer::Tab(tab)) => Some(TabNow {
                tab: *peer,
                address: tab.address.clone(),
                since_ms: tab.since_ms,
                cards: cards.iter().any(|event| tab.hears(Event::of(event))),
                phone: tab.hears(Event::of("phoneevent_ringstarted")),
            }),
            _ => None,
        });
        let rules = self.settings.forms.iter().map(|rule| RuleNow {
            name: rule.name.clone(),
            on: rule.on,
            is_for: rule.users.is_empty() || rule.users.iter().any(|login| users.by_login(login) == Some(user)),
        });
        Some(PersonNow {
            login: u.account.login.clone(),
            number: u.account.number.clone(),
            rights: u.account.rights,
            phone: u.phone,
            tabs: tabs.collect(),
            links: self.links.numbered().map(|(at, _)| self.link_now(at, user)).collect(),
            rules: rules.collect(),
        })
    }

    fn link_now(&self, link: usize, user: UserIx) -> LinkNow {
        let l = &self.links[link];
        LinkNow {
            name: l.settings.name.clone(),
            up: l.peer.is_some(),
            state: l.state,
            since_ms: l.since_ms,
            detail: l.detail.clone(),
            is_for: l.has_user(user),
            reaches: l.reaches(user),
            rights: l.settings.rights,
            forms: l.forms.iter().map(|form| form.name.clone()).collect(),
            silent: l.settings.silent_events.clone(),
        }
    }
}

/// A person, as a question why something does not happen wants to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonNow {
    /// The login.
    pub login: Text,
    /// The number; empty: none.
    pub number: Text,
    /// What the person may do.
    pub rights: Rights,
    /// Whether the phone can be rung, as far as the telephone system said.
    pub phone: bool,
    /// The person's own tabs.
    pub tabs: Vec<TabNow>,
    /// Each link.
    pub links: Vec<LinkNow>,
    /// Each form rule.
    pub rules: Vec<RuleNow>,
}

/// A tab of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabNow {
    /// Which.
    pub tab: PeerId,
    /// Where it connects from.
    pub address: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Whether it hears cards of forms.
    pub cards: bool,
    /// Whether it hears the events of the phone.
    pub phone: bool,
}

/// A link, seen from a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkNow {
    /// Its name.
    pub name: Text,
    /// Whether it is open.
    pub up: bool,
    /// Its state in one word.
    pub state: &'static str,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// What people should know of the state.
    pub detail: String,
    /// Whether it is for this person.
    pub is_for: bool,
    /// Whether the person can be reached behind it.
    pub reaches: bool,
    /// What it may do.
    pub rights: Rights,
    /// The forms that the CRM has declared.
    pub forms: Vec<Text>,
    /// The events it is configured not to want.
    pub silent: Vec<Text>,
}

/// A form rule, seen from a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleNow {
    /// Its form.
    pub name: Text,
    /// What opens it.
    pub on: Trigger,
    /// Whether it is for this person.
    pub is_for: bool,
}

impl Trigger {
    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Answer => "answer",
            Self::Hangup => "hangup",
            Self::Queue => "queue",
            Self::Api => "api",
        }
    }
}

/// What of an outcome there is to say besides its word.
pub(super) fn why_of(outcome: &Outcome) -> Text {
    match outcome {
        Outcome::Failed(why) | Outcome::BadInput(why) => why.as_str().into(),
        _ => Text::new(),
    }
}

/// What a person wants of the own phone, in one word.
pub(super) const fn act_word(act: &Act) -> &'static str {
    match act {
        Act::Dial { .. } => "dial",
        Act::StopDialling => "stop dialling",
        Act::Answer => "answer",
        Act::Decline => "decline",
        Act::Hangup => "hang up",
        Act::Join => "join",
        Act::Switch => "hold or take back",
        Act::Return => "return",
        Act::DropHeld => "drop the held",
        Act::Transfer { .. } => "transfer",
        Act::Confer { .. } => "confer",
        Act::Widen { .. } => "widen",
        Act::Invite { .. } => "invite",
        Act::TakeIn => "take in",
        Act::Kick { .. } => "throw out",
        Act::Leave { .. } => "leave",
        Act::Spy { .. } => "listen in",
        Act::SpyMode { .. } => "listen in otherwise",
    }
}
