//! Credentials that were typed into headers: of a connection, its endpoints, a field.
//!
//! They read in clear, so one that comes back in a save may only have been read before. When a
//! connection gives up its origin, such a one is dropped, as those in `auth` are; another value is one
//! that somebody typed for the new origin. Only headers that are credentials by their name count.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::auth::is_literal;
use crate::domain::problem::{Problem, code, join};
use crate::domain::redact::is_credential_header;

/// Drops from a definition what stands as a credential in a header of the one before; answers a
/// doubt for each. Both are in their normal form.
pub(super) fn drop_known(definition: &mut Value, before: &Value) -> Vec<Problem> {
    let known = credentials(before);
    let mut dropped = Vec::new();
    if let Some(Value::Object(headers)) = definition.get_mut("headers") {
        drop_from(headers, "/headers", &known, &mut dropped);
    }
    let endpoints = definition.get_mut("endpoints").and_then(Value::as_object_mut);
    for (key, endpoint) in endpoints.into_iter().flatten() {
        let Value::Object(endpoint) = endpoint else { continue };
        let Some(Value::Object(headers)) = endpoint.get_mut("headers") else { continue };
        drop_from(headers, &join(&join("/endpoints", key), "headers"), &known, &mut dropped);
        if headers.is_empty() {
            endpoint.shift_remove("headers");
        }
    }
    dropped
}

/// Whether any of these headers is a credential that was typed in.
pub(super) fn types_any(headers: Option<&Value>) -> bool {
    headers.and_then(Value::as_object).into_iter().flatten().any(|(name, value)| typed(name, value).is_some())
}

fn credentials(definition: &Value) -> BTreeSet<&str> {
    let endpoints = definition["endpoints"].as_object().into_iter().flatten();
    let all = endpoints.map(|(_, endpoint)| &endpoint["headers"]).chain([&definition["headers"]]);
    let all = all.filter_map(Value::as_object).flatten();
    all.filter_map(|(name, value)| typed(name, value)).collect()
}

fn typed<'v>(name: &str, value: &'v Value) -> Option<&'v str> {
    value.as_str().filter(|text| !text.is_empty() && is_credential_header(name) && is_literal(text))
}

fn drop_from(headers: &mut Map<String, Value>, at: &str, known: &BTreeSet<&str>, dropped: &mut Vec<Problem>) {
    headers.retain(|name, value| {
        let stays = typed(name, value).is_none_or(|text| !known.contains(text));
        if !stays {
            let why = "was typed before `base_url` led to this origin, so it was dropped: type it again, if the new \
                       one may have it, best as a secret";
            dropped.push(Problem::new(join(at, name), code::DOUBTFUL, why));
        }
        stays
    });
}
