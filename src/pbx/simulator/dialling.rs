//! Where a number leads, and how a leg is led there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{End, EndCause, LegState, Parties, Place};

use super::flow::{Flow, FlowKey, Wait};
use super::legs::{LegKey, NewLeg};
use super::machine::{Due, Machine};
use super::scope::Scope;
use super::script::{Block, Scenario};

/// How long a phone rings that was dialled directly.
const RING: Duration = Duration::from_secs(60);
/// How long an own phone rings, or that of somebody who is invited to a conference.
pub(super) const OWN_RING: Duration = Duration::from_secs(30);
/// How many redirections are followed.
const REDIRECTIONS: usize = 8;
/// How many digits a number outside has: below it would be a mistyped inside number, above it is none.
const OUTSIDE_DIGITS: std::ops::RangeInclusive<usize> = 5..=32;
/// Most flows that one leg leaves behind.
const FLOWS: usize = 64;

/// Where a number leads.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// To a scenario.
    Scenario(Arc<Scenario>),
    /// Into a queue.
    Queue(Text),
    /// To a phone, inside or outside.
    Phone(Text),
}

/// Whether a number can be one of somebody outside.
pub(in crate::pbx) fn looks_outside(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    OUTSIDE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

impl Machine {
    /// Whether a number is of somebody outside.
    pub(super) fn is_outside(&self, number: &str) -> bool {
        looks_outside(number)
            && !self.phones.contains_key(number)
            && !self.queues.contains_key(number)
            && !self.scenarios.contains_key(number)
    }

    pub(super) fn end_of(&self, number: &Text) -> End {
        if self.phones.contains_key(number) {
            End::Inside(number.clone())
        } else {
            End::Outside { number: number.clone(), name: Text::new(), line: Text::new() }
        }
    }

    /// Where a number leads; `None`: nobody answers for it. Who calls from outside does not get out again.
    pub(super) fn destination(&self, number: &Text, from_outside: bool) -> Option<Destination> {
        let dialled = number;
        let number = &self.redirected(dialled);
        if let Some(scenario) = self.scenarios.get(number) {
            return Some(Destination::Scenario(Arc::clone(scenario)));
        }
        if self.queues.contains_key(number) {
            return Some(Destination::Queue(number.clone()));
        }
        let may_go_out = !from_outside || number != dialled;
        if self.phones.contains_key(number) || self.is_outside(number) && may_go_out {
            return Some(Destination::Phone(number.clone()));
        }
        self.any.clone().map(Destination::Scenario)
    }

    /// The number whose phone rings when this one is called. Of a circle the last number is taken.
    fn redirected(&self, number: &Text) -> Text {
        let mut seen = vec![number.clone()];
        let mut follow = true;
        while let Some((to, cascade)) = self.phones.get(&seen[seen.len() - 1]).and_then(|phone| phone.redirect.as_ref())
        {
            let at = &seen[seen.len() - 1];
            let known = self.phones.contains_key(to) || self.queues.contains_key(to) || self.scenarios.contains_key(to);
            let leads = known || self.is_outside(to);
            if !follow || !leads || seen.contains(to) || seen.len() > REDIRECTIONS || self.scenarios.contains_key(at) {
                break;
            }
            follow = *cascade;
            seen.push(to.clone());
        }
        seen.swap_remove(seen.len() - 1)
    }

    /// The phone that rings when a scenario rings this one.
    pub(super) fn phone_for(&self, number: &Text) -> Text {
        let to = self.redirected(number);
        if self.phones.contains_key(&to) || self.is_outside(&to) { to } else { number.clone() }
    }

    /// Whether a destination needs an outside line that is not there.
    pub(super) fn lacks_line(&self, destination: &Destination) -> bool {
        matches!(destination, Destination::Phone(number) if !self.phones.contains_key(number)) && !self.lines.any_free()
    }

    /// Leads a leg that waits, or will be rung, to where a number leads.
    pub(super) fn lead(&mut self, leg: LegKey, number: &Text, destination: Destination, intercom: bool) {
        let Some((end, call)) = self.legs.get(&leg).map(|leg| (leg.end.clone(), leg.call_id.clone())) else { return };
        let caller_name = match &end {
            End::Inside(number) => self.parties_of(number, number).caller_name,
            End::Outside { name, .. } => name.clone(),
        };
        let parties = Parties { caller: end.number().clone(), caller_name, called: number.clone() };
        let scenario = match &destination {
            Destination::Scenario(scenario) => Arc::clone(scenario),
            Destination::Queue(_) | Destination::Phone(_) => Arc::default(),
        };
        let scope = Scope::new(call.0.clone(), parties, self.now);
        let key = self.begin_flow(Flow::new(Some(leg), Some(call), scenario, scope));
        self.alter(leg, |leg| leg.toward = number.clone());
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.flows.push(key);
        }
        match destination {
            Destination::Scenario(_) => self.go_on(key),
            Destination::Queue(queue) => {
                let longest = self.settings.longest_call;
                self.enter_queue(key, &queue, longest, &Block::default());
            }
            Destination::Phone(phone) => self.ring_these(key, &[phone], RING, &Block::default(), intercom),
        }
    }

    /// Whether a leg may be led once more.
    pub(super) fn can_be_led(&self, key: LegKey) -> bool {
        self.legs.get(&key).is_some_and(|leg| leg.flows.len() < FLOWS)
    }

    pub(super) fn begin_flow(&mut self, flow: Flow) -> FlowKey {
        self.last_key += 1;
        let key = FlowKey(self.last_key);
        self.flows.insert(key, flow);
        key
    }

    /// Lets a flow take its next step.
    pub(super) fn go_on(&mut self, key: FlowKey) {
        if let Some(flow) = self.flows.get_mut(&key) {
            self.timers.cancel(&mut flow.alarm);
            flow.wait = Wait::Nothing;
            self.ready.push_back(key);
        }
    }

    /// Rings phones for a flow until one is picked up, at most so long.
    pub(super) fn ring_these(
        &mut self,
        key: FlowKey,
        numbers: &[Text],
        within: Duration,
        talking: &Block,
        intercom: bool,
    ) {
        let Some(flow) = self.flows.get(&key) else { return };
        let toward = flow.dialled.clone();
        let legs = self.ring_for(key, numbers, &toward, intercom);
        if legs.is_empty() {
            return self.go_on(key);
        }
        let alarm = self.alarm(self.paced(within), Due::Wait(key));
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.wait = Wait::Ring { legs, talking: Block::clone(talking) };
            flow.alarm = Some(alarm);
        }
    }

    /// Rings phones for a flow, each once; gives those that ring. Why the others do not is told.
    pub(super) fn ring_for(
        &mut self,
        key: FlowKey,
        numbers: &[Text],
        toward: &Text,
        intercom: bool,
    ) -> BTreeSet<LegKey> {
        let mut legs = BTreeSet::new();
        let mut rung = BTreeSet::new();
        let Some(waiting) = self.flows.get(&key).and_then(|flow| flow.leg) else { return legs };
        let Some((call, with)) = self.legs.get(&waiting).map(|leg| (leg.call, leg.id.clone())) else { return legs };
        for number in numbers {
            if !rung.insert(number) {
                continue;
            }
            let new = NewLeg {
                call,
                end: self.end_of(number),
                state: LegState::Ringing,
                place: Place::None,
                with: Some(with.clone()),
                toward: toward.clone(),
            };
            let Ok(leg) = self.ring(new) else { continue };
            let at_once = intercom && self.phones.contains_key(number);
            let alarm = at_once.then(|| self.alarm(Duration::ZERO, Due::PickUp(leg)));
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.rung_for = Some(key);
                if alarm.is_some() {
                    self.timers.cancel(&mut leg.alarm);
                    leg.alarm = alarm;
                }
            }
            legs.insert(leg);
        }
        legs
    }

    /// Stops every phone that rings for a flow.
    pub(super) fn stop_ringing(&mut self, key: FlowKey, cause: EndCause) {
        let legs = self.flows.get_mut(&key).and_then(Flow::ringing).map(std::mem::take).unwrap_or_default();
        for leg in legs {
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.rung_for = None;
            }
            self.finish(leg, cause);
        }
    }

    /// A phone has stopped ringing without an answer.
    pub(super) fn ring_failed(&mut self, key: FlowKey, leg: LegKey) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        let in_queue = matches!(flow.wait, Wait::Queue(_));
        let nobody = flow.ringing().is_some_and(|legs| legs.remove(&leg) && legs.is_empty());
        if nobody && in_queue {
            self.rest(key);
        } else if nobody {
            self.go_on(key);
        }
    }

    /// A phone that rings for a flow is picked up: its leg and this one talk from now on, or will.
    pub(super) fn answered(&mut self, key: FlowKey, leg: LegKey) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        if let Some(legs) = flow.ringing() {
            legs.remove(&leg);
        }
        self.stop_ringing(key, EndCause::Elsewhere);
        let Some(flow) = self.flows.get_mut(&key) else { return };
        self.timers.cancel(&mut flow.alarm);
        flow.talking = true;
        let (talking, queue) = match std::mem::replace(&mut flow.wait, Wait::Nothing) {
            Wait::Ring { talking, .. } => (talking, None),
            Wait::Queue(wait) => (wait.talking, Some(wait.queue)),
            // Phones ring only for a flow that rings or waits in a queue.
            _ => (Block::default(), None),
        };
        flow.turn_to(&talking);
        let (Some(waiting), Some(number)) = (flow.leg, self.legs.get(&leg).map(|leg| leg.number().clone())) else {
            return self.release(leg, EndCause::OtherGone);
        };
        let login = self.phones.get(&number).map_or_else(Text::new, |phone| phone.login.clone());
        flow.scope.answered = Some((number.clone(), login, self.now));
        self.ready.push_back(key);
        if let Some(queue) = queue {
            self.leave_queue(&queue, key);
            self.queue_answered(&queue, &number);
        }
        if self.legs.get(&waiting).is_some_and(|leg| leg.state == LegState::Planned) {
            self.come(leg, Place::None);
            for (one, other) in [(leg, waiting), (waiting, leg)] {
                if let Some(one) = self.legs.get_mut(&one) {
                    one.partner = Some(other);
                }
            }
            self.alter(waiting, |leg| leg.place = Place::None);
            self.ring_own(waiting);
        } else {
            self.connect(waiting, leg);
        }
    }
}
