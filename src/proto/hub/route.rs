//! From a message to who handles it: who speaks, may they, and which file answers.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::Time;
use crate::auth::{Attempt, Identity, LoginBy, LoginError, Who, same_login};
use crate::message::{
    Body, CallError, CloseReason, Code, Envelope, Kind, Object, Part, PeerId, Qid, Shared, Text, Value,
};
use crate::method::{self, Class, Flow, Head, Message, is_reply, reply_name};

use super::input::{Opening, Ticket};
use super::output::{Answer, Notice, Output, Record};
use super::rights::Rights;
use super::subscription::Subscriptions;
use super::timer::{Key, Timer};
use super::trace::{About, What};
use super::user::UserIx;
use super::{Hub, Peer, Tab};

/// How long the check of a login through a link may take.
const LOGIN_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// What somebody may call whose password must be changed first: what known clients connect with, and the change.
pub const BEFORE_CHANGE: [&str; 8] = [
    "changepassword",
    "error",
    "getextendedlineinfo",
    "getmyuserinfo",
    "getversion",
    "login",
    "logout",
    "subscribeevent",
];

/// Who made a call, and how the reply finds back.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) peer: PeerId,
    /// The acting user; `None`: the CRM itself.
    pub(super) user: Option<UserIx>,
    /// The link, when the call came through one.
    pub(super) link: Option<usize>,
    pub(super) qid: Option<Qid>,
    /// The tab behind the link.
    pub(super) tab: Option<Text>,
    pub(super) rights: Rights,
    /// The question of a program that the call answers; such a call has no peer.
    pub(super) ask: Option<Ticket>,
    /// When the call came.
    pub(super) since: Time,
}

impl Caller {
    /// The same, for whoever keeps it until an answer comes: it holds nothing of the message but what it names.
    pub(super) fn to_keep(&self) -> Self {
        let (qid, tab) = (self.qid.as_ref().map(Qid::to_keep), self.tab.as_ref().map(Text::to_keep));
        Self { qid, tab, ..*self }
    }
}

/// What a handler says: a reply now, none (or later), or a failure.
pub(super) type Handled = Result<Option<Body>, CallError>;

/// A login through a link whose check is under way.
#[derive(Debug)]
pub(super) struct PendingLogin {
    caller: Caller,
    login: Text,
    expires: Option<i64>,
    key: Key,
}

impl PendingLogin {
    /// Whether it came by this peer.
    pub(super) fn is_of(&self, peer: PeerId) -> bool {
        self.caller.peer == peer
    }
}

impl Hub {
    /// A peer's dialog is open.
    pub(super) fn opened(&mut self, peer: PeerId, identity: &Identity, opening: Opening) {
        match identity.who() {
            Who::Link(name) => match self.link_index(name) {
                Some(link) => self.link_opened(link, peer, opening),
                None => self.out.push_back(Output::Close { peer, reason: CloseReason::new(1008, "no such link") }),
            },
            Who::User { login, by } => {
                let Some(user) = self.users.by_login(login) else {
                    return self.out.push_back(Output::Close { peer, reason: CloseReason::new(1008, "no such user") });
                };
                // It may have ended between its check and now.
                let ended = || (!self.session_lives(by)).then(|| LoginError::NoSession.to_call_error());
                if let Some(error) = self.no_room_for(user).or_else(ended) {
                    let body = error.body(opening.qid).with("userlogin", login.clone());
                    self.send(peer, Envelope::new("loginresult", body));
                    return self
                        .out
                        .push_back(Output::Close { peer, reason: CloseReason::with_text(1008, error.errormsg()) });
                }
                let (id, hash) = self.begin_session(user, by, opening.expires);
                let (address, listens) = (opening.address.clone(), opening.subscribed.clone());
                let mut tab = Tab {
                    user,
                    session: hash,
                    limit: None,
                    subscriptions: Subscriptions::default(),
                    format: opening.format,
                    address: opening.address,
                    tls: opening.tls,
                    since_ms: self.wall(self.now),
                    focus: None,
                    has_focus: false,
                    asked: SmallVec::new(),
                    serving: Vec::new(),
                    leaving: false,
                };
                opening.subscribed.iter().for_each(|name| tab.subscriptions.add(name));
                self.peers.insert(peer, Peer::Tab(tab));
                self.users[user].tabs.push(peer);
                self.step(About::user(user), What::TabOpened { tab: peer, address });
                self.trace_subscribed(user, peer, &listens);
                let reply = Envelope::new("loginresult", self.login_reply(user, opening.qid, &id));
                match by {
                    LoginBy::Password => self.promise(peer, reply),
                    LoginBy::Session(_) => self.send(peer, reply),
                }
                self.presence_changed(user);
                self.show_forms_in_tab(user, peer);
                self.deliver_texts(user);
            }
            Who::Program(grant) => self.program_opened(peer, grant, opening),
        }
    }

