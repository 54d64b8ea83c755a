//! Shapes that many calls have in common: a page of things, an id, a key.

use utoipa::ToSchema;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// A shape by its name.
pub fn is<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// What `list.rs` answers.
pub fn list<T: ToSchema>() -> ObjectBuilder {
    let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(is::<T>()))
        .property("next_cursor", ObjectBuilder::new().schema_type(nullable))
        .property("total", number())
        .property("total_at_least", number())
        .required("items")
        .required("next_cursor")
}

/// True or false.
pub fn flag() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

/// An id.
pub fn uuid() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

/// The key of a thing.
pub fn key() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z][a-z0-9_]{0,63}$"))
}
