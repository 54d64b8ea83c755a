//! The call that answers with a token: from its definition to a request; pure.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::render::{Rendered, render_body};
use crate::domain::api_call::{BodyTemplate, Method};
use crate::domain::auth::{ClientAuth, OAuth, TokenAuth, TokenCallSource, TokenRequest};
use crate::domain::redact::{Label, Redactor};
use crate::domain::secret::HIDDEN;
use crate::domain::template::{RenderError, Scope, Template};

/// Parameters of a grant that are credentials.
const CREDENTIALS: [&str; 2] = ["client_secret", "password"];

/// The call, ready to go.
pub(super) struct TokenCall {
    /// What is sent.
    pub(super) request: Rendered,
    /// The client's name and secret as HTTP Basic bears them, when it does.
    basic: Option<(String, String)>,
    /// The body as it may be shown, before secrets are taken out; none: as it is.
    shown_body: Option<String>,
}

impl TokenCall {
    /// Puts it together. `base` is the connection's, which a path follows.
    pub(super) fn render(auth: &TokenAuth, scope: &Scope, base: Option<&Url>) -> Result<Self, RenderError> {
        match &auth.source {
            TokenCallSource::OAuth(oauth) => of_grant(oauth, scope, base),
            TokenCallSource::Request(request) => of_request(request, scope, base),
        }
    }

    /// A redactor that also knows what the call makes of the credentials.
    pub(super) fn known_to(&self, redactor: &Redactor) -> Redactor {
        match &self.basic {
            Some((id, secret)) => redactor.clone().with_basic(&Label::Hidden, id, secret),
            None => redactor.clone(),
        }
    }

    /// The body as the history may show it.
    pub(super) fn shown_body(&self, redactor: &Redactor) -> Option<String> {
        let body = self.request.body.as_ref()?;
        let text = self.shown_body.clone().unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        Some(redactor.redact(&text).into_owned())
    }

    /// What tells it from other calls.
    pub(super) fn parts(&self) -> Vec<Vec<u8>> {
        let request = &self.request;
        let mut parts = vec![request.method.as_str().into(), request.url.as_str().into()];
        let headers = request.headers.iter();
        parts.push(request.headers.len().to_be_bytes().into());
        parts.extend(
            headers.flat_map(|(name, value)| [name.to_ascii_lowercase().into_bytes(), value.clone().into()]),
        );
        parts.extend(request.body.iter().map(|body| body.to_vec()));
        parts
    }
}

/// A form to the token endpoint (RFC 6749, sections 4.3.2 and 4.4.2).
fn of_grant(oauth: &OAuth, scope: &Scope, base: Option<&Url>) -> Result<TokenCall, RenderError> {
    let url = oauth.token_url.render(scope, base)?;
    let id = oauth.client_id.render_text(scope)?;
    let secret = text(oauth.client_secret.as_ref(), scope)?;
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let grant = if oauth.user.is_some() { "password" } else { "client_credentials" };
    pairs.push(("grant_type", grant.to_owned()));
    let mut headers = vec![
        ("Accept".to_owned(), "application/json".to_owned()),
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    let mut basic = None;
    match oauth.client_auth {
        ClientAuth::Body => {
            pairs.push(("client_id", id));
            pairs.extend(secret.map(|secret| ("client_secret", secret)));
        }
        ClientAuth::Basic => {
            // Both are encoded as in a form before they are joined (RFC 6749, section 2.3.1).
            let (id, secret) = (encoded(&id), encoded(&secret.unwrap_or_default()));
            let pair = BASE64_STANDARD.encode(format!("{id}:{secret}"));
            headers.push(("Authorization".to_owned(), format!("Basic {pair}")));
            basic = Some((id, secret));
        }
    }
    if let Some((username, password)) = &oauth.user {
        pairs.push(("username", username.render_text(scope)?));
        pairs.push(("password", password.render_text(scope)?));
    }
    if !oauth.scopes.is_empty() {
        let scopes: Result<Vec<String>, _> = oauth.scopes.iter().map(|one| one.render_text(scope)).collect();
        pairs.push(("scope", scopes?.join(" ")));
    }
    pairs.extend(text(oauth.audience.as_ref(), scope)?.map(|audience| ("audience", audience)));
    for extra in &oauth.extra {
        for value in &extra.values {
            pairs.push((extra.name.as_str(), value.render_text(scope)?));
        }
    }
    let (body, shown_body) = (Bytes::from(form(&pairs)), Some(shown(&pairs)));
    let request = Rendered { method: Method::Post, url, headers, body: Some(body) };
    Ok(TokenCall { request, basic, shown_body })
}

fn of_request(request: &TokenRequest, scope: &Scope, base: Option<&Url>) -> Result<TokenCall, RenderError> {
    let url = request.url.render(scope, base)?;
    let mut headers = Vec::with_capacity(request.headers.len() + 2);
    for (name, template) in &request.headers {
        headers.push((name.clone(), template.render_header(scope)?));
    }
    let body = request.body.as_ref().map(|body| render_body(body, scope, &mut headers)).transpose()?;
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        headers.push(("Accept".to_owned(), "application/json".to_owned()));
    }
    // Where in a text a credential begins and ends, nobody knows.
    let whole = matches!(&request.body, Some(BodyTemplate::Text(_) | BodyTemplate::JsonText(_)));
    let shown_body = whole.then(|| HIDDEN.to_owned());
    let request = Rendered { method: request.method, url, headers, body };
    Ok(TokenCall { request, basic: None, shown_body })
}

fn text(template: Option<&Template>, scope: &Scope) -> Result<Option<String>, RenderError> {
    template.map(|template| template.render_text(scope)).transpose()
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn form(pairs: &[(&str, String)]) -> String {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish()
}

/// The form, readable, without its credentials.
fn shown(pairs: &[(&str, String)]) -> String {
    let shown = pairs.iter().map(|(name, value)| {
        let value = if CREDENTIALS.contains(name) { HIDDEN } else { value.as_str() };
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join("&")
}
