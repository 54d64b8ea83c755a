//! The calls of the workspace and its audit.

use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HttpMethod, Required};

use super::bodies;
use super::call::{Call, call, text};
use super::shapes::{is, list};
use crate::api::present::audit::AuditView;
use crate::api::present::words;
use crate::api::present::workspace::WorkspaceView;
use crate::domain::audit::AuditKind;
use crate::domain::token::Role::{Admin, Viewer};

const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// The caller's workspace.
pub fn workspace() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/workspace", "get_workspace", "Reads the workspace of the token.")
            .needs(Viewer)
            .reads_again()
            .answers(200, "The workspace.", is::<WorkspaceView>(), &["ETag"]),
        call(
            HttpMethod::Patch,
            "/v1/workspace",
            "patch_workspace",
            "Changes name and params by a merge patch (RFC 7396).",
        )
        .needs(Admin)
        .expects()
        .body(PATCH, Required::True, is::<bodies::WorkspacePatch>())
        .answers(200, "The workspace as it is now.", is::<WorkspaceView>(), &["ETag"])
        .refuses(409),
    ]
}

/// Who changed what.
pub fn audit() -> Vec<Call> {
    let kinds: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
    vec![
        call(HttpMethod::Get, "/v1/audit", "list_audit", "Lists who changed what, newest first.")
            .needs(Admin)
            .query("kind", "Changes of things of this kind.", kind)
            .query("key", "Changes of things with this key or name.", text())
            .query("by", "What they did, as `by` names them: `token:ops`.", text())
            .query("since", "Done at this time or later.", words::Time::schema())
            .query("until", "Done before this time.", words::Time::schema())
            .pages()
            .answers(200, "A page of entries.", list::<AuditView>(), &[]),
    ]
}
