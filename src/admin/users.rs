//! `/api/v1/users` and its neighbours: people, departments, roles.

use std::collections::BTreeMap;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::auth::same_login;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::snapshot::UserView;
use ctigate_proto::message::Text;
use ctigate_proto::method::Right;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::answer::{self, Nothing, Refusal, ok};
use super::picture::TabNow;
use super::read::{text, typed};
use super::{Failure, Shared, look};
use crate::config::{RightChange, Role};
use crate::people::{Listed, Patch, rights};

/// The largest table, bytes.
const TABLE: usize = 1 << 20;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_people, add_person))
        .routes(routes!(import_people))
        .routes(routes!(replace_person, change_person, remove_person))
        .routes(routes!(sessions_of, end_sessions))
        .routes(routes!(remove_second_factor))
        .routes(routes!(departments))
        .routes(routes!(roles))
}

/// Everybody.
#[derive(Serialize, ToSchema)]
struct Accounts<'a> {
    /// First those of the file, then those of the store by login.
    items: Vec<AccountListed<'a>>,
}

/// An account, and how its person is now.
#[derive(Serialize, ToSchema)]
struct AccountListed<'a> {
    /// The login.
    #[schema(example = "petrov")]
    login: &'a str,
    /// The display name.
    name: &'a str,
    /// The number.
    #[schema(example = "102")]
    number: &'a str,
    /// The department.
    department: &'a str,
    /// The role.
    #[schema(example = "agent")]
    role: &'static str,
    /// Rights besides those of the role.
    #[schema(value_type = Vec<String>, example = json!(["ghost"]))]
    rights_added: Vec<&'static str>,
    /// Rights of the role that are taken away.
    #[schema(value_type = Vec<String>, example = json!(["files"]))]
    rights_removed: Vec<&'static str>,
    /// Logins of the subordinates.
    subordinates: &'a [String],
    /// Whether programs may start calls in this person's name.
    api_call_enabled: bool,
    /// `file` or `store`; those of the file cannot be changed here.
    #[schema(example = "store")]
    origin: &'static str,
    /// Whether any tab is open.
    online: bool,
    /// `userstateid` of the protocol.
    state: i64,
    /// The tabs, oldest first.
    tabs: Vec<TabNow<'a>>,
    /// When the person signed in last, milliseconds since 1970; 0: never.
    last_sign_in_ms: i64,
    /// Whether the password must be changed before anything else.
    must_change_password: bool,
    /// Whether a second factor is wanted for the console.
    second_factor: bool,
}

impl<'a> AccountListed<'a> {
    fn of(listed: &'a Listed, now: &'a [UserView]) -> Self {
        let user = &listed.user;
        let seen = now.iter().find(|view| same_login(&view.login, &user.login));
        let some = |added: bool| {
            let word = |change: &RightChange| match change {
                RightChange::Add(right) if added => Some(right.0.word()),
                RightChange::Remove(right) if !added => Some(right.0.word()),
                RightChange::Add(_) | RightChange::Remove(_) => None,
            };
            user.rights.iter().filter_map(word).collect()
        };
        Self {
            login: &user.login,
            name: user.display_name(),
            number: &user.number,
            department: &user.department,
            role: user.role.as_str(),
            rights_added: some(true),
            rights_removed: some(false),
            subordinates: &user.subordinates,
            api_call_enabled: user.api_call_enabled,
            origin: listed.origin,
            online: seen.is_some_and(|view| view.online),
            state: seen.map_or(0, |view| view.state),
            tabs: seen.map(|view| view.tabs.iter().map(TabNow::of).collect()).unwrap_or_default(),
            last_sign_in_ms: listed.last_sign_in_ms,
            must_change_password: user.must_change_password,
            second_factor: listed.second_factor,
        }
    }
}

/// All people
#[utoipa::path(
    get, path = "/api/v1/users", tag = "people",
    responses((status = 200, description = "Accounts, and how their people are now", body = Accounts)),
)]
async fn list_people(State(shared): State<Shared>) -> Result<Response, Failure> {
    let people = shared.desk()?.people().await?;
    // Accounts can be looked after also when the node gives no picture.
    let now = look(&*shared.door).await.map(|now| now.users).unwrap_or_default();
    Ok(ok(&Accounts { items: people.iter().map(|listed| AccountListed::of(listed, &now)).collect() }))
}

