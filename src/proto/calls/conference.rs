//! Conferences and their members.

use crate::telephony::{CallId, ConferenceFact, ConferenceId, EndCause, LegFact, LegId, LegState, Place};

use super::Calls;
use super::conversation::Leg;
use super::line::{Party, party_of};

/// A conference with everybody who is or was in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceView {
    /// What it is.
    pub about: ConferenceFact,
    /// Its members in the order in which they came. Of a conference made for listening in also those who are listened to.
    pub members: Vec<Member>,
}

/// A member of a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's leg, which is its id in the conference too.
    pub leg: LegId,
    /// Who it is.
    pub party: Party,
    /// How far it is.
    pub state: MemberState,
    /// Whether it made the conference.
    pub creator: bool,
    /// Whether it listens in.
    pub spy: bool,
    /// Whether it is listened to; `Some(true)`: it is the one whom the listener asked for.
    pub spied: Option<bool>,
}

/// How far a member is, with the names of the protocol (`confstatestr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Its phone rings.
    Inviting,
    /// It is in.
    InConference,
    /// It was in.
    Exited,
    /// It was busy.
    MisInviteBusy,
    /// It did not answer.
    MisInviteNotRespond,
    /// The invitation was taken back.
    MisInviteStop,
    /// The conference ended before it answered.
    MisInviteAbort,
    /// It refused.
    MisInviteRefuse,
}

impl MemberState {
    /// The name of the protocol.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inviting => "Inviting",
            Self::InConference => "InConference",
            Self::Exited => "Exited",
            Self::MisInviteBusy => "MisInviteBusy",
            Self::MisInviteNotRespond => "MisInviteNotRespond",
            Self::MisInviteStop => "MisInviteStop",
            Self::MisInviteAbort => "MisInviteAbort",
            Self::MisInviteRefuse => "MisInviteRefuse",
        }
    }

    /// Whether the member is in the conference or on the way to it.
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Inviting | Self::InConference)
    }
}

impl ConferenceView {
    /// The conversation it is part of.
    pub fn call(&self) -> &CallId {
        &self.about.call
    }

    /// The member at an inside number, if it is in or on the way.
    pub fn member_at(&self, number: &str) -> Option<&Member> {
        self.members.iter().find(|m| !m.party.outside && m.party.number == number && m.state.is_present())
    }

    /// The member with this id.
    pub fn member(&self, leg: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.leg.0 == leg)
    }
}

impl Calls {
    /// A conference that is not over.
    pub fn conference(&self, id: &str) -> Option<ConferenceView> {
        let about = self.conferences.get(&ConferenceId(id.into())).filter(|c| !c.over)?;
        self.view(about)
    }

    /// A conference, also one that has just ended.
    pub fn conference_ever(&self, id: &ConferenceId) -> Option<ConferenceView> {
        self.view(self.conferences.get(id)?)
    }

    fn view(&self, about: &ConferenceFact) -> Option<ConferenceView> {
        let conversation = self.calls.get(&about.call)?;
        let here = Place::Conference(about.id.clone());
        let target = about.ghost.as_ref().and_then(|g| conversation.leg(&g.target)).map(Leg::now);
        let mut members: Vec<(i64, Member)> = Vec::new();
        for leg in conversation.legs() {
            let now = leg.now();
            let in_it = leg.story().iter().any(|f| f.place == here);
            let spied = target.filter(|t| {
                let together = matches!(t.place, Place::Talk(_) | Place::Conference(_)) && t.place == now.place;
                (together || t.leg == now.leg) && !now.state.is_ended() && !now.role.ghost
            });
            if !in_it && spied.is_none() {
                continue;
            }
            let came = leg.story().iter().find(|f| f.place == here).map_or_else(|| leg.first_ms(), |f| f.at_ms);
            members.push((
                came,
                Member {
                    leg: now.leg.clone(),
                    party: party_of(now),
                    state: if spied.is_some() { MemberState::InConference } else { state(leg, now, &here) },
                    creator: now.role.creator,
                    spy: now.role.ghost,
                    spied: spied.map(|t| t.leg == now.leg),
                },
            ));
        }
        members.sort_by(|(a, x), (b, y)| (a, !x.creator, &x.leg).cmp(&(b, !y.creator, &y.leg)));
        Some(ConferenceView { about: about.clone(), members: members.into_iter().map(|(_, m)| m).collect() })
    }
}

fn state(leg: &Leg, now: &LegFact, here: &Place) -> MemberState {
    let was_in = leg.story().iter().any(|f| f.place == *here && f.state == LegState::Up);
    match now.state {
        LegState::Up if now.place == *here => MemberState::InConference,
        LegState::Planned | LegState::Ringing | LegState::Waiting if now.place == *here => MemberState::Inviting,
        _ if was_in => MemberState::Exited,
        LegState::Ended(EndCause::Busy | EndCause::Unreachable) => MemberState::MisInviteBusy,
        LegState::Ended(EndCause::NoAnswer) => MemberState::MisInviteNotRespond,
        LegState::Ended(EndCause::Kicked) => MemberState::MisInviteStop,
        LegState::Ended(EndCause::Refused) => MemberState::MisInviteRefuse,
        _ => MemberState::MisInviteAbort,
    }
}
