//! The request of a field: method, url, headers, params, body, auth.
//!
//! Headers that belong to the connection between us and the provider (length, framing, hop by
//! hop) are refused: the client sets them, and a second opinion is how requests get smuggled.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::domain::auth::Auth;
use crate::domain::case_type::reader::{DEEPEST, Findings, Reader, found, is_shallow, short, unknown_word};
use crate::domain::problem::{code, join};
use crate::domain::template::{JsonTextTemplate, Template, TextTemplate, UrlTemplate, ValueTemplate};

use super::compiler::Compiler;

/// Headers of one request.
const MOST_HEADERS: usize = 100;
/// Characters of a header's name and of its template, and of the url's.
const LONGEST_HEADER_NAME: usize = 200;
const LONGEST_TEMPLATE: usize = 8192;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Sends something to be processed.
    Post,
    /// Replaces.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
    /// Reads the headers alone.
    Head,
    /// Asks what is possible.
    Options,
}

impl Method {
    /// All methods, in the order in which the contract lists them.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Head, Self::Options];

    /// The spelling on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }

    /// The method with this spelling, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
    }

    /// Only reads (RFC 9110, 9.2.1): it gets no `Idempotency-Key`, and a waiting run supersedes
    /// its retry.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    /// Twice is as good as once (RFC 9110, 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

/// The body of a request, by the way it is encoded.
#[derive(Debug)]
pub enum BodyTemplate {
    /// A JSON object or array with templates in its texts.
    Json(ValueTemplate),
    /// A JSON text with placeholders.
    JsonText(JsonTextTemplate),
    /// An object that is sent urlencoded.
    Form(ValueTemplate),
    /// Any text.
    Text(TextTemplate),
}

impl BodyTemplate {
    /// The `body_type` in definitions.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::JsonText(_) => "json",
            Self::Form(_) => "form",
            Self::Text(_) => "text",
        }
    }
}

/// What a field sends, compiled. Its `Debug` leaves out what may hold a literal credential.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: UrlTemplate,
    /// Names as they were written, each with its value.
    pub headers: Vec<(String, Template)>,
    /// The query.
    pub params: Option<ValueTemplate>,
    /// The body.
    pub body: Option<BodyTemplate>,
    /// How it proves who it is.
    pub auth: Auth,
    /// The members above as they are shown, defaults filled in.
    normal: Map<String, Value>,
}

impl Request {
    /// Reads the members of `api_config` that make the request. `elsewhere`: a connection or an
    /// endpoint is named, which gives what is missing here.
    pub fn read(config: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>, elsewhere: bool) -> Option<Self> {
        let mut normal = Map::new();
        let method = read_method(config);
        normal.insert("method".into(), method.unwrap_or_default().as_str().into());
        let url = read_url(config, compiler, elsewhere, &mut normal);
        let headers = read_headers(config, compiler, &mut normal);
        let params = read_params(config, compiler, &mut normal);
        let body = read_body(config, compiler, &mut normal);
        let at = config.at("auth");
        let auth = match config.get("auth") {
            None => Some(Auth::Inherited),
            Some(value) => Auth::read(value, &at, compiler, config.findings).map(|(auth, form)| {
                normal.insert("auth".into(), form);
                auth
            }),
        };
        Some(Self {
            method: method?,
            url: url?,
            headers: headers?,
            params: params?,
            body: body?,
            auth: auth?,
            normal,
        })
    }

    /// Adds the members as they are shown.
    pub fn write(&self, form: &mut Map<String, Value>) {
        form.extend(self.normal.clone());
    }

    /// The field itself sets this header (given in lower case).
    pub fn sets_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// The url as it was written.
    pub fn url_source(&self) -> &str {
        self.normal.get("url").and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

fn read_method(config: &mut Reader<'_, '_>) -> Option<Method> {
    let Some(value) = config.get("method") else { return Some(Method::Get) };
    let Value::String(text) = value else {
        config.wrong_type("method", "a text", value);
        return None;
    };
    let method = Method::parse(text);
    if method.is_none() {
        let known = Method::ALL.map(Method::as_str);
        config.problem("method", code::INVALID, unknown_word(&text.to_uppercase(), "a method", &known));
    }
    method
}

fn read_url(
    config: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    elsewhere: bool,
    normal: &mut Map<String, Value>,
) -> Option<UrlTemplate> {
    if config.get("url").is_none() && !elsewhere {
        config.missing("url", "give the whole address, with `https://`");
    }
    let source = config.text("url", LONGEST_TEMPLATE)?;
    if !elsewhere && let Some(why) = relative(source) {
        config.problem("url", code::INVALID, why);
        return None;
    }
    normal.insert("url".into(), source.into());
    let at = config.at("url");
    compiler.url(source, &at, config.findings)
}

/// Why a url cannot stand without a connection.
fn relative(source: &str) -> Option<String> {
    if source.starts_with('{') {
        return None;
    }
    let scheme = source.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => None,
        Some(scheme) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            Some(format!("`{}` is not possible here: use `https://` or `http://`", short(scheme)))
        }
        _ => Some("is not a whole address: begin it with `https://` or `http://`".into()),
    }
}

