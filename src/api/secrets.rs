//! Secrets: written, listed by name, never read again.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use serde_json::Value;

use super::body::JsonBody;
use super::error::ApiError;
use super::extract::{Builder, Caller, Viewer};
use super::list;
use super::members::Members;
use super::present::secret::SecretView;
use super::query::{NoParameters, Params};
use crate::domain::ids::SecretName;
use crate::domain::problem::{Problem, code};
use crate::domain::secret::HostRule;
use crate::service::{PageRequest, PutSecret, Services};

/// Names, hosts and users of the secrets, by name.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.secrets.list(&caller, page.0).await?;
    let mut views = Vec::with_capacity(page.items.len());
    for info in &page.items {
        let used_by = services.secrets.used_by(&caller, &info.name).await?;
        views.push(SecretView::new(info, used_by));
    }
    let mut views = views.into_iter();
    Ok(list::answer(page, |_| views.next()))
}

/// Sets or replaces a secret: 201 when it is new.
pub async fn put(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<String>,
    _: Params<NoParameters>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let name = path.parse::<SecretName>().map_err(|error| {
        ApiError::invalid(vec![Problem::new(
            "/name",
            code::INVALID,
            format!("The name in the URL: {error}."),
        )])
    })?;
    let secret = read(&name, &body.0)?;
    let (info, is_new) = services.secrets.put(&caller, name, secret).await?;
    let used_by = services.secrets.used_by(&caller, &info.name).await?;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    if is_new {
        answer.insert_header((header::LOCATION, format!("/v1/secrets/{}", info.name)));
    }
    Ok(answer.json(SecretView::new(&info, used_by)))
}

/// Removes a secret that no case type uses.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<SecretName>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.secrets.delete(&caller, &path).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn read(name: &SecretName, body: &Value) -> Result<PutSecret, ApiError> {
    let mut members = Members::of(body);
    members.ignore(&["created_at", "updated_at", "used_by"]);
    if members.text("name").is_some_and(|said| said != name.as_str()) {
        members.note(
            "name",
            code::INVALID,
            format!("This must be `{name}`, as in the URL; or leave it out."),
        );
    }
    let secret = PutSecret {
        value: members.required_text("value").to_owned(),
        hosts: members.list("hosts", str::parse::<HostRule>).unwrap_or_default(),
        redact: members.flag("redact").unwrap_or(true),
    };
    members.finish().map(|()| secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_redacted_and_goes_nowhere_unless_said() {
        let name: SecretName = "vies_token".parse().unwrap();
        let secret = read(&name, &json!({"value": "12345678", "name": "vies_token"})).unwrap();
        assert!(secret.redact && secret.hosts.is_empty());
        let secret = read(&name, &json!({"value": "1", "redact": false, "hosts": ["a.test:443"]})).unwrap();
        assert!(!secret.redact && secret.hosts.len() == 1);
    }

    #[test]
    fn a_wrong_secret_is_refused_without_its_value() {
        let name: SecretName = "vies_token".parse().unwrap();
        for body in [
            json!({}),
            json!({"value": 12_345_678}),
            json!({"value": "12345678", "hosts": ["https://a.test"]}),
            json!({"value": "12345678", "hosts": "a.test"}),
            json!({"value": "12345678", "name": "other"}),
            json!({"value": "12345678", "host": []}),
        ] {
            let error = read(&name, &body).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("422 invalid: ") && !error.contains("12345678"), "{error}");
        }
    }
}