/// What is to be another about an account; what is left out stays.
#[derive(ToSchema)]
#[schema(example = json!({"name": "Petr Petrov", "number": "102", "role": "agent", "right": ["+ghost"]}))]
#[expect(dead_code, reason = "describes what Patch reads")]
struct AccountChange {
    /// The login, as it is.
    login: Option<String>,
    /// The name people see.
    name: Option<String>,
    /// The number; empty: none.
    number: Option<String>,
    /// The department; empty: none.
    department: Option<String>,
    /// agent, supervisor, integrator or admin.
    role: Option<String>,
    /// Another password, as typed.
    password: Option<String>,
    /// The same as `ctigate hash-password` prints it.
    password_hash: Option<String>,
    /// Make a password; the answer gives it once.
    generate_password: Option<bool>,
    /// Logins of the subordinates.
    subordinates: Option<Vec<String>>,
    /// `userid` of the protocol, a UUID.
    id: Option<String>,
    /// Whether programs may start calls in this person's name.
    api_call_enabled: Option<bool>,
    /// Whether the person must choose another password first.
    must_change_password: Option<bool>,
    /// All changes of the role's rights, like `+ghost` and `-files`.
    rights: Option<Vec<String>>,
    /// Some changes of the role's rights; others stay.
    right: Option<Vec<String>>,
}

/// An account that is to be made.
#[derive(ToSchema)]
#[schema(example = json!({"login": "petrov", "number": "102", "role": "agent", "generate_password": true}))]
#[expect(dead_code, reason = "describes what Patch reads, and the login")]
struct AccountWanted {
    /// The login.
    login: String,
    /// The name people see.
    name: Option<String>,
    /// The number; empty: none.
    number: Option<String>,
    /// The department; empty: none.
    department: Option<String>,
    /// agent, supervisor, integrator or admin.
    role: Option<String>,
    /// The password, as typed.
    password: Option<String>,
    /// The same as `ctigate hash-password` prints it.
    password_hash: Option<String>,
    /// Make a password; the answer gives it once.
    generate_password: Option<bool>,
    /// Logins of the subordinates.
    subordinates: Option<Vec<String>>,
    /// `userid` of the protocol, a UUID.
    id: Option<String>,
    /// Whether programs may start calls in this person's name.
    api_call_enabled: Option<bool>,
    /// Whether the person must choose another password first.
    must_change_password: Option<bool>,
    /// All changes of the role's rights, like `+ghost` and `-files`.
    rights: Option<Vec<String>>,
    /// The same.
    right: Option<Vec<String>>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct AccountDone<'a> {
    /// The login.
    #[schema(example = "petrov")]
    login: &'a str,
    /// The password that was made, shown this once; empty when none was.
    password: &'a str,
}

/// Add an account
#[utoipa::path(
    post, path = "/api/v1/users", tag = "people", request_body = AccountWanted,
    responses(
        (status = 201, description = "It is there", body = AccountDone),
        (status = 409, description = "The login is taken", body = Refusal),
    ),
)]
async fn add_person(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let mut patch: Patch = typed(request).await?;
    let login = patch.login.take().unwrap_or_default();
    let made = shared.desk()?.add(&login, patch, &caller.doer()).await?;
    shared.door.people_changed().await;
    let password = made.as_ref().map_or("", |made| made.expose());
    Ok(answer::with(StatusCode::CREATED, &AccountDone { login: &login, password }))
}

/// Change an account
#[utoipa::path(
    patch, path = "/api/v1/users/{login}", tag = "people", request_body = AccountChange,
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "It is changed", body = AccountDone),
        (status = 404, description = "There is no such person", body = Refusal),
        (status = 409, description = "The account stands in the file", body = Refusal),
    ),
)]
async fn change_person(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    login: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    put(&shared, &caller, &named(login)?, typed(request).await?, false).await
}

