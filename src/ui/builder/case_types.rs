//! `/case-types`: what cases may be made of.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::pages::{Asked, Further};
use crate::domain::clock::Instant;
use crate::service::{CaseTypeView, Services};
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::moment::Moment;
use crate::ui::refusal::Refusal;
use crate::ui::visitor::Visitor;
use crate::ui::words::case_types as w;

/// A case type in the list.
struct TypeRow {
    key: String,
    name: String,
    description: Option<String>,
    version: i64,
    fields: String,
    changed: Moment,
}

#[derive(Template)]
#[template(path = "builder/case_types.html")]
struct CaseTypesPage {
    frame: Frame,
    rows: Vec<TypeRow>,
    further: Further,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let asked = Asked::of(&request);
    let list = services.case_types.list(&visitor.actor, asked.page()).await?;
    let now = services.clock.now();
    Ok(send(&CaseTypesPage {
        frame: visitor.frame(Place::CaseTypes, w::TITLE),
        rows: list.items.iter().map(|view| row(view, now)).collect(),
        further: asked.further("/case-types", w::FURTHER, list.next),
    }))
}

fn row(view: &CaseTypeView, now: Instant) -> TypeRow {
    let definition = &view.definition;
    let fields = definition["fields"].as_array().map_or(&[][..], Vec::as_slice);
    let fetch = fields.iter().filter(|field| field["type"] == "api_call").count();
    TypeRow {
        key: view.row.key.to_string(),
        name: definition["name"].as_str().unwrap_or(view.row.key.as_str()).to_owned(),
        description: definition["description"].as_str().map(str::to_owned),
        version: view.row.version,
        fields: w::fields(fields.len() - fetch, fetch),
        changed: Moment::age(view.row.updated_at, now),
    }
}
