//! A provider, set up once: where it is, how it is spoken to, what it bears.
//!
//! `definition.rs` reads what a builder says and shows it again, `base_url.rs`,
//! `endpoints.rs`, `tls.rs` and `read_limits.rs` parts of it; `limits.rs` is what the parts mean, `status.rs` how far the
//! connection has come. Whether a call may be made now is not decided here but by its lane.

mod base_url;
mod definition;
mod endpoints;
mod limits;
mod read_limits;
mod status;
mod tls;

pub use definition::{Connection, Parsed};
pub use endpoints::Endpoints;
pub use limits::{BreakerScope, BreakerSettings, RateLimit, Redirects, Window};
pub use status::ConnectionStatus;
pub use tls::{ClientCertificate, Tls};
