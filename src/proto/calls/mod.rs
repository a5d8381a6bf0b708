//! The one model of calls: what conversations there are, who takes part, and where their voices go. It is made of [`Fact`]s
//! and of nothing else, and asks no order of them: told twice, late or shuffled they leave the same model behind.
//!
//! - [`Calls`]: takes facts in ([`Calls::apply`]) and says whom they touch.
//! - [`Line`]: what the phone of one number does; [`changes`]: what happened between two looks at it.
//! - [`ConferenceView`], [`Waiting`]: conferences with their members, queues with their callers.
//! - [`Entry`]: what is kept of a conversation that is over: a pure function of all its facts.
//! - [`JournalRow`]: an entry as people look into the ledger; - [`Step`]: the way of a conversation so far.
//!
//! The Hub derives every answer and event about telephony from here. Nothing here knows users, tabs or links.

mod change;
mod conference;
mod conversation;
mod entry;
mod fax;
mod journal;
mod keeping;
mod line;
mod live;
mod queue;
mod trace;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::Time;
use crate::message::Text;
use crate::telephony::{CallId, ConferenceFact, ConferenceId, Fact, FaxId, FaxState, LegFact, LegId};

pub use change::{Change, Flash, changes};
pub use conference::{ConferenceView, Member, MemberState};
pub use entry::{Direction, Entry, EntryFax, EntryLeg, EntryQueue, EntryTalk, Outcome};
pub use fax::ArrivedFax;
pub use journal::{JournalPlace, JournalQuery, JournalRow};
pub use line::{Line, Party, Phase};
pub use live::LiveParty;
pub use queue::Waiting;
pub use trace::Step;

use conversation::Conversation;

/// Most conversations at a time; more than any system this serves carries. What comes beyond is not followed.
const MAX_CALLS: usize = 100_000;
/// Most conferences at a time.
const MAX_CONFERENCES: usize = 10_000;
/// How long a conversation is remembered after its end, for facts that come late.
const REMEMBER: Duration = Duration::from_secs(60);
/// How many forgotten conversations are known by the hash of their id, so that a fact that comes very late does not raise the dead.
const FORGOTTEN: usize = 4096;

/// All conversations.
#[derive(Debug, Default)]
pub struct Calls {
    calls: BTreeMap<CallId, Conversation>,
    /// The legs of inside numbers that are not ended.
    lines: HashMap<Text, BTreeSet<(CallId, LegId)>>,
    conferences: BTreeMap<ConferenceId, ConferenceFact>,
    /// Which conferences a conversation has.
    conferences_of: HashMap<CallId, BTreeSet<ConferenceId>>,
    /// Which conversation a fax is part of.
    fax_of: HashMap<FaxId, CallId>,
    /// Conversations with a leg in a queue.
    queued: BTreeSet<CallId>,
    /// Numbers that are inside, so that a number nobody has answered for yet can be named rightly.
    inside: HashSet<Text>,
    /// Ended conversations, the longest ended first.
    ended: VecDeque<(Time, CallId)>,
    forgotten: VecDeque<u64>,
    forgotten_set: HashSet<u64>,
    /// How many have begun.
    begun: u64,
}

/// What is known of a forgotten conversation. That a new one has the mark of one of them by chance happens once in 10^15.
fn mark(call: &CallId) -> u64 {
    let mut hasher = DefaultHasher::new();
    call.hash(&mut hasher);
    hasher.finish()
}

/// Whom facts touch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Inside numbers whose line may look different now.
    pub numbers: BTreeSet<Text>,
    /// Conferences that may look different now.
    pub conferences: BTreeSet<ConferenceId>,
    /// Conversations that a fact was about.
    pub calls: BTreeSet<CallId>,
    /// Those of them whose entry has to be written (anew).
    pub over: BTreeSet<CallId>,
    /// Those of them that have just come into a queue, with the queue's number.
    pub queued: Vec<(CallId, Text)>,
    /// Faxes that have just arrived.
    pub faxes: Vec<(CallId, FaxId)>,
}

