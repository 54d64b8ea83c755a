//! Replaces the values of secrets in whatever leaves the process.
//!
//! A provider may echo a credential in a header, a page or an error, and it does so in the
//! encoding in which it got it, or in another. So a value is not searched for as bytes but as a
//! spelling: `spelling` reads one character however it may be written (percent, JSON, HTML,
//! form), `pattern` lists what is read that way (the value itself, its hex, its base64 at every
//! alignment), and `redactor` puts `[secret <name>]` in its place. `headers` knows credentials by
//! the names of their headers, `paths` by where a builder says that they stand in an answer.

mod headers;
mod paths;
mod pattern;
mod redactor;
mod spelling;

pub use headers::{credentials_in, is_credential_header};
pub use paths::{HiddenPaths, REDACTED};
pub use redactor::{Label, Redactor};
