//! The state told anew where events were lost: `statereset`.

use crate::message::{Body, Envelope, Object, PeerId, Value};

use super::user::UserIx;
use super::{Hub, Peer};

impl Hub {
    /// Events towards a peer had to be dropped. A tab is told the state of its user, a link that of each of its users; the
    /// state of all numbers once, with the first.
    pub(super) fn events_lost(&mut self, peer: PeerId) {
        let link = match self.peers.get(&peer) {
            Some(Peer::Link(link)) => *link,
            Some(Peer::Tab(tab)) if !tab.leaving => {
                let (user, numbers) = (tab.user, self.number_states());
                return self.tell_anew(peer, user, Some(numbers));
            }
            Some(Peer::Tab(_)) | None => return,
        };
        let users: Vec<UserIx> = self.users.iter().map(|(user, _)| user).collect();
        let mut numbers = Some(self.number_states());
        for user in users {
            if self.link_hears(link, Some(user), "statereset") != Some(peer) {
                continue;
            }
            self.tell_anew(peer, user, numbers.take());
        }
    }

    fn tell_anew(&mut self, peer: PeerId, user: UserIx, numbers: Option<Vec<Value>>) {
        let mut state = self.identity(user);
        self.state_block(user).into_iter().for_each(|(name, value)| state.set(name, value));
        let mut body = Body::new().with("qid", self.ids.guid());
        self.identity(user).into_iter().for_each(|(name, value)| body.set(name, value));
        body.set("reason", "overflow");
        body.set("userstate", state);
        body.set("lineinfo", self.line_info(user));
        body.set("forms", self.open_forms(user));
        self.send(peer, Envelope::new("statereset", body.with_some("numbers", numbers)));
    }

    fn number_states(&self) -> Vec<Value> {
        let numbered = self.users.iter().filter(|(_, u)| !u.account.number.is_empty());
        numbered
            .map(|(_, u)| Object::new().with("num", u.account.number.clone()).with("numstateid", u.state()).into())
            .collect()
    }
}
