//! Who may do what, as a page: made from the same list of calls as the `OpenAPI` document, so
//! neither says what the other does not. That the handlers keep to it is tried by a test that
//! walks over all of them with every role.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use utoipa::openapi::HttpMethod;

use super::openapi::{Call, all_calls};
use crate::domain::token::Role;

const HEAD: &str = "# Who may do what

A token belongs to one workspace and has one of four roles; each may do all that the ones before it may:
`viewer` reads, `operator` also works on cases and refreshes fields, `builder` also makes case types, connections and secrets,
`admin` also tokens, people and the workspace, and reads the audit.

Without a valid token a call answers 401, below its least role 403, and whatever belongs to another workspace 404, as if it were not
there. The `OpenAPI` document says the role of each call, too: `x-role`.

This page is made from the list of calls; `DOSSIER_WRITE_DOCS=1 cargo nextest run the_page_of_roles` writes it.

| call | does | viewer | operator | builder | admin |
|---|---|---|---|---|---|
";

static CALLS: LazyLock<HashSet<(&'static str, &'static str)>> =
    LazyLock::new(|| all_calls().iter().map(|call| (method(&call.method), call.path)).collect());

/// Whether this method can be used at a URL of this pattern.
pub fn is_call(method: &str, pattern: &str) -> bool {
    CALLS.contains(&(method, pattern))
}

/// The page: a table of all calls and the roles that may make them.
pub fn access_page() -> String {
    let mut page = HEAD.to_owned();
    for call in all_calls().iter().filter(|call| call.path.starts_with("/v1/")) {
        let marks =
            Role::ALL.map(|role| if call.role.is_some_and(|least| role.allows(least)) { "✓" } else { "" });
        let (method, path, summary) = (method(&call.method), call.path, &call.summary);
        // Writing to a String does not fail.
        let _ = writeln!(page, "| `{method} {path}` | {summary} | {} |", marks.join(" | "));
    }
    let open: Vec<String> =
        all_calls().iter().filter(|call| is_open(call)).map(|call| format!("`{}`", call.path)).collect();
    let _ = writeln!(page, "\nNo token is needed for {} and `/docs`.", open.join(", "));
    page
}

fn is_open(call: &Call) -> bool {
    call.role.is_none()
}

fn method(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Delete => "DELETE",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::openapi::openapi_json;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/access.md");

    #[test]
    fn the_page_of_roles_is_up_to_date() {
        let page = access_page();
        if std::env::var_os("DOSSIER_WRITE_DOCS").is_some() {
            std::fs::write(FILE, &page).unwrap();
        }
        let kept = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(
            kept == page,
            "docs/access.md is out of date: DOSSIER_WRITE_DOCS=1 cargo nextest run the_page_of_roles"
        );
    }

    #[test]
    fn every_call_of_the_document_has_its_role() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, call) in item.as_object().unwrap() {
                let role = call["x-role"].as_str().unwrap_or_default();
                let known = Role::parse(role).is_some();
                assert_eq!(known, path.starts_with("/v1/"), "{method} {path}: `{role}`");
                assert!(known || role == "none", "{method} {path}: `{role}`");
            }
        }
    }
}
