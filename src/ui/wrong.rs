//! What is wrong with a form, beside its inputs: so that it is shown again as it was filled in.

use super::refusal::{Refusal, sentence};
use crate::domain::problem::Problem;
use crate::service::ServiceError;

/// What is wrong; nothing, when a form is new.
#[derive(Debug, Clone, Default)]
pub struct Wrong {
    /// A sentence about the whole.
    pub whole: Option<String>,
    problems: Vec<Problem>,
}

impl Wrong {
    /// What a service refused and whoever filled in the form can mend; all else is a page of its own.
    pub fn of(error: ServiceError) -> Result<Self, Refusal> {
        match error {
            ServiceError::Invalid(problems) => Ok(Self { whole: None, problems }),
            ServiceError::AlreadyExists(detail) | ServiceError::InUse { detail, .. } => {
                Ok(Self { whole: Some(sentence(&detail)), problems: Vec::new() })
            }
            other => Err(other.into()),
        }
    }

    /// A sentence about one input, which begins with its label.
    pub fn with(&self, name: &str, label: &str) -> Option<String> {
        let problem = self.problems.iter().find(|problem| problem.pointer.strip_prefix('/') == Some(name))?;
        Some(sentence(&format!("{label} {}", problem.message)))
    }

    /// The sentences about what has none of these inputs to stand beside.
    pub fn others(&self, inputs: &[&str]) -> Vec<String> {
        let beside = |problem: &&Problem| inputs.contains(&problem.pointer.trim_start_matches('/'));
        self.problems
            .iter()
            .filter(|problem| !beside(problem))
            .map(|problem| sentence(&problem.message))
            .collect()
    }

    /// Whether there is anything.
    pub fn is_any(&self) -> bool {
        self.whole.is_some() || !self.problems.is_empty()
    }
}
