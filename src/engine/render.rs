//! Templates into a request; pure. A missing value or a `when` that does not hold skips the run.

use bytes::Bytes;
use serde_json::Value;
use url::form_urlencoded::Serializer;
use url::{Url, UrlQuery};

use super::context::{Stop, Trace};
use super::prepare::Prepared;
use super::token_call::TokenCall;
use crate::domain::api_call::{BodyTemplate, Method};
use crate::domain::auth::Auth;
use crate::domain::connection::Connection;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::run::Reason;
use crate::domain::template::{RenderError, Scope, Template, text_of};

/// Headers that name the run and not what is asked for, in lower case.
pub(super) const IDEMPOTENCY_KEYS: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

/// A request without credentials.
#[derive(Clone)]
pub(super) struct Rendered {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Names as they were written.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Bytes>,
}

impl From<RenderError> for Stop {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Missing(paths) => Self::Skipped(Reason::MissingInput, paths),
            RenderError::Failed(detail) => Failure::new(FailureCode::TemplateFailed, detail).into(),
        }
    }
}

/// What the parts of one request miss, gathered so that the case manager sees all of it at once.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    /// The part, or nothing where it misses something; any other trouble stops at once.
    fn keep<T>(&mut self, part: Result<T, RenderError>) -> Result<Option<T>, Stop> {
        match part {
            Ok(part) => Ok(Some(part)),
            Err(RenderError::Missing(paths)) => {
                for path in paths {
                    if !self.0.contains(&path) {
                        self.0.push(path);
                    }
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The last part, when no part misses anything.
    fn none_in<T>(self, part: Option<T>) -> Result<T, Stop> {
        part.filter(|_| self.0.is_empty()).ok_or(Stop::Skipped(Reason::MissingInput, self.0))
    }
}

/// Renders the request of an attempt.
pub(super) fn render(prepared: &Prepared, trace: &mut Trace) -> Result<Rendered, Stop> {
    render_with(prepared, &prepared.scope, trace)
}

/// As [`render`], from other roots.
pub(super) fn render_with(prepared: &Prepared, scope: &Scope, trace: &mut Trace) -> Result<Rendered, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    if let Some(when) = &call.when
        && !when.holds(scope)?
    {
        return Err(Stop::Skipped(Reason::Condition, Vec::new()));
    }
    let request = &call.request;
    let mut missing = Missing::default();
    let base = prepared.connection().and_then(|connection| connection.base_url.as_ref());
    let url = missing.keep(request.url.render(scope, base))?;
    let connection = match &url {
        Some(url) => prepared.connection_for(url),
        None => prepared.connection(),
    };
    trace.provider = connection.map(|it| it.name.clone()).or_else(|| url.as_ref().map(provider));
    let params = match &request.params {
        Some(params) => missing.keep(params.render_sparse(scope))?,
        None => None,
    };
    let written = headers_of(connection, &request.headers);
    let mut headers = Vec::with_capacity(written.len() + 2);
    for (name, template) in &written {
        let value = missing.keep(template.render_header(scope))?;
        headers.extend(value.map(|value| ((*name).clone(), value)));
    }
    let body = match &request.body {
        Some(body) => missing.keep(render_body(body, scope, &mut headers))?,
        None => None,
    };
    let auth = url.as_ref().map_or(&request.auth, |url| prepared.auth_for(url));
    for template in credentials(auth) {
        missing.keep(template.render_header(scope))?;
    }
    if let Auth::Token(token) = auth {
        missing.keep(TokenCall::render(token, scope, base))?;
    }
    let mut url = missing.none_in(url)?;
    if let Some(params) = &params {
        append_query(&mut url, params);
    }
    let own_key =
        IDEMPOTENCY_KEYS.iter().any(|key| written.iter().any(|(name, _)| name.eq_ignore_ascii_case(key)));
    if !request.method.is_safe() && !own_key {
        headers.push(("Idempotency-Key".to_owned(), prepared.idempotency_key.clone()));
    }
    Ok(Rendered { method: request.method, url, headers, body })
}

/// The headers of the connection, less those that the field sets itself, and the field's.
fn headers_of<'t>(
    connection: Option<&'t Connection>,
    own: &'t [(String, Template)],
) -> Vec<(&'t String, &'t Template)> {
    let is_own = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let inherited = connection.into_iter().flat_map(|connection| &connection.headers);
    let inherited = inherited.filter(|(name, _)| !is_own(name));
    inherited.chain(own).map(|(name, template)| (name, template)).collect()
}

/// What `auth` reads; it is put on the request later, but misses its values with the rest.
pub(super) fn credentials(auth: &Auth) -> Vec<&Template> {
    match auth {
        // The call for a token is rendered apart.
        Auth::Inherited | Auth::None | Auth::Token(_) => Vec::new(),
        Auth::Bearer { token } => vec![token],
        Auth::Basic { username, password } => vec![username, password],
        Auth::ApiKeys(keys) => keys.iter().map(|key| &key.value).collect(),
    }
}

/// The provider as sentences name it: host, and port where it is not the usual one.
pub(super) fn provider(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the provider");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The body, with the `Content-Type` of its kind unless `headers` has one.
pub(super) fn render_body(
    body: &BodyTemplate,
    scope: &Scope,
    headers: &mut Vec<(String, String)>,
) -> Result<Bytes, RenderError> {
    let (kind, text) = match body {
        BodyTemplate::Json(tree) => ("application/json", tree.render(scope)?.to_string()),
        BodyTemplate::JsonText(text) => ("application/json", text.render(scope)?),
        BodyTemplate::Form(tree) => ("application/x-www-form-urlencoded", form(&tree.render_sparse(scope)?)),
        BodyTemplate::Text(text) => ("text/plain; charset=utf-8", text.render(scope)?),
    };
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
    }
    Ok(Bytes::from(text))
}

/// Query parameters: arrays repeat their name, objects are their JSON text.
fn append_query(url: &mut Url, params: &Value) {
    let Some(members) = params.as_object().filter(|members| !members.is_empty()) else { return };
    let mut query: Serializer<'_, UrlQuery<'_>> = url.query_pairs_mut();
    for (name, value) in members {
        match value {
            Value::Array(items) => {
                for item in items {
                    query.append_pair(name, &text_of(item).unwrap_or_default());
                }
            }
            value => {
                query.append_pair(name, &text_of(value).unwrap_or_default());
            }
        }
    }
}

/// A form: objects as `a[b]`, arrays as `a[]`; a key that already holds brackets as it is.
fn form(members: &Value) -> String {
    let mut form = Serializer::new(String::new());
    if let Value::Object(members) = members {
        for (name, value) in members {
            append_form(&mut form, name, value);
        }
    }
    form.finish()
}

fn append_form(form: &mut Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                append_form(form, &format!("{name}[{member}]"), value);
            }
        }
        Value::Array(items) => {
            let name = if name.ends_with(']') && name.contains("[]") {
                name.to_owned()
            } else {
                format!("{name}[]")
            };
            for item in items {
                append_form(form, &name, item);
            }
        }
        value => {
            form.append_pair(name, &text_of(value).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_spells_nested_values_with_brackets() {
        let value = json!({"a": {"b": 1, "c": [1, 2]}, "tags[]": ["x", "y"], "n": 3.0, "t": "ä b"});
        assert_eq!(
            form(&value),
            "a%5Bb%5D=1&a%5Bc%5D%5B%5D=1&a%5Bc%5D%5B%5D=2&tags%5B%5D=x&tags%5B%5D=y&n=3&t=%C3%A4+b"
        );
    }

    #[test]
    fn query_parameters_repeat_for_arrays_and_keep_what_the_url_has() {
        let mut url = Url::parse("http://registry.example/a?x=1").unwrap();
        append_query(&mut url, &json!({"y": ["1", 2], "z": "a&b"}));
        assert_eq!(url.as_str(), "http://registry.example/a?x=1&y=1&y=2&z=a%26b");
    }
}
