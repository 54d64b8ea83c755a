//! From the library's syntax tree to a plan.
//!
//! Refuses by name what the library lets through although RFC 9535 does not type it (section
//! 2.4.3), and what we do not vouch for: nested filters, `..` over several selectors, the
//! library's own functions, patterns that are not literals. What comes out is well typed.

use jsonpath_rust::parser::model::{
    Comparable, Comparison as Compared, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment,
    Selector as Selected, SingularQuery, SingularQuerySegment, Test as Tested, TestFunction,
};
use jsonpath_rust::parser::{errors::JsonPathError, parse_json_path};
use serde_json::Value;

use super::plan::{Comparison, Operand, Query, Selector, Step, Test, singular};
use super::regexp;

/// Bytes of a path.
const MAX_SOURCE: usize = 1024;

/// Open brackets and parentheses. The library's parser backtracks: its time grows threefold
/// with each function inside a function.
const MAX_NESTING: usize = 8;

/// Descendant segments, those inside filters included.
const MAX_DESCENDANTS: usize = 2;

type Refused = String;

/// The plan of a path that begins with `$`.
pub(super) fn compile(source: &str) -> Result<Vec<Step>, Refused> {
    if source.len() > MAX_SOURCE {
        return Err(format!("a path has at most {MAX_SOURCE} bytes"));
    }
    let bare = outside_quotes(source);
    if nesting(&bare) > MAX_NESTING {
        return Err(format!("`{source}` nests brackets deeper than {MAX_NESTING}"));
    }
    if has_spaced_name(&bare) {
        return Err(format!("`{source}` has a space inside a name; write it like `$['first name']`"));
    }
    let query = parse_json_path(source).map_err(|error| syntax(source, &error))?;
    let mut compiler = Compiler { descendants: 0, in_filter: false };
    compiler.steps(&query.segments).map_err(|why| format!("in `{source}`: {why}"))
}

/// The source with texts in quotes left out.
fn outside_quotes(source: &str) -> String {
    let mut bare = String::with_capacity(source.len());
    let mut quote = None;
    let mut chars = source.chars();
    while let Some(char) = chars.next() {
        match quote {
            Some(_) if char == '\\' => drop(chars.next()),
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None => {
                bare.push(char);
                quote = matches!(char, '\'' | '"').then_some(char);
            }
        }
    }
    bare
}

