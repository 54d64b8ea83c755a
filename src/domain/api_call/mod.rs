//! The configuration of an API Call field: when it runs, what it sends, what it keeps.
//!
//! `definition.rs` reads what stands at the field itself, `triggers.rs` the part of it that says
//! what fires it, `config.rs` what stands inside `api_config`; `request.rs`, `headers.rs` and
//! `body.rs` read the request in it. `compiler.rs` compiles templates and looks up the names they
//! use, `endpoint.rs` reads what connections keep for fields
//! to take over, `address.rs` tells where a url goes, and `doubts.rs` warns of what is legal but probably
//! not meant.

mod address;
mod body;
mod compiler;
mod config;
mod definition;
mod doubts;
mod endpoint;
mod headers;
mod method;
mod request;
mod triggers;

pub use body::{BodyTemplate, read_body};
pub use compiler::Compiler;
pub use config::{CONFIG_MEMBERS, RESERVED_NAMES, output_variable_problem};
pub use definition::{ApiCall, FIELD_MEMBERS};
pub use endpoint::read_endpoint;
pub use headers::{header_name_problem, is_header_name, read_headers};
pub use method::Method;
pub use request::{Request, read_method};
