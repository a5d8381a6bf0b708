//! Words that are spoken with a telephone system, whichever it is. A backend hears [`Command`]s and tells [`Event`]s; it
//! knows numbers, calls and scenarios, never users, tabs or links. What it tells about calls are [`Fact`]s.

mod command;
mod fact;
mod scenario;

use crate::message::Text;

pub use command::{Act, Command, OrderId, Refusal};
pub use fact::{
    CallFact, CallId, ConferenceFact, ConferenceId, End, EndCause, Fact, FaxFact, FaxId, FaxState, Ghost, GhostMode,
    LegFact, LegId, LegState, Parties, Place, Role, Sequence, TalkId,
};
pub use scenario::{Ask, FormEnd, FormOrder, Outcome, RunId};

/// What a backend tells.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// These became true together.
    Facts(Vec<Fact>),
    /// The phone of a number went away or came back.
    Phone {
        /// The inside number.
        number: Text,
        /// Whether it can be rung.
        connected: bool,
    },
    /// An order was followed, or not. Facts that follow from it are told before.
    Done {
        /// The order.
        order: OrderId,
        /// Why not.
        result: Result<(), Refusal>,
    },
    /// A scenario that was started by name has begun, or ended if its end was waited for.
    ScriptDone {
        /// The order.
        order: OrderId,
        /// What it returned, empty if it has only begun; or why it could not begin.
        result: Result<Text, Refusal>,
    },
    /// A scenario asks a dynamic method and waits for [`Command::AskDone`].
    Ask {
        /// The scenario's wait.
        run: RunId,
        /// What to call.
        ask: Ask,
    },
    /// The asking scenario is gone (hang-up): nobody waits for the run any more.
    AskCancelled {
        /// The scenario's wait.
        run: RunId,
    },
    /// A scenario opens a form; with `run` it waits for [`Command::FormDone`].
    Form {
        /// The scenario's wait, if it waits.
        run: Option<RunId>,
        /// What to open for whom.
        form: FormOrder,
    },
    /// A scenario takes back the form that it opened with this run, if it is still open; then [`Command::FormDone`] says closed.
    CloseForm {
        /// The scenario's wait.
        run: RunId,
    },
}
