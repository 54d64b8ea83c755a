//! What comes after `|` and `is`: a known name, and arguments that fit it.

use serde_json::Value;

use super::cursor::{Parsed, Parser};
use crate::domain::template::error::TemplateError;
use crate::domain::template::filters::{self, Filter};
use crate::domain::template::tests_of_values as tests;
use crate::domain::template::tree::Node;

impl Parser<'_> {
    pub(super) fn filter(&mut self, input: Node) -> Parsed {
        let name = self.word("filter")?;
        let filter = filters::find(name)?;
        let mut arguments = vec![None; filter.parameters.len()];
        if self.skip("(") {
            self.arguments(filter, &mut arguments)?;
        }
        if arguments.iter().take(filter.required).any(Option::is_none) {
            return Err(TemplateError::invalid(format!("`{name}` needs its argument: {}", filter.usage())));
        }
        if let ("date_format", Some(Some(Node::Literal(Value::String(format))))) = (name, arguments.first()) {
            filters::check_format(format).map_err(TemplateError::invalid)?;
        }
        Ok(Node::Filter { filter, input: Box::new(input), arguments })
    }

    fn arguments(&mut self, filter: &Filter, held: &mut [Option<Node>]) -> Result<(), TemplateError> {
        let wrong =
            || TemplateError::invalid(format!("this is how the filter is written: {}", filter.usage()));
        let mut count = 0;
        while !self.skip(")") {
            if count > 0 {
                self.expect(",")?;
                if self.skip(")") {
                    break;
                }
            }
            let place = self.named_place(filter, count)?.ok_or_else(wrong)?;
            let argument = self.expression()?;
            match held.get_mut(place) {
                Some(free @ None) => *free = Some(argument),
                _ => return Err(wrong()),
            }
            count += 1;
        }
        Ok(())
    }

    /// Where the coming argument goes: by its name when it is written `name=value`.
    fn named_place(&mut self, filter: &Filter, count: usize) -> Result<Option<usize>, TemplateError> {
        let named = self.tokens.get(self.next + 1).is_some_and(|token| token.text == "=");
        if !named {
            return Ok((count < filter.parameters.len() && !filter.by_name_only).then_some(count));
        }
        let name = self.word("parameter")?;
        self.expect("=")?;
        Ok(filter.parameters.iter().position(|parameter| *parameter == name))
    }

    pub(super) fn test(&mut self, input: Node) -> Parsed {
        let negated = self.skip("not");
        let name = self.word("test")?;
        let test = tests::find(name)?;
        let argument = if self.skip("(") {
            let argument = if self.sees(")") { None } else { Some(self.expression()?) };
            self.expect(")")?;
            argument
        } else if test.takes_argument {
            Some(self.signed()?)
        } else {
            None
        };
        if argument.is_some() != test.takes_argument {
            let rule = if test.takes_argument { "needs one value behind it" } else { "takes no value" };
            return Err(TemplateError::invalid(format!("the test `{name}` {rule}")));
        }
        Ok(Node::Test { test, input: Box::new(input), argument: argument.map(Box::new), negated })
    }
}
