//! Events that pages send to pages.

use crate::message::Text;

use super::define::{call, event, messages, reply};
use super::{Any, ListOrFalse};

messages! {
    /// Sends an event of the application's own to other people's pages.
    TriggerCustomEvent: call("triggercustomevent").by_both().replied("triggercustomeventresult") => {
        /// The event's name, the application's own.
        eventname: Text,
        /// What goes with it: any value, passed on as it was written.
        eventparam: Any,
        /// The ids of those who get it; `false`, `null` or absent: everybody.
        recipients: ListOrFalse,
        /// 1: the sender gets it too. Known clients write 0 as a string.
        sendback: Option<i64>,
    }

    /// The event is on its way.
    TriggerCustomEventResult: reply("triggercustomeventresult").to_both() => {}

    /// An event of the application's own. Every logged-in tab gets those meant for its user, subscribed or not.
    CustomEvent: event("customevent").to_both() => {
        /// The sender's id; absent when a CRM sent it for itself.
        userid: Option<Text>,
        /// The sender's login; absent likewise.
        userlogin: Option<Text>,
        /// The event's name.
        eventname: Text,
        /// What goes with it, as it was written.
        eventparam: Any,
    }
}