    /// Why a user can have no more tabs.
    pub(super) fn no_room_for(&self, user: UserIx) -> Option<CallError> {
        if self.users[user].tabs.len() >= self.settings.limits.tabs_per_user {
            return Some(CallError::new(Code::TooManyRequests, "too many tabs of this user are open"));
        }
        self.no_seat_for(user).then(|| Code::NoSeat.into())
    }

    /// Whether `max_users` leaves no room for one more.
    fn no_seat_for(&self, user: UserIx) -> bool {
        let max = self.settings.limits.max_users;
        max > 0 && !self.users[user].online() && self.users.iter().filter(|(_, u)| u.online()).count() >= max
    }

    pub(super) fn login_reply(&self, user: UserIx, qid: Option<Qid>, session: &str) -> Body {
        let account = &self.users[user].account;
        let body = login_body(qid, &account.id, &account.login, session);
        // Who may do everything is told nothing of it: known clients see the reply they know.
        body.with_some("mustchangepassword", account.must_change_password.then_some(true))
    }

    /// A message of an open peer.
    pub(super) fn received(&mut self, peer: PeerId, envelope: Envelope) {
        match self.peers.get(&peer) {
            Some(Peer::Tab(tab)) if !tab.leaving => self.received_from_tab(peer, envelope),
            Some(Peer::Link(link)) => self.received_from_link(peer, *link, envelope),
            Some(Peer::Service(_)) => self.received_from_service(peer, envelope),
            Some(Peer::Tab(_)) | None => {}
        }
    }

    fn received_from_tab(&mut self, peer: PeerId, envelope: Envelope) {
        let Some(Peer::Tab(tab)) = self.peers.get(&peer) else { return };
        let user = tab.user;
        let account = &self.users[user].account;
        let mut caller = Caller {
            peer,
            user: Some(user),
            link: None,
            qid: None,
            tab: None,
            rights: tab.limit.map_or(account.rights, |limit| limit.and(account.rights)),
            ask: None,
            since: self.now,
        };
        // Most clients repeat the login in every call; another's is refused.
        let named = match Head::of(&envelope.body) {
            Ok(head) => {
                caller.qid = head.qid;
                head.userlogin.filter(|l| !l.is_empty())
            }
            Err(error) => {
                caller.qid = envelope.qid();
                return self.fail(&caller, &envelope.name, &error);
            }
        };
        let foreign = named.is_some_and(|login| !same_login(&login, &account.login));
        if foreign && envelope.name != "login" {
            let detail = format!("userlogin is not {}, who is logged in here", account.login);
            return self.fail(&caller, &envelope.name, &CallError::new(Code::NotAuthorized, detail));
        }
        self.dispatch(&caller, envelope);
    }

