//! The test console: its body and its call.

use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};
use uuid::Uuid;

use super::call::{Call, call};
use super::field::FieldDefinition;
use super::shapes::{is, key};
use crate::api::present::console::TestedView;
use crate::domain::token::Role::Builder;

/// What a field is tried out with.
#[derive(ToSchema)]
#[schema(example = json!({
    "data": {"vat_number": "BE0123456789"},
    "response": {"status": 200, "headers": {"content-type": "application/json"}, "body": {"name": "Acme SA"}},
}))]
#[expect(dead_code, reason = "it only describes")]
pub struct FieldTestRequest {
    /// The field as it shall be; as it is saved, unless given.
    field: Option<FieldDefinition>,
    /// The case on which it is tried; not with `data`.
    case_id: Option<Uuid>,
    /// Data of no case.
    data: Option<Map<String, Value>>,
    /// The root `input`.
    input: Option<Map<String, Value>>,
    /// Whether the request goes out; false unless given.
    send: Option<bool>,
    /// Must be true to send other methods than GET, HEAD and OPTIONS.
    confirm: Option<bool>,
    /// An answer to be mapped in place of the provider's; not with `send`.
    response: Option<RecordedResponse>,
}

/// An answer that somebody has, as an attempt shows it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct RecordedResponse {
    /// 200 unless given.
    #[schema(minimum = 200, maximum = 599)]
    status: Option<u16>,
    /// By name, as headers come: no control characters but tabs.
    headers: Option<std::collections::BTreeMap<String, String>>,
    /// A text as it came, or JSON.
    body: Option<Value>,
    bytes: Option<u64>,
    truncated: Option<bool>,
}

/// The test console.
pub fn console() -> Vec<Call> {
    let url = "/v1/case-types/{key}/fields/{field}/test";
    vec![
        call(HttpMethod::Post, url, "test_field", "Tries a field out, and records nothing.")
            .needs(Builder)
            .path("key", "Key of the case type.", key())
            .path("field", "Key of the field; a new one with `field` in the body.", key())
            .body(&["application/json"], Required::False, is::<FieldTestRequest>())
            .answers(200, "What came of it, as far as it came.", is::<TestedView>(), &[])
            .refuses(429),
    ]
}
