//! An endpoint of a connection: a request and a mapping that fields take over.
//!
//! It is read when the connection is saved, so that a slip shows where it was made. It is compiled
//! for good with each field that uses it, since a field may replace parts of it. Output variables
//! differ from case type to case type, so an endpoint reads them as `data.<name>` only.

use serde_json::{Map, Value};

use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::code;
use crate::domain::redact::HiddenPaths;

use super::body::read_body;
use super::compiler::{Compiler, LONGEST_TEMPLATE};
use super::config::{read_error_mapping, read_expression, read_mapping};
use super::headers::read_headers;
use super::request::{read_method, read_params};

const LONGEST_DESCRIPTION: usize = 2000;

/// Reads one endpoint; answers its normal form. Secrets that it uses are noted at the compiler.
pub fn read_endpoint(
    value: &Value,
    at: String,
    compiler: &mut Compiler<'_>,
    findings: &mut Findings,
) -> Option<Map<String, Value>> {
    let mut endpoint = Reader::open(value, at, findings)?;
    let mut normal = Map::new();
    if let Some(description) = endpoint.any_text("description", LONGEST_DESCRIPTION) {
        normal.insert("description".into(), description.into());
    }
    let method = read_method(&mut endpoint)?;
    normal.insert("method".into(), method.as_str().into());
    read_path(&mut endpoint, compiler, &mut normal);
    read_headers(&mut endpoint, compiler, &mut normal);
    read_params(&mut endpoint, compiler, &mut normal);
    read_body(&mut endpoint, compiler, &mut normal);
    if endpoint.get("response_mapping").is_some() {
        read_mapping(&mut endpoint, &[], true, &mut normal);
    }
    read_error_mapping(&mut endpoint, &mut normal);
    read_expression(&mut endpoint, "success_when", &mut normal);
    read_expression(&mut endpoint, "retry_when", &mut normal);
    HiddenPaths::read(&mut endpoint, &mut normal);
    endpoint.finish(|name| match name {
        "url" => Some("an endpoint has a `path`, which follows the connection's `base_url`"),
        "auth" | "timeout" | "rate_limit" => Some("it stands at the connection itself"),
        "output_variable" | "retry" | "cache_duration" => Some("it stands at the field"),
        _ => None,
    });
    Some(normal)
}

/// Reads `path`: what follows the connection's base URL, never another address.
fn read_path(endpoint: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>, normal: &mut Map<String, Value>) {
    if endpoint.get("path").is_none() {
        endpoint.missing(
            "path",
            "give what follows the connection's `base_url`, such as `/companies/{data.number}`",
        );
        return;
    }
    let Some(source) = endpoint.text("path", LONGEST_TEMPLATE) else { return };
    let at = endpoint.at("path");
    let Some(path) = compiler.url(source, &at, endpoint.findings) else { return };
    if !path.is_relative() {
        let message =
            "is a whole address: give only what follows the connection's `base_url`, beginning with `/`";
        endpoint.problem("path", code::INVALID, message);
        return;
    }
    normal.insert("path".into(), source.into());
}