fn read_headers(
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
        } else if let Some(template) = read_header(value, &pointer, compiler, config.findings) {
            headers.push((name.clone(), template));
        }
    }
    if !members.is_empty() {
        normal.insert("headers".into(), members.clone().into());
    }
    (headers.len() == members.len()).then_some(headers)
}

fn read_header(
    value: &Value,
    pointer: &str,
    compiler: &mut Compiler<'_>,
    findings: &mut Findings,
) -> Option<Template> {
    let Value::String(source) = value else {
        findings.problem(pointer, code::WRONG_TYPE, format!("expected a text, found {}", found(value)));
        return None;
    };
    header_value(source, pointer, compiler, findings)
}

/// A template that ends up in a header: literal control characters are refused at once.
pub fn header_value(
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
    if template.literal().is_some_and(|text| text.chars().any(|c| c.is_control() && c != '\t')) {
        findings.problem(
            pointer,
            code::INVALID,
            "holds a line break or another control character: remove it",
        );
        return None;
    }
    Some(template)
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
    // A token as RFC 9110, 5.6.2 has it.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_HEADER_NAME || !name.bytes().all(token) {
        return Some("is not a header name: use letters, digits and `-`".into());
    }
    let lower = name.to_ascii_lowercase();
    OURS.contains(&lower.as_str()).then(|| format!("`{lower}` is set by Dossier itself: leave it out"))
}

#[expect(clippy::option_option, reason = "outer: is it well-formed; inner: is it there")]
fn read_params(
    config: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    normal: &mut Map<String, Value>,
) -> Option<Option<ValueTemplate>> {
    let Some(value) = config.get("params") else { return Some(None) };
    let members = config.object("params")?;
    if !is_flat_enough("params", value, config) {
        return None;
    }
    if members.is_empty() {
        return Some(None);
    }
    normal.insert("params".into(), value.clone());
    let at = config.at("params");
    compiler.tree(value, &at, config.findings).map(Some)
}

#[derive(Clone, Copy)]
enum BodyType {
    Json,
    Form,
    Text,
}

#[expect(clippy::option_option, reason = "outer: is it well-formed; inner: is it there")]
fn read_body(
    config: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    normal: &mut Map<String, Value>,
) -> Option<Option<BodyTemplate>> {
    const TYPES: [(&str, BodyType); 3] =
        [("json", BodyType::Json), ("form", BodyType::Form), ("text", BodyType::Text)];
    let given = config.get("body_type").is_some();
    let kind = config.word("body_type", &TYPES);
    if given && kind.is_none() {
        return None;
    }
    let kind = kind.unwrap_or(BodyType::Json);
    let Some(value) = config.get("body") else { return Some(None) };
    if !is_flat_enough("body", value, config) {
        return None;
    }
    let at = config.at("body");
    let findings = &mut *config.findings;
    let body = match (kind, value) {
        (BodyType::Json, Value::Object(_) | Value::Array(_)) => {
            BodyTemplate::Json(compiler.tree(value, &at, findings)?)
        }
        (BodyType::Json, Value::String(text)) => {
            BodyTemplate::JsonText(compiler.json_text(text, &at, findings)?)
        }
        (BodyType::Form, Value::Object(_)) => BodyTemplate::Form(compiler.tree(value, &at, findings)?),
        (BodyType::Text, Value::String(text)) => BodyTemplate::Text(compiler.text(text, &at, findings)?),
        (kind, _) => {
            config.wrong_type("body", expected_body(kind), value);
            return None;
        }
    };
    normal.insert("body".into(), value.clone());
    normal.insert("body_type".into(), body.kind().into());
    Some(Some(body))
}

const fn expected_body(kind: BodyType) -> &'static str {
    match kind {
        BodyType::Json => "an object, a list, or a JSON text (`body_type` is `json`)",
        BodyType::Form => "an object (`body_type` is `form`)",
        BodyType::Text => "a text (`body_type` is `text`)",
    }
}

fn is_flat_enough(name: &'static str, value: &Value, config: &mut Reader<'_, '_>) -> bool {
    let flat = is_shallow(value, DEEPEST);
    if !flat {
        config.problem(name, code::OUT_OF_RANGE, format!("is nested too deep: at most {DEEPEST} levels"));
    }
    flat
}
