//! Secrets: written, listed by name, never read again.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};

use super::body::JsonBody;
use super::error::ApiError;
use super::extract::{Builder, Caller, IfMatch, Viewer};
use super::present::secret::SecretAnswer;
use super::query::{NoParameters, Params};
use super::{intake, list};
use crate::domain::ids::SecretName;
use crate::domain::problem::code;
use crate::service::{PageRequest, ServiceError, Services};

/// Names, hosts and users of the secrets, by name.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.secrets.list(&caller, page.0).await?;
    let users = services.secrets.users(&caller).await?;
    Ok(list::answer(page, |info| {
        let users = users.get(info.name.as_str()).map_or(&[][..], Vec::as_slice);
        SecretAnswer::new(&info, users)
    }))
}

/// Sets or replaces a secret: 201 when it is new.
pub async fn put(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<String>,
    _: Params<NoParameters>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let name = path.parse::<SecretName>().map_err(|error| {
        ServiceError::invalid("/name", code::INVALID, format!("the name in the URL: {error}"))
    })?;
    let secret = intake::put_secret(&body.0, &name)?;
    let (secret, is_new) = services.secrets.put(&caller, name, secret, expected.0).await?;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    if is_new {
        answer.insert_header((header::LOCATION, format!("/v1/secrets/{}", secret.name)));
    }
    let users = services.secrets.used_by(&caller, &secret.name).await?;
    Ok(answer.json(SecretAnswer::new(&secret, &users)))
}

/// Removes a secret that nobody uses.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<SecretName>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.secrets.delete(&caller, &path).await?;
    Ok(HttpResponse::NoContent().finish())
}