    fn received_from_link(&mut self, peer: PeerId, link: usize, envelope: Envelope) {
        if envelope.name == "methodresult" {
            // It may come by another way than the question went: a CRM that we post to may post its results to us.
            let asked = self.links[link].peer.unwrap_or(peer);
            if let Err(error) = self.method_result(asked, envelope.body) {
                self.odd(format!("link {}", self.links[link].settings.name), format!("methodresult: {error}"));
            }
            return;
        }
        let name = &*envelope.name;
        match name {
            "availablemethods" | "availableforms" | "activeusers" => return self.capabilities(link, &envelope),
            "iam" => return self.ask_capabilities(link),
            // A connection's dialog answers these itself; what a CRM posts comes here.
            "ping" => return self.send(peer, Envelope::new("pong", envelope.body)),
            "whoareyou" => {
                let body = Body::new().with_some("qid", envelope.qid());
                let version = env!("CARGO_PKG_VERSION");
                let body = body.with("type", "commserver").with("name", "ctigate").with("version", version);
                return self.send(peer, Envelope::new("iam", body));
            }
            _ if is_reply(name) => return self.stray_reply(link, &envelope),
            _ => {}
        }
        let mut caller = Caller {
            peer,
            user: None,
            link: Some(link),
            qid: envelope.qid(),
            tab: None,
            rights: self.links[link].settings.rights,
            ask: None,
            since: self.now,
        };
        let head = match Head::of(&envelope.body) {
            Ok(head) => head,
            Err(error) => return self.fail(&caller, name, &error),
        };
        caller.tab = head.tabid.clone().filter(|t| !t.is_empty());
        match self.acting_user(link, name, &head) {
            Ok(user) => {
                caller.user = user;
                if let Some(user) = user {
                    caller.rights = caller.rights.and(self.users[user].account.rights);
                    self.saw_tunnel_tab(link, user, caller.tab.as_ref());
                }
                self.dispatch(&caller, envelope);
            }
            Err(error) => self.fail_naming(&caller, name, &error, Some(&head)),
        }
    }

    /// The user a tunnelled message acts for: named by id or login, known to the link, and logged in through it unless the
    /// link is trusted. Nobody named: the CRM itself.
    fn acting_user(&mut self, link: usize, name: &str, head: &Head) -> Result<Option<UserIx>, CallError> {
        if name == "login" {
            return Ok(None);
        }
        let Some(user) = self.named_user(head)? else { return Ok(None) };
        let l = &self.links[link];
        if !l.has_user(user) {
            return Err(CallError::new(Code::NotAuthorized, "userlogin is no user of this link"));
        }
        // A form's answer may name a person who is only in `activeusers`.
        let here = l.tunnel.contains_key(&user) || (name == "formresult" && l.reaches(user));
        if !here && !l.settings.trust_users {
            return Err(CallError::new(Code::NotAuthorized, "userlogin is not logged in through this link"));
        }
        if !here {
            self.enter_tunnel(link, user, head.tabid.as_ref().unwrap_or(&Text::new()), None);
        }
        Ok(Some(user))
    }

    /// The user that a message names by id, login or both.
    pub(super) fn named_user(&self, head: &Head) -> Result<Option<UserIx>, CallError> {
        let id = head.userid.as_ref().filter(|t| !t.is_empty());
        let login = head.userlogin.as_ref().filter(|t| !t.is_empty());
        let by_id = id.map(|id| self.users.by_id(id).ok_or("userid"));
        let by_login = login.map(|login| self.users.by_login(login).ok_or("userlogin"));
        let unknown = |field| CallError::new(Code::NotAuthorized, format!("{field} names no user"));
        match (by_id.transpose().map_err(unknown)?, by_login.transpose().map_err(unknown)?) {
            (Some(a), Some(b)) if a != b => {
                Err(CallError::new(Code::NotAuthorized, "userid and userlogin name different users"))
            }
            (by_id, by_login) => Ok(by_id.or(by_login)),
        }
    }

