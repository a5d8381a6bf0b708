//! Calls of the past and their recordings. `proto-spec/methods/call.md`.

use std::collections::BTreeSet;

use crate::calls::{Direction, Entry, JournalQuery, JournalRow, Step};
use crate::hub::Hub;
use crate::hub::archive::{Fetch, Recording};
use crate::hub::fetch::Then;
use crate::hub::ids::ZERO_GUID;
use crate::hub::output::{Answer, Output};
use crate::hub::route::{Caller, Handled};
use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::method::Typed;
use crate::method::call::{GetPbxCallJournal, JournalFilter};
use crate::telephony::CallId;
use crate::time;

/// How many entries are told when nobody says, and at most.
const LIMIT: (i64, i64) = (200, 1000);
/// Furthest back by number of entries.
const FURTHEST: i64 = 1_000_000;

impl Hub {
    pub(in crate::hub) fn journal(&mut self, caller: &Caller, body: &Body) -> Handled {
        let filter = GetPbxCallJournal::from_body(body)?.filter;
        let query = self.journal_query(caller, filter)?;
        self.fetch(caller, "getpbxcalljournal", Fetch::Journal(query), Then::Journal)
    }

    fn journal_query(&self, caller: &Caller, filter: Option<JournalFilter>) -> Result<JournalQuery, CallError> {
        let numbers = self.looked_after(caller);
        let Some(filter) = filter else {
            let limit = LIMIT.0.unsigned_abs().try_into().unwrap_or(usize::MAX);
            return Ok(JournalQuery { numbers, from_ms: Some(self.today()), limit, ..JournalQuery::default() });
        };
        let wrong = |detail: String| CallError::new(Code::BadRequest, detail);
        let full = |text: Option<Text>| text.filter(|t| !t.is_empty());
        let day = |field: &str, date: Option<Text>, days: i64| match full(date) {
            None => Ok(None),
            Some(date) => {
                let shown: String = date.chars().take(32).collect();
                let moment = self.local_day(&date, days);
                moment.map(Some).ok_or_else(|| wrong(format!("filter.{field} is {shown:?}, expected a day YYYY-MM-DD")))
            }
        };
        let direction = full(filter.connectiontype).map(|word| {
            let shown: String = word.chars().take(32).collect();
            Direction::parse(&word).ok_or_else(|| {
                wrong(format!("filter.connectiontype is {shown:?}, expected incoming, outgoing or internal"))
            })
        });
        let range = |field: &str, found: Option<i64>, least: i64, most: i64, otherwise: i64| match found {
            None => Ok(otherwise),
            Some(found) if (least..=most).contains(&found) => Ok(found),
            Some(found) => Err(wrong(format!("filter.{field} is {found}, expected {least} to {most}"))),
        };
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        Ok(JournalQuery {
            call: full(filter.idchain).map(|chain| CallId(chain.to_ascii_lowercase().into())),
            numbers,
            // Calls of the call centre are wanted unless somebody says that they are not.
            queued: filter.showcallcenter.and_then(|wanted| (!wanted).then_some(false)),
            from_ms: day("datestart", filter.datestart, 0)?,
            until_ms: day("dateend", filter.dateend, 1)?,
            direction: direction.transpose()?,
            length_ms: filter.minduration.filter(|s| *s > 0).map(|s| s.saturating_mul(1000)),
            number: full(filter.number),
            missed: filter.missed,
            outcome: None,
            queue: None,
            after: None,
            limit: count(range("limit", filter.limit, 1, LIMIT.1, LIMIT.0)?),
            offset: count(range("offset", filter.offset, 0, FURTHEST, 0)?),
        })
    }

    /// The numbers whose calls are the caller's business: the own one and those of subordinates; of a CRM for itself those of
    /// its users. `None`: all.
    fn looked_after(&self, caller: &Caller) -> Option<BTreeSet<Text>> {
        let mine = |other| match (caller.user, caller.link) {
            (Some(user), _) => other == user || self.is_subordinate(other, user),
            (None, Some(link)) => self.links[link].has_user(other),
            (None, None) => false,
        };
        let whole = caller.user.is_none() && caller.link.is_some_and(|l| self.links[l].settings.users.is_none());
        let numbers = self.users.iter().filter(|(other, _)| mine(*other)).map(|(_, u)| u.account.number.clone());
        (!whole).then(|| numbers.filter(|n| !n.is_empty()).collect())
    }

