//! What servers say to each other: introduction, who is there, what has changed.

use crate::message::Text;

use super::Members;
use super::call::LineInfo;
use super::define::{call, event, messages, records, reply};
use super::user::{NumberState, UserState};

messages! {
    /// Introduces its sender and asks who the other is.
    WhoAreYou: call("whoareyou").by_both().to_link().replied("iam").before_login() => {
        /// What the sender is; `commserver` is a gateway.
        kind = "type": Option<Text>,
        /// The product's name.
        name: Option<Text>,
        /// Its version.
        version: Option<Text>,
    }

    /// Who the sender is.
    Iam: reply("iam").to_both().by_link().bare() => {
        /// What the sender is; `commserver` is a gateway.
        kind = "type": Option<Text>,
        /// The product's name.
        name: Option<Text>,
        /// Its version.
        version: Option<Text>,
    }

    /// Asks a CRM which of its users are there.
    GetActiveUsers: call("getactiveusers").to_link().replied("activeusers") => {}

    /// The users that are there. Also sent unasked, when somebody has come or gone; replaces what was said before.
    ActiveUsers: reply("activeusers").by_link().lax() => {
        /// Every user that has a page open.
        users: Vec<ActiveUser>,
    }

    /// The page has got or lost the focus. Forms that show in one tab alone go to the one that had it last.
    TabFocus: call("tabfocus").by_both().replied("tabfocusresult").ours() => {
        /// Whether it has it; true when absent.
        focus: Option<bool>,
    }

    /// Noted.
    TabFocusResult: reply("tabfocusresult").to_both().ours() => {}

    /// The CRM offers other methods or forms now: the gateway asks for both, and for the users, again.
    MethodsChanged: call("methodschanged").by_link().replied("methodschangedresult").ours() => {}

    /// They are being asked for.
    MethodsChangedResult: reply("methodschangedresult").to_link().ours() => {}

    /// Asks a CRM that can only be posted to for what it has to say: messages in the answer are its calls.
    Poll: event("poll").to_link().ours() => {}

    /// Events were lost: the state as it is now takes their place. On a link there is one for each user.
    StateReset: event("statereset").to_both().ours() => {
        /// Why: `overflow`, or `gap`.
        reason: Text,
        /// The user's state.
        userstate: Option<UserState>,
        /// The state of the user's line.
        lineinfo: Option<LineInfo>,
        /// The forms that are open now.
        forms: Option<Vec<OpenForm>>,
        /// The state of all numbers.
        numbers: Option<Vec<NumberState>>,
    }
}

records! {
    /// A user that is there.
    ActiveUser = "activeuser" {
        /// The user's login.
        userlogin: Option<Text>,
        /// The user's id; one of the two is needed.
        userid: Option<Text>,
        /// What the page is, in the CRM's words.
        kind = "type": Option<Text>,
        /// The user's tabs (ctigate).
        tabs: Option<Vec<Text>>,
    }

    /// A form that is open.
    OpenForm = "openform" {
        /// Which opening.
        formid: Text,
        /// The form's name.
        name: Text,
        /// Whose: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The call it is about; empty for none.
        chainid: Text,
        /// The values to show.
        inputparameters: Members,
    }
}
