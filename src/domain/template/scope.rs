//! The values that one rendering may read, by root.
//!
//! Roots are shared JSON trees and are read in place: nothing is copied or converted to build a
//! scope, and only what an expression names is looked at.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::roots::canonical;
use crate::domain::secret::SecretText;

/// Shortest text that is remembered as made of a secret; shorter ones occur everywhere.
const SHORTEST_MADE: usize = 8;

/// The values behind the roots. A root that is absent, or null, is missing.
#[derive(Clone, Default)]
pub struct Scope {
    roots: Vec<(String, Arc<Value>)>,
    /// What expressions made of secrets; clones share it.
    made: Arc<Mutex<Vec<SecretText>>>,
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

    /// Texts that expressions have made of secrets so far, such as one in upper case: as secret as they.
    /// Short ones are left out.
    pub fn made_of_secrets(&self) -> Vec<SecretText> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the texts of what an expression made of secrets. What stands in its source is no secret.
    pub(super) fn note_made(&self, value: &Value, source: &str) {
        match value {
            Value::String(text) if text.len() >= SHORTEST_MADE && !source.contains(text) => {
                let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
                if !made.iter().any(|known| known.expose() == text) {
                    made.push(SecretText::from(text.clone()));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_made(item, source)),
            Value::Object(members) => members.values().for_each(|member| self.note_made(member, source)),
            _ => {}
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
