//! Literals, paths, lists and maps, and the steps that may follow a value directly.

use serde_json::Value;

use super::cursor::{Parsed, Parser, shorten, unexpected};
use crate::domain::ids::is_key;
use crate::domain::template::error::TemplateError;
use crate::domain::template::filters;
use crate::domain::template::jinja;
use crate::domain::template::lexer::{Kind, Token};
use crate::domain::template::roots::SECRET;
use crate::domain::template::tree::{Node, Path, Step};

/// Most steps of one path; minijinja goes one call deeper for each.
const MOST_STEPS: usize = 64;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed {
        let token = self.take()?;
        match (token.kind, token.text) {
            (Kind::Word, "true" | "True") => Ok(Node::Literal(Value::Bool(true))),
            (Kind::Word, "false" | "False") => Ok(Node::Literal(Value::Bool(false))),
            (Kind::Word, "none" | "None") => Ok(Node::None),
            (Kind::Word, "if" | "else" | "in" | "is" | "and" | "or" | "not") => Err(unexpected(token)),
            (Kind::Word, word) if self.sees("(") => Err(no_call(word)),
            (Kind::Word, word) => {
                let root = self.roots.check(word)?.to_owned();
                Ok(Node::Path(Path { root, steps: Vec::new() }))
            }
            (Kind::Text, source) => Ok(Node::Literal(jinja::literal_text(source)?)),
            (Kind::Number, source) => literal_number(source).map(Node::Literal),
            (_, "(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            (_, "[") => self.list(),
            (_, "{") => self.map(),
            _ => Err(unexpected(token)),
        }
    }

    fn list(&mut self) -> Parsed {
        let mut items = Vec::new();
        while !self.skip("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.skip("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(Node::List(items))
    }

    fn map(&mut self) -> Parsed {
        let mut members = Vec::new();
        while !self.skip("}") {
            if !members.is_empty() {
                self.expect(",")?;
                if self.skip("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            members.push((key, self.expression()?));
        }
        Ok(Node::Map(members))
    }

    pub(super) fn with_steps(&mut self, mut node: Node) -> Parsed {
        loop {
            if self.skip(".") {
                let step = match self.take()? {
                    Token { kind: Kind::Word | Kind::Number, text, .. } => Step::from_word(text),
                    token => return Err(unexpected(token)),
                };
                if self.sees("(") {
                    return Err(no_method());
                }
                node = self.stepped(node, step)?;
            } else if self.skip("[") {
                node = self.subscript(node)?;
            } else if self.sees("(") {
                return Err(no_method());
            } else {
                check_secret(&node)?;
                return Ok(node);
            }
        }
    }

    fn stepped(&mut self, node: Node, step: Step) -> Parsed {
        if let Node::Path(mut path) = node {
            if path.steps.len() == MOST_STEPS {
                return Err(TemplateError::invalid(format!("a path has at most {MOST_STEPS} steps")));
            }
            path.steps.push(step);
            return Ok(Node::Path(path));
        }
        self.count_operation()?;
        Ok(Node::Member(Box::new(node), step))
    }

    fn subscript(&mut self, base: Node) -> Parsed {
        let from = if self.sees(":") { None } else { Some(self.expression()?) };
        if self.skip(":") {
            let to = if self.sees("]") || self.sees(":") { None } else { Some(self.expression()?) };
            if self.sees(":") {
                return Err(TemplateError::invalid("a slice has no step here: write [from:to]"));
            }
            self.expect("]")?;
            check_secret(&base)?;
            self.count_operation()?;
            return Ok(Node::Slice(Box::new(base), from.map(Box::new), to.map(Box::new)));
        }
        self.expect("]")?;
        let step = match &from {
            Some(Node::Literal(Value::String(name))) => Some(Step::Member(name.clone())),
            Some(Node::Literal(Value::Number(index))) => {
                index.as_u64().and_then(|index| usize::try_from(index).ok()).map(Step::Item)
            }
            _ => None,
        };
        match (step, from) {
            (Some(step), _) => self.stepped(base, step),
            (None, Some(key)) => {
                check_secret(&base)?;
                self.count_operation()?;
                Ok(Node::Index(Box::new(base), Box::new(key)))
            }
            (None, None) => Err(TemplateError::invalid("`[]` needs an index or a member name")),
        }
    }
}

/// A secret is named, one at a time: what a request uses must be known before it runs.
pub(crate) fn check_secret(node: &Node) -> Result<(), TemplateError> {
    match node {
        Node::Path(Path { root, steps }) if root == SECRET => match steps.as_slice() {
            [Step::Member(name)] if is_key(name) => Ok(()),
            _ => Err(TemplateError::invalid("name exactly one secret, e.g. secret.vies_token")),
        },
        _ => Ok(()),
    }
}

fn literal_number(source: &str) -> Result<Value, TemplateError> {
    serde_json::from_str(source).map_err(|_| {
        TemplateError::invalid(format!("`{}` is not a number that JSON can hold", shorten(source)))
    })
}

fn no_call(word: &str) -> TemplateError {
    TemplateError::invalid(match filters::find(word) {
        Ok(_) => format!("there are no functions here: write the filter as `value | {word}`"),
        Err(_) => format!("there are no functions here: `{}(…)` cannot be called", shorten(word)),
    })
}

fn no_method() -> TemplateError {
    TemplateError::invalid("values have no methods here: use a filter, e.g. data.name | upper")
}