impl Calls {
    /// No conversation yet. `inside` are the numbers of phones, queues and scenarios.
    pub fn new(inside: impl IntoIterator<Item = Text>) -> Self {
        Self { inside: inside.into_iter().collect(), ..Self::default() }
    }

    /// From now on these numbers are inside.
    pub fn set_inside(&mut self, inside: impl IntoIterator<Item = Text>) {
        self.inside = inside.into_iter().collect();
    }

    /// These became true together. Facts of conversations beyond the bound, or of long forgotten ones, change nothing.
    pub fn apply(&mut self, now: Time, facts: Vec<Fact>) -> Touched {
        let mut touched = Touched::default();
        for fact in facts {
            let call = match &fact {
                Fact::Call(c) => c.call.clone(),
                Fact::Leg(l) => l.call.clone(),
                Fact::Conference(c) => c.call.clone(),
                Fact::Fax(f) => f.call.clone(),
                Fact::Recording { call, .. } | Fact::Over { call, .. } => call.clone(),
            };
            let room = self.calls.contains_key(&call)
                || (self.calls.len() < MAX_CALLS && !self.forgotten_set.contains(&mark(&call)));
            if room && self.apply_one(now, &call, fact, &mut touched) {
                touched.calls.insert(call);
            }
        }
        for call in &touched.calls {
            let Some(conversation) = self.calls.get(call) else { continue };
            if conversation.is_over() {
                touched.over.insert(call.clone());
            }
            for leg in conversation.legs() {
                if let crate::telephony::End::Inside(number) = &leg.now().end {
                    touched.numbers.insert(number.clone());
                }
            }
            touched.conferences.extend(self.conferences_of.get(call).into_iter().flatten().cloned());
        }
        touched
    }

    /// Takes one fact; whether it was news.
    fn apply_one(&mut self, now: Time, call: &CallId, fact: Fact, touched: &mut Touched) -> bool {
        if !self.calls.contains_key(call) {
            self.begun += 1;
        }
        let conversation = self.calls.entry(call.clone()).or_default();
        match fact {
            Fact::Call(about) => conversation.tell_about(about),
            Fact::Leg(leg) => {
                let (id, number) = (leg.leg.clone(), inside_number(&leg).cloned());
                let waited = conversation.queue_of(&id).cloned();
                if !conversation.tell_leg(leg) {
                    return false;
                }
                let queue = conversation.queue_of(&id).cloned();
                if let Some(queue) = queue.clone().filter(|_| queue != waited) {
                    touched.queued.push((call.clone(), queue));
                }
                let lives = conversation.lives(&id);
                if conversation.waits_in_queue() {
                    self.queued.insert(call.clone());
                } else {
                    self.queued.remove(call);
                }
                if let Some(number) = number {
                    self.index(call, &id, number, lives);
                }
                true
            }
            Fact::Conference(conference) => self.tell_conference(conference),
            Fact::Recording { talk, file, .. } => conversation.tell_recording(talk, file),
            Fact::Fax(fax) => {
                let (id, arrived) = (fax.fax.clone(), matches!(fax.state, FaxState::Done { .. }));
                let news = conversation.tell_fax(fax);
                if news {
                    self.fax_of.insert(id.clone(), call.clone());
                }
                touched.faxes.extend((news && arrived).then(|| (call.clone(), id)));
                news
            }
            Fact::Over { at_ms, .. } => {
                if !conversation.tell_over(at_ms) {
                    return false;
                }
                let legs: Vec<(LegId, Text)> = conversation
                    .legs()
                    .filter_map(|leg| Some((leg.now().leg.clone(), inside_number(leg.now())?.clone())))
                    .collect();
                for (leg, number) in legs {
                    self.index(call, &leg, number, false);
                }
                self.queued.remove(call);
                self.ended.push_back((now, call.clone()));
                true
            }
        }
    }

    fn index(&mut self, call: &CallId, leg: &LegId, number: Text, lives: bool) {
        let key = (call.clone(), leg.clone());
        if lives {
            self.lines.entry(number).or_default().insert(key);
        } else if let Some(legs) = self.lines.get_mut(&number) {
            legs.remove(&key);
            if legs.is_empty() {
                self.lines.remove(&number);
            }
        }
    }

