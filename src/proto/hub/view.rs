//! Makes the picture for console and commands.

use crate::calls::LiveParty;
use crate::message::Text;
use crate::telephony::CallId;

use super::snapshot::{CallView, ExecutionView, FormView, LinkView, Snapshot, TabView, UserView};
use super::user::UserIx;
use super::{Hub, Peer};

impl Hub {
    /// The node as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            links: self.links.in_order().map(link_view).collect(),
            users: self.users.iter().map(|(user, _)| self.user_view(user)).collect(),
            forms: self
                .forms
                .list()
                .into_iter()
                .map(|(id, form)| FormView {
                    id: id.clone(),
                    name: form.name.clone(),
                    login: self.users[form.user].account.login.clone(),
                    chain: form.call.as_ref().map(|c| c.0.clone()).unwrap_or_default(),
                    since_ms: form.since_ms,
                    shown: form.shown(),
                })
                .collect(),
            executions: self
                .executions
                .list()
                .into_iter()
                .map(|(id, e)| ExecutionView {
                    id: id.text(),
                    method: e.method.name.clone(),
                    link: e.link.map(|l| self.links[l].settings.name.clone()).unwrap_or_default(),
                    asked_by: e.asker.word(),
                    since_ms: e.since_ms,
                })
                .collect(),
            calls: self
                .calls
                .open()
                .into_iter()
                .map(|call| {
                    let parties = self.calls.parties(call).cloned().unwrap_or_default();
                    let took_part = self.parties_of(call);
                    CallView {
                        chain: call.0.clone(),
                        caller: parties.caller,
                        called: parties.called,
                        state: self.calls.word(call),
                        number: self.calls.numbers_of(call).first().cloned().unwrap_or_default(),
                        since_ms: self.calls.began_ms(call).unwrap_or_default(),
                        queue: queue_of(&took_part),
                        recording: self.calls.is_recorded(call),
                        parties: took_part,
                    }
                })
                .collect(),
            services: self.services_view(),
            calls_begun: self.calls.begun(),
        }
    }

    fn parties_of(&self, call: &CallId) -> Vec<LiveParty> {
        let mut parties = self.calls.live_parties(call);
        for party in parties.iter_mut().filter(|party| party.inside) {
            if let Some(user) = self.users.by_number(&party.number) {
                party.name = self.users[user].account.name.clone();
            }
        }
        parties
    }

    fn user_view(&self, user: UserIx) -> UserView {
        let u = &self.users[user];
        let direct = u.tabs.iter().filter_map(|peer| match self.peers.get(peer) {
            Some(Peer::Tab(tab)) => Some(TabView {
                door: "direct",
                link: Text::new(),
                tab: Text::new(),
                address: tab.address.clone(),
                since_ms: tab.since_ms,
                focus: tab.has_focus,
            }),
            _ => None,
        });
        let tunnelled = self.links.iter().filter_map(|l| Some((l, l.tunnel.get(&user)?))).flat_map(|(l, tunnel)| {
            tunnel.tabs.iter().map(|tab| TabView {
                door: "tunnel",
                link: l.settings.name.clone(),
                tab: tab.id.clone(),
                address: Text::new(),
                since_ms: tab.since_ms,
                focus: tab.has_focus,
            })
        });
        UserView {
            id: u.account.id.clone(),
            login: u.account.login.clone(),
            name: u.account.name.clone(),
            number: u.account.number.clone(),
            department: u.account.department.clone(),
            state: u.state(),
            online: u.online(),
            tabs: direct.chain(tunnelled).collect(),
        }
    }
}

fn link_view(l: &super::link::Link) -> LinkView {
    LinkView {
        name: l.settings.name.clone(),
        mode: l.settings.mode.clone(),
        state: l.state,
        since_ms: l.since_ms,
        detail: l.detail.clone(),
        crm: l.introduction.as_ref().map(|i| format!("{} {}", i.name, i.version).trim().to_owned()).unwrap_or_default(),
        introduction: l.introduction.clone(),
        methods: l.methods.iter().map(|m| m.name.clone()).collect(),
        declared: l.methods.clone(),
        forms: l.forms.iter().map(|f| f.name.clone()).collect(),
        declared_forms: l.forms.clone(),
        hears_events: l.peer.is_some() && l.hears_events,
        active: l.active.len(),
        tunnel: l.tunnel.len(),
        in_flight: l.in_flight,
    }
}

fn queue_of(parties: &[LiveParty]) -> Text {
    parties.iter().find(|party| party.place == "queue").map(|party| party.place_name.clone()).unwrap_or_default()
}
