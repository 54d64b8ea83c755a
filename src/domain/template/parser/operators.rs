//! Operators, loosest first, down to a value with its filters.

use super::cursor::{Parsed, Parser, unexpected};
use crate::domain::template::error::TemplateError;
use crate::domain::template::jinja;
use crate::domain::template::lexer::tokens;
use crate::domain::template::roots::Roots;
use crate::domain::template::tree::{Comparison, Node, Operator};

/// Longest source, in bytes.
const LONGEST: usize = 8 * 1024;
/// Reads a whole expression.
pub(crate) fn parse(source: &str, roots: &Roots) -> Parsed {
    if source.len() > LONGEST {
        return Err(TemplateError::invalid(format!("the expression is longer than {LONGEST} bytes")));
    }
    let tokens = tokens(source)?;
    if tokens.is_empty() {
        return Err(TemplateError::invalid("the expression is empty: write for example data.name"));
    }
    if source.trim_start().starts_with("{{") {
        return Err(TemplateError::invalid("write the expression without {{ }} around it"));
    }
    let mut parser = Parser::new(&tokens, roots);
    let node = parser.expression()?;
    if let Some(token) = parser.peek() {
        return Err(unexpected(token));
    }
    jinja::check_syntax(&tokens)?;
    Ok(node)
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed {
        self.nested(Self::choice)
    }

    fn choice(&mut self) -> Parsed {
        let mut node = self.or()?;
        while self.skip("if") {
            self.count_operation()?;
            let condition = Box::new(self.or()?);
            let otherwise = if self.skip("else") { Some(Box::new(self.expression()?)) } else { None };
            node = Node::Choice { condition, then: Box::new(node), otherwise };
        }
        Ok(node)
    }

    fn or(&mut self) -> Parsed {
        let mut node = self.and()?;
        while self.skip("or") {
            self.count_operation()?;
            node = Node::Or(Box::new(node), Box::new(self.and()?));
        }
        Ok(node)
    }

    fn and(&mut self) -> Parsed {
        let mut node = self.not()?;
        while self.skip("and") {
            self.count_operation()?;
            node = Node::And(Box::new(node), Box::new(self.not()?));
        }
        Ok(node)
    }

    fn not(&mut self) -> Parsed {
        if self.skip("not") {
            return Ok(Node::Not(Box::new(self.nested(Self::not)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.operation(0)?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison_sign()? {
            self.count_operation()?;
            rest.push((comparison, self.operation(0)?));
        }
        if rest.is_empty() { Ok(first) } else { Ok(Node::Compare(Box::new(first), rest)) }
    }

    fn comparison_sign(&mut self) -> Result<Option<Comparison>, TemplateError> {
        let sign = match self.peek().map(|token| token.text) {
            Some("==") => Comparison::Equal,
            Some("!=") => Comparison::NotEqual,
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::LessOrEqual,
            Some(">") => Comparison::Greater,
            Some(">=") => Comparison::GreaterOrEqual,
            Some("in") => Comparison::In,
            Some("not") => {
                self.next += 1;
                self.expect("in")?;
                return Ok(Some(Comparison::NotIn));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(sign))
    }

    /// Sums, then joins, products and powers, each binding tighter; all group to the left.
    fn operation(&mut self, level: usize) -> Parsed {
        const LEVELS: [&[Operator]; 4] = [
            &[Operator::Add, Operator::Subtract],
            &[Operator::Join],
            &[Operator::Multiply, Operator::Divide, Operator::DivideWhole, Operator::Remainder],
            &[Operator::Power],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.filtered();
        };
        let mut node = self.operation(level + 1)?;
        while let Some(operator) = operators.iter().copied().find(|operator| self.sees(operator.symbol())) {
            self.next += 1;
            self.count_operation()?;
            node = Node::Operation(operator, Box::new(node), Box::new(self.operation(level + 1)?));
        }
        Ok(node)
    }

    /// A value with the filters and tests behind it.
    fn filtered(&mut self) -> Parsed {
        let mut node = self.signed()?;
        loop {
            if self.skip("|") {
                self.count_operation()?;
                node = self.filter(node)?;
            } else if self.skip("is") {
                self.count_operation()?;
                node = self.test(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    pub(super) fn signed(&mut self) -> Parsed {
        if self.skip("-") {
            return Ok(Node::Negate(Box::new(self.nested(Self::signed)?)));
        }
        let primary = self.primary()?;
        self.with_steps(primary)
    }
}