/// Put another account in the place of one
///
/// What is left out is as by default, but for the password and the id.
#[utoipa::path(
    put, path = "/api/v1/users/{login}", tag = "people", request_body = AccountChange,
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "It is changed", body = AccountDone),
        (status = 404, description = "There is no such person", body = Refusal),
        (status = 409, description = "The account stands in the file", body = Refusal),
    ),
)]
async fn replace_person(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    login: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    put(&shared, &caller, &named(login)?, typed(request).await?, true).await
}

async fn put(shared: &Shared, caller: &Caller, login: &str, patch: Patch, whole: bool) -> Result<Response, Failure> {
    if patch.login.as_ref().is_some_and(|other| !same_login(other, login)) {
        return Err(Failure::bad("login: an account keeps its login; add another and remove this one"));
    }
    let (desk, another) = (shared.desk()?, patch.changes_password());
    let made = match whole {
        true => desk.replace(login, patch, &caller.doer()).await?,
        false => desk.set(login, patch, &caller.doer()).await?,
    };
    shared.door.people_changed().await;
    if another {
        // Whoever came in by the old password goes.
        end(shared, caller, login).await?;
    }
    Ok(ok(&AccountDone { login, password: made.as_ref().map_or("", |made| made.expose()) }))
}

/// Remove an account
///
/// With its second factor, its sessions and its widgets. Its tabs are closed.
#[utoipa::path(
    delete, path = "/api/v1/users/{login}", tag = "people",
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "It is gone", body = Nothing),
        (status = 404, description = "There is no such person", body = Refusal),
        (status = 409, description = "The account stands in the file", body = Refusal),
    ),
)]
async fn remove_person(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    login: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    shared.desk()?.remove(&named(login)?, &caller.doer()).await?;
    shared.door.people_changed().await;
    Ok(ok(&Nothing {}))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Try {
    r#try: u8,
}

/// What came of a table.
#[derive(Serialize, ToSchema)]
struct TableDone {
    /// How many accounts are new.
    added: usize,
    /// How many are another than before.
    changed: usize,
    /// What does not fit. Then nothing was changed.
    refused: Vec<TableRefused>,
    /// Whether it is kept.
    written: bool,
}

/// A mistake in a table.
#[derive(Serialize, ToSchema)]
struct TableRefused {
    /// The line, from 1.
    #[schema(example = 3)]
    line: usize,
    /// The column; empty: the whole line.
    #[schema(example = "number")]
    column: String,
    /// Why.
    why: String,
}

/// Add and change accounts from a table
///
/// CSV with a header that names columns of `login`, `name`, `number`, `department`, `role`, `password`, `password_hash`, `subordinates`,
/// `rights`, `api_call_enabled`, `must_change_password`, `id`; all lines or none.
#[utoipa::path(
    post, path = "/api/v1/users/import", tag = "people",
    request_body(content = String, content_type = "text/csv", example = "login,name,number\npetrov,Petr Petrov,102\n"),
    params(("try" = Option<i64>, Query, description = "1: change nothing, say what would be")),
    responses((status = 200, description = "What came of it", body = TableDone)),
)]
async fn import_people(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    only_try: Result<Query<Try>, QueryRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Query(only_try) = only_try.map_err(|error| Failure::bad(error.body_text()))?;
    let table = text(request, TABLE).await?;
    let done = shared.desk()?.import(&table, only_try.r#try != 0, &caller.doer()).await?;
    if done.written {
        shared.door.people_changed().await;
    }
    let refused = done.refused.into_iter();
    let refused = refused.map(|r| TableRefused { line: r.line, column: r.column, why: r.why }).collect();
    Ok(ok(&TableDone { added: done.added, changed: done.changed, refused, written: done.written }))
}

/// The tabs of a person.
#[derive(Serialize, ToSchema)]
struct TabsOf<'a> {
    /// The oldest first.
    items: Vec<TabNow<'a>>,
}

