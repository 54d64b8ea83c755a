//! How a request proves who it is.
//!
//! The members that carry a credential are templates, so that they can name a secret. One that
//! was typed literally is hidden at rest by the service around this module, which finds it with
//! [`credential_members`]; here it is a text like any other. What an auth type does to a request
//! is the engine's business, as is the life of the tokens that some types fetch first.
//!
//! `definition.rs` says what there is, `read.rs` reads it as a whole, `keys.rs`, `oauth.rs` and
//! `token_request.rs` the types with more to say; `members.rs` is what they share.
//! `token_answer.rs` reads what a token endpoint answered.
//!
//! [`credential_members`]: crate::domain::auth::credential_members

mod definition;
mod keys;
mod literals;
mod members;
mod oauth;
mod read;
mod token_answer;
mod token_request;

pub use definition::{
    ApiKey, Auth, ClientAuth, Extra, KeyPlace, OAuth, TokenAuth, TokenCallSource, TokenRequest,
};
pub use literals::{Literal, credential_members, credential_places, is_literal, same_destination};
pub use token_answer::{Lifetime, NotAToken, TokenAnswer, TokenPaths};
