//! How orders are followed: steps of actions, each with what has to come of it and until when.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use ctigate_proto::Time;
use ctigate_proto::telephony::{Event, OrderId, Refusal};

use super::super::ami::{Action, Message};
use super::spots::Spot;
use super::{ACTIONS, Machine, Now, Out};

/// Most orders that are being followed at a time.
const JOBS: usize = 10_000;
/// How long a conversation that is on the move is not looked at.
const MOVING: std::time::Duration = std::time::Duration::from_millis(1500);

/// What has to come of a step before the next is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// That Asterisk says yes.
    Yes,
    /// The channel is there.
    There(String),
    /// The channel is gone.
    Gone(String),
    /// The two talk, both of them having answered.
    Talk(String, String),
    /// The two do not talk any more.
    Apart(String, String),
    /// The channel is in the room.
    In(String, String),
    /// The channel is not in the room any more.
    Out(String, String),
    /// The channel is at the place.
    At(String, &'static str),
    /// The first listens in to the second.
    Spies(String, String),
    /// A phone of this endpoint talks with the channel.
    Answers(String, String),
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) actions: Vec<Action>,
    pub(super) goal: Goal,
}

/// An order that is being followed.
#[derive(Debug)]
pub(super) struct Job {
    order: Option<OrderId>,
    steps: VecDeque<Step>,
    /// The actions that were not answered yet, with their names.
    open: BTreeMap<String, &'static str>,
    goal: Goal,
    until: Time,
    /// The conversation that is on the move, and until when it is not looked at.
    moves: Option<(String, Time)>,
    /// The channel that is made, to be told why it was not.
    makes: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    by_action: HashMap<String, u64>,
    /// What ended and was not told yet.
    ended: Vec<(OrderId, Result<(), Refusal>)>,
    last: u64,
    last_action: u64,
}

impl Machine {
    /// Gives an action an id and sends it.
    pub(super) fn send(&mut self, action: Action, out: &mut Out) -> String {
        self.send_for(None, action, out)
    }

    /// The same for an order.
    fn send_for(&mut self, order: Option<OrderId>, action: Action, out: &mut Out) -> String {
        self.jobs.last_action += 1;
        let id = format!("{ACTIONS}{}", self.jobs.last_action);
        out.actions.push(action.id(id.clone()).part_of(order));
        id
    }

    /// Begins to follow an order. `root`: the conversation that is not looked at until it is done.
    pub(super) fn follow(
        &mut self,
        now: Now,
        order: Option<OrderId>,
        steps: Vec<Step>,
        root: Option<String>,
        out: &mut Out,
    ) {
        if self.jobs.jobs.len() >= JOBS {
            self.jobs.ended.extend(order.map(|order| (order, Err(Refusal::Full))));
            return self.look_soon(now);
        }
        self.jobs.last += 1;
        let key = self.jobs.last;
        let makes = steps.iter().flat_map(|step| &step.actions).find(|action| action.name() == "Originate");
        let job = Job {
            order,
            open: BTreeMap::new(),
            goal: Goal::Yes,
            until: now.mono + self.plan.patience,
            moves: root.map(|root| (root, now.mono + MOVING)),
            makes: makes.map(|action| action.get("ChannelId").to_owned()),
            steps: steps.into(),
        };
        self.jobs.jobs.insert(key, job);
        self.go_on(now, key, out);
    }

    /// Takes the next step, if the one before has come to its end.
    fn go_on(&mut self, now: Now, key: u64, out: &mut Out) {
        loop {
            let Some(job) = self.jobs.jobs.get(&key) else { return };
            if !job.open.is_empty() || !self.is_reached(&job.goal) {
                return;
            }
            let Some(step) = self.jobs.jobs.get_mut(&key).and_then(|job| job.steps.pop_front()) else {
                return self.finish(now, key, Ok(()));
            };
            let order = self.jobs.jobs.get(&key).and_then(|job| job.order);
            for action in step.actions {
                let name = action.name();
                let id = self.send_for(order, action, out);
                self.jobs.by_action.insert(id.clone(), key);
                if let Some(job) = self.jobs.jobs.get_mut(&key) {
                    job.open.insert(id, name);
                }
            }
            if let Some(job) = self.jobs.jobs.get_mut(&key) {
                job.goal = step.goal;
            }
        }
    }

    fn is_reached(&self, goal: &Goal) -> bool {
        let spot = |uid: &str| self.board.channel(uid).map_or(Spot::Gone, |channel| self.spot(channel));
        let live = |uid: &str| self.board.live(uid).is_some();
        match goal {
            Goal::Yes => true,
            Goal::There(uid) => self.board.channel(uid).is_some(),
            Goal::Gone(uid) => !live(uid),
            Goal::Talk(one, other) => spot(one) == Spot::Talks(other.clone()),
            Goal::Apart(one, other) => !live(one) || spot(one) != Spot::Talks(other.clone()),
            Goal::In(uid, room) => spot(uid) == Spot::Room(room.clone()),
            Goal::Out(uid, room) => spot(uid) != Spot::Room(room.clone()),
            Goal::At(uid, place) => self.board.live(uid).is_some_and(|channel| channel.is_at(place)),
            Goal::Spies(spy, heard) => self.board.live(spy).is_some_and(|c| c.spies.as_ref() == Some(heard)),
            Goal::Answers(endpoint, uid) => match spot(uid) {
                Spot::Talks(other) => self.board.live(&other).is_some_and(|c| c.endpoint() == endpoint),
                _ => false,
            },
        }
    }

