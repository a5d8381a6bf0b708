//! `GET /api/v1/explain/{call|user|form}/{id}`: what happened, and why something did not. Described for people in `docs/explain.md`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::message::Code;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, Refusal, ok};
use super::{Failure, Shared};

/// The longest id that is looked for.
const LONGEST: usize = 256;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// What is explained.
    pub subject: Subject,
    /// What happened, oldest first.
    pub items: Vec<Item>,
    /// Why something did not happen. The first is the likeliest.
    pub findings: Vec<Finding>,
}

/// What is explained.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ExplainedSubject, example = json!({"kind": "user", "id": "ivanov", "text_en": "ivanov: number 101, own tabs 0, behind links -", "text_ru": "ivanov: номер 101, своих вкладок 0, за подключениями -"}))]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ExplainedItem, example = json!({"at_ms": 1790000000000_i64, "what": "fires", "level": "good", "login": "ivanov", "form": "", "text_en": "form rule card applies to ivanov", "text_ru": "правило формы card сработало для ivanov", "detail": {"rule": "card", "ask": ""}}))]
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
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// Why something did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedFinding, example = json!({"cause": "no_number", "text_en": "ivanov has no number", "text_ru": "у ivanov нет номера", "advice_en": "give ivanov a number", "advice_ru": "задайте номер"}))]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedCandidate, example = json!({"id": "3f0a7c11-0000-4000-8000-000000000001", "at_ms": 1790000000000_i64, "text": "79001112233 → 101"}))]
pub struct Candidate {
    /// Its whole id.
    pub id: String,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// What tells it from the others.
    pub text: String,
}

/// The refusal when more than one fits.
#[derive(Serialize, ToSchema)]
#[schema(as = SeveralExplained)]
struct Several {
    /// 59002
    error: i64,
    /// How many fit.
    errormsg: String,
    /// The newest first, at most 20.
    candidates: Vec<Candidate>,
}

/// The routes of this page.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Explain what happened, and why something did not
///
/// A call is named by its chain, the beginning of it, or a number that took part; a user by login, number or id; a form by its id,
/// the beginning of it, or its name; `last` is the newest call or form. An unknown number of a call is explained too: why none of
/// its calls was seen.
#[utoipa::path(
    get, path = "/api/v1/explain/{kind}/{id}", tag = "overview",
    params(
        ("kind" = Kind, Path, description = "What is to be explained"),
        ("id" = String, Path, description = "Which"),
    ),
    responses(
        (status = 200, description = "What is known", body = Explanation),
        (status = 404, description = "Nobody and nothing has this id", body = Refusal),
        (status = 409, description = "More than one fits", body = Several),
    ),
)]
async fn explain(
    State(shared): State<Shared>,
    at: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Failure> {
    let Path((kind, id)) = at.map_err(|_| Failure::bad("the id in the address is not UTF-8"))?;
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
        Explained::Known(explanation) => Ok(ok(&explanation)),
        Explained::Several(candidates) => {
            let errormsg = format!("{} fit {id:?}: name one of them", candidates.len());
            let several = Several { error: Code::BadRequest.number(), errormsg, candidates };
            Ok(answer::with(StatusCode::CONFLICT, &several))
        }
        Explained::Unknown => Err(Failure::not_found(match kind {
            Kind::Call => "no call of this id, beginning of an id or number is remembered",
            Kind::User => "nobody has this login, number or id",
            Kind::Form => "no form of this id is remembered",
        })),
    }
}
