//! The request of a field: method, url, headers, params, body, auth.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::domain::auth::Auth;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::code;
use crate::domain::template::{Template, UrlTemplate, ValueTemplate};

use super::body::{BodyTemplate, read_body};
use super::compiler::{Compiler, LONGEST_TEMPLATE, is_flat_enough};
use super::headers::read_headers;
use super::method::Method;

/// What a request leans on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Nothing: its url is whole.
    None,
    /// A connection, whose base URL a path follows.
    Connection,
    /// An endpoint, which gives all that is missing.
    Endpoint,
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
    /// Whether it reads, outside `auth`, what may differ from attempt to attempt of one run: the
    /// number of the attempt, or a secret, which may be rotated.
    pub varies: bool,
    /// Secrets that go to the provider: all but those that only the call for a token sends.
    pub secrets: BTreeSet<String>,
    /// The members above as they are shown, defaults filled in.
    normal: Map<String, Value>,
}

impl Request {
    /// Reads the members of `api_config` that make the request.
    pub fn read(config: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>, base: Base) -> Option<Self> {
        let mut normal = Map::new();
        let method = read_method(config);
        normal.insert("method".into(), method.unwrap_or_default().as_str().into());
        let url = read_url(config, compiler, base, &mut normal);
        let headers = read_headers(config, compiler, &mut normal);
        let params = read_params(config, compiler, &mut normal);
        let body = read_body(config, compiler, &mut normal);
        let mut secrets: BTreeSet<String> = compiler.secrets.keys().cloned().collect();
        let at = config.at("auth");
        let auth = match config.get("auth") {
            None => Some(Auth::Inherited),
            Some(value) => Auth::read(value, &at, compiler, config.findings).map(|(auth, form)| {
                normal.insert("auth".into(), form);
                auth
            }),
        };
        if !matches!(auth, Some(Auth::Token(_))) {
            secrets.extend(compiler.secrets.keys().cloned());
        }
        let (url, headers, params, body) = (url?, headers?, params?, body?);
        let parts = [Some(url.references()), params.as_ref().map(ValueTemplate::references)];
        let parts = parts.into_iter().chain([body.as_ref().map(BodyTemplate::references)]).flatten();
        let parts = parts.chain(headers.iter().map(|(_, template)| template.references()));
        let varies = parts.flatten().any(|path| is_variable(path));
        Some(Self { method: method?, url, headers, params, body, auth: auth?, varies, secrets, normal })
    }

    /// Adds the members as they are shown.
    pub fn write(&self, form: &mut Map<String, Value>) {
        form.extend(self.normal.clone());
    }

    /// Whether it, or its call for a token, goes wherever the connection leads.
    pub fn follows_its_connection(&self) -> bool {
        let asks = matches!(&self.auth, Auth::Token(token) if token.url().is_relative());
        asks || self.url.literal_origin().is_none()
    }

    /// The field itself sets this header (given in lower case).
    pub fn sets_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
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

/// A secret, `run.attempt`, or all of `run`, which a computed key means too.
fn is_variable(path: &str) -> bool {
    let mut words = path.split('.');
    match words.next() {
        Some("secret") => true,
        Some("run") => words.next().is_none_or(|word| word == "attempt"),
        _ => false,
    }
}

/// Reads `method`; GET, unless it says.
pub fn read_method(config: &mut Reader<'_, '_>) -> Option<Method> {
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
    base: Base,
    normal: &mut Map<String, Value>,
) -> Option<UrlTemplate> {
    if config.get("url").is_none() && base != Base::Endpoint {
        config.missing(
            "url",
            match base {
                Base::Connection => {
                    "give the path that follows the connection's `base_url`, or a whole address"
                }
                _ => "give the whole address, with `https://`",
            },
        );
    }
    let source = config.text("url", LONGEST_TEMPLATE)?;
    normal.insert("url".into(), source.into());
    let at = config.at("url");
    let url = compiler.url(source, &at, config.findings)?;
    if url.is_relative() && base == Base::None {
        let message = "is not a whole address: begin it with `https://` or `http://`, or name the `connection` whose \
                       `base_url` it follows";
        config.problem("url", code::INVALID, message);
        return None;
    }
    Some(url)
}

#[expect(clippy::option_option, reason = "outer: is it well-formed; inner: is it there")]
pub(super) fn read_params(
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
