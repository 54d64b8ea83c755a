//! `/case-types/{key}`: what its fields are, what is doubtful in it, and which versions it had.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use askama::Template;
use serde_json::Value;

use super::call_view::{CallView, MOST_TARGETS};
use crate::domain::clock::Instant;
use crate::domain::ids::CaseTypeKey;
use crate::domain::problem::Problem;
use crate::service::{CaseTypeVersionView, CaseTypeView, PageRequest, Plan, ScheduleView, Services};
use crate::store::ScheduleFilter;
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::masked::{Body, Room};
use crate::ui::moment::Moment;
use crate::ui::refusal::Refusal;
use crate::ui::value::{Shown, cut};
use crate::ui::visitor::Visitor;
use crate::ui::words::{case_types as w, runs};

/// Bytes of HTML for the definition.
const ROOM: usize = 40_000;
/// Bytes of HTML for the fields, about.
const FIELDS_ROOM: usize = 100_000;
/// Sections and params that are listed.
const MOST: usize = 60;
/// Characters of a description.
const LONGEST_TEXT: usize = 400;
/// Versions that are listed.
const VERSIONS: u64 = 20;
/// Schedules of one case type: at most one for each of its fields.
const SCHEDULES: u64 = 200;
/// Characters of a default in a cell.
const LONGEST_DEFAULT: usize = 60;

/// A field that holds a value.
struct PlainRow {
    key: String,
    name: String,
    description: Option<String>,
    kind: String,
    section: Option<String>,
    rules: Vec<String>,
}

/// A version.
struct VersionRow {
    number: i64,
    at: Moment,
    by: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "builder/case_type.html")]
struct CaseTypePage {
    frame: Frame,
    key: String,
    name: String,
    description: Option<String>,
    version: i64,
    created: Moment,
    changed: Moment,
    doubts: Vec<Problem>,
    sections: Vec<(String, String)>,
    params: Vec<(String, String)>,
    open_data: bool,
    plain: Vec<PlainRow>,
    calls: Vec<CallView>,
    json: Body,
    versions: Vec<VersionRow>,
    older: bool,
    /// Not all fields are listed.
    cut: bool,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let key: CaseTypeKey = path.parse().map_err(|_| Refusal::not_found())?;
    let actor = &visitor.actor;
    let view = services.case_types.get(actor, &key).await?;
    let doubts = services.case_types.doubts(actor, &key).await?;
    let plan = services.plans.current(actor.workspace, &key).await?;
    let filter = ScheduleFilter { case_type: Some(key.to_string()), field: None };
    let all = PageRequest { limit: SCHEDULES, ..PageRequest::default() };
    let schedules = services.schedules.list(actor, filter, all).await?.items;
    let some = PageRequest { limit: VERSIONS, ..PageRequest::default() };
    let versions = services.case_types.versions(actor, &key, some).await?;
    let now = services.clock.now();
    let name = text(&view.definition["name"]).unwrap_or_else(|| key.to_string());
    let frame = visitor.frame(Place::CaseTypes, name.clone());
    let rows = versions.items.iter().map(|it| version_row(it, view.row.version, now)).collect();
    let older = versions.next.is_some();
    Ok(send(&CaseTypePage {
        doubts,
        older,
        ..CaseTypePage::new(frame, name, &view, (plan, schedules, rows), now)
    }))
}

impl CaseTypePage {
    fn new(
        frame: Frame,
        name: String,
        view: &CaseTypeView,
        (current, schedules, versions): (Option<Arc<Plan>>, Vec<ScheduleView>, Vec<VersionRow>),
        now: Instant,
    ) -> Self {
        let definition = &view.definition;
        let fields = definition["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let listed = listed(fields);
        let (fetch, plain): (Vec<&Value>, Vec<&Value>) =
            listed.iter().partition(|field| field["type"] == "api_call");
        let view_of = |field: &Value| {
            let key = field["key"].as_str().unwrap_or_default();
            let compiled = current.as_ref().and_then(|current| current.case_type.field(key)?.api_call());
            let schedule = schedules.iter().find(|schedule| schedule.row.field.as_str() == key);
            CallView::new(field, compiled, schedule, now)
        };
        let whole = serde_json::to_string_pretty(definition).unwrap_or_default();
        let section = |section: &Value| Some((text(&section["key"])?, text(&section["name"])?));
        let sections = definition["sections"].as_array().map_or(&[][..], Vec::as_slice);
        let params = definition["params"].as_object().into_iter().flatten();
        Self {
            key: view.row.key.to_string(),
            name,
            description: text(&definition["description"]).map(|text| cut(&text, LONGEST_TEXT)),
            version: view.row.version,
            created: Moment::full(view.row.created_at, now),
            changed: Moment::age(view.row.updated_at, now),
            doubts: Vec::new(),
            sections: sections.iter().take(MOST).filter_map(section).collect(),
            params: params
                .take(MOST)
                .map(|(name, value)| (name.clone(), Shown::line(Some(value), 200).text))
                .collect(),
            open_data: definition["additional_data"].as_bool().unwrap_or(true),
            plain: plain.into_iter().map(plain_row).collect(),
            calls: fetch.into_iter().map(view_of).collect(),
            json: Room::new(ROOM, ROOM).take(&whole),
            versions,
            older: false,
            cut: listed.len() < fields.len(),
            frame,
        }
    }
}

/// The first fields, as many as a page bears.
fn listed(fields: &[Value]) -> &[Value] {
    let mut used = 0;
    let end = fields.iter().position(|field| {
        let targets = field["api_config"]["response_mapping"].as_object().map_or(0, serde_json::Map::len);
        used += 600 + field.to_string().len() + targets.min(MOST_TARGETS) * 350;
        used > FIELDS_ROOM
    });
    &fields[..end.unwrap_or(fields.len())]
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn plain_row(field: &Value) -> PlainRow {
    let key = text(&field["key"]).unwrap_or_default();
    let flags = [("required", w::REQUIRED), ("index", w::INDEXED)];
    let flags = flags.into_iter().filter(|(name, _)| field[*name] == true).map(|(_, word)| word.to_owned());
    let default = field.get("default").filter(|default| !default.is_null());
    let default =
        default.map(|value| format!("{} {}", w::DEFAULT, Shown::line(Some(value), LONGEST_DEFAULT).text));
    let options = field["options"].as_array().map(|options| {
        let names: Vec<&str> = options.iter().filter_map(|option| option["name"].as_str()).collect();
        format!("{} {}", w::OPTIONS, names.join(", "))
    });
    let visibility = field["visibility"].as_str().and_then(w::visibility).map(str::to_owned);
    PlainRow {
        name: text(&field["name"]).unwrap_or_else(|| key.clone()),
        key,
        description: text(&field["description"]).map(|text| cut(&text, LONGEST_TEXT)),
        kind: text(&field["type"]).unwrap_or_default(),
        section: text(&field["section"]),
        rules: flags.chain(default).chain(options).chain(visibility).collect(),
    }
}

fn version_row(view: &CaseTypeVersionView, current: i64, now: Instant) -> VersionRow {
    let row = &view.row;
    VersionRow {
        number: row.version,
        at: Moment::full(row.updated_at, now),
        by: runs::by(&view.by),
        current: row.version == current,
    }
}