/// How deep brackets and parentheses go.
fn nesting(bare: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for char in bare.chars() {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// True for `a b` outside of quotes: two words in a row are never right, but the library
/// takes them for one name.
fn has_spaced_name(bare: &str) -> bool {
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_' || !char.is_ascii();
    let mut words = bare.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        if word.ends_with(is_name) && words.peek().is_some_and(|next| next.starts_with(is_name)) {
            return true;
        }
    }
    false
}

/// The library's report is a drawing of several lines; people need the place and a remedy.
fn syntax(source: &str, error: &JsonPathError) -> Refused {
    let drawn = error.to_string();
    let column = drawn
        .split_once("--> 1:")
        .and_then(|(_, rest)| rest.split(|char: char| !char.is_ascii_digit()).next())
        .filter(|digits| !digits.is_empty());
    let place = column.map_or_else(String::new, |column| format!(" near character {column}"));
    format!(
        "`{source}` is not a JSONPath (RFC 9535){place}; names with other characters than letters, \
         digits and _ are written like `$['company-name']`"
    )
}

struct Compiler {
    descendants: usize,
    in_filter: bool,
}

impl Compiler {
    fn steps(&mut self, segments: &[Segment]) -> Result<Vec<Step>, Refused> {
        segments.iter().map(|segment| self.step(segment)).collect()
    }

    fn step(&mut self, segment: &Segment) -> Result<Step, Refused> {
        match segment {
            Segment::Selector(selected) => Ok(Step::Children(vec![self.selector(selected)?])),
            Segment::Selectors(several) => {
                several.iter().map(|one| self.selector(one)).collect::<Result<_, _>>().map(Step::Children)
            }
            Segment::Descendant(below) => {
                self.descendants += 1;
                if self.descendants > MAX_DESCENDANTS {
                    return Err(format!("at most {MAX_DESCENDANTS} `..` are supported"));
                }
                match below.as_ref() {
                    Segment::Selector(selected) => Ok(Step::Descendants(self.selector(selected)?)),
                    _ => Err("`..` with several selectors in one bracket is not supported; \
                              use one target for each"
                        .to_owned()),
                }
            }
        }
    }

    fn selector(&mut self, selected: &Selected) -> Result<Selector, Refused> {
        Ok(match selected {
            Selected::Name(name) => Selector::Name(name.clone()),
            Selected::Wildcard => Selector::Wildcard,
            Selected::Index(index) => Selector::Index(*index),
            Selected::Slice(start, end, step) => {
                Selector::Slice { start: *start, end: *end, step: step.unwrap_or(1) }
            }
            Selected::Filter(_) if self.in_filter => {
                return Err("a filter inside a filter is not supported".to_owned());
            }
            Selected::Filter(filter) => {
                self.in_filter = true;
                let test = self.test(filter);
                self.in_filter = false;
                Selector::Filter(test?)
            }
        })
    }

    fn test(&mut self, filter: &Filter) -> Result<Test, Refused> {
        match filter {
            Filter::Or(parts) => {
                parts.iter().map(|part| self.test(part)).collect::<Result<_, _>>().map(Test::Any)
            }
            Filter::And(parts) => {
                parts.iter().map(|part| self.test(part)).collect::<Result<_, _>>().map(Test::All)
            }
            Filter::Atom(FilterAtom::Filter { expr, not }) => Ok(negated(self.test(expr)?, *not)),
            Filter::Atom(FilterAtom::Test { expr, not }) => Ok(negated(self.existence(expr)?, *not)),
            Filter::Atom(FilterAtom::Comparison(compared)) => self.comparison(compared),
        }
    }

    /// What stands alone, without a comparison.
    fn existence(&mut self, tested: &Tested) -> Result<Test, Refused> {
        match tested {
            Tested::RelQuery(segments) => self.query(segments, false).map(Test::Exists),
            Tested::AbsQuery(JpQuery { segments }) => self.query(segments, true).map(Test::Exists),
            Tested::Function(function) => match function.as_ref() {
                TestFunction::Match(text, pattern) => self.matches(text, pattern, true),
                TestFunction::Search(text, pattern) => self.matches(text, pattern, false),
                other => Err(match name_of(other) {
                    Ok(name) => format!("the result of {name}() must be compared with something"),
                    Err(refused) => refused,
                }),
            },
        }
    }

    fn matches(&mut self, text: &FnArg, pattern: &FnArg, whole: bool) -> Result<Test, Refused> {
        let FnArg::Literal(Literal::String(pattern)) = pattern else {
            return Err("the pattern of match() and search() must be a text in quotes".to_owned());
        };
        let name = if whole { "match" } else { "search" };
        Ok(Test::Matches(self.argument(text, name)?, regexp::compile(pattern, whole)?))
    }

    fn comparison(&mut self, compared: &Compared) -> Result<Test, Refused> {
        let comparison = match compared {
            Compared::Eq(..) => Comparison::Equal,
            Compared::Ne(..) => Comparison::Unequal,
            Compared::Lt(..) => Comparison::Less,
            Compared::Lte(..) => Comparison::LessOrEqual,
            Compared::Gt(..) => Comparison::Greater,
            Compared::Gte(..) => Comparison::GreaterOrEqual,
        };
        let (left, right) = compared.vals();
        Ok(Test::Compare(self.operand(left)?, comparison, self.operand(right)?))
    }

    fn operand(&mut self, comparable: &Comparable) -> Result<Operand, Refused> {
        match comparable {
            Comparable::Literal(literal) => Ok(Operand::Literal(value(literal))),
            Comparable::Function(function) => self.function(function),
            Comparable::SingularQuery(SingularQuery::Current(segments)) => Ok(plain(segments, false)),
            Comparable::SingularQuery(SingularQuery::Root(segments)) => Ok(plain(segments, true)),
        }
    }

    /// A function that gives a value.
    fn function(&mut self, function: &TestFunction) -> Result<Operand, Refused> {
        match function {
            TestFunction::Length(argument) => {
                Ok(Operand::Length(Box::new(self.argument(argument, "length")?)))
            }
            TestFunction::Value(FnArg::Test(tested)) => self.singular_query(tested, "value"),
            TestFunction::Count(FnArg::Test(tested)) => match tested.as_ref() {
                Tested::RelQuery(segments) => self.query(segments, false).map(Operand::Count),
                Tested::AbsQuery(JpQuery { segments }) => self.query(segments, true).map(Operand::Count),
                Tested::Function(_) => Err("count() wants a query".to_owned()),
            },
            TestFunction::Value(_) | TestFunction::Count(_) => {
                Err(format!("{}() wants a query", name_of(function)?))
            }
            other => Err(format!("the result of {}() cannot be compared", name_of(other)?)),
        }
    }

    /// An argument that must be one value: a literal, a singular query, or a function of one.
    fn argument(&mut self, argument: &FnArg, of: &str) -> Result<Operand, Refused> {
        match argument {
            FnArg::Literal(literal) => Ok(Operand::Literal(value(literal))),
            FnArg::Filter(_) => Err(format!("{of}() wants a value, not a condition")),
            FnArg::Test(tested) => match tested.as_ref() {
                Tested::Function(function) => self.function(function),
                query => self.singular_query(query, of),
            },
        }
    }

    fn singular_query(&mut self, tested: &Tested, of: &str) -> Result<Operand, Refused> {
        let query = match tested {
            Tested::RelQuery(segments) => self.query(segments, false)?,
            Tested::AbsQuery(JpQuery { segments }) => self.query(segments, true)?,
            Tested::Function(_) => return Err(format!("{of}() wants a query")),
        };
        if singular(&query.steps) {
            Ok(Operand::Value(query))
        } else {
            Err(format!("{of}() wants a path to one value, without `*`, `..`, slices or lists"))
        }
    }

    fn query(&mut self, segments: &[Segment], absolute: bool) -> Result<Query, Refused> {
        Ok(Query { absolute, steps: self.steps(segments)? })
    }
}

fn negated(test: Test, not: bool) -> Test {
    if not { Test::Not(Box::new(test)) } else { test }
}

fn plain(segments: &[SingularQuerySegment], absolute: bool) -> Operand {
    let steps = segments.iter().map(|segment| {
        Step::Children(vec![match segment {
            SingularQuerySegment::Name(name) => Selector::Name(name.clone()),
            SingularQuerySegment::Index(index) => Selector::Index(*index),
        }])
    });
    Operand::Value(Query { absolute, steps: steps.collect() })
}

fn value(literal: &Literal) -> Value {
    match literal {
        Literal::Int(number) => Value::from(*number),
        Literal::Float(number) => Value::from(*number),
        Literal::String(text) => Value::from(text.as_str()),
        Literal::Bool(truth) => Value::from(*truth),
        Literal::Null => Value::Null,
    }
}

/// The name of a function, or a refusal of those that RFC 9535 does not have.
fn name_of(function: &TestFunction) -> Result<&'static str, Refused> {
    match function {
        TestFunction::Length(_) => Ok("length"),
        TestFunction::Value(_) => Ok("value"),
        TestFunction::Count(_) => Ok("count"),
        TestFunction::Match(..) => Ok("match"),
        TestFunction::Search(..) => Ok("search"),
        TestFunction::Custom(name, _) => Err(format!("`{name}` is not a function of RFC 9535")),
    }
}
