//! Logout, subscriptions, version, focus, custom events. `proto-spec/methods/session.md`.

use std::sync::Arc;

use crate::message::{Body, CallError, CloseReason, Code, Object, PeerId, Value};

use crate::method::Typed;
use crate::method::session::SubscribeEvent;

use crate::hub::output::Output;
use crate::hub::route::{Caller, Handled, required};
use crate::hub::subscription::Event;
use crate::hub::{Hub, Peer};

/// What known clients compare with their tables of methods: the last public build of the server they were written for.
const DATED: i64 = 161_001;
const BUILD: &str = "2.12.0.161001";
/// Most names in one `subscribeevent`.
const MAX_SUBSCRIBED: usize = 256;

impl Hub {
    /// Ends the session. Its direct tabs are closed by us: clients wait for that.
    pub(in crate::hub) fn logout(&mut self, caller: &Caller) -> Handled {
        match caller.link {
            None => {
                let Some(Peer::Tab(tab)) = self.peers.get(&caller.peer) else { return Ok(None) };
                let hash = tab.session.clone();
                self.succeed_once_kept(caller, "logout", Body::new());
                self.end_session(&hash);
                // The session may have ended before, with this tab still open.
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer)
                    && !tab.leaving
                {
                    tab.leaving = true;
                    self.out.push_back(Output::Close { peer: caller.peer, reason: CloseReason::LOGOUT });
                }
                Ok(None)
            }
            Some(link) => {
                let user = self.acting(caller)?;
                self.succeed_once_kept(caller, "logout", Body::new());
                let session = self.links[link].tunnel.get(&user).and_then(|t| t.session.clone());
                self.leave_tunnel(link, user, caller.tab.as_ref());
                if let Some(hash) = session.filter(|_| !self.links[link].tunnel.contains_key(&user)) {
                    self.end_session(&hash);
                }
                Ok(None)
            }
        }
    }

    pub(in crate::hub) fn subscribe(&mut self, caller: &Caller, body: &Body) -> Handled {
        let names = SubscribeEvent::from_body(body)?.eventmethod.0;
        // Names nobody knows are forgotten, known ones are as many as the catalogue has: one call alone is to be bounded.
        if names.len() > MAX_SUBSCRIBED {
            let detail = format!("eventmethod has {} names, at most {MAX_SUBSCRIBED}", names.len());
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        // A link hears everything without asking; it is answered and nothing changes.
        if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
            names.iter().for_each(|name| tab.subscriptions.add(name));
            let user = tab.user;
            self.trace_subscribed(user, caller.peer, &names);
            self.succeed(caller, "subscribeevent", Body::new());
            self.show_forms_in_tab(user, caller.peer);
            self.deliver_texts(user);
            return Ok(None);
        }
        Ok(Some(Body::new()))
    }

    pub(in crate::hub) fn version(&mut self, caller: &Caller, body: &Body) -> Handled {
        let (plain, tls) = self.settings.web_ports;
        let secure = matches!(self.peers.get(&caller.peer), Some(Peer::Tab(t)) if t.tls);
        let version = Object::new()
            .with("dated", DATED)
            .with("build", BUILD)
            .with("webserverport", i64::from(if secure { tls } else { plain }));
        let mut reply = Body::new().with("version", version);
        if body.flag("showalloweddbstoredprocs").unwrap_or(false) {
            reply.set("alloweddbstoredprocs", self.procedures_of(caller));
        }
        Ok(Some(reply))
    }

    /// Which tab a person is looking at: where a form goes that shows in one tab only.
    pub(in crate::hub) fn tab_focus(&mut self, caller: &Caller, body: &Body) -> Handled {
        let focus = body.flag("focus").unwrap_or(true);
        let now = self.now;
        let user = self.acting(caller)?;
        for peer in self.users[user].tabs.clone() {
            if let Some(Peer::Tab(tab)) = self.peers.get_mut(&peer) {
                tab.has_focus &= !focus;
            }
        }
        for link in self.links.all_mut() {
            if let Some(tunnel) = link.tunnel.get_mut(&user) {
                tunnel.tabs.iter_mut().for_each(|t| t.has_focus &= !focus);
            }
        }
        match (caller.link, &caller.tab) {
            (None, _) => {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                    tab.has_focus = focus;
                    if focus {
                        tab.focus = Some(now);
                    }
                }
            }
            (Some(link), Some(id)) => {
                let tabs = self.links[link].tunnel.get_mut(&user).map(|t| &mut t.tabs);
                if let Some(tab) = tabs.and_then(|tabs| tabs.iter_mut().find(|t| t.id == *id)) {
                    tab.has_focus = focus;
                    if focus {
                        tab.focus = Some(now);
                    }
                }
            }
            (Some(_), None) => return Err(CallError::new(Code::BadRequest, "tabid is missing")),
        }
        Ok(Some(Body::new()))
    }

    /// From one client to others: everybody, or the users named. The sender hears it only with `sendback`.
    pub(in crate::hub) fn custom_event(&mut self, caller: &Caller, mut body: Body) -> Handled {
        let name = required(&body, "eventname")?;
        let parameter = body.remove("eventparam");
        let recipients = match body.value("recipients") {
            None | Some(Value::Null | Value::Bool(false)) => None,
            Some(list @ (Value::Array(_) | Value::String(_))) => {
                Some(list.to_texts().iter().filter_map(|id| self.users.by_id(id)).collect::<Vec<_>>())
            }
            Some(other) => {
                let detail =
                    format!("recipients is {}, expected an array of user ids, or false for everybody", other.kind());
                return Err(CallError::new(Code::BadRequest, detail));
            }
        };
        let sendback = body.flag("sendback").unwrap_or(false);
        let sender = caller.user.map(|u| self.identity(u));
        let users = recipients.clone().unwrap_or_else(|| (0..self.users.len()).collect());
        let mut to: Vec<PeerId> = Vec::new();
        let heard = Event::of("customevent");
        users.iter().for_each(|user| self.add_tabs_hearing(*user, heard, &mut to));
        for link in 0..self.links.len() {
            let user = match &recipients {
                None => None,
                Some(users) => match users.iter().find(|u| self.links[link].has_user(**u)) {
                    Some(user) => Some(*user),
                    None => continue,
                },
            };
            to.extend(self.link_hears(link, user, "customevent"));
        }
        to.retain(|p| *p != caller.peer);
        if sendback {
            to.push(caller.peer);
        }
        let event = self.event("customevent", |qid| {
            let mut event = Body::new().with("qid", qid);
            sender.into_iter().flatten().for_each(|(n, v)| event.set(n, v));
            event.set("eventname", name);
            event.with_some("eventparam", parameter)
        });
        self.fits_tabs(&to, &event)?;
        self.share(&to, Arc::new(event));
        Ok(Some(Body::new()))
    }
}
