//! An expression as a tree, and the paths in it.

use serde_json::Value;

use super::filters::Filter;
use super::tests_of_values::Test;

/// One step of a path below its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// An object member.
    Member(String),
    /// An array item counted from 0; on an object the member of that name.
    Item(usize),
}

impl Step {
    /// `12` is an item, `012` and `x` are members.
    pub(super) fn from_word(word: &str) -> Self {
        match word.parse::<usize>() {
            Ok(index) if index.to_string() == word => Self::Item(index),
            _ => Self::Member(word.to_owned()),
        }
    }

    /// The value one step down.
    pub(super) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name),
            (Self::Item(index), Value::Array(items)) => items.get(*index),
            (Self::Item(index), Value::Object(members)) => members.get(&index.to_string()),
            _ => None,
        }
    }
}

/// A root and the steps below it that are known when compiling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub root: String,
    pub steps: Vec<Step>,
}

impl Path {
    /// The dotted form, e.g. `data.items.0.name`. A member name with a dot ends it, since a
    /// dotted path could not name it.
    pub(super) fn dotted(&self) -> String {
        let mut dotted = self.root.clone();
        for step in &self.steps {
            match step {
                Step::Member(name) if name.contains('.') => break,
                Step::Member(name) => dotted = format!("{dotted}.{name}"),
                Step::Item(index) => dotted = format!("{dotted}.{index}"),
            }
        }
        dotted
    }
}

/// Operators on two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
    Power,
    Join,
}

impl Operator {
    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::DivideWhole => "//",
            Self::Remainder => "%",
            Self::Power => "**",
            Self::Join => "~",
        }
    }
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// One node.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Path(Path),
    Literal(Value),
    /// The literal `none`: a null that was asked for.
    None,
    /// `.name` or `["name"]` on something that is not a path.
    Member(Box<Node>, Step),
    /// `[key]` with a key that is computed.
    Index(Box<Node>, Box<Node>),
    /// `[from:to]`.
    Slice(Box<Node>, Option<Box<Node>>, Option<Box<Node>>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    /// `a < b <= c`: every neighbouring pair must hold.
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    Operation(Operator, Box<Node>, Box<Node>),
    Negate(Box<Node>),
    /// `then if condition else otherwise`.
    Choice {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Option<Box<Node>>,
    },
    Filter {
        filter: &'static Filter,
        input: Box<Node>,
        /// One per parameter of the filter, in its order.
        arguments: Vec<Option<Node>>,
    },
    Test {
        test: &'static Test,
        input: Box<Node>,
        argument: Option<Box<Node>>,
        negated: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The dotted paths that feed this node, in order, each once. For naming what is missing.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<String>) {
        match self {
            Self::Path(path) => {
                let dotted = path.dotted();
                if !found.contains(&dotted) {
                    found.push(dotted);
                }
            }
            Self::Literal(_) | Self::None => {}
            Self::Member(base, _) | Self::Not(base) | Self::Negate(base) => base.collect(found),
            Self::Index(a, b) | Self::Or(a, b) | Self::And(a, b) | Self::Operation(_, a, b) => {
                a.collect(found);
                b.collect(found);
            }
            Self::Slice(base, from, to) => {
                base.collect(found);
                [from, to].into_iter().flatten().for_each(|node| node.collect(found));
            }
            Self::Compare(first, rest) => {
                first.collect(found);
                for (_, node) in rest {
                    node.collect(found);
                }
            }
            Self::Choice { condition, then, otherwise } => {
                condition.collect(found);
                then.collect(found);
                if let Some(node) = otherwise {
                    node.collect(found);
                }
            }
            Self::Filter { input, arguments, .. } => {
                input.collect(found);
                arguments.iter().flatten().for_each(|node| node.collect(found));
            }
            Self::Test { input, argument, .. } => {
                input.collect(found);
                if let Some(node) = argument {
                    node.collect(found);
                }
            }
            Self::List(items) => items.iter().for_each(|node| node.collect(found)),
            Self::Map(members) => members.iter().for_each(|(key, value)| {
                key.collect(found);
                value.collect(found);
            }),
        }
    }
}
