//! The tokens still to be read, and the limits that every reading function keeps.

use crate::domain::template::error::TemplateError;
use crate::domain::template::lexer::{Kind, Token};
use crate::domain::template::roots::Roots;
use crate::domain::template::tree::Node;

/// Deepest nesting of parentheses, brackets, arguments and signs.
const DEEPEST: usize = 32;
/// Most operators, filters and steps that make a tree deeper by one each.
const MOST_OPERATIONS: usize = 200;

/// What reading functions give.
pub(super) type Parsed = Result<Node, TemplateError>;

/// A place in the tokens.
pub(super) struct Parser<'s> {
    pub(super) tokens: &'s [Token<'s>],
    pub(super) next: usize,
    pub(super) roots: &'s Roots,
    depth: usize,
    operations: usize,
}

impl<'s> Parser<'s> {
    /// At the first token.
    pub(super) fn new(tokens: &'s [Token<'s>], roots: &'s Roots) -> Self {
        Self { tokens, next: 0, roots, depth: 0, operations: 0 }
    }

    pub(super) fn peek(&self) -> Option<Token<'s>> {
        self.tokens.get(self.next).copied()
    }

    pub(super) fn take(&mut self) -> Result<Token<'s>, TemplateError> {
        let token = self.peek().ok_or_else(ends_early)?;
        self.next += 1;
        Ok(token)
    }

    /// True, and one further, when the next token is this symbol or word (not a quoted text).
    pub(super) fn skip(&mut self, text: &str) -> bool {
        let found = self.sees(text);
        self.next += usize::from(found);
        found
    }

    pub(super) fn sees(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.text == text)
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.skip(text) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "its end".to_owned(), |token| shown(token.text));
        Err(TemplateError::invalid(format!("expected `{text}` in the expression, found {found}")))
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&'s str, TemplateError> {
        match self.take()? {
            Token { kind: Kind::Word, text, .. } => Ok(text),
            token => Err(TemplateError::invalid(format!(
                "expected the name of a {what}, found {}",
                shown(token.text)
            ))),
        }
    }

    pub(super) fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TemplateError::invalid(format!(
                "the expression is nested deeper than {DEEPEST} levels"
            )));
        }
        let node = inner(self);
        self.depth -= 1;
        node
    }

    pub(super) fn count_operation(&mut self) -> Result<(), TemplateError> {
        self.operations += 1;
        if self.operations > MOST_OPERATIONS {
            let message = format!("the expression has more than {MOST_OPERATIONS} operations: split it up");
            return Err(TemplateError::invalid(message));
        }
        Ok(())
    }
}

fn ends_early() -> TemplateError {
    TemplateError::invalid("the expression ends too early")
}

pub(super) fn unexpected(token: Token) -> TemplateError {
    TemplateError::invalid(format!(
        "unexpected {} at position {} of the expression",
        shown(token.text),
        token.at + 1
    ))
}

/// A token for a message; a text literal is not repeated, it may be a credential.
fn shown(token: &str) -> String {
    if token.starts_with(['"', '\'']) { "a text".to_owned() } else { format!("`{}`", shorten(token)) }
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
