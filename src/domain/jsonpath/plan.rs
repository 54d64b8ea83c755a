//! What a path is compiled to: only what we vouch for, so the walk has no impossible cases.

use regex::Regex;
use serde_json::Value;

/// One segment.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// `.name`, `[0]`, `['a','b']`: of the children.
    Children(Vec<Selector>),
    /// `..name`: of the node and everything below it.
    Descendants(Selector),
}

/// What a segment picks.
#[derive(Debug, Clone)]
pub(super) enum Selector {
    Name(String),
    Wildcard,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Test),
}

/// A logical expression behind `?`.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Any(Vec<Test>),
    All(Vec<Test>),
    Not(Box<Test>),
    /// The query finds something.
    Exists(Query),
    Compare(Operand, Comparison, Operand),
    /// `match()` or `search()`: the pattern is compiled with the path, anchored for `match()`.
    Matches(Operand, Regex),
}

/// How two operands are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A query inside a filter.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// `$` rather than `@`.
    pub absolute: bool,
    pub steps: Vec<Step>,
}

/// One side of a comparison, or the argument of a function.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Literal(Value),
    /// A singular query: one value or nothing.
    Value(Query),
    Length(Box<Operand>),
    Count(Query),
}

/// True when the steps can find at most one node (RFC 9535, section 2.3.5.1).
pub(super) fn singular(steps: &[Step]) -> bool {
    steps.iter().all(|step| match step {
        Step::Children(selectors) => matches!(selectors[..], [Selector::Name(_) | Selector::Index(_)]),
        Step::Descendants(_) => false,
    })
}
