//! Walks a plan over a document, within a budget, in the order of RFC 9535.
//!
//! Nodes are borrowed, never copied, and carry no path. The recursion goes as deep as the
//! document, whose depth is capped where it is read (`domain::answer`).

use serde_json::Value;

use super::budget::{Budget, Exhausted};
use super::filter;
use super::plan::{Selector, Step};

/// All nodes that `steps` find from `from`, in order; `root` is what `$` means in filters.
pub(super) fn walk<'a>(
    steps: &[Step],
    from: &'a Value,
    root: &'a Value,
    budget: &mut Budget,
) -> Result<Vec<&'a Value>, Exhausted> {
    let mut nodes = vec![from];
    for step in steps {
        let mut walk = Walk { root, budget, found: Vec::new() };
        for node in nodes {
            match step {
                Step::Children(selectors) => {
                    selectors.iter().try_for_each(|selector| walk.select(selector, node))?;
                }
                Step::Descendants(selector) => walk.descend(selector, node)?,
            }
        }
        nodes = walk.found;
    }
    Ok(nodes)
}

struct Walk<'a, 'b> {
    root: &'a Value,
    budget: &'b mut Budget,
    found: Vec<&'a Value>,
}

impl<'a> Walk<'a, '_> {
    /// The node first, then what is below it, member by member.
    fn descend(&mut self, selector: &Selector, node: &'a Value) -> Result<(), Exhausted> {
        self.budget.spend(1)?;
        match node {
            Value::Array(items) => {
                self.select(selector, node)?;
                items.iter().try_for_each(|item| self.descend(selector, item))
            }
            Value::Object(members) => {
                self.select(selector, node)?;
                members.values().try_for_each(|member| self.descend(selector, member))
            }
            _ => Ok(()),
        }
    }

    fn select(&mut self, selector: &Selector, node: &'a Value) -> Result<(), Exhausted> {
        self.budget.spend(1)?;
        match (selector, node) {
            (Selector::Name(name), Value::Object(members)) => self.found.extend(members.get(name)),
            (Selector::Index(index), Value::Array(items)) => {
                self.found.extend(position(*index, items.len()).and_then(|at| items.get(at)));
            }
            (Selector::Wildcard | Selector::Filter(_), Value::Array(items)) => {
                items.iter().try_for_each(|item| self.offer(selector, item))?;
            }
            (Selector::Wildcard | Selector::Filter(_), Value::Object(members)) => {
                members.values().try_for_each(|member| self.offer(selector, member))?;
            }
            (Selector::Slice { start, end, step }, Value::Array(items)) => {
                let picked = slice(*start, *end, *step, items.len());
                self.budget.spend(picked.len())?;
                self.found.extend(picked.into_iter().filter_map(|at| items.get(at)));
            }
            _ => {}
        }
        Ok(())
    }

    /// A child, for the selectors that look at each of them.
    fn offer(&mut self, selector: &Selector, child: &'a Value) -> Result<(), Exhausted> {
        self.budget.spend(1)?;
        let taken = match selector {
            Selector::Filter(test) => filter::holds(test, child, self.root, self.budget)?,
            _ => true,
        };
        if taken {
            self.found.push(child);
        }
        Ok(())
    }
}

/// The place that an index means; negative ones count from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(at) => Some(at),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// The places of a slice (RFC 9535, section 2.3.4.2.2).
fn slice(start: Option<i64>, end: Option<i64>, step: i64, length: usize) -> Vec<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let normal = |at: i64| if at < 0 { length.saturating_add(at) } else { at };
    let (mut at, limit) = match step {
        0 => return Vec::new(),
        1.. => (normal(start.unwrap_or(0)).clamp(0, length), normal(end.unwrap_or(length)).clamp(0, length)),
        _ => (
            start.map_or(length - 1, normal).clamp(-1, length - 1),
            end.map_or(-1, normal).clamp(-1, length - 1),
        ),
    };
    let mut places = Vec::new();
    while if step > 0 { at < limit } else { at > limit } {
        places.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    places
}
