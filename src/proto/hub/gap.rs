//! The state told anew where events were lost: `statereset`.

use crate::message::{Body, Envelope, Object, PeerId, Value};

use super::user::UserIx;
use super::{Hub, Peer};

impl Hub {
    /// Events towards a link had to be dropped. It is told the state of each of its users; of all numbers once, with the first.
    pub(super) fn events_lost(&mut self, peer: PeerId) {
        let Some(Peer::Link(link)) = self.peers.get(&peer) else { return };
        let link = *link;
        let users: Vec<UserIx> = self.users.iter().map(|(user, _)| user).collect();
        let mut numbers = Some(self.number_states());
        for user in users {
            if self.link_hears(link, Some(user), "statereset") != Some(peer) {
                continue;
            }
            let mut state = self.identity(user);
            self.state_block(user).into_iter().for_each(|(name, value)| state.set(name, value));
            let mut body = Body::new().with("qid", self.ids.guid());
            self.identity(user).into_iter().for_each(|(name, value)| body.set(name, value));
            body.set("reason", "overflow");
            body.set("userstate", state);
            body.set("lineinfo", self.line_info(user));
            body.set("forms", self.open_forms(user));
            if let Some(numbers) = numbers.take() {
                body.set("numbers", numbers);
            }
            self.send(peer, Envelope::new("statereset", body));
        }
    }

    fn number_states(&self) -> Vec<Value> {
        let numbered = self.users.iter().filter(|(_, u)| !u.account.number.is_empty());
        numbered
            .map(|(_, u)| Object::new().with("num", u.account.number.clone()).with("numstateid", u.state()).into())
            .collect()
    }
}
