//! `GET /api/v1/explain/{call|user|form}/{id}`: what happened, and why something did not. Described for people in `docs/explain.md`.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ctigate_proto::message::Code;
use serde::Serialize;

use super::{Failure, Shared};

/// The longest id that is looked for.
const LONGEST: usize = 256;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A conversation: by its chain, the beginning of it, or a number that took part; `last` for the newest.
    Call,
    /// A person: by login, number or id.
    User,
    /// A form: by its id or the beginning of it; `last` for the newest.
    Form,
}

/// What is known of a subject.
#[derive(Clone, Debug)]
pub enum Explained {
    /// This.
    Known(Box<Explanation>),
    /// More than one fits: the newest first.
    Several(Vec<Candidate>),
    /// Nobody of that name.
    Unknown,
}

/// An explanation.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// What is explained.
    pub subject: Subject,
    /// What happened, oldest first.
    pub items: Vec<Item>,
    /// Why something did not happen. The first is the likeliest.
    pub findings: Vec<Finding>,
}

/// What is explained.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    /// Its whole id.
    pub id: String,
    /// What it is, in English.
    pub text_en: String,
    /// The same in Russian.
    pub text_ru: String,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What, in one word.
    pub what: String,
    /// `info`, `good`, `warn` or `bad`.
    pub level: &'static str,
    /// The user it is about, or empty.
    pub login: String,
    /// The form it is about, or empty.
    pub form: String,
    /// What, in English.
    pub text_en: String,
    /// The same in Russian.
    pub text_ru: String,
    /// What is known of it, by name.
    pub detail: serde_json::Value,
}

/// Why something did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The cause in one word, from the list in `docs/explain.md`.
    pub cause: &'static str,
    /// What it is, in English.
    pub text_en: String,
    /// The same in Russian.
    pub text_ru: String,
    /// What to do, in English.
    pub advice_en: String,
    /// The same in Russian.
    pub advice_ru: String,
}

/// One of several that fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its whole id.
    pub id: String,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// What tells it from the others.
    pub text: String,
}

/// The refusal when more than one fits.
#[derive(Serialize)]
struct Several {
    error: i64,
    errormsg: String,
    candidates: Vec<Candidate>,
}

/// The routes of this page.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/explain/{kind}/{id}", get(explain))
}

async fn explain(State(shared): State<Shared>, Path((kind, id)): Path<(String, String)>) -> Result<Response, Failure> {
    let kind = match kind.as_str() {
        "call" => Kind::Call,
        "user" => Kind::User,
        "form" => Kind::Form,
        _ => return Err(Failure::not_found("nothing of this kind is explained, expected call, user or form")),
    };
    if id.is_empty() || id.len() > LONGEST {
        return Err(Failure::bad(format!("the id has {} bytes, expected 1 to {LONGEST}", id.len())));
    }
    match shared.door.explain(kind, &id).await {
        Explained::Known(explanation) => Ok(axum::Json(explanation).into_response()),
        Explained::Several(candidates) => {
            let errormsg = format!("{} fit {id:?}: name one of them", candidates.len());
            let several = Several { error: Code::BadRequest.number(), errormsg, candidates };
            Ok((StatusCode::CONFLICT, axum::Json(several)).into_response())
        }
        Explained::Unknown => Err(Failure::not_found(match kind {
            Kind::Call => "no call of this id, beginning of an id or number is remembered",
            Kind::User => "nobody has this login, number or id",
            Kind::Form => "no form of this id is remembered",
        })),
    }
}
