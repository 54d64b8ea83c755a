//! The test of a connection: its body and its call.

use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};
use uuid::Uuid;

use super::call::{Call, call};
use super::shapes::{is, key};
use crate::api::present::connection_test::ConnectionTestView;
use crate::domain::token::Role::Builder;

/// What a connection is tried out with: an endpoint, a field, or else its base URL.
#[derive(ToSchema)]
#[schema(example = json!({"endpoint": "check", "data": {"vat_number": "BE0123456789"}}))]
#[expect(dead_code, reason = "it only describes")]
pub struct ConnectionTestRequest {
    /// Key of an endpoint of the connection; not with `field`.
    endpoint: Option<String>,
    /// A field over the connection, as it is saved.
    field: Option<TestedField>,
    /// Data of no case; not with `field.case_id`.
    data: Option<Map<String, Value>>,
    /// The root `input`.
    input: Option<Map<String, Value>>,
    /// Over the workspace's params; not with `field`, which has its own.
    params: Option<Map<String, Value>>,
    /// Must be true to send other methods than GET, HEAD and OPTIONS.
    confirm: Option<bool>,
}

/// A field that is tried.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct TestedField {
    /// Key of its case type.
    case_type: String,
    /// Its key.
    key: String,
    /// The case on which it is tried.
    case_id: Option<Uuid>,
}

/// The test of a connection.
pub fn connection_test() -> Vec<Call> {
    let url = "/v1/connections/{key}/test";
    let what = "Tries a connection out in three stages: connectivity, authentication, end to end.";
    vec![
        call(HttpMethod::Post, url, "test_connection", what)
            .needs(Builder)
            .path("key", "Key of the connection.", key())
            .body(&["application/json"], Required::False, is::<ConnectionTestRequest>())
            .answers(200, "What came of it, step by step.", is::<ConnectionTestView>(), &[])
            .refuses(429),
    ]
}
