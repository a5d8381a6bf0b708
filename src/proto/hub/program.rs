//! Programs with an integration key: a *service* hears the events of all people in its range of numbers and acts for them, a *widget*
//! is a tab of one person. `proto-spec/auth.md`.

use smallvec::SmallVec;

use crate::auth::grant::{Grant, Numbers, Scope};
use crate::message::{CallError, CloseReason, Code, Envelope, PeerId, Text};
use crate::method::{self, Class, Head, Right};

use super::input::Opening;
use super::rights::Rights;
use super::route::Caller;
use super::snapshot::ServiceView;
use super::subscription::{Subscriptions, is_personal};
use super::user::UserIx;
use super::{Hub, Peer, Tab};

/// Most services at a time.
const MOST: usize = 256;

/// What a service may call besides what its rights name.
const BESIDES: [&str; 8] = [
    "cc_getlunchtypes",
    "getextendedlineinfo",
    "getflashedabonentinfo",
    "getmyuserinfo",
    "getpbxnumbers",
    "getuserstate",
    "getversion",
    "subscribeevent",
];

/// A service that is open.
#[derive(Debug)]
pub(super) struct Service {
    client: Text,
    numbers: Numbers,
    rights: Rights,
    address: Text,
    since_ms: i64,
}

impl Hub {
    /// A program has shown its key.
    pub(super) fn program_opened(&mut self, peer: PeerId, grant: &Grant, opening: Opening) {
        let rights = Rights::of_words(grant.rights.iter().map(|word| &**word));
        let opened = match &grant.scope {
            Scope::Service(numbers) => self.service_opened(peer, grant, numbers.clone(), rights, opening),
            Scope::Widget(login) => self.widget_opened(peer, login, rights, opening),
        };
        if let Err(error) = opened {
            let reply = Envelope::new("loginresult", error.body(None));
            self.send(peer, reply);
            let reason = CloseReason::with_text(1008, error.errormsg());
            self.out.push_back(super::Output::Close { peer, reason });
        }
    }

    fn service_opened(
        &mut self,
        peer: PeerId,
        grant: &Grant,
        numbers: Numbers,
        rights: Rights,
        opening: Opening,
    ) -> Result<(), CallError> {
        if self.services.len() >= MOST {
            return Err(CallError::new(Code::TooManyRequests, format!("{MOST} services are connected already")));
        }
        let since_ms = self.wall(self.now);
        let service = Service { client: grant.client.clone(), numbers, rights, address: opening.address, since_ms };
        self.peers.insert(peer, Peer::Service(service));
        self.services.push(peer);
        let body = super::route::login_body(None, "", "", "");
        self.send(peer, Envelope::new("loginresult", body));
        Ok(())
    }

    fn widget_opened(&mut self, peer: PeerId, login: &str, limit: Rights, opening: Opening) -> Result<(), CallError> {
        let user = self.users.by_login(login);
        let user = user.ok_or_else(|| CallError::new(Code::NotAuthorized, "the person of this key is no user"))?;
        let account = &self.users[user].account;
        if !account.api_calls {
            let detail = format!("widgets may not act for {}: api_call_enabled", account.login);
            return Err(CallError::new(Code::AccessDenied, detail));
        }
        if let Some(error) = self.no_room_for(user) {
            return Err(error);
        }
        let mut tab = Tab {
            user,
            session: Text::new(),
            limit: Some(limit),
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
        let reply = self.login_reply(user, None, &Text::new());
        self.send(peer, Envelope::new("loginresult", reply));
        self.presence_changed(user);
        Ok(())
    }

    /// Programs may not act for a user any more: the tabs that came by a key close.
    pub(super) fn close_widgets(&mut self, user: UserIx) {
        for peer in self.users[user].tabs.clone() {
            if let Some(Peer::Tab(tab)) = self.peers.get_mut(&peer)
                && tab.limit.is_some()
                && !tab.leaving
            {
                tab.leaving = true;
                let reason = CloseReason::new(1008, "programs may not act for this user: api_call_enabled");
                self.out.push_back(super::Output::Close { peer, reason });
            }
        }
    }

    pub(super) fn services_view(&self) -> Vec<ServiceView> {
        let view = |peer: &PeerId| match self.peers.get(peer) {
            Some(Peer::Service(s)) => {
                Some(ServiceView { client: s.client.clone(), address: s.address.clone(), since_ms: s.since_ms })
            }
            _ => None,
        };
        self.services.iter().filter_map(view).collect()
    }

    pub(super) fn service_closed(&mut self, peer: PeerId) {
        self.services.retain(|service| *service != peer);
    }

    /// The services that hear an event of this user.
    pub(super) fn services_hearing(&self, user: UserIx, event: &str) -> Vec<PeerId> {
        if self.services.is_empty() || is_personal(event) {
            return Vec::new();
        }
        self.services_for(&[&self.users[user].account.number])
    }

    /// The services in whose range all these numbers are.
    pub(super) fn services_for(&self, numbers: &[&str]) -> Vec<PeerId> {
        let hears = |peer: &&PeerId| match self.peers.get(*peer) {
            Some(Peer::Service(service)) => numbers.iter().all(|number| service.numbers.has(number)),
            _ => false,
        };
        self.services.iter().filter(hears).copied().collect()
    }

    /// A call of a service. It acts for the user it names, with the rights that both have.
    pub(super) fn received_from_service(&mut self, peer: PeerId, envelope: Envelope) {
        let Some(Peer::Service(service)) = self.peers.get(&peer) else { return };
        let mut caller = Caller {
            peer,
            user: None,
            link: None,
            qid: envelope.qid(),
            tab: None,
            rights: service.rights,
            ask: None,
            since: self.now,
        };
        let name = envelope.name.clone();
        match self.service_acts(&mut caller, &envelope) {
            Ok(()) => self.dispatch(&caller, envelope),
            Err(error) if !method::is_reply(&name) => self.fail(&caller, &name, &error),
            Err(_) => {}
        }
    }

    fn service_acts(&self, caller: &mut Caller, envelope: &Envelope) -> Result<(), CallError> {
        let Some(Peer::Service(service)) = self.peers.get(&caller.peer) else { return Ok(()) };
        let named = self.named_user(&Head::of(&envelope.body)?)?;
        if let Some(user) = named {
            let account = &self.users[user].account;
            if !service.numbers.has(&account.number) {
                let detail = format!("{} is outside the numbers of this key", account.login);
                return Err(CallError::new(Code::NotAuthorized, detail));
            }
            caller.user = named;
            caller.rights = caller.rights.and(account.rights);
        }
        // What nobody knows is told so by the route.
        let Some(message) = method::find(&envelope.name) else { return Ok(()) };
        let by_right = matches!(
            message.right,
            Some(
                Right::Call
                    | Right::State
                    | Right::Conference
                    | Right::Ghost
                    | Right::Queue
                    | Right::Journal
                    | Right::Users
                    | Right::Procedures
            )
        );
        if message.class != Class::Call || !(by_right || BESIDES.contains(&message.name)) {
            return Err(CallError::new(Code::UnknownMethod, format!("{} is not for services", message.name)));
        }
        let phones = matches!(message.right, Some(Right::Call | Right::Conference | Right::Ghost));
        match named.map(|user| &self.users[user].account).filter(|account| phones && !account.api_calls) {
            Some(account) => {
                let detail = format!("programs may not call for {}: api_call_enabled", account.login);
                Err(CallError::new(Code::AccessDenied, detail))
            }
            None => Ok(()),
        }
    }
}
