//! What a backend is told, and why it may not be able to.

use std::time::Duration;

use crate::message::{Object, Text};

use super::fact::{ConferenceId, GhostMode, LegId, Sequence};
use super::scenario::{FormEnd, Outcome, RunId};

/// Names an order whose end somebody waits for: [`super::Event::Done`] is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct OrderId(pub u64);

/// What a backend is told.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The result a scenario waits for.
    AskDone {
        /// The scenario's wait.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A result that came after the deadline but was still welcome.
    AskLate {
        /// The scenario's wait.
        run: RunId,
        /// The output.
        output: Object,
    },
    /// The form a scenario waits for.
    FormDone {
        /// The scenario's wait.
        run: RunId,
        /// How it ended.
        end: FormEnd,
    },
    /// A person wants something of the own phone.
    Phone {
        /// Whom to tell how it went.
        order: OrderId,
        /// The inside number.
        number: Text,
        /// What.
        act: Act,
    },
    /// Calls to a number go elsewhere from now on.
    Redirect {
        /// The inside number.
        number: Text,
        /// Where to; `None`: nowhere else.
        to: Option<Text>,
        /// Whether the redirection of that number is followed too.
        cascade: bool,
    },
    /// Whether queues may ring a number.
    Agent {
        /// The inside number.
        number: Text,
        /// `None`: they may. Else why they may not, in words for people: the name of a break.
        away: Option<Text>,
    },
    /// Run a scenario by name.
    Script {
        /// Whom to tell; with [`super::Event::ScriptDone`].
        order: OrderId,
        /// Its name.
        name: Text,
        /// Its parameters, in order.
        parameters: Vec<Text>,
        /// How long its end is waited for; `None`: not at all, it only has to begin.
        wait: Option<Duration>,
    },
}

/// What a person does with the own phone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Dials. A talk that goes on is put on hold first, and the new call is part of the same conversation.
    Dial {
        /// The number to reach.
        to: Text,
        /// Who is called first.
        sequence: Sequence,
        /// Whether the called phone answers by itself.
        intercom: bool,
    },
    /// Stops a dialling during which the own phone is still idle.
    StopDialling,
    /// Answers the ringing phone.
    Answer,
    /// Refuses the call that rings; a dialling that rings the own phone ends with it.
    Decline,
    /// Hangs up, or stops an outgoing call.
    Hangup,
    /// Joins the held and the present party, and leaves.
    Join,
    /// Puts the present party on hold; or takes the held one back; or swaps the two.
    Switch,
    /// Drops the present party and returns to the held one.
    Return,
    /// Drops the held party and stays with the present one.
    DropHeld,
    /// Hands the present party to a number. Somebody on hold comes back.
    Transfer {
        /// The number that gets the party.
        to: Text,
    },
    /// Makes a conference; every member is rung, the own phone among them.
    Confer {
        /// Its id.
        id: ConferenceId,
        /// Its name; may be empty.
        name: Text,
        /// What it is about; may be empty.
        description: Text,
        /// Its room.
        room: i64,
        /// Whether it is recorded.
        record: bool,
        /// Who is invited, by number, without the own one.
        members: Vec<Text>,
    },
    /// Makes the present talk a conference.
    Widen {
        /// The id it gets.
        id: ConferenceId,
        /// Its room.
        room: i64,
    },
    /// Invites more members.
    Invite {
        /// The conference.
        id: ConferenceId,
        /// Who, by number.
        members: Vec<Text>,
    },
    /// Takes the held party into the present conference.
    TakeIn,
    /// Throws a member out.
    Kick {
        /// The conference.
        id: ConferenceId,
        /// The member.
        leg: LegId,
    },
    /// Leaves a conference; the others stay.
    Leave {
        /// The conference.
        id: ConferenceId,
    },
    /// Listens in to another number's talk.
    Spy {
        /// The id of the conference that is made for it.
        id: ConferenceId,
        /// The other number.
        target: Text,
    },
    /// Changes how the listener takes part.
    SpyMode {
        /// The conference made for listening in.
        id: ConferenceId,
        /// How.
        mode: GhostMode,
        /// Whom to listen to from now on; `None`: as before.
        target: Option<LegId>,
    },
}

/// Why the telephone system did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nobody has the number.
    NoSuchNumber,
    /// Nobody at the number can take a call now.
    Busy,
    /// The own phone cannot be reached.
    NoPhone,
    /// The phone is in no state for it (it may have changed meanwhile).
    WrongState,
    /// There is no such conference or member.
    NoSuchConference,
    /// There is no such scenario.
    NoSuchScript,
    /// The phone cannot be made to do it.
    Unable,
    /// Every outside line is in use, or there are as many calls as there may be.
    Full,
    /// The telephone system is away.
    Down,
}

impl Command {
    /// What the log calls it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::AskDone { .. } => "ask done",
            Self::AskLate { .. } => "ask late",
            Self::FormDone { .. } => "form done",
            Self::Phone { .. } => "phone",
            Self::Redirect { .. } => "redirect",
            Self::Agent { .. } => "agent",
            Self::Script { .. } => "script",
        }
    }
}
