//! `/runs/{id}/attempts/{number}/{request|response}`: a body as far as it is kept, as a file. What
//! was masked when it was kept stays so.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::web::{Data, Path};

use super::detail::read_id;
use crate::service::Services;
use crate::ui::refusal::Refusal;
use crate::ui::visitor::Visitor;

/// The file. It is plain text to be kept, whatever it holds: no browser shows it as a page.
pub async fn file(
    services: Data<Services>,
    visitor: Visitor,
    path: Path<(String, u32, String)>,
) -> Result<HttpResponse, Refusal> {
    let (id, number, which) = path.into_inner();
    let (_, attempts) = services.runs.get(&visitor.actor, read_id(&id)?).await?;
    let attempt = attempts.into_iter().find(|attempt| attempt.number == number);
    let body = attempt.and_then(|attempt| match which.as_str() {
        "request" => attempt.request?.body,
        "response" => attempt.response?.body,
        _ => None,
    });
    let body = body.ok_or_else(Refusal::not_found)?;
    let name = format!("attachment; filename=\"run-{number}-{which}.txt\"");
    Ok(HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((CONTENT_DISPOSITION, name))
        .body(body))
}