/// Where somebody is logged in
#[utoipa::path(
    get, path = "/api/v1/users/{login}/sessions", tag = "people",
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "The tabs that are open", body = TabsOf),
        (status = 404, description = "There is no such person", body = Refusal),
    ),
)]
async fn sessions_of(
    State(shared): State<Shared>,
    login: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let login = named(login)?;
    let now = look(&*shared.door).await?;
    let view = now.users.iter().find(|view| same_login(&view.login, &login));
    let view = view.ok_or_else(|| Failure::not_found(format!("there is no user {login}")))?;
    Ok(ok(&TabsOf { items: view.tabs.iter().map(TabNow::of).collect() }))
}

/// Log somebody out everywhere
#[utoipa::path(
    delete, path = "/api/v1/users/{login}/sessions", tag = "people",
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "All sessions have ended, of browsers and of the console", body = Nothing),
        (status = 404, description = "There is no such person", body = Refusal),
    ),
)]
async fn end_sessions(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    login: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    end(&shared, &caller, &named(login)?).await?;
    Ok(ok(&Nothing {}))
}

async fn end(shared: &Shared, caller: &Caller, login: &str) -> Result<(), Failure> {
    shared.desk()?.end_console_sessions(login, &caller.doer()).await?;
    shared.door.ask(Ask::EndSessions { login: Text::from(login), password_changed: false }).await;
    Ok(())
}

/// Take somebody's second factor away
///
/// When the device with the codes is lost.
#[utoipa::path(
    delete, path = "/api/v1/users/{login}/second_factor", tag = "people",
    params(("login" = String, Path, description = "The login")),
    responses(
        (status = 200, description = "No code is wanted any more", body = Nothing),
        (status = 404, description = "There is no such person", body = Refusal),
    ),
)]
async fn remove_second_factor(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    login: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    shared.desk()?.remove_second_factor(&named(login)?, &caller.doer()).await?;
    Ok(ok(&Nothing {}))
}

/// Departments.
#[derive(Serialize, ToSchema)]
struct Departments {
    /// By name.
    items: Vec<Department>,
}

/// A department.
#[derive(Serialize, ToSchema)]
struct Department {
    /// Its name; empty: people without one.
    #[schema(example = "Sales")]
    name: String,
    /// How many people are in it.
    people: usize,
}

/// The departments
#[utoipa::path(
    get, path = "/api/v1/departments", tag = "people",
    responses((status = 200, description = "Those that accounts name", body = Departments)),
)]
async fn departments(State(shared): State<Shared>) -> Result<Response, Failure> {
    let config = shared.desk()?.effective();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for user in &config.users {
        *all.entry(&user.department).or_default() += 1;
    }
    let items = all.into_iter().map(|(name, people)| Department { name: name.to_owned(), people });
    Ok(ok(&Departments { items: items.collect() }))
}

/// Roles, and what they may do.
#[derive(Serialize, ToSchema)]
struct Roles {
    /// The roles.
    items: Vec<RoleListed>,
    /// Every right there is.
    #[schema(value_type = Vec<String>, example = json!(["call", "state"]))]
    rights: Vec<&'static str>,
}

/// A role.
#[derive(Serialize, ToSchema)]
struct RoleListed {
    /// Its word.
    #[schema(example = "agent")]
    role: &'static str,
    /// The rights it holds.
    #[schema(value_type = Vec<String>, example = json!(["call"]))]
    rights: Vec<&'static str>,
    /// The methods of the protocol that people of it may call.
    #[schema(value_type = Vec<String>, example = json!(["pbxautocallstart"]))]
    methods: Vec<&'static str>,
}

/// Roles, rights and methods
#[utoipa::path(
    get, path = "/api/v1/roles", tag = "people",
    responses((status = 200, description = "Which role may do what", body = Roles)),
)]
async fn roles() -> Response {
    let listed = |role: &Role| RoleListed {
        role: role.as_str(),
        rights: role.rights().words().collect(),
        methods: rights::calls().filter(|message| rights::may(*role, message)).map(|message| message.name).collect(),
    };
    ok(&Roles { items: Role::ALL.iter().map(listed).collect(), rights: Right::ALL.map(Right::word).to_vec() })
}

fn named(login: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    login.map(|Path(login)| login).map_err(|_| Failure::bad("the login in the address is not UTF-8"))
}
