//! What the phone of one number does, as a pure function of the facts.

use crate::message::Text;
use crate::telephony::{CallId, ConferenceId, End, FaxId, LegFact, LegId, LegState, Place, Sequence, TalkId};

use super::Calls;
use super::conversation::{Conversation, Leg};

/// The line of an inside number at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What it does.
    pub phase: Phase,
    /// In which conversation; of the held party when the line is idle but for it.
    pub call: Option<CallId>,
    /// The leg that counts now.
    pub leg: Option<LegId>,
    /// Who or what is at the other end.
    pub party: Option<Party>,
    /// Who is on hold.
    pub flashed: Option<Party>,
    /// The number that was dialled.
    pub called: Text,
    /// Since when it is so, milliseconds since 1970.
    pub since_ms: i64,
    /// Whether the telephone system dials for the user: the user is called back, or will be.
    pub callback: bool,
    /// Whether this dialling still goes on.
    pub dialling: bool,
    /// The fax that goes over it.
    pub fax: Option<FaxId>,
}

/// What a line does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing; there may be somebody on hold.
    #[default]
    Idle,
    /// The other party is dialled; the own phone will ring when it has answered.
    Planned,
    /// The phone rings.
    Ringing,
    /// It waits for an answer.
    Waiting,
    /// It waits in a queue.
    Queued(Text),
    /// It talks.
    Talking(TalkId),
    /// It talks with somebody who has put it on hold.
    OnHold(TalkId),
    /// It is in a conference.
    Conferring(ConferenceId),
    /// It hears a voice menu.
    Menu {
        /// The menu's name.
        name: Text,
        /// Whether it only finds out where the call goes.
        routing: bool,
    },
    /// The handset is up and nobody is there.
    Alone,
}

/// Who is at the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The number; may be empty.
    pub number: Text,
    /// The name the telephone system knows; may be empty.
    pub name: Text,
    /// Whether outside.
    pub outside: bool,
    /// The outside line in use; may be empty.
    pub line: Text,
    /// The party's leg, if there is one already.
    pub leg: Option<LegId>,
    /// Set instead of all else for a conference.
    pub conference: Option<ConferenceId>,
}

impl Line {
    /// Whether the phone is in use.
    pub fn busy(&self) -> bool {
        self.phase != Phase::Idle || self.flashed.is_some()
    }

    /// Whether it talks, with one or with many.
    pub fn talks(&self) -> bool {
        matches!(self.phase, Phase::Talking(_) | Phase::OnHold(_) | Phase::Conferring(_) | Phase::Menu { .. })
    }
}

impl Calls {
    /// The line of an inside number.
    pub fn line(&self, number: &str) -> Line {
        let Some(legs) = self.lines.get(number) else { return Line::default() };
        let legs: Vec<(&Conversation, &Leg)> = legs
            .iter()
            .filter_map(|(call, leg)| {
                let conversation = self.calls.get(call)?;
                Some((conversation, conversation.leg(leg)?))
            })
            .collect();
        let mut line = Line::default();
        let held = legs.iter().filter(|(_, leg)| leg.now().held && leg.now().state == LegState::Up);
        if let Some((conversation, leg)) = held.min_by_key(|(_, leg)| leg.since_ms()) {
            line.flashed = Some(self.flashed(conversation, leg.now()));
            line.call = Some(leg.now().call.clone());
        }
        let present = legs.iter().filter(|(_, leg)| !leg.now().held);
        let Some((conversation, leg)) = present.max_by_key(|(_, leg)| (rank(leg.now()), -leg.since_ms())) else {
            return line;
        };
        self.fill(&mut line, conversation, leg);
        line
    }