    pub(super) fn dispatch(&mut self, caller: &Caller, envelope: Envelope) {
        let Envelope { name, body } = envelope;
        let Some(message) = method::find(&name) else {
            if !is_reply(&name) {
                self.fail(caller, &name, &CallError::new(Code::UnknownMethod, name.to_string()));
            }
            return;
        };
        let before = self.out.len();
        match self.call(caller, message, body) {
            // What somebody set is there after a restart, or not said to be set.
            Ok(Some(body)) if self.out.range(before..).any(sets) => self.succeed_once_kept(caller, &name, body),
            Ok(Some(body)) => self.succeed(caller, &name, body),
            Ok(None) => {}
            Err(error) => self.fail(caller, &name, &error),
        }
    }

    fn call(&mut self, caller: &Caller, message: &'static Message, body: Body) -> Handled {
        // Nobody answers answers: two sides that did would never come to an end.
        if message.class == Class::Reply && message.name != "methodresult" {
            return Ok(None);
        }
        if caller.link.is_none() && message.flows(Flow::LinkToGateway) && !message.flows(Flow::TabToGateway) {
            return Err(CallError::new(Code::UnknownMethod, format!("{} is for CRMs", message.name)));
        }
        self.call_as(caller, message, body)
    }

    pub(super) fn call_as(&mut self, caller: &Caller, message: &'static Message, body: Body) -> Handled {
        let must_change = caller.user.is_some_and(|user| self.users[user].account.must_change_password);
        if must_change && !BEFORE_CHANGE.contains(&message.name) {
            let detail = "the password must be changed first: changepassword";
            return Err(CallError::new(Code::AccessDenied, detail));
        }
        if let Some(right) = message.right.filter(|r| !caller.rights.has(*r)) {
            self.trace_right(caller, message.name, right, &body);
            return Err(CallError::new(Code::AccessDenied, format!("the right {} is missing", right.word())));
        }
        // Executions and results name what is wrong in them better by themselves.
        let to_us = message.flows(Flow::TabToGateway) || message.flows(Flow::LinkToGateway);
        if to_us && !matches!(message.name, "executemethod" | "methodresult") {
            (message.retype)(&body)?;
        }
        match message.name {
            "login" => self.login(caller, &body),
            "logout" => self.logout(caller),
            "subscribeevent" => self.subscribe(caller, &body),
            "getversion" => self.version(caller, &body),
            "getmyuserinfo" => self.my_info(caller),
            "getpbxnumbers" => Ok(Some(self.numbers())),
            "getallusernumbers" => Ok(Some(self.user_numbers(caller))),
            "getuserstate" => self.user_state(caller),
            "getextendedlineinfo" => self.line_of(caller),
            "pbxanswercall" => self.answer_call(caller),
            "pbxabortcall" => self.hang_up(caller),
            "pbxdeclinecall" => self.decline_call(caller),
            "pbxautocallstart" => self.dial(caller, &body),
            "pbxautocallabort" => self.stop_dialling(caller),
            "pbxmakeflash" => self.flash(caller, &body),
            "pbxmaketransfer" => self.transfer(caller, &body),
            "pbxtransfercall" => self.transfer_call(caller, &body),
            "getflashedabonentinfo" => self.held_party(caller),
            "getpbxcalljournal" => self.journal(caller, &body),
            "chatcreate" => self.create_chat(caller, &body),
            "chatsend" => self.send_to_chat(caller, &body),
            "chatviewed" => self.view_chat(caller, &body),
            "chataddmember" => self.add_to_chat(caller, &body),
            "chatremovemember" => self.remove_from_chat(caller, &body),
            "chatrename" => self.rename_chat(caller, &body),
            "chatlist" => self.list_chats(caller),
            "chathistory" => self.chat_history(caller, &body),
            "sendusertextmessage" => self.send_text(caller, &body),
            "sendnotifymessage" => self.send_notice(caller, &body),
            "gettemphttppass" => self.temporary_password(caller, &body),
            "setmyuserphoto" => self.set_photo(caller, &body),
            "getuserphoto" => self.own_photo(caller),
            "getalluserphotolink" => self.photos(),
            "execpredefineddbstoredproc" => self.procedure(caller, &body),
            "execsvcscript" => self.script(caller, &body),
            "changepassword" => self.change_password(caller, &body),
            "getchaincontent" => self.chain_content(caller, &body),
            "setuserstate" => self.set_user_state(caller, &body),
            "entercallcenter" => self.call_centre(caller, true),
            "exitcallcenter" => self.call_centre(caller, false),
            "cc_getlunchtypes" => self.break_reasons(),
            "createnewconference" => self.create_conference(caller, &body),
            "buildconferencefromcommutation" => self.build_conference(caller),
            "invitetoconference" => self.invite(caller, &body),
            "checkcanconnecttogathertoconference" => self.can_connect(caller),
            "connecttogathertoconference" => self.connect_together(caller),
            "getconferenceinfo" => self.conference_info(caller, &body),
            "getconferencecompetitors" => self.conference_competitors(caller, &body),
            "confdisconnectcompetitor" => self.throw_out(caller, &body),
            "exitconference" => self.exit_conference(caller, &body),
            "confhandleevent" => self.handle_conference(caller, &body),
            "attachasghost" => self.attach_as_ghost(caller, &body),
            "confsetghostmode" => self.ghost_mode(caller, &body),
            "confsetvoiceparams" => self.voice_params(caller, &body),
            "getcurrentqueue" => self.current_queue(caller),
            "gettotalqueue" => self.total_queue(),
            "getredirectrules" => self.redirect_rules(caller),
            "saveredirectrules" => self.save_redirect(caller, &body),
            "deleteredirectrules" => self.delete_redirects(caller, &body),
            "triggercustomevent" => self.custom_event(caller, body),
            "executemethod" => self.execute_for_peer(caller, body),
            "methodresult" => self.method_result(caller.peer, body).map(|()| Some(Body::new())),
            "cancelmethod" => self.cancel_for_peer(caller, &body),
            "methodschanged" => {
                if let Some(link) = caller.link {
                    self.succeed(caller, "methodschanged", Body::new());
                    self.ask_capabilities(link);
                }
                Ok(None)
            }
            "tabfocus" => self.tab_focus(caller, &body),
            "dlgcard_values" => self.card_values(caller, &body),
            "dlgcard_confirm" => self.card_confirm(caller, &body),
            "formresult" => self.form_result(caller, &body),
            "error" => {
                let what = format!("reports: {}", body.text("errormsg").unwrap_or_default());
                self.odd(self.who(caller), what);
                Ok(None)
            }
            _ => Err(CallError::new(Code::UnknownMethod, format!("{} is not sent to the gateway", message.name))),
        }
    }