    /// Looks which orders can go on, after something has changed.
    pub(super) fn go_on_all(&mut self, now: Now, out: &mut Out) {
        let keys: Vec<u64> = self.jobs.jobs.keys().copied().collect();
        for key in keys {
            self.go_on(now, key, out);
        }
    }

    /// A response to an action of an order, or the news that a channel could not be made. Whether it was one.
    pub(super) fn answered(&mut self, now: Now, message: &Message, out: &mut Out) -> bool {
        let id = message.action_id();
        if message.event() == "OriginateResponse" {
            return self.was_made(now, message);
        }
        let Some(key) = self.jobs.by_action.remove(id) else { return false };
        let Some(job) = self.jobs.jobs.get_mut(&key) else { return true };
        let name = job.open.remove(id);
        // Whoever is to be hung up may have gone by itself, or by an action before.
        if message.response() == "Success" || name == Some("Hangup") {
            if job.makes.is_some() {
                // Whether a channel comes of it is said under the same id.
                self.jobs.by_action.insert(id.to_owned(), key);
            }
            self.go_on(now, key, out);
        } else {
            let text = message.get("Message").to_ascii_lowercase();
            let gone =
                ["no such", "not exist", "not existent", "not found", "invalid"].iter().any(|w| text.contains(w));
            self.finish(now, key, Err(if gone { Refusal::WrongState } else { Refusal::Unable }));
        }
        true
    }

    fn was_made(&mut self, now: Now, message: &Message) -> bool {
        let Some(key) = self.jobs.by_action.remove(message.action_id()) else { return false };
        if message.response() == "Success" {
            return true;
        }
        let uid = self.jobs.jobs.get(&key).and_then(|job| job.makes.clone()).unwrap_or_default();
        if let Some(asked) = self.asked.get_mut(&uid) {
            asked.pending = false;
            self.dirty.insert(asked.root.clone().unwrap_or_else(|| uid.clone()));
        }
        let never = self.board.channel(&uid).is_none();
        if never {
            // Busy and congestion have numbers of their own; zero says that there was no phone to call.
            let why = match message.get("Reason") {
                "5" | "8" => Refusal::Busy,
                _ => Refusal::NoPhone,
            };
            self.asked.remove(&uid);
            self.finish(now, key, Err(why));
        }
        self.look_soon(now);
        true
    }

    /// An order has come to its end. It is told after the facts.
    fn finish(&mut self, now: Now, key: u64, result: Result<(), Refusal>) {
        let Some(job) = self.jobs.jobs.remove(&key) else { return };
        if result.is_err() || job.makes.is_none() {
            self.jobs.by_action.retain(|_, of| *of != key);
        }
        self.jobs.ended.extend(job.order.map(|order| (order, result)));
        self.look_soon(now);
    }

    /// An order is answered without anything done.
    pub(super) fn refuse(&mut self, now: Now, order: OrderId, why: Refusal) {
        self.jobs.ended.push((order, Err(why)));
        self.look_soon(now);
    }

    /// Orders whose time is over.
    pub(super) fn time_out(&mut self, now: Now) {
        let late = self.jobs.jobs.iter().filter(|(_, job)| job.until <= now.mono);
        // Without an answer Asterisk is as good as away; with one it did not do what it said.
        let late: Vec<(u64, Refusal)> =
            late.map(|(key, job)| (*key, if job.open.is_empty() { Refusal::Unable } else { Refusal::Down })).collect();
        for (key, why) in late {
            self.finish(now, key, Err(why));
        }
    }

    /// All orders end: nobody follows them any more.
    pub(super) fn drop_jobs(&mut self, now: Now) {
        let keys: Vec<u64> = self.jobs.jobs.keys().copied().collect();
        keys.into_iter().for_each(|key| self.finish(now, key, Err(Refusal::Down)));
        self.jobs.by_action.clear();
    }

    /// Tells the ends of orders.
    pub(super) fn tell_ended(&mut self, out: &mut Out) {
        let ended = std::mem::take(&mut self.jobs.ended);
        out.events.extend(ended.into_iter().map(|(order, result)| Event::Done { order, result }));
    }

    /// The conversations that an order is moving.
    pub(super) fn moving(&self) -> BTreeSet<String> {
        let moves = self.jobs.jobs.values().filter_map(|job| job.moves.as_ref());
        moves.filter(|(_, until)| *until > self.now).map(|(root, _)| root.clone()).collect()
    }

    /// Whether an order has ended and was not told.
    pub(super) fn jobs_ended(&self) -> bool {
        !self.jobs.ended.is_empty()
    }

    /// Until when a conversation is on the move.
    pub(super) fn moving_until(&self) -> Option<Time> {
        let moves = self.jobs.jobs.values().filter_map(|job| job.moves.as_ref());
        moves.map(|(_, until)| *until).filter(|until| *until > self.now).min()
    }

    /// When an order needs to be looked at.
    pub(super) fn jobs_due(&self) -> Option<Time> {
        let until = self.jobs.jobs.values().map(|job| job.until);
        let moves = self.jobs.jobs.values().filter_map(|job| job.moves.as_ref().map(|(_, until)| *until));
        until.chain(moves.filter(|until| *until > self.now)).min()
    }
}

impl Step {
    pub(super) fn new(actions: Vec<Action>, goal: Goal) -> Self {
        Self { actions, goal }
    }
}
