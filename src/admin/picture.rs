//! `GET /api/v1/snapshot`: the Hub's picture of the node. Names are those of its fields.

use axum::extract::State;
use axum::response::Response;
use ctigate_proto::hub::snapshot::{
    CallView, ExecutionView, FormView, LinkView, ServiceView, Snapshot, TabView, UserView,
};
use ctigate_proto::message::Text;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, ok};
use super::{Failure, Shared, look};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(snapshot))
}

/// Everything at once
///
/// Links, people with their tabs, open forms, dynamic methods in flight, calls and connected services, as they are at one moment.
#[utoipa::path(
    get, path = "/api/v1/snapshot", tag = "overview",
    responses(
        (status = 200, description = "The node at this moment", body = Picture),
        (status = 500, description = "The node gives no picture", body = Refusal),
    ),
)]
async fn snapshot(State(shared): State<Shared>) -> Result<Response, Failure> {
    Ok(ok(&picture(&look(&*shared.door).await?)))
}

/// The picture, ready to be written.
pub fn picture(snapshot: &Snapshot) -> Picture<'_> {
    Picture {
        links: snapshot.links.iter().map(LinkNow::of).collect(),
        users: snapshot.users.iter().map(UserNow::of).collect(),
        forms: snapshot.forms.iter().map(FormNow::of).collect(),
        executions: snapshot.executions.iter().map(ExecutionNow::of).collect(),
        calls: snapshot.calls.iter().map(CallInBrief::of).collect(),
        services: snapshot.services.iter().map(ServiceNow::of).collect(),
    }
}

/// The node at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Picture<'a> {
    /// Every configured link, in the order of the configuration.
    links: Vec<LinkNow<'a>>,
    /// Every account, in the order of the configuration.
    users: Vec<UserNow<'a>>,
    /// Forms open now, oldest first.
    forms: Vec<FormNow<'a>>,
    /// Dynamic methods in flight, oldest first.
    executions: Vec<ExecutionNow<'a>>,
    /// Calls going on, oldest first.
    calls: Vec<CallInBrief<'a>>,
    /// Programs with the key of a service that are connected by WebSocket, oldest first.
    services: Vec<ServiceNow<'a>>,
}

/// A program with the key of a service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceNow<'a> {
    /// Its CLIENT_ID.
    #[schema(example = "crm")]
    client: &'a str,
    /// Where it connects from.
    #[schema(example = "10.0.0.7:40112")]
    address: &'a str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
}

impl<'a> ServiceNow<'a> {
    fn of(service: &'a ServiceView) -> Self {
        let ServiceView { client, address, since_ms } = service;
        Self { client, address, since_ms: *since_ms }
    }
}

/// One link.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkNow<'a> {
    /// Its name.
    #[schema(example = "crm")]
    name: &'a str,
    /// Its mode, as configured.
    #[schema(example = "accept-ws")]
    mode: &'a str,
    /// `up`, `waiting`, `dialing`, `retrying`, `refused` or `competing`.
    #[schema(example = "up")]
    state: &'static str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
    /// What people should know: the last failure, who is connected.
    detail: &'a str,
    /// Name and version of the CRM, when it has introduced itself.
    #[schema(example = "Example CRM 1.0")]
    crm: &'a str,
    /// Names of the methods it offers.
    #[schema(value_type = Vec<String>, example = json!(["FindClient"]))]
    methods: Vec<&'a str>,
    /// Names of the forms it offers.
    #[schema(value_type = Vec<String>, example = json!(["clientcard"]))]
    forms: Vec<&'a str>,
    /// Calls to it that wait for an answer.
    #[schema(example = 0)]
    in_flight: usize,
}

impl<'a> LinkNow<'a> {
    fn of(link: &'a LinkView) -> Self {
        let LinkView { name, mode, state, since_ms, detail, crm, methods, forms, in_flight, .. } = link;
        let (methods, forms) = (texts(methods), texts(forms));
        Self { name, mode, state, since_ms: *since_ms, detail, crm, methods, forms, in_flight: *in_flight }
    }
}