    fn fill(&self, line: &mut Line, conversation: &Conversation, leg: &Leg) {
        let now = leg.now();
        line.call = Some(now.call.clone());
        line.leg = Some(now.leg.clone());
        line.since_ms = leg.since_ms();
        line.called = match conversation.parties() {
            Some(parties) if now.toward.is_empty() => parties.called.clone(),
            _ => now.toward.clone(),
        };
        line.callback = now.autocall.is_some();
        line.fax = conversation.fax_of(&now.leg).cloned();
        line.dialling = matches!(
            (now.autocall, now.state),
            (Some(Sequence::User), LegState::Ringing | LegState::Waiting)
                | (Some(Sequence::Abonent), LegState::Planned)
        );
        let other = conversation.live().map(Leg::now).find(|other| faces(now, other));
        let (phase, party) = match (now.state, &now.place) {
            (LegState::Planned, _) => (Phase::Planned, self.awaited(conversation, now)),
            (LegState::Ringing, _) => (Phase::Ringing, self.awaited(conversation, now)),
            (_, Place::Queue(queue)) => (Phase::Queued(queue.clone()), self.awaited(conversation, now)),
            (LegState::Waiting, _) => (Phase::Waiting, self.awaited(conversation, now)),
            (LegState::Up, Place::Talk(talk)) => match other {
                Some(other) if other.held => (Phase::OnHold(talk.clone()), Some(party_of(other))),
                Some(other) => (Phase::Talking(talk.clone()), Some(party_of(other))),
                None => (Phase::Alone, None),
            },
            (LegState::Up, Place::Conference(id)) => (Phase::Conferring(id.clone()), Some(conference(id))),
            (LegState::Up, Place::Menu { name, routing }) => {
                (Phase::Menu { name: name.clone(), routing: *routing }, Some(self.number(&line.called)))
            }
            (LegState::Up, Place::None) => match conversation.live().map(Leg::now).find(|other| awaits(now, other)) {
                Some(other) => (Phase::Waiting, Some(party_of(other))),
                None => (Phase::Alone, None),
            },
            (LegState::Ended(_), _) => (Phase::Idle, None),
        };
        (line.phase, line.party) = (phase, party);
    }

    /// Whom a leg that is not connected yet has to do with: the leg it waits for or rings for, else the origin of the
    /// conversation, else the number.
    fn awaited(&self, conversation: &Conversation, now: &LegFact) -> Option<Party> {
        if now.autocall.is_none() {
            let with = now.with.as_ref().and_then(|id| conversation.leg(id)).map(Leg::now);
            let origin = || conversation.origin().map(Leg::now).filter(|_| now.state == LegState::Ringing);
            if let Some(other) = with.or_else(origin).filter(|other| other.leg != now.leg) {
                return Some(party_of(other));
            }
            if let Some(parties) = conversation.parties().filter(|_| now.state == LegState::Ringing) {
                let party = self.number(&parties.caller);
                return Some(Party { name: parties.caller_name.clone(), ..party });
            }
        }
        match &now.place {
            Place::Conference(id) => Some(conference(id)),
            _ => Some(self.number(&now.toward)),
        }
    }

    fn flashed(&self, conversation: &Conversation, now: &LegFact) -> Party {
        match &now.place {
            Place::Conference(id) => conference(id),
            _ => match conversation.live().map(Leg::now).find(|other| faces(now, other)) {
                Some(other) => party_of(other),
                None => self.number(&now.toward),
            },
        }
    }

    fn number(&self, number: &Text) -> Party {
        Party { number: number.clone(), outside: !self.inside.contains(number), ..Party::default() }
    }

    /// A leg, as long as it is remembered.
    pub fn leg(&self, call: &CallId, leg: &LegId) -> Option<&LegFact> {
        self.calls.get(call)?.leg(leg).map(Leg::now)
    }

    /// Whether a leg is there and not ended.
    pub fn lives(&self, call: &CallId, leg: &LegId) -> bool {
        self.calls.get(call).is_some_and(|c| c.lives(leg))
    }
}

/// Which of a phone's legs counts.
fn rank(now: &LegFact) -> u8 {
    match now.state {
        LegState::Up => 4,
        LegState::Waiting => 3,
        LegState::Ringing => 2,
        LegState::Planned => 1,
        LegState::Ended(_) => 0,
    }
}

/// Whether a leg that is there waits for another that still has to pick up.
fn awaits(now: &LegFact, other: &LegFact) -> bool {
    let to_come = matches!(other.state, LegState::Planned | LegState::Ringing);
    let tied = now.with.as_ref() == Some(&other.leg) || other.with.as_ref() == Some(&now.leg);
    other.leg != now.leg && to_come && (tied || other.autocall == Some(Sequence::Abonent))
}

/// Whether two legs are the two ends of one talk.
fn faces(a: &LegFact, b: &LegFact) -> bool {
    matches!((&a.place, &b.place), (Place::Talk(x), Place::Talk(y)) if x == y)
        && a.leg != b.leg
        && b.state == LegState::Up
        && !b.role.ghost
}

pub(super) fn party_of(leg: &LegFact) -> Party {
    let leg_id = Some(leg.leg.clone());
    match &leg.end {
        End::Inside(number) => Party { number: number.clone(), leg: leg_id, ..Party::default() },
        End::Outside { number, name, line } => Party {
            number: number.clone(),
            name: name.clone(),
            outside: true,
            line: line.clone(),
            leg: leg_id,
            conference: None,
        },
    }
}

fn conference(id: &ConferenceId) -> Party {
    Party { conference: Some(id.clone()), ..Party::default() }
}
