//! How one call is described: what it takes, what it answers, how it can refuse.
//!
//! What holds for every call of a kind is added here and not in the list of calls: whoever asks
//! under `/v1` can be unauthorised, whoever sends a body can send a malformed one.

use std::collections::BTreeSet;

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder};

use crate::api::error::PROBLEM_JSON;
use crate::domain::token::Role;

/// Name of the security scheme.
pub const BEARER: &str = "bearer";

/// A call, as far as it is described.
pub struct Call {
    /// Its method.
    pub method: HttpMethod,
    /// Its URL, with `{name}` for what varies.
    pub path: &'static str,
    /// What it does, in a sentence.
    pub summary: String,
    /// The least role that may call; none: no token is needed.
    pub role: Option<Role>,
    operation: OperationBuilder,
    refusals: BTreeSet<u16>,
    /// Headers that come with each of its answers.
    headers: Vec<&'static str>,
}

/// Begins to describe a call; `id` names it for generated clients.
pub fn call(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Call {
    let tag = path.trim_start_matches("/v1/").trim_start_matches('/').split('/').next().unwrap_or_default();
    let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)).tag(tag);
    // Any call can meet a query that it does not take, and trouble of ours.
    let refusals = BTreeSet::from([500]);
    let is_post = method == HttpMethod::Post;
    let summary = summary.to_owned();
    let call = Call { method, path, summary, role: None, operation, refusals, headers: Vec::new() };
    if is_post { call.repeats() } else { call }
}

impl Call {
    /// Who may call.
    pub fn needs(mut self, role: Role) -> Self {
        let text = format!("Needs the role `{}`.", role.as_str());
        let bearer = SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, []);
        self.operation = self.operation.description(Some(text)).security(bearer);
        self.role = Some(role);
        // 400: a query that it does not take. 422: a header of a later version.
        self.refusals.extend([400, 401, 403, 422, 503]);
        self
    }

    /// What varies in the URL. What cannot be an id or a key names nothing.
    pub fn path(self, name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(schema));
        self.parameter(parameter.build()).refuses(404)
    }

    /// An optional parameter of the query.
    pub fn query(self, name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        self.optional(ParameterIn::Query, name, description, schema.into())
    }

    /// An optional header.
    pub fn header(self, name: &str, description: &str) -> Self {
        self.optional(ParameterIn::Header, name, description, text())
    }

    /// `Prefer: wait=N`.
    pub fn waits(mut self) -> Self {
        self.headers.push("Preference-Applied");
        self.header("Prefer", "`wait=N` waits up to N seconds, at most 30, for runs to end.")
    }

    /// `If-None-Match`.
    pub fn reads_again(self) -> Self {
        self.header("If-None-Match", "The `ETag` of what the caller has.").answers_nothing(
            304,
            "The caller has it already.",
            &["ETag"],
        )
    }

    /// `If-Match`.
    pub fn expects(self) -> Self {
        self.header("If-Match", "The `ETag` of what the change was made for; only its version counts.")
            .refuses(412)
    }

    /// `If-None-Match: *`.
    pub fn makes_only(self) -> Self {
        self.header("If-None-Match", "`*` makes it when there is none, and replaces nothing.").refuses(412)
    }

    /// `Idempotency-Key`. For its hash a body is read where none is taken, and when the call is
    /// repeated, what it made may be gone.
    fn repeats(mut self) -> Self {
        self.headers.push("Idempotent-Replayed");
        self.refusals.extend([404, 409, 413]);
        self.header(
            "Idempotency-Key",
            "1 to 255 visible ASCII characters; sent again within 24 h, it has its effect once.",
        )
    }

    /// `limit`, `cursor` and `count`.
    pub fn pages(self) -> Self {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(200));
        let cursor = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        let flag = ObjectBuilder::new().schema_type(Type::Boolean);
        self.query("limit", "Most items of the page; 50 unless given.", limit)
            .query("cursor", "`next_cursor` of the page before.", cursor)
            .query("count", "Adds `total`, exact to 10,000, else `total_at_least`.", flag)
    }

    fn optional(self, place: ParameterIn, name: &str, description: &str, schema: RefOr<Schema>) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema));
        self.parameter(parameter.build())
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// A body, as one of these media types.
    pub fn body(mut self, types: &[&str], required: Required, schema: RefOr<Schema>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body =
            types.iter().fold(RequestBodyBuilder::new().required(Some(required)), |body, media_type| {
                body.content(*media_type, content.clone())
            });
        self.operation = self.operation.request_body(Some(body.build()));
        self.refusals.extend([400, 413, 415, 422]);
        self
    }

    /// A body that may be left out and holds nothing.
    pub fn takes_nothing(self) -> Self {
        self.body(&["application/json"], Required::False, Ref::from_schema_name("NoMembers").into())
    }

    /// An answer with a body; these headers come with it, beside those of all its answers.
    pub fn answers(
        self,
        status: u16,
        description: &str,
        schema: impl Into<RefOr<Schema>>,
        headers: &[&str],
    ) -> Self {
        self.answers_as("application/json", status, description, schema, headers)
    }

    /// An answer with a body that is not JSON.
    pub fn answers_as(
        mut self,
        media_type: &str,
        status: u16,
        description: &str,
        schema: impl Into<RefOr<Schema>>,
        headers: &[&str],
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = self.response(description, headers).content(media_type, content).build();
        self.operation = self.operation.response(status.to_string(), response);
        self
    }

    /// An answer as one of several media types.
    pub fn answers_either(
        mut self,
        status: u16,
        description: &str,
        bodies: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
    ) -> Self {
        let response =
            bodies.into_iter().fold(self.response(description, &[]), |response, (media_type, schema)| {
                response.content(media_type, ContentBuilder::new().schema(Some(schema)).build())
            });
        self.operation = self.operation.response(status.to_string(), response.build());
        self
    }

    /// An answer without a body.
    pub fn answers_nothing(mut self, status: u16, description: &str, headers: &[&str]) -> Self {
        let response = self.response(description, headers).build();
        self.operation = self.operation.response(status.to_string(), response);
        self
    }

    fn response(&self, description: &str, headers: &[&str]) -> ResponseBuilder {
        response(description, &[headers, &self.headers].concat())
    }

    /// Another status with which it refuses.
    pub fn refuses(mut self, status: u16) -> Self {
        self.refusals.insert(status);
        self
    }

    /// The finished description.
    pub fn build(self) -> OperationBuilder {
        let role = self.role.map_or("none", Role::as_str);
        let described = self.operation.extensions(Some(ExtensionsBuilder::new().add("x-role", role).build()));
        self.refusals.iter().fold(described, |operation, status| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Refusal"))).build();
            let headers: &[&str] = match status {
                401 => &["WWW-Authenticate"],
                429 | 503 => &["Retry-After"],
                _ => &[],
            };
            let response = response(meaning(*status), headers).content(PROBLEM_JSON, content);
            operation.response(status.to_string(), response.build())
        })
    }
}

