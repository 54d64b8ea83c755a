//! A connection by hand: switched, let go, its circuit opened and closed.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::connection::read_key;
use crate::domain::token::Role;
use crate::service::{ConnectionAction, Services};
use crate::ui::history::actions::see;
use crate::ui::posted::Posted;
use crate::ui::refusal::Refusal;

/// `enable`, `disable`, `resume`, `breaker/open`, `breaker/close`.
pub async fn act(
    services: Data<Services>,
    posted: Posted,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Refusal> {
    let (key, action) = path.into_inner();
    posted.visitor.require(Role::Builder)?;
    let key = read_key(&key)?;
    let (action, done) = match action.as_str() {
        "enable" => (ConnectionAction::Enable, "enabled"),
        "disable" => (ConnectionAction::Disable, "disabled"),
        "resume" => (ConnectionAction::Resume, "resumed"),
        "breaker/open" => (ConnectionAction::OpenBreaker(None), "opened"),
        "breaker/close" => (ConnectionAction::CloseBreaker(None), "closed"),
        _ => return Err(Refusal::not_found()),
    };
    services.connections.act(&posted.visitor.actor, &key, action, None).await?;
    Ok(see(&format!("/connections/{key}"), done))
}