/// One person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserNow<'a> {
    /// `userid` of the protocol.
    id: &'a str,
    /// The login.
    #[schema(example = "ivanov")]
    login: &'a str,
    /// The display name.
    name: &'a str,
    /// The number.
    #[schema(example = "101")]
    number: &'a str,
    /// The department.
    department: &'a str,
    /// `userstateid` of the protocol: 0 away, 1 ready, 2 on a break, 3 not to be disturbed, 5 busy, 7 without a phone.
    #[schema(example = 1)]
    state: i64,
    /// Whether any tab is open, or was less than five seconds ago.
    online: bool,
    /// The tabs, oldest first.
    tabs: Vec<TabNow<'a>>,
}

impl<'a> UserNow<'a> {
    fn of(user: &'a UserView) -> Self {
        let UserView { id, login, name, number, department, state, online, tabs } = user;
        let tabs = tabs.iter().map(TabNow::of).collect();
        Self { id, login, name, number, department, state: *state, online: *online, tabs }
    }
}

/// One tab of a browser.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TabNow<'a> {
    /// `direct`, or `tunnel` for a tab behind a link.
    #[schema(example = "direct")]
    door: &'static str,
    /// The link, for a tab behind one.
    link: &'a str,
    /// The `tabid`, for a tab behind a link.
    tab: &'a str,
    /// Where it connects from.
    #[schema(example = "127.0.0.1")]
    address: &'a str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
    /// Whether it said last that it has the focus.
    focus: bool,
}

impl<'a> TabNow<'a> {
    pub(super) fn of(view: &'a TabView) -> Self {
        let TabView { door, link, tab, address, since_ms, focus } = view;
        Self { door, link, tab, address, since_ms: *since_ms, focus: *focus }
    }
}

/// One open form.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FormNow<'a> {
    /// Its id.
    #[schema(example = "5e2b7c11-0000-4000-8000-000000000000")]
    id: &'a str,
    /// Its name.
    #[schema(example = "clientcard")]
    name: &'a str,
    /// Whose, by login.
    #[schema(example = "ivanov")]
    login: &'a str,
    /// The conversation, or empty.
    chain: &'a str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
    /// In how many tabs it shows.
    #[schema(example = 1)]
    shown: usize,
}

impl<'a> FormNow<'a> {
    pub(super) fn of(form: &'a FormView) -> Self {
        let FormView { id, name, login, chain, since_ms, shown } = form;
        Self { id, name, login, chain, since_ms: *since_ms, shown: *shown }
    }
}

/// One dynamic method in flight.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExecutionNow<'a> {
    /// Its id.
    id: &'a str,
    /// The method.
    #[schema(example = "FindClient")]
    method: &'a str,
    /// The link, or empty for one directed to a user's tabs.
    #[schema(example = "crm")]
    link: &'a str,
    /// Who asked: `scenario`, `tab` or `api`.
    #[schema(example = "scenario")]
    asked_by: &'static str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
}

impl<'a> ExecutionNow<'a> {
    fn of(execution: &'a ExecutionView) -> Self {
        let ExecutionView { id, method, link, asked_by, since_ms } = execution;
        Self { id, method, link, asked_by, since_ms: *since_ms }
    }
}

/// One call, in brief.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallInBrief<'a> {
    /// The conversation.
    #[schema(example = "0b6e2f9c-0000-4000-8000-000000000000")]
    chain: &'a str,
    /// Who calls.
    #[schema(example = "79001112233")]
    caller: &'a str,
    /// Which number was dialled.
    #[schema(example = "500")]
    called: &'a str,
    /// `began`, `queued`, `ringing` or `talking`.
    #[schema(example = "ringing")]
    state: &'static str,
    /// Which inside number rings or talks.
    #[schema(example = "101")]
    number: &'a str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
}

impl<'a> CallInBrief<'a> {
    fn of(call: &'a CallView) -> Self {
        let CallView { chain, caller, called, state, number, since_ms, .. } = call;
        Self { chain, caller, called, state, number, since_ms: *since_ms }
    }
}

fn texts(all: &[Text]) -> Vec<&str> {
    all.iter().map(|text| &**text).collect()
}