fn response(description: &str, headers: &[&str]) -> ResponseBuilder {
    let names = headers.iter().chain(&["X-Request-Id"]);
    names.fold(ResponseBuilder::new().description(description), |response, name| {
        response.header(*name, HeaderBuilder::new().schema(Some(text())).build())
    })
}

/// Any text.
pub fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => {
            "The request cannot be read: malformed JSON, or a query parameter that is unknown or out of range."
        }
        401 => "No valid token.",
        403 => "The token's role does not reach.",
        404 => "There is no such thing in this workspace.",
        409 => "It stands against what is there already.",
        412 => "It is no longer as the caller knows it.",
        413 => "The body, or what it would make, is too large.",
        415 => "The body is of another media type.",
        422 => "What was sent does not hold together, or is not supported yet.",
        429 => "As many are under way as may be at once.",
        503 => "The database cannot serve now.",
        _ => "Something in Dossier itself went wrong.",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::api::openapi::document::openapi_json;

    /// `api/once.rs` stands around every POST and reads the body of each that has a key; a thing
    /// that was made and is gone cannot be shown again.
    #[test]
    fn every_post_says_what_a_key_can_bring() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let posts: Vec<_> = paths.iter().filter_map(|(path, item)| Some((path, item.get("post")?))).collect();
        assert!(posts.len() > 5);
        for (path, post) in posts {
            for (status, answer) in post["responses"].as_object().unwrap() {
                let replays = answer["headers"].get("Idempotent-Replayed").is_some();
                assert_eq!(replays, status.starts_with('2'), "{path} {status}");
            }
            for status in ["404", "409", "413", "422"] {
                assert!(post["responses"].get(status).is_some(), "{path} {status}");
            }
        }
        let not_modified = &paths["/v1/cases/{id}"]["get"]["responses"]["304"]["headers"];
        assert!(not_modified.get("Preference-Applied").is_some(), "{not_modified}");
    }
}
