//! `/api/v1/doctor`: every check with green, amber or red, and what to do.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::operator::Diagnosis;
use super::settings::operator;
use super::{Failure, Shared, ok};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(doctor))
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
struct DoctorItem {
    /// `settings`, `people`, `certificates`, `store`, `files`, `ports`, `links`, `telephone` or `machine`.
    group: &'static str,
    /// What was looked at.
    name: String,
    /// The same in English.
    name_en: String,
    /// The same in Russian.
    name_ru: String,
    /// `green`, `amber` or `red`.
    state: &'static str,
    /// What was found.
    detail_en: String,
    /// The same in Russian.
    detail_ru: String,
    /// What to do; empty when there is nothing to do.
    advice_en: String,
    /// The same in Russian.
    advice_ru: String,
}

/// Everything that was looked at.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"group": "links", "name": "link crm", "name_en": "link crm", "name_ru": "связь crm", "state": "amber",
    "detail_en": "retrying: no connection", "detail_ru": "повторяет: нет соединения", "advice_en": "start the CRM",
    "advice_ru": "запустите CRM"}]}))]
struct DoctorTold {
    items: Vec<DoctorItem>,
}

/// Examine the gateway
///
/// Settings, people, certificates, store, disk, ports, links, telephone system, clock. It changes nothing and may take some seconds.
#[utoipa::path(
    get, path = "/api/v1/doctor", tag = "settings",
    responses((status = 200, description = "Every check", body = DoctorTold)),
)]
async fn doctor(State(shared): State<Shared>) -> Result<Response, Failure> {
    let items = operator(&shared)?.examine().await.into_iter().map(|diagnosis| {
        let Diagnosis { group, name, light, detail, advice } = diagnosis;
        DoctorItem {
            group,
            name: name.0.clone(),
            name_en: name.0,
            name_ru: name.1,
            state: light.word(),
            detail_en: detail.0,
            detail_ru: detail.1,
            advice_en: advice.0,
            advice_ru: advice.1,
        }
    });
    Ok(ok(&DoctorTold { items: items.collect() }))
}
