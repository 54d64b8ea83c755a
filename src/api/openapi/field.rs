//! Fields of a case type as they are defined, in every detail that a schema can say.
//!
//! What depends on other members (a `watch` only for `on_update`) is said in words; the reader
//! in the domain decides.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::api::present::words;

/// A field: plain, holding a value in `data`, or of the type `api_call`, fetching values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct FieldDefinition {
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    key: String,
    r#type: FieldType,
    /// The key, unless given.
    #[schema(required = false, min_length = 1, max_length = 200)]
    name: String,
    #[schema(required = false, max_length = 2000)]
    description: String,
    /// Key of a section.
    #[schema(required = false, min_length = 1)]
    section: String,
    /// `always-visible`, unless given.
    #[schema(required = false)]
    visibility: Visibility,
    /// Plain fields: whether it may not be left empty.
    #[schema(required = false)]
    required: bool,
    /// Plain fields: what a new case gets where the value is absent.
    #[schema(required = false)]
    default: Value,
    /// Plain fields: whether lists may be filtered by it at any size.
    #[schema(required = false)]
    index: bool,
    /// Fields of the type `select`: the choices.
    #[schema(required = false, min_items = 1, max_items = 500)]
    options: Vec<SelectOption>,
    /// API Call fields, as all below: what fires it; `on_create`, unless given.
    #[schema(required = false)]
    trigger: Triggers,
    /// For `on_update`: dotted paths in `data`, or below `case` or `params`; what request and `when` read of
    /// `data`, unless given.
    #[schema(required = false, min_items = 1, max_items = 200)]
    watch: Vec<String>,
    /// For `scheduled`: when.
    #[schema(required = false)]
    schedule: ScheduleDefinition,
    /// An expression; where it is false the run is skipped.
    #[schema(required = false, min_length = 1)]
    when: String,
    /// Retries after the first attempt; 3, unless given.
    #[schema(required = false, minimum = 0, maximum = 10)]
    retry: u32,
    /// Milliseconds for one attempt; 30000, unless given.
    #[schema(required = false, minimum = 1, maximum = 300_000)]
    timeout: u32,
    /// Seconds for which an answer is kept and shared; 0, not at all, unless given.
    #[schema(required = false, minimum = 0, maximum = 315_360_000)]
    cache_duration: u64,
    /// Whether it runs at all; true, unless given.
    #[schema(required = false)]
    enabled: bool,
    /// The request, and what of its answer goes where.
    #[schema(required = false)]
    api_config: ApiConfig,
}

/// The type of a field.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub enum FieldType {
    Text,
    Number,
    Integer,
    Boolean,
    Date,
    Datetime,
    Select,
    Email,
    Url,
    Json,
    ApiCall,
}

/// When a page shows the field.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it only describes")]
pub enum Visibility {
    AlwaysVisible,
    HideWhenEmpty,
    Hidden,
}

/// When a field runs by the clock.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ScheduleDefinition {
    /// Five or six fields, at most once a minute: `0 6 * * 1`.
    #[schema(min_length = 1, max_length = 500)]
    cron: String,
    /// An IANA time zone; UTC, unless given.
    #[schema(required = false, min_length = 1, max_length = 500)]
    timezone: String,
    /// Seconds; fields whose data is fresher are left alone.
    #[schema(required = false, minimum = 1, maximum = 315_360_000)]
    older_than: u64,
    /// Whether closed cases take part; false, unless given.
    #[schema(required = false)]
    include_closed: bool,
}

