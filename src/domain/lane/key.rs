//! The key of a lane: the connection, else the origin, else the field alone.

use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::domain::ids::{CaseTypeKey, FieldKey};

/// What a lane is called; unique in its workspace. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey(Arc<str>);

impl LaneKey {
    /// The lane of a connection: `connection:vies`.
    pub fn of_connection(key: &str) -> Self {
        Self(format!("connection:{key}").into())
    }

    /// The lane of an origin: `https://registry.example`, with the port unless it is the scheme's.
    pub fn of_origin(url: &Url) -> Self {
        Self(url.origin().ascii_serialization().into())
    }

    /// The lane of a field whose origin nobody can tell before it is called.
    pub fn of_field(case_type: &CaseTypeKey, field: &FieldKey) -> Self {
        Self(format!("field:{case_type}.{field}").into())
    }

    /// The key as rows hold it.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of its connection, if it is the lane of one.
    pub fn connection(&self) -> Option<&str> {
        self.0.strip_prefix("connection:")
    }
}

impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_leaves_out_the_port_of_its_scheme() {
        for (url, key) in [
            ("https://registry.example/a?b", "https://registry.example"),
            ("https://registry.example:443/", "https://registry.example"),
            ("http://registry.example:8080/x", "http://registry.example:8080"),
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ] {
            assert_eq!(LaneKey::of_origin(&url.parse().unwrap()).as_str(), key);
        }
        let field = LaneKey::of_field(&"order".parse().unwrap(), &"check".parse().unwrap());
        assert_eq!((field.as_str(), field.connection()), ("field:order.check", None));
        assert_eq!(LaneKey::of_connection("vies").connection(), Some("vies"));
    }
}