    fn tell_conference(&mut self, conference: ConferenceFact) -> bool {
        let room = self.conferences.len() < MAX_CONFERENCES;
        match self.conferences.get_mut(&conference.id) {
            Some(known) if known.over || known.seq >= conference.seq && !conference.over => false,
            Some(known) => {
                *known = conference;
                true
            }
            None if room => {
                let of_call = self.conferences_of.entry(conference.call.clone()).or_default();
                of_call.insert(conference.id.clone());
                self.conferences.insert(conference.id.clone(), conference);
                true
            }
            None => false,
        }
    }

    /// Forgets what ended a while ago. To be called now and then.
    pub fn sweep(&mut self, now: Time) {
        while let Some((ended, _)) = self.ended.front()
            && *ended + REMEMBER <= now
        {
            let Some((_, call)) = self.ended.pop_front() else { return };
            for fax in self.calls.remove(&call).into_iter().flat_map(|gone| gone.faxes) {
                self.fax_of.remove(&fax.0);
            }
            for id in self.conferences_of.remove(&call).unwrap_or_default() {
                self.conferences.remove(&id);
            }
            if self.forgotten.len() >= FORGOTTEN
                && let Some(oldest) = self.forgotten.pop_front()
            {
                self.forgotten_set.remove(&oldest);
            }
            self.forgotten.push_back(mark(&call));
            self.forgotten_set.insert(mark(&call));
        }
    }

    /// How many conversations go on.
    pub fn len(&self) -> usize {
        self.calls.len() - self.ended.len()
    }

    /// Whether none goes on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many conversations are in memory, those that ended a moment ago included.
    pub fn remembered(&self) -> usize {
        self.calls.len()
    }

    /// The conversations that go on, the oldest first.
    pub fn open(&self) -> Vec<&CallId> {
        let mut open: Vec<_> = self.calls.iter().filter(|(_, c)| !c.is_over()).collect();
        open.sort_by_key(|(id, c)| (c.began_ms(), *id));
        open.into_iter().map(|(id, _)| id).collect()
    }

    /// Whether the conversation is known and goes on.
    pub fn goes_on(&self, call: &CallId) -> bool {
        self.calls.get(call).is_some_and(|c| !c.is_over())
    }

    /// The ends of a conversation as they were first meant; `None` when nothing is known of it (any more).
    pub fn parties(&self, call: &CallId) -> Option<&crate::telephony::Parties> {
        self.calls.get(call)?.parties()
    }

    /// When a conversation began, milliseconds since 1970.
    pub fn began_ms(&self, call: &CallId) -> Option<i64> {
        self.calls.get(call).map(Conversation::began_ms)
    }

    /// The inside numbers whose phone rings or talks in a conversation, in the order in which they came.
    pub fn numbers_of(&self, call: &CallId) -> Vec<Text> {
        let Some(conversation) = self.calls.get(call) else { return Vec::new() };
        let mut numbers: Vec<_> =
            conversation.live().filter_map(|leg| Some((leg.first_ms(), inside_number(leg.now())?.clone()))).collect();
        numbers.sort();
        numbers.into_iter().map(|(_, number)| number).collect()
    }

    /// The inside numbers that had any part in a conversation.
    pub fn numbers_ever(&self, call: &CallId) -> BTreeSet<Text> {
        let legs = self.calls.get(call).into_iter().flat_map(Conversation::legs);
        legs.filter_map(|leg| inside_number(leg.now()).cloned()).collect()
    }

    /// Whether a conversation came through a queue.
    pub fn was_queued(&self, call: &CallId) -> bool {
        self.calls.get(call).is_some_and(Conversation::was_queued)
    }

    /// What a conversation does as a whole, in one word: `began`, `queued`, `ringing`, `talking`.
    pub fn word(&self, call: &CallId) -> &'static str {
        self.calls.get(call).map_or("began", Conversation::word)
    }
}

fn inside_number(leg: &LegFact) -> Option<&Text> {
    match &leg.end {
        crate::telephony::End::Inside(number) => Some(number),
        crate::telephony::End::Outside { .. } => None,
    }
}
