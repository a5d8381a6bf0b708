//! Chats: who is in them, how far each has read, who hears of what. Texts themselves lie in the store. `proto-spec/methods/chat.md`.

use std::collections::BTreeMap;

use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::method::Typed;
use crate::method::chat::{ChatAddMember, ChatCreate, ChatHistory, ChatRemoveMember, ChatRename, ChatSend, ChatViewed};

use super::Hub;
use super::archive::{ChatText, Fetch};
use super::fetch::Then;
use super::output::{Kept, Output, Record};
use super::route::{Caller, Handled};
use super::user::UserIx;

/// Most chats of one user.
const MOST_CHATS: usize = 1000;
/// Most members of a chat.
const MOST_MEMBERS: usize = 256;
/// The longest name and text, bytes.
const LONGEST_NAME: usize = 256;
const LONGEST_TEXT: usize = 8192;
/// How many texts of a history are told when nobody says, and at most.
const HISTORY: (i64, i64) = (50, 200);

/// All chats, by id.
#[derive(Debug, Default)]
pub(super) struct Chats(BTreeMap<Text, Chat>);

/// One chat.
#[derive(Debug)]
struct Chat {
    name: Text,
    /// Who made it, by login: the account may be gone.
    creator: Text,
    /// Its members, and up to which text each has read.
    members: BTreeMap<UserIx, i64>,
    /// The place of the newest text; 0: there is none.
    last: i64,
    last_ms: i64,
}

impl Chats {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A user is in no chat any more. A chat that nobody is left in is forgotten with its last member.
    pub(super) fn forget(&mut self, user: UserIx) {
        self.0.retain(|_, chat| {
            chat.members.remove(&user);
            !chat.members.is_empty()
        });
    }

    fn of(&self, user: UserIx) -> usize {
        self.0.values().filter(|chat| chat.members.contains_key(&user)).count()
    }
}

impl Hub {
    pub(super) fn create_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let wanted = ChatCreate::from_body(body)?;
        let name = bounded("name", wanted.name.unwrap_or_default(), 0, LONGEST_NAME)?;
        let mut members = self.recipients("members", &wanted.members)?;
        members.retain(|member| *member != user);
        members.push(user);
        if members.len() > MOST_MEMBERS {
            let detail = format!("members names {} others, expected at most {}", members.len() - 1, MOST_MEMBERS - 1);
            return Err(CallError::new(Code::BadRequest, detail));
        }
        if let Some(full) = members.iter().find(|member| self.chats.of(**member) >= MOST_CHATS) {
            let detail = format!("{} is in {MOST_CHATS} chats already", self.users[*full].account.login);
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        let id = self.ids.guid();
        let chat = Chat {
            name,
            creator: self.users[user].account.login.clone(),
            members: members.iter().map(|member| (*member, 0)).collect(),
            last: 0,
            last_ms: self.wall(self.now),
        };
        self.chats.0.insert(id.clone(), chat);
        self.keep_chat(&id);
        let told: Vec<UserIx> = self.chats.0[&id].members.keys().copied().collect();
        told.into_iter().for_each(|member| self.tell_created(member, &id));
        self.succeed_once_kept(caller, "chatcreate", Body::new().with("chatid", id));
        Ok(None)
    }

