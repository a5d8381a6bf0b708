//! A read-only picture for console, commands and metrics.

use std::sync::Arc;

use super::declaration::{Form, Method};
use crate::calls::LiveParty;
use crate::message::{Introduction, Text};

/// What a node looks like at one moment. Plain data; the shell writes it as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Every configured link, in the order of the configuration.
    pub links: Vec<LinkView>,
    /// Every account, in the order of the configuration.
    pub users: Vec<UserView>,
    /// Forms open now, oldest first.
    pub forms: Vec<FormView>,
    /// Dynamic methods in flight, oldest first.
    pub executions: Vec<ExecutionView>,
    /// Calls going on, oldest first.
    pub calls: Vec<CallView>,
    /// Programs with the key of a service, oldest first.
    pub services: Vec<ServiceView>,
    /// How many calls have begun since the start.
    pub calls_begun: u64,
}

/// One program with the key of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceView {
    /// Its CLIENT_ID.
    pub client: Text,
    /// Where it connects from.
    pub address: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// One link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkView {
    /// Its name.
    pub name: Text,
    /// Its mode, as configured.
    pub mode: Text,
    /// `up`, `waiting`, `dialing`, `retrying`, `refused`, `competing`.
    pub state: &'static str,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// What people should know: the last failure, who is connected.
    pub detail: String,
    /// `name version` of the CRM, when it has introduced itself.
    pub crm: String,
    /// What the CRM said of itself; `None`: it has not introduced itself.
    pub introduction: Option<Introduction>,
    /// Names of the methods it offers.
    pub methods: Vec<Text>,
    /// The methods as it declares them.
    pub declared: Vec<Arc<Method>>,
    /// Names of the forms it offers.
    pub forms: Vec<Text>,
    /// The forms as it declares them.
    pub declared_forms: Vec<Arc<Form>>,
    /// Whether it is sent events.
    pub hears_events: bool,
    /// How many users it has named as active.
    pub active: usize,
    /// How many users are in its tunnel.
    pub tunnel: usize,
    /// Calls to it that wait for an answer.
    pub in_flight: usize,
}

/// One user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserView {
    /// `userid`
    pub id: Text,
    /// The login.
    pub login: Text,
    /// The display name.
    pub name: Text,
    /// The number.
    pub number: Text,
    /// The department.
    pub department: Text,
    /// `userstateid`
    pub state: i64,
    /// Whether any tab is open (or left less than five seconds ago).
    pub online: bool,
    /// The tabs, oldest first.
    pub tabs: Vec<TabView>,
}

/// One tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TabView {
    /// `direct`, or `tunnel` for a tab behind a link.
    pub door: &'static str,
    /// The link, for a tab behind one.
    pub link: Text,
    /// The `tabid`, for a tab behind a link.
    pub tab: Text,
    /// Where it connects from.
    pub address: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Whether it said last that it has the focus.
    pub focus: bool,
}

/// One form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormView {
    /// Its id.
    pub id: Text,
    /// Its name.
    pub name: Text,
    /// Whose.
    pub login: Text,
    /// The conversation, or empty.
    pub chain: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// In how many tabs it shows.
    pub shown: usize,
}

/// One dynamic method in flight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutionView {
    /// Its id.
    pub id: Text,
    /// The method.
    pub method: Text,
    /// The link, or empty for one directed to a user's tabs.
    pub link: Text,
    /// Who asked: `scenario`, `tab`, `api`.
    pub asked_by: &'static str,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallView {
    /// The conversation.
    pub chain: Text,
    /// Who calls.
    pub caller: Text,
    /// Which number was dialled.
    pub called: Text,
    /// `began`, `queued`, `ringing`, `talking`.
    pub state: &'static str,
    /// Which inside number rings or talks.
    pub number: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Who takes part now, in the order in which they came. The name of somebody inside is that of the number's user.
    pub parties: Vec<LiveParty>,
    /// The queue in which somebody waits; empty for none.
    pub queue: Text,
    /// Whether a talk that goes on is recorded.
    pub recording: bool,
}
