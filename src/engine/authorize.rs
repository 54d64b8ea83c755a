//! Credentials onto the request, after a last look at where it goes; the redacted request is
//! kept for the history here, because from here on it can have been sent.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value};

use super::context::{Stop, Trace};
use super::held_tokens::HeldToken;
use super::prepare::Prepared;
use super::render::Rendered;
use crate::domain::auth::{Auth, KeyPlace};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::redact::{Label, Redactor};
use crate::domain::run::{Reason, SentRequest};
use crate::domain::secret::allows;
use crate::domain::template::Template;

/// A request that may go out.
pub(super) struct Signed {
    pub(super) request: Rendered,
    /// Knows beside the secrets what was made of them: the pair of a basic login, a token.
    pub(super) redactor: Redactor,
    /// The credentials among its query parameters.
    pub(super) query_keys: Vec<(String, String)>,
}

/// Puts the credentials of the field, or else of its connection, on its request. `token`: where they
/// are a token, it.
pub(super) fn authorize(
    prepared: &Prepared,
    mut request: Rendered,
    token: Option<&HeldToken>,
    trace: &mut Trace,
) -> Result<Signed, Stop> {
    let (mut pair_of, mut query_keys) = (None, Vec::new());
    let auth = prepared.auth_for(&request.url);
    match auth {
        Auth::Inherited | Auth::None => {}
        Auth::Bearer { token } => {
            set(&mut request, "Authorization", format!("Bearer {}", text(token, prepared)?));
        }
        Auth::Basic { username, password } => {
            let (username, password) = (text(username, prepared)?, text(password, prepared)?);
            pair_of = Some((username.clone(), password.clone()));
            let pair = BASE64_STANDARD.encode(format!("{username}:{password}"));
            set(&mut request, "Authorization", format!("Basic {pair}"));
        }
        Auth::ApiKeys(keys) => {
            for key in keys {
                let value = text(&key.value, prepared)?;
                match key.place {
                    KeyPlace::Header => set(&mut request, &key.key, value),
                    KeyPlace::Query => query_keys.push((key.key.clone(), value)),
                }
            }
        }
        Auth::Token(auth) => {
            if let Some(token) = token {
                set(&mut request, &auth.header, format!("{}{}", auth.prefix, token.expose()));
            }
        }
    }
    for (name, value) in &query_keys {
        request.url.query_pairs_mut().append_pair(name, value);
    }
    let mut redactor = prepared.redactor();
    if let Some((username, password)) = pair_of {
        redactor = redactor.with_basic(&Label::Hidden, &username, &password);
    }
    if let (Auth::Token(_), Some(token)) = (auth, token) {
        redactor = redactor.with_value(&Label::Token, token.expose());
    }
    trace.request = Some(shown(&request, &redactor));
    may_go_there(prepared, &request)?;
    Ok(Signed { request, redactor, query_keys })
}

fn text(template: &Template, prepared: &Prepared) -> Result<String, Stop> {
    Ok(template.render_header(&prepared.scope)?)
}

/// The field's own header of that name gives way.
fn set(request: &mut Rendered, name: &str, value: String) {
    request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    request.headers.push((name.to_owned(), value));
}

/// A secret goes to the provider of the connection, and else only to hosts that it lists. What only
/// the connection uses is not on a request to another origin.
fn may_go_there(prepared: &Prepared, request: &Rendered) -> Result<(), Stop> {
    let connection = prepared.connection_for(&request.url);
    if connection.is_some_and(|connection| connection.base_url.is_some()) {
        return Ok(());
    }
    typed_has_an_origin(prepared)?;
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let inherited = connection.filter(|_| prepared.inherits_auth());
    // A token is as good as the secrets that it was had with.
    let of_auth = inherited.map(|it| &it.auth_secrets);
    let of_headers = connection.map(|it| &it.header_secrets);
    let of_tls = connection.map(|it| &it.tls.secrets);
    let sent = |name: &str| {
        let also = of_auth.into_iter().chain(of_headers).chain(of_tls);
        call.request.secrets.contains(name) || also.flatten().any(|known| known == name)
    };
    let used = prepared.secrets.hosts.iter().filter(|(name, _)| sent(name));
    let refused = used.into_iter().find(|(_, hosts)| !allows(hosts, &request.url));
    match refused {
        None => Ok(()),
        Some((name, _)) => {
            let host = request.url.host_str().unwrap_or_default();
            let detail = format!(
                "the secret `{name}` does not list the host `{host}`: add it to the secret's `hosts`"
            );
            Err(Failure::new(FailureCode::SecretNotAllowed, detail).into())
        }
    }
}

/// What was typed into a connection goes to its provider only; while it has no `base_url`, that is
/// nobody.
pub(super) fn typed_has_an_origin(prepared: &Prepared) -> Result<(), Stop> {
    let without = prepared.connection().filter(|connection| connection.base_url.is_none());
    let typed = without.filter(|connection| {
        connection.tls.types_key() || (prepared.inherits_auth() && connection.types_auth())
    });
    let Some(connection) = typed else { return Ok(()) };
    let detail = format!(
        "a credential was typed into the connection `{}`, which has no `base_url` that says to whom it may go: set the \
         `base_url` and type the credential again, or make it a secret with `hosts`",
        connection.key
    );
    Err(Failure::new(FailureCode::SecretNotAllowed, detail).into())
}

/// The request as the history shows it.
pub(super) fn shown(request: &Rendered, redactor: &Redactor) -> SentRequest {
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        let name = name.to_ascii_lowercase();
        let value = redactor.redact_header(&name, value);
        match headers.get_mut(&name) {
            Some(Value::String(known)) => *known = format!("{known}, {value}"),
            _ => {
                headers.insert(name, Value::String(value));
            }
        }
    }
    let body = request.body.as_ref().map(|body| redactor.redact(&String::from_utf8_lossy(body)).into_owned());
    SentRequest {
        method: request.method.as_str().to_owned(),
        url: redactor.redact(request.url.as_str()).into_owned(),
        headers,
        body,
    }
}
