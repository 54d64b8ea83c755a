//! Who changed what: read by admins, changed by nobody.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::error::ApiError;
use super::extract::{Admin, Caller};
use super::list;
use super::present::audit::AuditView;
use super::query::{Parameters, Params, Query};
use crate::domain::audit::AuditKind;
use crate::service::{PageRequest, Services};
use crate::store::AuditFilter;

/// Which entries are listed.
pub struct AuditList {
    filter: AuditFilter,
    page: PageRequest,
}

impl Parameters for AuditList {
    fn read(query: &mut Query) -> Self {
        Self {
            filter: AuditFilter {
                kind: query.word("kind", AuditKind::ALL, AuditKind::as_str),
                key: query.text("key"),
                by: query.text("by"),
                since: query.instant("since"),
                until: query.instant("until"),
            },
            page: PageRequest::read(query),
        }
    }
}

/// The entries of the workspace, newest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Admin>,
    list: Params<AuditList>,
) -> Result<HttpResponse, ApiError> {
    let AuditList { filter, page } = list.0;
    let page = services.audit.list(&caller, filter, page).await?;
    Ok(list::answer(page, |entry| AuditView::from(&entry)))
}
