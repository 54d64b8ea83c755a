//! Runs by hand: repeated and cancelled.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};

use super::detail::read_id;
use crate::domain::token::Role;
use crate::service::Services;
use crate::ui::back;
use crate::ui::posted::Posted;
use crate::ui::refusal::Refusal;

/// Repeats a run that has ended; shows the new one, or the page that the form says.
pub async fn retry(
    services: Data<Services>,
    posted: Posted,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Operator)?;
    let run = services.runs.retry(&visitor.actor, read_id(&path)?, form.ticked("new_key"), None).await?;
    Ok(see(&back::safe_or(form.get("back"), &format!("/runs/{}", run.id)), "retried"))
}

/// Cancels a run that waits or works.
pub async fn cancel(
    services: Data<Services>,
    posted: Posted,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Operator)?;
    let run = services.runs.cancel(&visitor.actor, read_id(&path)?, None).await?;
    Ok(see(&back::safe_or(form.get("back"), &format!("/runs/{}", run.id)), "cancelled"))
}

/// Another page, which says what was done.
pub fn see(path: &str, done: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, back::saying(path, done))).finish()
}
