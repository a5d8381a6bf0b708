//! Forms: on links as `showform`, in directly connected tabs as cards.

use crate::message::Text;

use super::define::{Right, call, choice, event, messages, records, reply};
use super::dynamic::{ParamType, Parameter};
use super::{Any, Members};

messages! {
    /// Asks a CRM which forms it has.
    GetAvailableForms: call("getavailableforms").to_link().replied("availableforms") => {}

    /// The forms of a CRM. Replaces what it said before.
    AvailableForms: reply("availableforms").by_link().lax() => {
        /// Every form.
        forms: Vec<Form>,
    }

    /// Opens a form at a user whose tabs the CRM knows.
    ShowForm: call("showform").to_link().replied("showformresult") => {
        /// The form's id, a GUID: one opening, wherever it shows.
        formid: Text,
        /// Which form.
        name: Text,
        /// For whom: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The call it is about; empty for none.
        chainid: Text,
        /// The values to show.
        inputparameters: Members,
        /// The only tab it is to show in (ctigate); absent: in all of the user's.
        tabid: Option<Text>,
    }

    /// The CRM has taken the form. Optional; a failure is logged, the form stays open elsewhere.
    ShowFormResult: reply("showformresult").by_link().lax() => {}

    /// Closes a form at a user whose tabs the CRM knows.
    CloseForm: event("closeform").to_link() => {
        /// Which opening.
        formid: Text,
        /// Whose: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// Why.
        reason: CloseCause,
    }

    /// The answer to a form, from a CRM or a tunnelled tab.
    FormResult: call("formresult").by_both().replied("formresultresult").right(Right::Forms).ours() => {
        /// Which opening.
        formid: Text,
        /// Who answered: the user's id.
        userid: Option<Text>,
        /// The values, by names of the declaration.
        outputparameters: Option<Members>,
        /// What the person adds in words.
        comment: Option<Text>,
    }

    /// The answer was taken. Sent to tabs; a CRM is not told. A second answer fails with 59013.
    FormResultResult: reply("formresultresult").to_both().ours() => {
        /// Which opening.
        formid: Text,
    }

    /// Opens a card: a task has reserved the user.
    ShowReserve: event("dlgcard_showreserve").to_tab().subscribed() => {
        ..card: Card,
    }

    /// Opens a card: the user is asked to take a call.
    ShowConfirm: event("dlgcard_showconfirm").to_tab().subscribed() => {
        ..card: Card,
        /// Who calls.
        callerid: Option<Text>,
        /// The caller's name.
        callername: Option<Text>,
        /// What to show.
        fields: Vec<CardField>,
    }

    /// Opens a card: a form to fill in.
    ShowFormDialog: event("dlgcard_showformdialog").to_tab().subscribed() => {
        ..card: Card,
        /// The form's id; the same as `cardid`.
        formid: Text,
        /// The form's name.
        formname: Text,
        /// What people see as its title.
        caption: Option<Text>,
        /// What to show and what to fill in.
        fields: Vec<CardField>,
    }

    /// Opens a card: a form to be filled in after the call.
    ShowFormStop: event("dlgcard_showformstop").to_tab().subscribed() => {
        ..card: Card,
        /// The form's id; the same as `cardid`.
        formid: Text,
        /// The form's name.
        formname: Text,
        /// What people see as its title.
        caption: Option<Text>,
        /// What to show and what to fill in.
        fields: Vec<CardField>,
        /// The outcomes to choose from.
        results: Option<Vec<Text>>,
    }

    /// Closes a reservation.
    CloseReserve: event("dlgcard_closereserve").to_tab().subscribed() => {
        /// Which card.
        cardid: Text,
    }

    /// Closes a form and wants its values, by `dlgcard_values`.
    CloseReturnValues: event("dlgcard_closeformreturnvalues").to_tab().subscribed() => {
        /// Which card.
        cardid: Text,
    }

    /// Closes a form and wants the comment, by `dlgcard_values`.
    CloseReturnComment: event("dlgcard_closeformreturncomment").to_tab().subscribed() => {
        /// Which card.
        cardid: Text,
    }

    /// Closes a card, or all of the user's cards.
    CloseAll: event("dlgcard_closeall").to_tab().subscribed() => {
        /// Which card; absent: all.
        cardid: Option<Text>,
        /// Why.
        reason: CloseCause,
    }

    /// The user takes or refuses what a card asked.
    CardConfirm: call("dlgcard_confirm").by_tab().replied("dlgcard_confirmresult").right(Right::Forms).ours() => {
        /// Which card.
        cardid: Text,
        /// Whether the user takes it.
        accept: bool,
    }

    /// Taken. A second answer fails with 59013.
    CardConfirmResult: reply("dlgcard_confirmresult").to_tab().ours() => {
        /// Which card.
        cardid: Text,
    }

    /// The user has filled in a card.
    CardValues: call("dlgcard_values").by_tab().replied("dlgcard_valuesresult").right(Right::Forms).ours() => {
        /// Which card.
        cardid: Text,
        /// The values, by names of the declaration.
        values: Option<Members>,
        /// What the person adds in words.
        comment: Option<Text>,
    }

    /// Taken. A second answer fails with 59013.
    CardValuesResult: reply("dlgcard_valuesresult").to_tab().ours() => {
        /// Which card.
        cardid: Text,
    }
}

choice! {
    /// Why a form closes.
    CloseCause {
        /// It was answered, here or in another tab.
        Answered = "answered",
        /// What it was about has ended, or somebody closed it.
        Closed = "closed",
        /// Nobody answered in time.
        Expired = "expired",
        /// It shows in another tab now.
        Moved = "moved",
    }
}

records! {
    /// A form that a CRM has.
    Form = "form" {
        /// Its name, unique in the CRM.
        name: Text,
        /// What people see.
        caption: Option<Text>,
        /// What is shown: read-only.
        inputparameters: Option<Vec<Parameter>>,
        /// What is filled in.
        outputparameters: Option<Vec<Parameter>>,
    }

    /// What every opening of a card says.
    Card = "card" {
        /// The card's id: that of its form, a GUID.
        cardid: Text,
        /// The task, a GUID; absent for none.
        taskid: Option<Text>,
        /// The task's name.
        taskname: Option<Text>,
        /// The call it is about; empty for none.
        chainid: Text,
        /// How long it stays open, in milliseconds from now.
        timeoutms: Option<i64>,
    }

    /// A field of a card.
    CardField = "cardfield" {
        /// Its name.
        name: Text,
        /// Its type.
        kind = "type": ParamType,
        /// What people see.
        caption: Text,
        /// What stands in it now.
        value: Any,
        /// Whether it is shown only.
        readonly: bool,
        /// Whether it must be filled in.
        required: Option<bool>,
    }
}