    /// Whether a conversation with these inside numbers is the caller's business.
    pub(in crate::hub) fn may_see<'a>(&self, caller: &Caller, mut inside: impl Iterator<Item = &'a Text>) -> bool {
        self.looked_after(caller).is_none_or(|own| inside.any(|number| own.contains(number)))
    }

    pub(in crate::hub) fn journal_reply(&self, caller: &Caller, rows: Vec<(JournalRow, Option<Text>)>) -> Body {
        let rows = rows.into_iter().map(|(row, link)| Value::Object(self.journal_entry(caller, row, link)));
        Body::new().with("data", rows.collect::<Vec<_>>())
    }

    fn journal_entry(&self, caller: &Caller, row: JournalRow, link: Option<Text>) -> Object {
        let people = || row.inside.iter().filter_map(|number| self.users.by_number(number));
        let own = caller.user.filter(|own| people().any(|user| user == *own));
        // Whose phone was tried last comes last; who talked with a caller comes after one who called.
        let other = if row.talk.is_some() && row.inside.first() != Some(&row.caller) {
            people().next()
        } else {
            people().next_back()
        };
        let mut entry = Object::new()
            .with("chainid", row.call.0.clone())
            .with("commutationid", row.talk.as_ref().map_or(Text::from_static(ZERO_GUID), |talk| talk.0.clone()))
            .with("datetime", self.local_time(row.began_ms))
            .with("duration", row.length_ms / 1000)
            .with("connectiontype", row.direction.word())
            .with("callerid", row.caller.clone())
            .with("calledid", row.called.clone());
        if let Some(user) = own.or(other) {
            entry.set("userid", self.users[user].account.id.clone());
            entry.set("username", self.users[user].account.name.clone());
        }
        entry.set("outcome", row.outcome.word());
        entry.set("waitduration", row.wait_ms / 1000);
        if !row.queue.is_empty() {
            entry.set("queue", row.queue);
        }
        if let Some(link) = link {
            entry.set("recordlink", link);
        }
        entry
    }

    /// What happened to a call so far: of the one named, else of the one the user has now.
    pub(in crate::hub) fn chain_content(&mut self, caller: &Caller, body: &Body) -> Handled {
        let named = body.text("chainid").filter(|c| !c.is_empty());
        let call = match (named, caller.user) {
            (Some(chain), _) => CallId(chain.to_ascii_lowercase().into()),
            (None, Some(user)) => self.users[user].line.call.clone().ok_or_else(|| {
                CallError::new(Code::InvalidLineState, "there is no call now, and chainid is missing")
            })?,
            (None, None) => {
                return Err(CallError::new(Code::BadRequest, "chainid is missing: a CRM has no call of its own"));
            }
        };
        match self.calls.trace(&call) {
            None => self.fetch(caller, "getchaincontent", Fetch::Call(call), Then::Steps),
            Some(steps) if self.may_see(caller, self.calls.numbers_ever(&call).iter()) => {
                Ok(Some(self.chain_reply(call, steps)))
            }
            Some(_) => Err(no_call()),
        }
    }

    /// The same for a call of the past.
    pub(in crate::hub) fn past_chain(&self, caller: &Caller, entry: Option<&Entry>) -> Handled {
        let entry = entry.filter(|entry| self.may_see(caller, entry.inside().iter())).ok_or_else(no_call)?;
        Ok(Some(self.chain_reply(entry.call.clone(), entry.steps())))
    }

    fn chain_reply(&self, call: CallId, steps: Vec<Step>) -> Body {
        let trace = steps.into_iter().map(|step| {
            let mut all = Object::new().with("datetime", self.local_time(step.at_ms)).with("kind", step.kind);
            if !step.number.is_empty() {
                if let Some(user) = self.users.by_number(&step.number) {
                    all.set("userid", self.users[user].account.id.clone());
                }
                all.set("number", step.number);
            }
            match step.kind {
                "answered" | "held" | "conference" => all.set("commutationid", step.detail),
                _ if step.detail.is_empty() => {}
                _ => all.set("detail", step.detail),
            }
            Value::Object(all)
        });
        let trace: Vec<Value> = trace.collect();
        Body::new().with("content", Object::new().with("chainid", call.0).with("trace", trace))
    }

    /// Gives a recording to whoever may hear it.
    pub(in crate::hub) fn recording_found(&mut self, caller: &Caller, recording: Option<Recording>) -> Handled {
        let found = recording.filter(|r| self.may_see(caller, r.inside.iter()));
        let file = found.ok_or_else(|| CallError::new(Code::NotFound, "recordlink is no recording"))?.file;
        let ticket = caller.ask.ok_or(Code::Internal)?;
        self.out.push_back(Output::Answer { ticket, answer: Answer::Recording { file } });
        Ok(None)
    }

    /// The beginning of a local day so many days after the one that is named.
    fn local_day(&self, date: &str, days: i64) -> Option<i64> {
        // The offset that counts is that of the day itself, which is not known before.
        let guess = time::day_start(date, 0)? + days * 86_400_000;
        let first = guess - i64::from((self.settings.utc_offset)(guess)) * 1000;
        Some(guess - i64::from((self.settings.utc_offset)(first)) * 1000)
    }

    fn today(&self) -> i64 {
        let date = self.local_time(self.wall(self.now));
        self.local_day(date.split(' ').next().unwrap_or_default(), 0).unwrap_or_default()
    }

    /// A moment as the protocol writes it: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
    pub(in crate::hub) fn local_time(&self, wall_ms: i64) -> String {
        time::date_time(wall_ms, (self.settings.utc_offset)(wall_ms))
    }
}

fn no_call() -> CallError {
    CallError::new(Code::NotFound, "chainid is no call")
}
