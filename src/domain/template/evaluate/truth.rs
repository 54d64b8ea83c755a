//! Nodes that are true or false: `and`, `or`, comparisons, tests, `if`.

use std::cmp::Ordering;

use serde_json::Value;

use super::found::{Found, Missing, Walked, boolean, failed, truth_of};
use super::walk::Walk;
use crate::domain::template::compare::{contains, equal, kind, order};
use crate::domain::template::error::RenderError;
use crate::domain::template::tests_of_values::{Asks, Test};
use crate::domain::template::tree::{Comparison, Node};

impl<'s> Walk<'s> {
    /// Whether a node holds, or what is missing to know it. A null on purpose is false.
    pub(crate) fn truth(self, node: &'s Node) -> Result<Result<bool, Missing>, RenderError> {
        Ok(truth_of(&self.walk(node)?, self.lenient))
    }

    pub(super) fn or(self, a: &'s Node, b: &'s Node) -> Walked<'s> {
        let first = self.walk(a)?;
        match truth_of(&first, self.lenient) {
            Ok(true) => Ok(first),
            Ok(false) => self.walk(b),
            Err(lack) => {
                let second = self.walk(b)?;
                Ok(match truth_of(&second, self.lenient) {
                    Ok(true) => second,
                    Ok(false) => Found::Missing(lack),
                    Err(more) => Found::Missing(lack.and(more)),
                })
            }
        }
    }

    pub(super) fn and(self, a: &'s Node, b: &'s Node) -> Walked<'s> {
        let first = self.walk(a)?;
        match truth_of(&first, self.lenient) {
            Ok(false) => Ok(first),
            Ok(true) => self.walk(b),
            Err(lack) => {
                let second = self.walk(b)?;
                Ok(match truth_of(&second, self.lenient) {
                    Ok(false) => second,
                    Ok(true) => Found::Missing(lack),
                    Err(more) => Found::Missing(lack.and(more)),
                })
            }
        }
    }

    pub(super) fn choice(
        self,
        condition: &'s Node,
        then: &'s Node,
        otherwise: Option<&'s Node>,
    ) -> Walked<'s> {
        match (self.truth(condition)?, otherwise) {
            (Ok(true), _) => self.walk(then),
            (Ok(false), Some(otherwise)) => self.walk(otherwise),
            (Ok(false), None) => Ok(Found::Missing(Missing { paths: condition.paths(), on_purpose: true })),
            (Err(missing), _) => Ok(Found::Missing(missing)),
        }
    }

    pub(super) fn compare(self, first: &'s Node, rest: &'s [(Comparison, Node)]) -> Walked<'s> {
        let mut left = self.walk(first)?;
        for (comparison, node) in rest {
            let right = self.walk(node)?;
            match self.holds(*comparison, &left, &right)? {
                Ok(true) => left = right,
                Ok(false) => return Ok(boolean(false)),
                Err(_) if self.lenient => return Ok(boolean(false)),
                Err(missing) => return Ok(Found::Missing(missing)),
            }
        }
        Ok(boolean(true))
    }

    fn holds(
        self,
        comparison: Comparison,
        left: &Found<'s>,
        right: &Found<'s>,
    ) -> Result<Result<bool, Missing>, RenderError> {
        let (left, right) = match (left, right) {
            (Found::Value(left), Found::Value(right)) => (left.as_ref(), right.as_ref()),
            _ => return Ok(with_missing(comparison, left, right)),
        };
        if !matches!((left, right), (Value::Number(_), Value::Number(_))) {
            self.work.spend_on(left)?;
            self.work.spend_on(right)?;
        }
        let ordered = |wanted: fn(Ordering) -> bool| order(left, right).map(wanted);
        let answer = match comparison {
            Comparison::Equal => Some(equal(left, right)),
            Comparison::NotEqual => Some(!equal(left, right)),
            Comparison::Less => ordered(Ordering::is_lt),
            Comparison::LessOrEqual => ordered(Ordering::is_le),
            Comparison::Greater => ordered(Ordering::is_gt),
            Comparison::GreaterOrEqual => ordered(Ordering::is_ge),
            Comparison::In => contains(right, left),
            Comparison::NotIn => contains(right, left).map(|found| !found),
        };
        match answer {
            Some(answer) => Ok(Ok(answer)),
            None if self.lenient => Ok(Ok(false)),
            None => Err(failed(format!("{} cannot be compared with {}", kind(left), kind(right)))),
        }
    }

    pub(super) fn test(
        self,
        test: &'static Test,
        input: &'s Node,
        argument: Option<&'s Node>,
        negated: bool,
    ) -> Walked<'s> {
        let input = self.walk(input)?;
        let argument = argument.map(|argument| self.walk(argument)).transpose()?;
        let answer = match (test.asks, input, argument) {
            (Asks::Presence(there), input, _) => Some(matches!(input, Found::Value(_)) == there),
            (_, Found::Missing(_), _) | (_, _, Some(Found::Missing(_))) if self.lenient => {
                return Ok(boolean(false));
            }
            (_, Found::Missing(lack), Some(Found::Missing(more))) => {
                return Ok(Found::Missing(lack.and(more)));
            }
            (_, Found::Missing(lack), _) | (_, _, Some(Found::Missing(lack))) => {
                return Ok(Found::Missing(lack));
            }
            (Asks::Kind(holds), Found::Value(input), _) => Some(holds(&input)),
            (Asks::Pair(holds), Found::Value(input), Some(Found::Value(argument))) => {
                self.work.spend_on(&input)?;
                self.work.spend_on(&argument)?;
                holds(&input, &argument)
            }
            (Asks::Pair(_), _, None) => None,
        };
        match answer {
            Some(answer) => Ok(boolean(answer != negated)),
            None if self.lenient => Ok(boolean(false)),
            None => Err(failed(format!("the test `{}` does not fit the values", test.name))),
        }
    }
}

/// A comparison where a side is missing. With a null on purpose, `==` and `!=` ask for presence.
fn with_missing(comparison: Comparison, left: &Found, right: &Found) -> Result<bool, Missing> {
    let lacks = |found: &Found| match found {
        Found::Missing(missing) => Some(missing.clone()),
        Found::Value(_) => None,
    };
    let (left, right) = (lacks(left), lacks(right));
    let both = left.is_some() && right.is_some();
    let on_purpose = [&left, &right].into_iter().flatten().any(|missing| missing.on_purpose);
    match comparison {
        Comparison::Equal if on_purpose => Ok(both),
        Comparison::NotEqual if on_purpose => Ok(!both),
        _ => Err(match (left, right) {
            (Some(left), Some(right)) => left.and(right),
            (left, right) => left.or(right).unwrap_or_default(),
        }),
    }
}
