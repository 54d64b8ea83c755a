//! Company registry: `GET /registry/companies/{vat or number}`, deeply nested.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::refusal::Refusal;
use super::server::{Answer, SandboxState};

/// The company of a VAT or registry number, in any usual spelling; 404 `COMPANY_NOT_FOUND`.
pub(super) async fn company(request: HttpRequest, state: Data<SandboxState>, id: Path<String>) -> Answer {
    let company = state.world.company(&id);
    let subject = company.map_or(id.as_str(), |company| &company.vat);
    state.admit(&request, "registry", subject, company).await?;
    let company = company.ok_or_else(|| {
        Refusal::missing("COMPANY_NOT_FOUND", format!("No company is registered under `{id}`."))
    })?;
    let country = company.text("/registered_office/country/code");
    Ok(HttpResponse::Ok().insert_header(("x-registry-edition", state.world.as_of.as_str())).json(json!({
        "company": company.record,
        "meta": {"source": format!("Sandbox company registry {country}"), "as_of": state.world.as_of},
    })))
}
