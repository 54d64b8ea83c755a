//! A URL whose scheme, host, port and path depth no value of a case can change.
//!
//! Three forms are known when compiling: absolute (`https://host/path`), relative to a
//! connection's base URL (`/path`), and one that starts with a value of `params`
//! (`{params.base}/path`). Only literals and `params` may stand before the path. Below it every
//! value is percent-encoded into the segment where it stands, and a segment that a value makes
//! empty, `.` or `..` is refused; in the query every value is encoded as the URL library encodes
//! form values. A fragment is never sent and dropped.

/// A source cut into head, segments and query.
mod layout;
/// The template.
mod template;

pub use template::UrlTemplate;
