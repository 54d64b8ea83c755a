//! The headers of a request.
//!
//! Those that belong to the connection between us and the provider (length, framing, hop by
//! hop) are refused: the client sets them, and a second opinion is how requests get smuggled.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::case_type::findings::{Findings, short};
use crate::domain::case_type::reader::Reader;
use crate::domain::data::article_and_type;
use crate::domain::problem::{code, join};
use crate::domain::redact::is_credential_header;
use crate::domain::template::Template;

use super::compiler::{Compiler, LONGEST_TEMPLATE};

/// Headers of one request.
const MOST_HEADERS: usize = 100;
/// Bytes of a header's name.
const LONGEST_HEADER_NAME: usize = 200;

/// Reads `headers`: names as they were written, each with its value.
pub fn read_headers(
    config: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    normal: &mut Map<String, Value>,
) -> Option<Vec<(String, Template)>> {
    if config.get("headers").is_none() {
        return Some(Vec::new());
    }
    let members = config.object("headers")?;
    if members.len() > MOST_HEADERS {
        config.problem(
            "headers",
            code::OUT_OF_RANGE,
            format!("has too many members: at most {MOST_HEADERS}"),
        );
        return None;
    }
    let at = config.at("headers");
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut headers = Vec::new();
    for (name, value) in members {
        let pointer = join(&at, short(name));
        if let Some(why) = header_name_problem(name) {
            config.findings.problem(pointer, code::INVALID, why);
        } else if let Some(other) = names.insert(name.to_ascii_lowercase(), name) {
            let message = format!("is the same header as `{other}`: keep one");
            config.findings.problem(pointer, code::DUPLICATE, message);
        } else if let Some(template) = read_header((name, value), &pointer, compiler, config.findings) {
            headers.push((name.clone(), template));
        }
    }
    if !members.is_empty() {
        normal.insert("headers".into(), members.clone().into());
    }
    (headers.len() == members.len()).then_some(headers)
}

fn read_header(
    (name, value): (&str, &Value),
    pointer: &str,
    compiler: &mut Compiler<'_>,
    findings: &mut Findings,
) -> Option<Template> {
    let Value::String(source) = value else {
        findings.problem(
            pointer,
            code::WRONG_TYPE,
            format!("expected a text, found {}", article_and_type(value)),
        );
        return None;
    };
    if is_credential_header(name) {
        return compiler.discreetly(|compiler| header_value(source, pointer, compiler, findings));
    }
    header_value(source, pointer, compiler, findings)
}

/// A template that ends up in a header: literal control characters are refused at once.
fn header_value(
    source: &str,
    pointer: &str,
    compiler: &mut Compiler<'_>,
    findings: &mut Findings,
) -> Option<Template> {
    if source.len() > LONGEST_TEMPLATE {
        findings.problem(
            pointer,
            code::OUT_OF_RANGE,
            format!("is too long: at most {LONGEST_TEMPLATE} bytes"),
        );
        return None;
    }
    let template = compiler.template(source, pointer, findings)?;
    if template.literal().is_some_and(|text| text.chars().any(char::is_control)) {
        findings.problem(
            pointer,
            code::INVALID,
            "holds a line break or another control character: remove it",
        );
        return None;
    }
    Some(template)
}

/// Whether it is the name of a header: a token as RFC 9110, 5.6.2 has it.
pub fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= LONGEST_HEADER_NAME && name.bytes().all(token)
}

/// Why a field may not set a header of this name.
pub fn header_name_problem(name: &str) -> Option<String> {
    /// The client's own: framing, routing, and what RFC 9110, 7.6.1 calls hop by hop.
    const OURS: [&str; 11] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
    ];
    if !is_header_name(name) {
        return Some("is not a header name: use letters, digits and `-`".into());
    }
    let lower = name.to_ascii_lowercase();
    OURS.contains(&lower.as_str()).then(|| format!("`{lower}` is set by Dossier itself: leave it out"))
}
