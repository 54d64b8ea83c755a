//! Nodes that give values: paths, literals, operators, filters.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::found::{Found, Missing, Walked, boolean, failed, joined, owned, present_or_missing};
use super::operate::operate;
use crate::domain::template::compare::{is_true, kind};
use crate::domain::template::error::RenderError;
use crate::domain::template::filters::{Arguments, Filter, Run};
use crate::domain::template::number::{from_f64, from_i128, text_of};
use crate::domain::template::scope::Scope;
use crate::domain::template::tree::{Node, Operator, Path, Step};
use crate::domain::template::work::Work;

/// One walk: where values come from, how missing ones count, and what it may still cost.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'s> {
    pub scope: &'s Scope,
    pub lenient: bool,
    pub work: &'s Work,
}

impl<'s> Walk<'s> {
    /// Evaluates a node.
    pub(crate) fn walk(self, node: &'s Node) -> Walked<'s> {
        self.work.spend(0)?;
        match node {
            Node::Path(path) => Ok(self.look_up(path)),
            Node::Literal(value) => Ok(Found::Value(Cow::Borrowed(value))),
            Node::None => Ok(Found::Missing(Missing { paths: Vec::new(), on_purpose: true })),
            Node::Member(base, step) => self.member(base, step),
            Node::Index(base, key) => self.index(base, key),
            Node::Slice(base, from, to) => self.slice(base, from.as_deref(), to.as_deref()),
            Node::Or(a, b) => self.or(a, b),
            Node::And(a, b) => self.and(a, b),
            Node::Not(inner) => Ok(match self.truth(inner)? {
                Ok(truth) => boolean(!truth),
                Err(missing) => Found::Missing(missing),
            }),
            Node::Compare(first, rest) => self.compare(first, rest),
            Node::Operation(operator, a, b) => self.operation(*operator, a, b),
            Node::Negate(inner) => self.negate(inner),
            Node::Choice { condition, then, otherwise } => self.choice(condition, then, otherwise.as_deref()),
            Node::Filter { filter, input, arguments } => self.filter(filter, input, arguments),
            Node::Test { test, input, argument, negated } => {
                self.test(test, input, argument.as_deref(), *negated)
            }
            Node::List(items) => self.list(items),
            Node::Map(members) => self.map(members),
        }
    }

    fn look_up(self, path: &'s Path) -> Found<'s> {
        let root = self.scope.get(&path.root).map(AsRef::as_ref);
        let value =
            path.steps.iter().try_fold(root, |value, step| Some(value.and_then(|value| step.of(value))));
        match value.flatten() {
            Some(value) if !value.is_null() => Found::Value(Cow::Borrowed(value)),
            _ => Found::Missing(Missing::at(vec![path.dotted()])),
        }
    }

    fn member(self, base: &'s Node, step: &Step) -> Walked<'s> {
        let value = match self.walk(base)? {
            Found::Value(value) => value,
            missing @ Found::Missing(_) => return Ok(missing),
        };
        let found = match value {
            Cow::Borrowed(value) => step.of(value).map(Cow::Borrowed),
            Cow::Owned(value) => step.of(&value).cloned().map(Cow::Owned),
        };
        Ok(present_or_missing(found, base))
    }

    fn index(self, base: &'s Node, key: &'s Node) -> Walked<'s> {
        let (base_value, key) = match self.both(base, key)? {
            Ok(both) => both,
            Err(missing) => return Ok(Found::Missing(missing)),
        };
        let step = match (base_value.as_ref(), key.as_ref()) {
            (_, Value::String(name)) => Some(Step::Member(name.clone())),
            (Value::Array(items), Value::Number(index)) => {
                index.as_i64().and_then(|index| position(index, items.len()))
            }
            (_, Value::Number(index)) => {
                index.as_u64().and_then(|index| usize::try_from(index).ok()).map(Step::Item)
            }
            _ => None,
        };
        let found = match (base_value, step) {
            (Cow::Borrowed(value), Some(step)) => step.of(value).map(Cow::Borrowed),
            (Cow::Owned(value), Some(step)) => step.of(&value).cloned().map(Cow::Owned),
            (_, None) => None,
        };
        Ok(present_or_missing(found, base))
    }

    fn slice(self, base: &'s Node, from: Option<&'s Node>, to: Option<&'s Node>) -> Walked<'s> {
        let value = match self.walk(base)? {
            Found::Value(value) => value,
            missing @ Found::Missing(_) => return Ok(missing),
        };
        let mut bounds = [None, None];
        for (bound, node) in bounds.iter_mut().zip([from, to]) {
            match node.map(|node| self.walk(node)).transpose()? {
                Some(Found::Value(index)) => {
                    *bound = Some(
                        index.as_i64().ok_or_else(|| failed("the bounds of a slice are whole numbers"))?,
                    );
                }
                Some(missing @ Found::Missing(_)) => return Ok(missing),
                None => {}
            }
        }
        self.work.spend_on(&value)?;
        let range = |length: usize| {
            let from = bounds[0].map_or(0, |index| clamped(index, length));
            let to = bounds[1].map_or(length, |index| clamped(index, length));
            (from, to.saturating_sub(from))
        };
        match value.as_ref() {
            Value::String(text) => {
                let (skip, take) = range(text.chars().count());
                Ok(owned(Value::String(text.chars().skip(skip).take(take).collect())))
            }
            Value::Array(items) => {
                let (skip, take) = range(items.len());
                Ok(owned(items.iter().skip(skip).take(take).cloned().collect()))
            }
            other => Err(failed(format!("{} cannot be sliced", kind(other)))),
        }
    }

    fn list(self, items: &'s [Node]) -> Walked<'s> {
        let mut values = Vec::with_capacity(items.len());
        let mut missing: Option<Missing> = None;
        for item in items {
            match self.walk(item)? {
                Found::Value(value) => {
                    self.work.spend_on(&value)?;
                    values.push(value.into_owned());
                }
                Found::Missing(lack) if lack.on_purpose => values.push(Value::Null),
                Found::Missing(lack) => missing = Some(joined(missing, lack)),
            }
        }
        Ok(missing.map_or_else(|| owned(Value::Array(values)), Found::Missing))
    }

    fn map(self, members: &'s [(Node, Node)]) -> Walked<'s> {
        let mut values = Map::new();
        let mut missing: Option<Missing> = None;
        for (key, value) in members {
            let key = match self.walk(key)? {
                Found::Value(key) => text_of(&key).unwrap_or_default(),
                Found::Missing(lack) => {
                    missing = Some(joined(missing, lack));
                    continue;
                }
            };
            match self.walk(value)? {
                Found::Value(value) => {
                    self.work.spend_on(&value)?;
                    values.insert(key, value.into_owned());
                }
                Found::Missing(lack) if lack.on_purpose => drop(values.insert(key, Value::Null)),
                Found::Missing(lack) => missing = Some(joined(missing, lack)),
            }
        }
        Ok(missing.map_or_else(|| owned(Value::Object(values)), Found::Missing))
    }

    fn operation(self, operator: Operator, a: &'s Node, b: &'s Node) -> Walked<'s> {
        let (a, b) = match self.both(a, b)? {
            Ok(both) => both,
            Err(missing) => return Ok(Found::Missing(missing)),
        };
        self.work.spend_on(&a)?;
        self.work.spend_on(&b)?;
        operate(operator, &a, &b).map(owned).map_err(RenderError::Failed)
    }

    fn negate(self, inner: &'s Node) -> Walked<'s> {
        let value = match self.walk(inner)? {
            Found::Value(value) => value,
            missing @ Found::Missing(_) => return Ok(missing),
        };
        let negative = match (value.as_i64(), value.as_u64(), value.as_f64()) {
            (Some(whole), ..) => from_i128(-i128::from(whole)),
            (_, Some(whole), _) => from_i128(-i128::from(whole)),
            (.., Some(float)) => from_f64(-float),
            _ => return Err(failed(format!("`-` needs a number, not {}", kind(&value)))),
        };
        negative.map(owned).ok_or_else(|| failed("the result of `-` does not fit into 64 bits"))
    }

    fn filter(self, filter: &'static Filter, input: &'s Node, arguments: &'s [Option<Node>]) -> Walked<'s> {
        let Run::Pure(run) = filter.run else {
            return self.default(input, arguments);
        };
        let mut missing = None;
        let mut values = Vec::with_capacity(arguments.len());
        let value = self.walk(input)?;
        for argument in arguments {
            match argument.as_ref().map(|argument| self.walk(argument)).transpose()? {
                Some(Found::Missing(lack)) => missing = Some(joined(missing, lack)),
                Some(Found::Value(value)) => {
                    self.work.spend_on(&value)?;
                    values.push(Some(value.into_owned()));
                }
                None => values.push(None),
            }
        }
        let value = match (value, missing) {
            (Found::Value(value), None) => value,
            (Found::Missing(lack), None) | (Found::Value(_), Some(lack)) => return Ok(Found::Missing(lack)),
            (Found::Missing(lack), Some(more)) => return Ok(Found::Missing(lack.and(more))),
        };
        self.work.spend_on(&value)?;
        let result = run(&value, &Arguments::new(filter.name, values)).map_err(RenderError::Failed)?;
        self.work.spend_on(&result)?;
        Ok(if result.is_null() { Found::Missing(Missing::at(input.paths())) } else { owned(result) })
    }

    /// `default(value, boolean)`: with `boolean` true it also replaces what is false or empty.
    fn default(self, input: &'s Node, arguments: &'s [Option<Node>]) -> Walked<'s> {
        let (value, boolean) = match arguments {
            [value, boolean] => (value.as_ref(), boolean.as_ref()),
            _ => (None, None),
        };
        let found = self.walk(input)?;
        let falsy_too = match boolean {
            Some(flag) => matches!(self.truth(flag)?, Ok(true)),
            None => false,
        };
        let lack = match found {
            Found::Value(ref there) if !falsy_too || is_true(there) => return Ok(found),
            Found::Value(_) => Missing::default(),
            Found::Missing(lack) => lack,
        };
        let Some(value) = value else {
            return Ok(owned(Value::String(String::new())));
        };
        Ok(match self.walk(value)? {
            Found::Missing(more) => {
                let on_purpose = more.on_purpose;
                Found::Missing(Missing { on_purpose, ..lack.and(more) })
            }
            found @ Found::Value(_) => found,
        })
    }

    #[expect(
        clippy::type_complexity,
        reason = "two values, or what is missing of them; used three times here"
    )]
    fn both(
        self,
        a: &'s Node,
        b: &'s Node,
    ) -> Result<Result<(Cow<'s, Value>, Cow<'s, Value>), Missing>, RenderError> {
        Ok(match (self.walk(a)?, self.walk(b)?) {
            (Found::Value(a), Found::Value(b)) => Ok((a, b)),
            (Found::Missing(lack), Found::Missing(more)) => Err(lack.and(more)),
            (Found::Missing(lack), _) | (_, Found::Missing(lack)) => Err(lack),
        })
    }
}

/// The item at an index that may count from the end.
fn position(index: i64, length: usize) -> Option<Step> {
    let from_end = i64::try_from(length).ok()?;
    let index = if index < 0 { index.checked_add(from_end)? } else { index };
    usize::try_from(index).ok().map(Step::Item)
}

/// A slice bound that may count from the end, moved into the range.
fn clamped(index: i64, length: usize) -> usize {
    let from_start =
        if index < 0 { index.saturating_add(i64::try_from(length).unwrap_or(i64::MAX)) } else { index };
    usize::try_from(from_start).unwrap_or(0).min(length)
}