    /// Sends the reply of a call: its qid, `result` 1, on a link the identity, then the body.
    pub(super) fn succeed(&mut self, caller: &Caller, name: &str, body: Body) {
        let message = self.replied(caller, name, None);
        if let Some(ticket) = caller.ask {
            return self.out.push_back(Output::Answer { ticket, answer: Answer::Ran(body) });
        }
        let reply = self.success(caller, message, name, body);
        self.send(caller.peer, reply);
    }

    /// The same for a call whose success is to outlive a restart.
    pub(super) fn succeed_once_kept(&mut self, caller: &Caller, name: &str, body: Body) {
        if caller.ask.is_some() {
            // Such an answer waits by itself for what was set before it.
            return self.succeed(caller, name, body);
        }
        let message = self.replied(caller, name, None);
        let reply = self.success(caller, message, name, body);
        self.promise(caller.peer, reply);
    }

    fn success(&self, caller: &Caller, message: Option<&'static Message>, name: &str, mut body: Body) -> Envelope {
        body.put_first(self.head(caller, 1).into_iter());
        let known = message.and_then(|message| message.reply);
        Envelope { name: known.map_or_else(|| reply_name(name), Text::from_static), body }
    }

    /// Sends once every fact recorded so far is kept.
    fn promise(&mut self, to: PeerId, envelope: Envelope) {
        self.out.push_back(Output::SendOnceKept { to, message: Arc::new(Shared::new(envelope)) });
    }

