//! Templates and expressions: how a request is written down and filled with a case's values.
//!
//! The language is minijinja's expression syntax without statements, loops, includes or
//! functions, in two spellings: `{{ expression }}` and, for a bare dotted path, `{path}`.
//! Everything is compiled when a case type is saved and rendered in one pass: a value is data
//! and is never looked at as a template again.
//!
//! Read it in this order. `Roots` says which first words a place knows and `Scope` holds
//! their values. An `Expression` is one formula. A `Template` is a string with placeholders,
//! and the other types are strings whose place has an encoding of its own: `UrlTemplate`,
//! `JsonTextTemplate`, `TextTemplate`, and the JSON tree `ValueTemplate`.
//!
//! **Missing** (undefined at any depth, or null) is the one notion that no template library
//! has: it must survive operators and filters, be named by its path, and be mended by
//! `default`. So the walk over an expression is ours (`evaluate`), while minijinja is the
//! authority on syntax, literals and arithmetic and lends its pure text filters.
//!
//! Guarantees: no panic, no text over 1 MiB on the way, bounded work, and no value of a secret
//! (or of anything else) in an error.

/// What may go wrong when compiling and when rendering.
mod error;
/// First words of paths.
mod roots;
/// Values behind the roots.
mod scope;

/// Source text to tokens.
mod lexer;
/// Tokens to a tree.
mod parser;
/// The tree, and the paths in it.
mod tree;

/// Equality, order and containment.
mod compare;
/// The walk over the tree.
mod evaluate;
/// The filters.
mod filters;
/// The part that minijinja does.
mod jinja;
/// Numbers as JSON writes them.
mod number;
/// The tests after `is`.
mod tests_of_values;
/// How much one rendering may build.
mod work;

/// One formula.
mod expression;
/// A JSON text with placeholders.
mod json_text;
/// What all strings with placeholders share.
mod parts;
/// Finds `{{ }}` and `{path}` in a string.
mod placeholder;
/// A string with placeholders.
mod string;
/// Free text with placeholders.
mod text;
/// A URL with placeholders.
mod url;
/// A JSON tree with placeholders.
mod value;

pub use compare::equal;
pub use error::{RenderError, TemplateError};
pub use expression::Expression;
pub use json_text::JsonTextTemplate;
pub use number::text_of;
pub use roots::Roots;
pub use scope::Scope;
pub use string::Template;
pub use text::TextTemplate;
pub use url::UrlTemplate;
pub use value::ValueTemplate;

/// What must hold for every source and every value.
#[cfg(test)]
mod properties;
