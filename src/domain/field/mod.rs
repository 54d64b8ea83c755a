//! One field of a case type: a plain one holds a value in `data`, an `api_call` one fetches.

mod definition;
mod plain;
mod value;

pub use definition::{Field, FieldKind, Visibility};
pub use plain::{PlainField, PlainType, SelectOption};
pub use value::is_email;