    /// Sends the reply of a call that failed.
    pub(super) fn fail(&mut self, caller: &Caller, name: &str, error: &CallError) {
        self.fail_naming(caller, name, error, None);
    }

    /// `named`: whom the call named, where nobody may act as that. The reply names them too: by that a CRM knows whose page waits.
    fn fail_naming(&mut self, caller: &Caller, name: &str, error: &CallError, named: Option<&Head>) {
        self.replied(caller, name, error.code);
        if self.is_traced() && caller.user.is_some() {
            let (code, why) = (error.code.map_or(0, Code::number), error.errormsg().into());
            let what = What::Refused { method: Text::from(name), code, why };
            self.step(About::default().and_user(caller.user), what);
        }
        if let Some(ticket) = caller.ask {
            return self.out.push_back(Output::Answer { ticket, answer: Answer::Refused(error.clone()) });
        }
        let mut body = self.refusal(caller);
        if let Some(named) = named {
            named.userid.iter().for_each(|id| body.set("userid", id.clone()));
            named.userlogin.iter().for_each(|login| body.set("userlogin", login.clone()));
        }
        if let Some(code) = error.code {
            body.set("error", code.number());
        }
        body.set("errormsg", error.errormsg());
        let reply = Envelope { name: reply_name(name), body };
        self.out.push_back(Output::Send { to: caller.peer, message: Arc::new(Shared::new(reply)) });
    }

