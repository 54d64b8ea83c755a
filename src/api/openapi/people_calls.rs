//! The calls about people who sign in, and their bodies.

use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};

use super::call::{Call, call};
use super::shapes::{is, list, uuid};
use crate::api::present::person::PersonView;
use crate::api::present::words::Role;
use crate::domain::token::Role::Admin;

const JSON: &[&str] = &["application/json"];
const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// Who a new person is.
#[derive(ToSchema)]
#[schema(example = json!({"name": "Ada", "email": "ada@example.com", "role": "operator"}))]
#[expect(dead_code, reason = "it only describes")]
pub struct NewPerson {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// They sign in with it; compared without case, and nobody else of the workspace has it.
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    role: Role,
    /// Whether they may sign in; true unless given.
    active: Option<bool>,
    /// Without one they sign in by a link first. It is never shown again.
    #[schema(min_length = 10, max_length = 1024, write_only)]
    password: Option<String>,
}

/// What shall change of a person: a merge patch (RFC 7396); what is absent stays, and nothing can be
/// taken away.
#[derive(ToSchema)]
#[schema(example = json!({"role": "viewer"}))]
#[expect(dead_code, reason = "it only describes")]
pub struct PersonPatch {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(min_length = 3, max_length = 254)]
    email: Option<String>,
    #[schema(nullable = false)]
    role: Option<Role>,
    /// Who is switched off is signed out everywhere.
    #[schema(nullable = false)]
    active: Option<bool>,
    /// Another password; it ends all sessions of the person. It is never shown again.
    #[schema(min_length = 10, max_length = 1024, write_only, nullable = false)]
    password: Option<String>,
}

/// People who sign in to the pages.
pub fn people() -> Vec<Call> {
    vec![
        call(HttpMethod::Get, "/v1/people", "list_people", "Lists people who sign in, oldest first.")
            .needs(Admin)
            .pages()
            .answers(200, "A page of people.", list::<PersonView>(), &[]),
        call(HttpMethod::Post, "/v1/people", "create_person", "Adds a person.")
            .needs(Admin)
            .body(JSON, Required::True, is::<NewPerson>())
            .answers(201, "They can sign in from now on.", is::<PersonView>(), &["Location"]),
        call(HttpMethod::Get, "/v1/people/{id}", "get_person", "Reads a person.")
            .needs(Admin)
            .path("id", "The person.", uuid())
            .answers(200, "The person.", is::<PersonView>(), &[]),
        call(
            HttpMethod::Patch,
            "/v1/people/{id}",
            "patch_person",
            "Changes a person by a merge patch (RFC 7396).",
        )
        .needs(Admin)
        .path("id", "The person.", uuid())
        .body(PATCH, Required::True, is::<PersonPatch>())
        .answers(200, "The person as they are now.", is::<PersonView>(), &[])
        .refuses(409),
        call(
            HttpMethod::Delete,
            "/v1/people/{id}",
            "delete_person",
            "Removes a person and ends their sessions.",
        )
        .needs(Admin)
        .path("id", "The person.", uuid())
        .answers_nothing(204, "They are signed out everywhere.", &[])
        .refuses(409),
        call(
            HttpMethod::Delete,
            "/v1/people/{id}/sessions",
            "end_sessions",
            "Signs a person out everywhere.",
        )
        .needs(Admin)
        .path("id", "The person.", uuid())
        .answers_nothing(204, "None of their sessions is good any more.", &[]),
    ]
}
