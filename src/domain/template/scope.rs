//! The values that one rendering may read, by root.
//!
//! Roots are shared JSON trees and are read in place: nothing is copied or converted to build a
//! scope, and only what an expression names is looked at.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::roots::canonical;

/// The values behind the roots. A root that is absent, or null, is missing.
#[derive(Clone, Default)]
pub struct Scope {
    roots: Vec<(String, Arc<Value>)>,
}

impl Scope {
    /// A scope where everything is missing.
    pub fn new() -> Self {
        Self::default()
    }

    /// This scope with one more root.
    #[must_use]
    pub fn with(mut self, root: &str, value: Arc<Value>) -> Self {
        self.set(root, value);
        self
    }

    /// Adds or replaces a root.
    pub fn set(&mut self, root: &str, value: Arc<Value>) {
        let root = canonical(root);
        match self.roots.iter_mut().find(|(name, _)| name == root) {
            Some((_, held)) => *held = value,
            None => self.roots.push((root.to_owned(), value)),
        }
    }

    /// The value of a root.
    pub fn get(&self, root: &str) -> Option<&Arc<Value>> {
        let root = canonical(root);
        self.roots.iter().find(|(name, _)| name == root).map(|(_, value)| value)
    }
}

/// Names only: the values hold personal data and secrets.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.roots.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_secret_are_one_root_and_debug_shows_no_value() {
        let mut scope = Scope::new().with("secrets", Arc::new(json!({"a": "hush-hush"})));
        assert!(scope.get("secret").is_some());
        scope.set("secret", Arc::new(json!({"b": "quiet"})));
        assert_eq!(scope.get("secrets").unwrap()["b"], "quiet");
        assert_eq!(format!("{scope:?}"), r#"["secret"]"#);
    }
}
