//! API tokens: made, listed without their value, withdrawn.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use serde_json::Value;

use super::body::JsonBody;
use super::error::ApiError;
use super::extract::{Admin, Caller};
use super::list;
use super::members::Members;
use super::present::token::{NewTokenView, TokenView};
use super::query::{NoParameters, Params, one_of};
use crate::domain::ids::TokenId;
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, PageRequest, Services};

/// The tokens of the workspace, oldest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Admin>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.access.list(&caller, page.0).await?;
    Ok(list::answer(page, |row| TokenView::from(&row)))
}

/// Makes a token. This answer is the only one that shows it.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Admin>,
    _: Params<NoParameters>,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let (row, token) = services.access.create(&caller, read(&body.0)?).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/v1/tokens/{}", row.id)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(NewTokenView::new(&row, &token)))
}

/// Withdraws a token; it stops working within seconds.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Admin>,
    path: Path<TokenId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.access.delete(&caller, *path).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn read(body: &Value) -> Result<NewTokenRequest, ApiError> {
    let mut members = Members::of(body);
    members.ignore(&["id", "created_at"]);
    let name = members.required_text("name").to_owned();
    let role = members.required_text("role");
    let role = members.parsed("role", role, |text| {
        Role::parse(text).ok_or_else(|| format!("`role` must be {}.", one_of(Role::ALL.map(Role::as_str))))
    });
    let overrides = members.flag("overrides").unwrap_or(true);
    let expires_at = members.instant("expires_at");
    members.finish()?;
    let role = role.ok_or_else(|| ApiError::internal("a role was neither read nor refused"))?;
    Ok(NewTokenRequest { name, role, overrides, expires_at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_needs_a_name_and_a_role() {
        let token = read(&json!({"name": "ops", "role": "operator", "expires_at": null})).unwrap();
        assert_eq!((token.name.as_str(), token.role, token.overrides), ("ops", Role::Operator, true));
        assert_eq!(token.expires_at, None);
        for body in [
            json!({}),
            json!({"name": "ops"}),
            json!({"name": "ops", "role": "owner"}),
            json!({"name": "ops", "role": 1}),
            json!({"name": "ops", "role": "viewer", "expires_at": "tomorrow"}),
            json!({"name": "ops", "role": "viewer", "token": "dsr_x"}),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
    }
}