    pub(super) fn send_to_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatSend::from_body(body)?;
        let (user, id) = self.own_chat(caller, &wanted.chatid)?;
        let text = bounded("text", wanted.text, 1, LONGEST_TEXT)?;
        let at_ms = self.wall(self.now);
        let account = &self.users[user].account;
        let (sender, sender_id, sender_name) = (account.login.clone(), account.id.clone(), account.name.clone());
        let message = self.ids.guid();
        let Some(chat) = self.chats.0.get_mut(&id) else { return Err(no_chat()) };
        (chat.last, chat.last_ms) = (chat.last + 1, at_ms);
        // Whoever writes has read what stands above.
        chat.members.insert(user, chat.last);
        let number = chat.last;
        let kept = ChatText { chat: id.clone(), message: message.clone(), number, sender, text: text.clone(), at_ms };
        self.out.push_back(Output::Record(Record::Text(kept)));
        self.keep_chat(&id);
        let datetime = self.local_time(at_ms);
        let event = Body::new()
            .with("chatid", id.clone())
            .with("messageid", message.clone())
            .with("senderid", sender_id)
            .with("sendername", sender_name)
            .with("text", text)
            .with("datetime", datetime.clone());
        self.tell_chat(&id, "chatmessage", &event);
        self.succeed_once_kept(caller, "chatsend", Body::new().with("messageid", message).with("datetime", datetime));
        Ok(None)
    }

    /// Which text it is only the store knows.
    pub(super) fn view_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatViewed::from_body(body)?;
        let (_, chat) = self.own_chat(caller, &wanted.chatid)?;
        let message = wanted.messageid.to_ascii_lowercase().into();
        self.fetch(caller, "chatviewed", Fetch::Text { chat: chat.clone(), message }, Then::Viewed { chat })
    }

    pub(super) fn viewed(&mut self, caller: &Caller, id: &Text, text: Option<&ChatText>) -> Handled {
        let (user, id) = self.own_chat(caller, id)?;
        let text = text.ok_or_else(|| CallError::new(Code::NotFound, "messageid is no text of the chat"))?;
        let Some(seen) = self.chats.0.get_mut(&id).and_then(|chat| chat.members.get_mut(&user)) else {
            return Err(no_chat());
        };
        if *seen < text.number {
            *seen = text.number;
            self.keep_chat(&id);
            let viewer = self.users[user].account.id.clone();
            let event = Body::new().with("chatid", id.clone()).with("messageid", text.message.clone());
            self.tell_chat(&id, "chatmessageviewed", &event.with("viewerid", viewer));
        }
        Ok(Some(Body::new()))
    }

    pub(super) fn add_to_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatAddMember::from_body(body)?;
        let (_, id) = self.own_chat(caller, &wanted.chatid)?;
        let member = self.member("memberid", &wanted.memberid)?;
        let full = self.chats.of(member) >= MOST_CHATS;
        let Some(chat) = self.chats.0.get_mut(&id) else { return Err(no_chat()) };
        if chat.members.contains_key(&member) {
            return Ok(Some(Body::new()));
        }
        if full || chat.members.len() >= MOST_MEMBERS {
            let detail = if full {
                format!("memberid is in {MOST_CHATS} chats already")
            } else {
                format!("the chat has {MOST_MEMBERS} members already")
            };
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        chat.members.insert(member, chat.last);
        self.keep_chat(&id);
        self.tell_created(member, &id);
        let event = Body::new().with("chatid", id.clone()).with("member", self.chat_member(member));
        self.tell_chat(&id, "chatmemberadded", &event);
        Ok(Some(Body::new()))
    }

    pub(super) fn remove_from_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatRemoveMember::from_body(body)?;
        let (user, id) = self.own_chat(caller, &wanted.chatid)?;
        let member = self.member("memberid", &wanted.memberid)?;
        let made_it = self.chats.0[&id].creator == self.users[user].account.login;
        if !self.chats.0[&id].members.contains_key(&member) {
            return Err(CallError::new(Code::NotFound, "memberid is no member of the chat"));
        }
        if member != user && !made_it {
            return Err(CallError::new(Code::AccessDenied, "only who made the chat takes others out"));
        }
        let event = Body::new().with("chatid", id.clone()).with("member", self.chat_member(member));
        self.tell_chat(&id, "chatmemberremoved", &event);
        let Some(chat) = self.chats.0.get_mut(&id) else { return Err(no_chat()) };
        chat.members.remove(&member);
        if chat.members.is_empty() {
            self.chats.0.remove(&id);
            self.out.push_back(Output::Record(Record::Kept(Kept { kind: "chat", key: id.clone(), body: None })));
            self.out.push_back(Output::Record(Record::TextsEnded { chat: id }));
        } else {
            self.keep_chat(&id);
        }
        Ok(Some(Body::new()))
    }

    pub(super) fn rename_chat(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatRename::from_body(body)?;
        let (_, id) = self.own_chat(caller, &wanted.chatid)?;
        let name = bounded("name", wanted.name, 0, LONGEST_NAME)?;
        let Some(chat) = self.chats.0.get_mut(&id) else { return Err(no_chat()) };
        chat.name = name.clone();
        self.keep_chat(&id);
        self.tell_chat(&id, "chatnamechanged", &Body::new().with("chatid", id.clone()).with("name", name));
        Ok(Some(Body::new()))
    }

    pub(super) fn list_chats(&self, caller: &Caller) -> Handled {
        let user = self.acting(caller)?;
        let mut own: Vec<_> = self.chats.0.iter().filter(|(_, c)| c.members.contains_key(&user)).collect();
        own.sort_by_key(|(id, chat)| (std::cmp::Reverse(chat.last_ms), *id));
        let chats = own.into_iter().map(|(id, chat)| {
            let mut info = self.chat_object(id, chat);
            info.set("unread", chat.last - chat.members.get(&user).copied().unwrap_or_default());
            if chat.last > 0 {
                info.set("datetime", self.local_time(chat.last_ms));
            }
            Value::Object(info)
        });
        Ok(Some(Body::new().with("chats", chats.collect::<Vec<_>>())))
    }

    pub(super) fn chat_history(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ChatHistory::from_body(body)?;
        let (_, chat) = self.own_chat(caller, &wanted.chatid)?;
        let limit = wanted.limit.unwrap_or(HISTORY.0);
        if !(1..=HISTORY.1).contains(&limit) {
            let detail = format!("limit is {limit}, expected 1 to {}", HISTORY.1);
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let before = wanted.before.filter(|b| !b.is_empty()).map(|b| Text::from(b.to_ascii_lowercase()));
        let limit = usize::try_from(limit).unwrap_or(1);
        let fetch = Fetch::Texts { chat: chat.clone(), before, limit };
        self.fetch(caller, "chathistory", fetch, Then::History { chat })
    }

    pub(super) fn history_reply(&self, caller: &Caller, id: &Text, texts: Vec<ChatText>) -> Handled {
        let (_, id) = self.own_chat(caller, id)?;
        let chat = &self.chats.0[&id];
        let lines = texts.into_iter().map(|text| {
            let sender = self.users.by_login(&text.sender);
            let readers = chat.members.iter().filter(|(m, seen)| **seen >= text.number && Some(**m) != sender);
            let readers: Vec<Value> = readers.map(|(m, _)| Value::from(&self.users[*m].account.id)).collect();
            let (id, name) = match sender.map(|sender| &self.users[sender].account) {
                Some(account) => (account.id.clone(), account.name.clone()),
                None => (Text::new(), text.sender.clone()),
            };
            Value::Object(
                Object::new()
                    .with("messageid", text.message)
                    .with("senderid", id)
                    .with("sendername", name)
                    .with("text", text.text)
                    .with("datetime", self.local_time(text.at_ms))
                    .with("viewers", readers),
            )
        });
        Ok(Some(Body::new().with("messages", lines.collect::<Vec<_>>())))
    }

    /// Puts a chat back that a store kept.
    pub(super) fn restore_chat(&mut self, id: &str, kept: &Object) -> bool {
        let text = |name: &str| kept.get(name).and_then(Value::to_text).unwrap_or_default();
        let int = |name: &str| kept.get(name).and_then(Value::to_i64).unwrap_or_default();
        let Some(members) = kept.get("members").and_then(Value::as_object) else { return false };
        let members = members.iter().filter_map(|(login, seen)| Some((self.users.by_login(login)?, seen.to_i64()?)));
        let members: BTreeMap<UserIx, i64> = members.collect();
        if members.is_empty() {
            return false;
        }
        let chat =
            Chat { name: text("name"), creator: text("creator"), members, last: int("last"), last_ms: int("lastms") };
        self.chats.0.insert(Text::from(id), chat);
        true
    }

    fn keep_chat(&mut self, id: &Text) {
        let Some(chat) = self.chats.0.get(id) else { return };
        let mut members = Object::new();
        for (member, seen) in &chat.members {
            members.set(self.users[*member].account.login.clone(), *seen);
        }
        let body = Object::new()
            .with("name", chat.name.clone())
            .with("creator", chat.creator.clone())
            .with("members", members)
            .with("last", chat.last)
            .with("lastms", chat.last_ms);
        let body = Some((self.settings.notation.write)(&body));
        self.out.push_back(Output::Record(Record::Kept(Kept { kind: "chat", key: id.clone(), body })));
    }

    /// A chat of the user's own.
    fn own_chat(&self, caller: &Caller, id: &Text) -> Result<(UserIx, Text), CallError> {
        let user = self.acting(caller)?;
        let id = Text::from(id.to_ascii_lowercase());
        let own = self.chats.0.get(&id).is_some_and(|chat| chat.members.contains_key(&user));
        if own { Ok((user, id)) } else { Err(no_chat()) }
    }

    fn member(&self, field: &str, id: &Text) -> Result<UserIx, CallError> {
        self.users.by_id(id).ok_or_else(|| CallError::new(Code::NotFound, format!("{field} names no user")))
    }

    fn chat_member(&self, user: UserIx) -> Object {
        let account = &self.users[user].account;
        Object::new().with("userid", account.id.clone()).with("username", account.name.clone())
    }

    fn chat_object(&self, id: &Text, chat: &Chat) -> Object {
        let creator = self.users.by_login(&chat.creator).map(|c| self.users[c].account.id.clone());
        let members = chat.members.keys().map(|m| Value::Object(self.chat_member(*m)));
        Object::new()
            .with("chatid", id.clone())
            .with("name", chat.name.clone())
            .with("creatorid", creator.unwrap_or_default())
            .with("members", members.collect::<Vec<_>>())
    }

    fn tell_created(&mut self, member: UserIx, id: &Text) {
        let Some(chat) = self.chats.0.get(id) else { return };
        let event = Body::from(self.chat_object(id, chat));
        self.tell_user(member, "chatcreated", event);
    }

    fn tell_chat(&mut self, id: &Text, event: &'static str, body: &Body) {
        let members: Vec<UserIx> = self.chats.0.get(id).into_iter().flat_map(|c| c.members.keys().copied()).collect();
        members.into_iter().for_each(|member| self.tell_user(member, event, body.clone()));
    }
}

fn no_chat() -> CallError {
    CallError::new(Code::NotFound, "chatid is no chat of the user")
}

/// A text of so many bytes.
///
/// # Errors
/// 59002 when it is shorter or longer.
pub(super) fn bounded(field: &str, text: Text, least: usize, most: usize) -> Result<Text, CallError> {
    if (least..=most).contains(&text.len()) {
        return Ok(text);
    }
    let detail = format!("{field} has {} bytes, expected {least} to {most}", text.len());
    Err(CallError::new(Code::BadRequest, detail))
}