    /// Tells operators of a reply. Gives what the catalogue has of the call.
    fn replied(&mut self, caller: &Caller, name: &str, error: Option<Code>) -> Option<&'static Message> {
        let message = method::find(name);
        let method = message.map_or("unknown", |message| message.name);
        let micros = u64::try_from(self.now.since(caller.since).as_micros()).unwrap_or(u64::MAX);
        self.out.push_back(Output::Notice(Notice::Replied { method, error, micros }));
        message
    }

    /// What a reply begins with that names an error.
    fn refusal(&self, caller: &Caller) -> Body {
        let mut body = Body::new();
        self.head(caller, 0).into_iter().for_each(|(name, part)| body.set(name, part));
        body
    }

    /// What a reply begins with.
    fn head(&self, caller: &Caller, result: i64) -> SmallVec<[(Text, Part); 5]> {
        let mut head = SmallVec::new();
        let mut put = |name: Text, part: Part| head.push((name, part));
        if let Some(qid) = &caller.qid {
            put(Text::from_static("qid"), qid.into());
        }
        put(Text::from_static("result"), result.into());
        if caller.link.is_some() {
            match caller.user {
                Some(user) => self.identity(user).into_iter().for_each(|(n, v)| put(n, v.into())),
                None => ["userid", "userlogin"].into_iter().for_each(|n| put(Text::from_static(n), "".into())),
            }
            if let Some(tab) = &caller.tab {
                put(Text::from_static("tabid"), tab.clone().into());
            }
        }
        head
    }

    /// The caller in words, for the log.
    pub(super) fn who(&self, caller: &Caller) -> String {
        let user = caller.user.map(|u| self.users[u].account.login.clone());
        match (caller.link, user) {
            (Some(link), Some(user)) => format!("user {user} behind link {}", self.links[link].settings.name),
            (Some(link), None) => format!("link {}", self.links[link].settings.name),
            (None, Some(user)) => format!("tab of {user}"),
            (None, None) => "a peer".to_owned(),
        }
    }

    /// `login` on a channel that is open: again for the same user, through a link for one of its people.
    fn login(&mut self, caller: &Caller, body: &Body) -> Handled {
        let attempt = Attempt::of_body(body)?;
        if let Some(user) = caller.user.filter(|_| caller.link.is_none())
            && !same_login(&self.users[user].account.login, &attempt.login)
        {
            let detail = format!("{} is logged in here, log out first", self.users[user].account.login);
            return Err(CallError::new(Code::NotAuthorized, detail));
        }
        let mut caller = caller.to_keep();
        if let Some(link) = caller.link {
            let user = self.users.by_login(&attempt.login);
            if user.is_some_and(|u| !self.links[link].has_user(u)) {
                return Err(CallError::new(Code::NotAuthorized, "userlogin is no user of this link"));
            }
            self.room_for_call_of(link)?;
            caller.user = None;
        } else if self.logins.values().any(|p| p.caller.peer == caller.peer) {
            return Err(CallError::new(Code::TooManyRequests, "another login of this tab is being checked"));
        }
        if attempt.hash.is_none()
            && attempt.folded_hash.is_none()
            && let Some(session) = &attempt.session
        {
            let verdict = self.check_session(self.now, session, &attempt.login);
            self.finish_login(&caller, &attempt.login, attempt.expires, verdict);
            return Ok(None);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let key = self.timers.set(self.now + LOGIN_WAIT, Timer::Login(ticket));
        let peer = caller.peer;
        let pending = PendingLogin { caller, login: attempt.login.clone(), expires: attempt.expires, key };
        self.logins.insert(ticket, pending);
        self.out.push_back(Output::Authenticate { ticket, peer, attempt: Box::new(attempt) });
        Ok(None)
    }

    /// Calls that came through a link and wait for an answer are bounded like those that go to it.
    pub(super) fn room_for_call_of(&self, link: usize) -> Result<(), CallError> {
        let logins = self.logins.values().filter(|p| p.caller.link == Some(link)).count();
        let waiting = self.links[link].asked.len() + logins;
        if waiting < self.settings.limits.in_flight_link {
            return Ok(());
        }
        Err(CallError::new(Code::TooManyRequests, format!("{waiting} calls of this link wait for an answer already")))
    }

    pub(super) fn login_checked(&mut self, ticket: Ticket, verdict: Result<Identity, LoginError>) {
        let Some(pending) = self.logins.remove(&ticket) else { return };
        self.timers.cancel(pending.key);
        let gone = match self.peers.get(&pending.caller.peer) {
            None => true,
            Some(Peer::Tab(tab)) => tab.leaving,
            Some(Peer::Link(_)) => false,
            // It calls no login.
            Some(Peer::Service(_)) => true,
        };
        if !gone {
            self.finish_login(&pending.caller, &pending.login, pending.expires, verdict);
        }
    }

    /// The check did not come back.
    pub(super) fn login_unchecked(&mut self, ticket: Ticket) {
        if let Some(pending) = self.logins.remove(&ticket) {
            self.finish_login(&pending.caller, &pending.login, pending.expires, Err(LoginError::NotAvailable));
        }
    }

    fn finish_login(
        &mut self,
        caller: &Caller,
        login: &Text,
        expires: Option<i64>,
        verdict: Result<Identity, LoginError>,
    ) {
        let checked = verdict.and_then(|identity| match identity.who() {
            Who::User { login, by } => {
                let user = self.users.by_login(login).ok_or(LoginError::WrongPassword)?;
                match (self.no_seat_for(user), self.session_lives(by)) {
                    (true, _) => Err(LoginError::NoSeat),
                    (false, false) => Err(LoginError::NoSession),
                    (false, true) => Ok((user, by.clone())),
                }
            }
            Who::Link(_) | Who::Program(_) => Err(LoginError::WrongPassword),
        });
        match checked {
            Ok((user, by)) => {
                // A tab lets go of its session first: the new one may need its place, and must not close the tab for it.
                if caller.link.is_none()
                    && let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer)
                {
                    let old = std::mem::take(&mut tab.session);
                    self.release_session(&old);
                }
                let (id, hash) = self.begin_session(user, &by, expires);
                let mut body = self.login_reply(user, None, &id);
                if let Some(link) = caller.link {
                    let tab = caller.tab.clone().unwrap_or_default();
                    body.remove("result");
                    let caller = Caller { user: Some(user), ..caller.clone() };
                    self.succeed_once_kept(&caller, "login", body);
                    self.enter_tunnel(link, user, &tab, Some(hash));
                } else {
                    if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                        tab.session = hash;
                    }
                    self.succeed_once_kept(caller, "login", body);
                }
            }
            Err(error) => {
                let error = error.to_call_error();
                let about = About::default().and_user(self.users.by_login(login));
                self.step(about, What::LoginRefused { why: error.errormsg().into() });
                let mut body = self.refusal(caller);
                body.set("userlogin", login.clone());
                if let Some(code) = error.code {
                    body.set("error", code.number());
                }
                body.set("errormsg", error.errormsg());
                self.send(caller.peer, Envelope::new("loginresult", body));
            }
        }
    }

    /// A reply nobody waits for, or one that only says whether something went well.
    fn stray_reply(&mut self, link: usize, envelope: &Envelope) {
        if envelope.body.int("result") == Some(0) || envelope.body.has("error") {
            let message = envelope.body.text("errormsg").unwrap_or_default();
            self.odd(
                format!("link {}", self.links[link].settings.name),
                format!("{} failed: {message}", envelope.name),
            );
        }
    }

    /// The user of a call that only a user can make.
    pub(super) fn acting(&self, caller: &Caller) -> Result<UserIx, CallError> {
        caller.user.ok_or_else(|| CallError::new(Code::BadRequest, "userlogin is missing: this method acts for a user"))
    }
}

