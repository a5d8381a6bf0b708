//! The state told anew where events were lost: `statereset`.

use std::time::Duration;

use crate::message::{Body, CloseReason, Envelope, Object, PeerId, Value};

use super::output::Output;
use super::timer::Timer;
use super::user::UserIx;
use super::{Hub, Peer};

/// So many users a link is told of at once,
const AT_ONCE: usize = 100;
/// and after this time of the next: a posted link that polls every ten seconds gets fewer than its queue holds.
const PAUSE: Duration = Duration::from_millis(250);

impl Hub {
    /// Events towards a peer had to be dropped. A tab is told the state of its user, a link that of each of its users; the
    /// state of all numbers once, with the first.
    pub(super) fn events_lost(&mut self, peer: PeerId) {
        let link = match self.peers.get(&peer) {
            Some(Peer::Link(link)) => *link,
            Some(Peer::Tab(tab)) if !tab.leaving => {
                let user = tab.user;
                return self.tell_tab_anew(peer, user);
            }
            // It connects again and asks for what it wants to know.
            Some(Peer::Service(_)) => return self.out.push_back(Output::Close { peer, reason: CloseReason::SLOW }),
            Some(Peer::Tab(_)) | None => return,
        };
        self.tell_link_anew(link, 0);
    }

    /// Tells a link the state of its users from this one on: some now, the others a little later, so that the telling is not
    /// itself what the link is too slow for. Losing events meanwhile begins it anew.
    pub(super) fn tell_link_anew(&mut self, link: usize, first: UserIx) {
        self.stop_telling(link);
        let Some(peer) = self.links[link].peer else { return };
        let mut numbers = (first == 0).then(|| self.number_states());
        let hears = |hub: &Self, user| hub.link_hears(link, Some(user), "statereset") == Some(peer);
        let mut told = 0;
        for user in first..self.users.len() {
            if self.users[user].is_gone() || !hears(self, user) {
                continue;
            }
            if told == AT_ONCE {
                let key = self.timers.set(self.now + PAUSE, Timer::TellAnew(link, user));
                self.links[link].telling = Some(key);
                return;
            }
            told += 1;
            let reset = self.state_anew(user, numbers.take());
            self.send(peer, reset);
        }
    }

    /// The rest is not told: it has begun anew, or the link is gone.
    pub(super) fn stop_telling(&mut self, link: usize) {
        if let Some(key) = self.links[link].telling.take() {
            self.timers.cancel(key);
        }
    }

    fn tell_tab_anew(&mut self, tab: PeerId, user: UserIx) {
        let numbers = self.number_states();
        let mut reset = self.state_anew(user, Some(numbers));
        if self.fits_tabs(&[tab], &reset.clone().into()).is_err() {
            // A page learns of its cards by their own events too.
            reset.body.remove("forms");
        }
        self.send(tab, reset);
    }

    fn state_anew(&mut self, user: UserIx, numbers: Option<Vec<Value>>) -> Envelope {
        let mut state = self.identity(user);
        self.state_block(user).into_iter().for_each(|(name, value)| state.set(name, value));
        let mut body = Body::new().with("qid", self.ids.guid());
        self.identity(user).into_iter().for_each(|(name, value)| body.set(name, value));
        body.set("reason", "overflow");
        body.set("userstate", state);
        body.set("lineinfo", self.line_info(user));
        body.set("forms", self.open_forms(user));
        Envelope::new("statereset", body.with_some("numbers", numbers))
    }

    fn number_states(&self) -> Vec<Value> {
        let numbered = self.users.iter().filter(|(_, u)| !u.account.number.is_empty());
        numbered
            .map(|(_, u)| Object::new().with("num", u.account.number.clone()).with("numstateid", u.state()).into())
            .collect()
    }
}
