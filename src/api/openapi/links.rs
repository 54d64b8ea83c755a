//! Which calls an answer leads to, and what of it they take (`OpenAPI` links).
//!
//! They are worked out, not listed: whoever made a thing can go on to every call below its URL.
//! So a new call is linked by where it stands, and tests that walk along links find it.

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa::openapi::{RefOr, Response};

/// An answer, the URL that it leads to, and where its parts are in the answer.
struct Lead {
    answer: &'static str,
    to: &'static str,
    takes: &'static [(&'static str, &'static str)],
}

const fn lead(
    answer: &'static str,
    to: &'static str,
    takes: &'static [(&'static str, &'static str)],
) -> Lead {
    Lead { answer, to, takes }
}

const LEADS: [Lead; 13] = [
    lead("CaseType", "/v1/case-types/{key}", &[("key", "key")]),
    lead("Case", "/v1/cases/{id}", &[("id", "id")]),
    lead("Case", "/v1/case-types/{key}", &[("key", "case_type")]),
    lead("Connection", "/v1/connections/{key}", &[("key", "key")]),
    lead("Run", "/v1/runs/{id}", &[("id", "id")]),
    lead("Run", "/v1/cases/{id}/fields/{key}", &[("id", "case_id"), ("key", "field")]),
    lead("RunWithAttempts", "/v1/runs/{id}", &[("id", "id")]),
    lead("RunWithAttempts", "/v1/cases/{id}/fields/{key}", &[("id", "case_id"), ("key", "field")]),
    lead("Runs", "/v1/runs/{id}", &[("id", "runs/0/id")]),
    lead("Secret", "/v1/secrets/{name}", &[("name", "name")]),
    lead("Person", "/v1/people/{id}", &[("id", "id")]),
    lead("NewToken", "/v1/tokens/{id}", &[("id", "id")]),
    lead("Schedule", "/v1/schedules/{id}", &[("id", "id")]),
];

/// Adds them to the answers of all calls.
pub fn add(paths: &mut Paths) {
    let targets: Vec<(String, String)> = paths
        .paths
        .iter_mut()
        .flat_map(|(path, item)| {
            let ids =
                operations(item).into_iter().filter_map(|(_, operation)| operation.operation_id.clone());
            ids.map(|id| (path.clone(), id)).collect::<Vec<_>>()
        })
        .collect();
    for (path, item) in &mut paths.paths {
        for (makes, operation) in operations(item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                let links = links(response, &targets, |url, target| {
                    // Who only reads a thing is already where its own calls are.
                    target != id && (makes || !path.starts_with(url))
                });
                response.links.extend(links);
            }
        }
    }
}

/// The calls of a URL, and whether each makes or replaces what it answers.
fn operations(item: &mut PathItem) -> Vec<(bool, &mut Operation)> {
    let PathItem { get, put, post, .. } = item;
    let all = [(false, get), (true, put), (true, post)];
    let mut all: Vec<_> = all.into_iter().filter_map(|(makes, call)| Some((makes, call.as_mut()?))).collect();
    all.extend([&mut item.patch, &mut item.delete].into_iter().flatten().map(|call| (false, call)));
    all
}

fn links(
    response: &Response,
    targets: &[(String, String)],
    wanted: impl Fn(&str, &str) -> bool,
) -> Vec<(String, RefOr<Link>)> {
    let Some(name) = answer(response) else { return Vec::new() };
    let mut found = Vec::new();
    for lead in LEADS.iter().filter(|lead| lead.answer == name) {
        let below = targets.iter().filter(|(path, id)| path.starts_with(lead.to) && wanted(lead.to, id));
        found.extend(below.map(|(_, id)| (id.clone(), link(id, lead.takes).build().into())));
    }
    if name == "CaseType" {
        let body = serde_json::json!({"case_type": "$response.body#/key"});
        found.push((
            "create_case".to_owned(),
            link("create_case", &[]).request_body(Some(body)).build().into(),
        ));
    }
    found
}

/// The name of what is answered.
fn answer(response: &Response) -> Option<&str> {
    let RefOr::T(content) = response.content.values().next()? else { return None };
    match content.schema.as_ref()? {
        RefOr::Ref(schema) => schema.ref_location.rsplit('/').next(),
        RefOr::T(_) => None,
    }
}

fn link(id: &str, takes: &[(&str, &str)]) -> LinkBuilder {
    let begun = LinkBuilder::new().operation_id(id);
    takes.iter().fold(begun, |link, (name, place)| link.parameter(*name, format!("$response.body#/{place}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use crate::api::openapi::document::openapi_json;

    #[test]
    fn every_link_leads_to_a_call_and_gives_it_what_its_url_takes() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        let calls = || {
            let items = document["paths"].as_object().unwrap().iter();
            items.flat_map(|(path, item)| item.as_object().unwrap().values().map(move |call| (path, call)))
        };
        let paths: HashMap<&str, &String> =
            calls().map(|(path, call)| (call["operationId"].as_str().unwrap(), path)).collect();
        let mut seen = Vec::new();
        for (_, call) in calls() {
            for answer in call["responses"].as_object().unwrap().values() {
                for (name, link) in answer["links"].as_object().into_iter().flatten() {
                    let target = link["operationId"].as_str().unwrap();
                    for parameter in
                        link["parameters"].as_object().into_iter().flatten().map(|(name, _)| name)
                    {
                        assert!(paths[target].contains(&format!("{{{parameter}}}")), "{name}: {parameter}");
                    }
                    seen.push((call["operationId"].as_str().unwrap(), target));
                }
            }
        }
        for expected in [
            ("create_case_type", "create_case"),
            ("create_case", "patch_case"),
            ("create_case", "refresh_field"),
            ("refresh_field", "get_run"),
            ("get_run", "refresh_field"),
            ("refresh_case", "get_run"),
            ("create_connection", "disable_connection"),
            ("put_secret", "delete_secret"),
            ("create_token", "delete_token"),
        ] {
            assert!(seen.contains(&expected), "{expected:?} is not among {seen:?}");
        }
    }
}