/// What a login that went well says.
pub(super) fn login_body(qid: Option<Qid>, id: &str, login: &str, session: &str) -> Body {
    Body::new()
        .with_some("qid", qid)
        .with("result", 1)
        .with("userid", Text::from(id))
        .with("userlogin", Text::from(login))
        .with("sessionid", Text::from(session))
}

/// A required text parameter.
pub(super) fn required(body: &Body, field: &'static str) -> Result<Text, CallError> {
    let Some(part) = body.get(field) else {
        return Err(CallError::new(Code::BadRequest, format!("{field} is missing")));
    };
    let bad = || CallError::new(Code::BadRequest, format!("{field} is empty or no text, expected a string"));
    part.to_text().filter(|t| !t.is_empty()).ok_or_else(bad)
}

/// A parameter that may be left out and else must be an object.
pub(super) fn object_part(body: &Body, fields: &[&'static str]) -> Result<Part, CallError> {
    as_object(fields.iter().find_map(|field| Some((*field, body.get(field)?.clone()))))
}

/// The same, taken out of the message.
pub(super) fn take_object(body: &mut Body, fields: &[&'static str]) -> Result<Part, CallError> {
    as_object(fields.iter().find_map(|field| Some((*field, body.take(field)?))))
}

fn as_object(found: Option<(&'static str, Part)>) -> Result<Part, CallError> {
    match found {
        None | Some((_, Part::Value(Value::Null))) => Ok(Part::from(Object::new())),
        Some((_, part)) if matches!(&part, Part::Raw(r) if r.kind() == Kind::Object) => Ok(part),
        Some((_, part @ Part::Value(Value::Object(_)))) => Ok(part),
        Some((field, other)) => {
            Err(CallError::new(Code::BadRequest, format!("{field} is {}, expected an object", other.open().kind())))
        }
    }
}

/// Whether something is to be kept that somebody set, or that a form was answered: it must not be open again after a restart.
fn sets(output: &Output) -> bool {
    let Output::Record(record) = output else { return false };
    matches!(record, Record::Kept(_) | Record::Text(_) | Record::TextsEnded { .. } | Record::FormEnded { .. })
}
