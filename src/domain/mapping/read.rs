//! Reads a `response_mapping` and lists everything that is wrong with it.

use serde_json::Value;

use crate::domain::data::DataPath;
use crate::domain::problem::{Problem, code, join};
use crate::domain::template::Roots;

use super::entry::Entry;
use super::rules::{Mapping, Target};

/// Targets of one mapping.
const MAX_TARGETS: usize = 1_000;

impl Mapping {
    /// Reads the mapping at `pointer` of a definition. `outputs` are the output variables of
    /// the case type: templates may read them, targets may not lie in them. Answers the
    /// mapping with what is doubtful about it, or every problem.
    pub fn parse(
        value: &Value,
        pointer: &str,
        outputs: &[String],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let Value::Object(entries) = value else {
            let message = "`response_mapping` must be an object: a target in `data` for each member, a JSONPath as its value";
            return Err(vec![Problem::new(pointer, code::WRONG_TYPE, message)]);
        };
        if entries.len() > MAX_TARGETS {
            let message = format!("a mapping has at most {MAX_TARGETS} targets");
            return Err(vec![Problem::new(pointer, code::OUT_OF_RANGE, message)]);
        }
        let roots = Roots::mapping(outputs);
        let mut targets = Vec::new();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for (name, rule) in entries {
            let mut entry = Entry::new(join(pointer, name));
            if let Some(target) = entry.target(name, rule, &roots, outputs) {
                targets.push((entry.pointer.clone(), target));
            }
            problems.append(&mut entry.problems);
            warnings.append(&mut entry.warnings);
        }
        problems.append(&mut overlaps(&targets));
        if problems.is_empty() {
            let targets = targets.into_iter().map(|(_, target)| target).collect();
            Ok((Self { targets, written: value.clone() }, warnings))
        } else {
            Err(problems)
        }
    }
}

/// Targets that are equal, or one inside the other. In sorted order everything inside a target
/// follows it directly, so one pass is enough.
fn overlaps(targets: &[(String, Target)]) -> Vec<Problem> {
    let mut sorted: Vec<_> = targets.iter().map(|(pointer, target)| (&target.path, pointer)).collect();
    sorted.sort();
    let mut problems = Vec::new();
    let mut outer: Option<&DataPath> = None;
    for (path, pointer) in sorted {
        match outer {
            Some(outer) if path.starts_with(outer) => {
                let message =
                    format!("`{path}` and `{outer}` cannot both be written: one is, or lies in, the other");
                problems.push(Problem::new(pointer, code::DUPLICATE, message));
            }
            _ => outer = Some(path),
        }
    }
    problems
}
