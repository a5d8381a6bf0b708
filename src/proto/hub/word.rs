//! Words to people: texts, which wait for whoever is away, and notices, which do not. `proto-spec/methods/chat.md`.

use std::collections::{BTreeMap, VecDeque};

use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::method::chat::{SendNotifyMessage, SendUserTextMessage};
use crate::method::{Right, Typed};

use super::Hub;
use super::chat::bounded;
use super::output::{Kept, Output, Record};
use super::route::{Caller, Handled};
use super::user::UserIx;

/// Most people one message goes to.
const MOST_RECIPIENTS: usize = 256;
/// The longest text and title, bytes.
const LONGEST_TEXT: usize = 4096;
const LONGEST_CAPTION: usize = 256;
/// Most texts that wait for one user.
const MOST_WAITING: usize = 100;
/// The longest showing of a notice.
const LONGEST_SHOWN_MS: i64 = 86_400_000;

const TEXT: &str = "usertextmessagereceived";

/// Texts that wait for people who are away.
#[derive(Debug, Default)]
pub(super) struct WaitingTexts(BTreeMap<UserIx, VecDeque<Object>>);

impl WaitingTexts {
    pub(super) fn len(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }

    pub(super) fn forget(&mut self, user: UserIx) {
        self.0.remove(&user);
    }
}

impl Hub {
    pub(super) fn send_text(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = SendUserTextMessage::from_body(body)?;
        let text = bounded("text", wanted.text, 1, LONGEST_TEXT)?;
        let to = self.recipients("recipients", &wanted.recipients)?;
        let (id, name) = match (caller.user, caller.link) {
            (Some(user), _) => (self.users[user].account.id.clone(), self.users[user].account.name.clone()),
            (None, Some(link)) => (Text::new(), self.links[link].settings.name.clone()),
            (None, None) => (Text::new(), Text::new()),
        };
        let message = Object::new()
            .with("senderid", id)
            .with("sendername", name)
            .with("text", text)
            .with("datetime", self.local_time(self.wall(self.now)));
        for user in to {
            if self.somebody_hears(user, TEXT) {
                self.tell_user(user, TEXT, Body::from(message.clone()));
                continue;
            }
            let waiting = self.texts.0.entry(user).or_default();
            if waiting.len() >= MOST_WAITING {
                waiting.pop_front();
            }
            waiting.push_back(message.clone());
            self.keep_texts(user);
        }
        Ok(Some(Body::new()))
    }

    /// Somebody may hear texts from now on who did not before.
    pub(super) fn deliver_texts(&mut self, user: UserIx) {
        if !self.texts.0.contains_key(&user) || !self.somebody_hears(user, TEXT) {
            return;
        }
        for message in self.texts.0.remove(&user).unwrap_or_default() {
            self.tell_user(user, TEXT, Body::from(message));
        }
        self.keep_texts(user);
    }

    fn keep_texts(&mut self, user: UserIx) {
        let body = self.texts.0.get(&user).map(|waiting| {
            let all: Vec<Value> = waiting.iter().cloned().map(Value::Object).collect();
            (self.settings.notation.write)(&Object::new().with("texts", all))
        });
        let key = self.users[user].account.login.clone();
        self.out.push_back(Output::Record(Record::Kept(Kept { kind: "texts", key, body })));
    }

    /// Puts texts back that a store kept.
    pub(super) fn restore_texts(&mut self, login: &str, kept: &Object) -> bool {
        let (Some(user), Some(texts)) = (self.users.by_login(login), kept.get("texts").and_then(Value::as_array))
        else {
            return false;
        };
        let texts = texts.iter().filter_map(Value::as_object).take(MOST_WAITING).cloned();
        self.texts.0.insert(user, texts.collect());
        true
    }

    pub(super) fn send_notice(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = SendNotifyMessage::from_body(body)?;
        let caption = bounded("caption", wanted.caption, 0, LONGEST_CAPTION)?;
        let text = bounded("text", wanted.text, 1, LONGEST_TEXT)?;
        if let Some(shown) = wanted.timeoutms.filter(|ms| !(1..=LONGEST_SHOWN_MS).contains(ms)) {
            let detail = format!("timeoutms is {shown}, expected 1 to {LONGEST_SHOWN_MS}");
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let to = self.recipients("recipients", &wanted.recipients)?;
        let may = |to: &UserIx| match (caller.user, caller.link) {
            (Some(_), _) if caller.rights.has(Right::WebApi) => true,
            (Some(user), _) => self.is_subordinate(*to, user),
            (None, Some(link)) => self.links[link].has_user(*to),
            (None, None) => false,
        };
        if let Some(other) = to.iter().find(|to| !may(to)) {
            let detail = format!("recipients: {} is no subordinate", self.users[*other].account.login);
            return Err(CallError::new(Code::AccessDenied, detail));
        }
        let notice = Body::new().with("caption", caption).with("text", text).with_some("timeoutms", wanted.timeoutms);
        to.into_iter().for_each(|user| self.tell_user(user, "shownotifymessage", notice.clone()));
        Ok(Some(Body::new()))
    }

    /// The users of these ids, each once.
    ///
    /// # Errors
    /// 59014 when an id is nobody's, 59002 when there are too many or none.
    pub(super) fn recipients(&self, field: &str, ids: &[Text]) -> Result<Vec<UserIx>, CallError> {
        if ids.is_empty() || ids.len() > MOST_RECIPIENTS {
            let detail = format!("{field} has {} ids, expected 1 to {MOST_RECIPIENTS}", ids.len());
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let mut users = Vec::with_capacity(ids.len());
        for (at, id) in ids.iter().enumerate() {
            let known = self.users.by_id(id);
            let user = known.ok_or_else(|| CallError::new(Code::NotFound, format!("{field}[{at}] names no user")))?;
            if !users.contains(&user) {
                users.push(user);
            }
        }
        Ok(users)
    }

    fn somebody_hears(&self, user: UserIx, event: &'static str) -> bool {
        !self.tabs_hearing(user, event).is_empty()
            || (0..self.links.len()).any(|link| self.link_hears(link, Some(user), event).is_some())
    }
}
