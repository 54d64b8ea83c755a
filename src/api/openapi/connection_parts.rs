//! Parts of connections: endpoints, TLS, users.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::field::{BodyType, Method};

/// A request that fields take over: what a field leaves out comes from here.
#[derive(ToSchema)]
#[schema(example = json!({
    "path": "/companies/{data.number}",
    "params": {"lang": "en"},
    "response_mapping": {"company_name": "$.name"},
}))]
#[expect(dead_code, reason = "it only describes")]
pub struct EndpointDefinition {
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// `GET`, unless given.
    method: Option<Method>,
    /// What follows the connection's `base_url`.
    #[schema(min_length = 1, max_length = 8192)]
    path: String,
    /// A field's own header of that name goes first.
    headers: Option<BTreeMap<String, Value>>,
    /// The query; a field's own of that name goes first.
    params: Option<Map<String, Value>>,
    /// As in a field.
    body: Option<Value>,
    body_type: Option<BodyType>,
    response_mapping: Option<Map<String, Value>>,
    error_mapping: Option<Map<String, Value>>,
    success_when: Option<String>,
    retry_when: Option<String>,
    #[schema(max_items = 20)]
    redact: Option<Vec<String>>,
}

/// Whom calls trust and how they prove who they are. Certificates are always verified.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct TlsDefinition {
    /// One or more certificates of authorities, in PEM; only they are trusted then.
    ca: Option<String>,
    client_certificate: Option<ClientCertificateDefinition>,
}

/// What is shown to a provider that asks for a certificate.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ClientCertificateDefinition {
    /// The certificate with its chain, in PEM.
    certificate: String,
    /// Its key in PEM, or a placeholder of a secret; a typed one reads as `[hidden]`.
    key: String,
}

/// How far redirects are followed.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub enum Redirects {
    SameHost,
    Any,
}

/// A field that uses a connection.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ConnectionUser {
    /// Key of the case type.
    case_type: String,
    /// Key of the field.
    field: String,
    /// The endpoint that it takes over.
    endpoint: Option<String>,
}
