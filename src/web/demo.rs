//! `/demo`: the board of the demonstration, the page on which a person is the caller, and what the two ask. It tells the
//! passwords of the demonstration's people and obeys anybody, so it is there only under `ctigate demo`,
//! which binds to loopback, and it answers only to names of this machine.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use ctigate_proto::message::Text;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{file, page};
use crate::admin::access::Hosts;
use crate::admin::{Door, Failure, Picture, Tails, Wanted, look, ok, orders, picture};

/// Somebody visitors of the demonstration can log in as.
#[derive(Clone, Debug)]
pub struct Person {
    /// The login.
    pub login: Text,
    /// The display name.
    pub name: Text,
    /// The password, which is no secret.
    pub password: Text,
}

#[derive(Clone)]
struct Shared {
    door: Arc<dyn Door>,
    people: Arc<[Person]>,
    tails: Tails,
}

pub(super) fn router(door: Arc<dyn Door>, people: Vec<Person>, stop: CancellationToken) -> Router {
    let shared = Shared { door, people: people.into(), tails: Tails::new(stop) };
    Router::new()
        .route("/demo", get(|request: Request| page("demo/index.html", request)))
        .route("/demo/", get(|| async { Redirect::permanent("/demo") }))
        .route("/demo/simulator", get(|request: Request| page("demo/simulator.html", request)))
        .route("/demo/{*path}", get(file))
        .route("/demo/api/snapshot", get(snapshot))
        .route("/demo/api/tail", get(tail))
        .route("/demo/api/sim", post(order))
        .route_layer(middleware::from_fn(local))
        .with_state(shared)
}

/// Only under a name of this machine, and only for its own pages.
async fn local(request: Request, next: Next) -> Result<Response, Failure> {
    Hosts::default().check(request.headers())?;
    Ok(next.run(request).await)
}

/// What the board shows: the picture, and whom visitors can log in as.
#[derive(Serialize)]
struct Board<'a> {
    #[serde(flatten)]
    picture: Picture<'a>,
    people: Vec<Visitor<'a>>,
}

#[derive(Serialize)]
struct Visitor<'a> {
    login: &'a str,
    name: &'a str,
    password: &'a str,
}

async fn snapshot(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    let people = shared.people.iter();
    let people = people.map(|Person { login, name, password }| Visitor { login, name, password }).collect();
    Ok(ok(&Board { picture: picture(&now), people }))
}

async fn tail(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    shared.tails.stream(&*shared.door, wanted)
}

async fn order(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    orders::give(&*shared.door, request).await
}