/// The request of an API Call field, and what of its answer goes where.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ApiConfig {
    /// Key of a connection.
    #[schema(required = false, min_length = 1)]
    connection: String,
    /// Key of an endpoint of the connection.
    #[schema(required = false, min_length = 1)]
    endpoint: String,
    /// `GET`, unless given.
    #[schema(required = false)]
    method: Method,
    /// A template. Absolute, or a path on the connection's base URL.
    #[schema(required = false, min_length = 1)]
    url: String,
    /// Templates.
    #[schema(required = false)]
    headers: BTreeMap<String, Value>,
    /// The query. Templates; what is missing or null is left out.
    #[schema(required = false)]
    params: BTreeMap<String, Value>,
    /// Templates, as `body_type` says.
    #[schema(required = false)]
    body: Value,
    /// `json`, unless given.
    #[schema(required = false)]
    body_type: BodyType,
    /// How the request is authorised: its `type` (`none`, `bearer`, `basic`, `api_key`, `oauth2_client_credentials`,
    /// `oauth2_password` or `token_request`) and what that takes.
    #[schema(required = false)]
    auth: Map<String, Value>,
    /// Dotted target in `data` → where its value is in the answer.
    #[schema(required = false, value_type = BTreeMap<String, MappingEntry>)]
    response_mapping: Map<String, Value>,
    /// Where the provider puts its own error.
    #[schema(required = false)]
    error_mapping: ErrorMapping,
    /// An expression over `status`, `headers` and `body`; a status of 2xx, unless given.
    #[schema(required = false, min_length = 1)]
    success_when: String,
    /// An expression over the same.
    #[schema(required = false, min_length = 1)]
    retry_when: String,
    /// Paths (RFC 9535) of what nobody may see of its answers, beside those of the connection.
    #[schema(required = false, max_items = 20)]
    redact: Vec<String>,
    /// The member of `data` that keeps the whole answer.
    #[schema(required = false, pattern = "^[a-z][a-z0-9_]{0,63}$")]
    output_variable: String,
}

/// How the request is sent.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "it only describes")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

/// What the body of the request becomes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub enum BodyType {
    Json,
    Form,
    Text,
}

/// Where the provider puts its own error, each a JSONPath.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ErrorMapping {
    #[schema(required = false, min_length = 1)]
    code: String,
    #[schema(required = false, min_length = 1)]
    message: String,
}

/// A choice: what is stored, and what is shown when that differs.
pub struct SelectOption;

impl PartialSchema for SelectOption {
    fn schema() -> RefOr<Schema> {
        let text =
            || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200));
        let named = ObjectBuilder::new().property("value", text()).property("name", text()).required("value");
        OneOfBuilder::new().item(text()).item(named).into()
    }
}

impl ToSchema for SelectOption {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SelectOption")
    }
}

/// Where one value is in the answer: a JSONPath, or an object that says more.
pub struct MappingEntry;

impl PartialSchema for MappingEntry {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        let words = |words: &[&str]| {
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
        };
        let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        let types = ["any", "text", "number", "integer", "boolean", "date", "datetime", "json"];
        let entry = ObjectBuilder::new()
            .property("path", text())
            .property("value", text())
            .property("from", words(&["body", "headers", "status"]))
            .property("pick", words(&["auto", "first", "last", "all", "count"]))
            .property("type", words(&types))
            .property("transform", text())
            .property("default", anything)
            .property("required", ObjectBuilder::new().schema_type(Type::Boolean))
            .property("on_missing", words(&["null", "keep", "fail"]))
            .property(
                "overwrite",
                OneOfBuilder::new()
                    .item(words(&["if_empty"]))
                    .item(ObjectBuilder::new().schema_type(Type::Boolean)),
            );
        OneOfBuilder::new().item(text()).item(entry).into()
    }
}

impl ToSchema for MappingEntry {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("MappingEntry")
    }
}

/// One trigger, or several.
pub struct Triggers;

impl PartialSchema for Triggers {
    fn schema() -> RefOr<Schema> {
        let many = ArrayBuilder::new().items(words::Trigger::schema()).min_items(Some(1)).unique_items(true);
        OneOfBuilder::new().item(words::Trigger::schema()).item(many).into()
    }
}

impl ToSchema for Triggers {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Triggers")
    }
}
