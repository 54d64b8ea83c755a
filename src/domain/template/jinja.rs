//! The part that minijinja does: syntax, text literals, arithmetic and its pure text filters.
//!
//! One empty environment with an allow-list, fuel on, only `compile_expression`. minijinja folds
//! constants while compiling and without any limit (`"a" * 100000000` takes 100 MB then), so a
//! source is only shown to it with every literal replaced by a name. Its errors quote values,
//! hence none of their texts is passed on when something is evaluated.

use std::sync::LazyLock;

use minijinja::value::Value as JinjaValue;
use minijinja::{Environment, Expression, context, filters};
use serde_json::{Number, Value};

use super::error::TemplateError;
use super::lexer::{Kind, Token};
use super::number;
use super::tree::Operator;

/// Far more than one operator or one literal needs.
const FUEL: u64 = 1_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("int", filters::int);
    environment.add_filter("float", filters::float);
    environment.add_filter("abs", filters::abs);
    environment
});

/// `a + b` and its like, compiled once.
static ARITHMETIC: LazyLock<Vec<(Operator, Expression<'static, 'static>)>> = LazyLock::new(|| {
    use Operator::{Add, Divide, DivideWhole, Multiply, Power, Remainder, Subtract};
    [Add, Subtract, Multiply, Divide, DivideWhole, Remainder, Power]
        .into_iter()
        .filter_map(|operator| {
            let source = format!("a {} b", operator.symbol());
            Some((operator, ENVIRONMENT.compile_expression_owned(source).ok()?))
        })
        .collect()
});

/// Has minijinja read the source too, so that our grammar can never be wider than its own.
pub(super) fn check_syntax(tokens: &[Token]) -> Result<(), TemplateError> {
    let mut source = String::new();
    let mut after_dot = false;
    for token in tokens {
        let literal = matches!(token.kind, Kind::Text | Kind::Number) && !after_dot;
        after_dot = token.text == ".";
        // No space around a dot: minijinja reads `.0` as an index only when they touch.
        if !after_dot && !source.ends_with('.') {
            source.push(' ');
        }
        source.push_str(if literal { "literal" } else { token.text });
    }
    match ENVIRONMENT.compile_expression_owned(source) {
        Ok(_) => Ok(()),
        Err(error) => Err(TemplateError::invalid(format!(
            "the expression cannot be read: {}",
            error.detail().unwrap_or("it is not complete")
        ))),
    }
}

/// The value of a quoted text, escapes resolved.
pub(super) fn literal_text(source: &str) -> Result<Value, TemplateError> {
    ENVIRONMENT
        .compile_expression(source)
        .and_then(|expression| expression.eval(()))
        .ok()
        .and_then(|value| value.as_str().map(|text| Value::String(text.to_owned())))
        .ok_or_else(|| TemplateError::invalid("a text in the expression has a broken `\\` escape"))
}

/// Arithmetic on two numbers; none when there is no result that JSON can hold in 64 bits.
pub(super) fn calculate(operator: Operator, a: &Number, b: &Number) -> Option<Value> {
    let (_, expression) = ARITHMETIC.iter().find(|(known, _)| *known == operator)?;
    let values = context! { a => from_number(a), b => from_number(b) };
    to_json(&expression.eval(values).ok()?)
}

/// One of minijinja's filters on a scalar; none when it refuses the value.
pub(super) fn filter(name: &str, input: &Value, arguments: &[&Value]) -> Option<Value> {
    let values: Option<Vec<JinjaValue>> =
        std::iter::once(input).chain(arguments.iter().copied()).map(from_scalar).collect();
    to_json(&ENVIRONMENT.empty_state().apply_filter(name, &values?).ok()?)
}

fn from_scalar(value: &Value) -> Option<JinjaValue> {
    match value {
        Value::Bool(flag) => Some(JinjaValue::from(*flag)),
        Value::Number(number) => Some(from_number(number)),
        Value::String(text) => Some(JinjaValue::from(text.as_str())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn from_number(number: &Number) -> JinjaValue {
    if let Some(whole) = number.as_i64() {
        JinjaValue::from(whole)
    } else if let Some(whole) = number.as_u64() {
        JinjaValue::from(whole)
    } else {
        JinjaValue::from(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn to_json(value: &JinjaValue) -> Option<Value> {
    if let Some(text) = value.as_str() {
        return Some(Value::String(text.to_owned()));
    }
    if !value.is_number() {
        return None;
    }
    if !value.is_integer() {
        return number::from_f64(f64::try_from(value.clone()).ok()?);
    }
    number::from_i128(i128::try_from(value.clone()).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: &Value) -> Number {
        value.as_number().unwrap().clone()
    }

    #[test]
    fn every_operator_is_compiled() {
        assert_eq!(ARITHMETIC.len(), 7);
    }

    #[test]
    fn arithmetic_is_exact_on_integers_and_refuses_what_does_not_fit() {
        use Operator::{Add, Divide, DivideWhole, Multiply, Power, Remainder, Subtract};
        let cases = [
            (Add, json!(9_007_199_254_740_993_i64), json!(1), Some(json!(9_007_199_254_740_994_i64))),
            (Add, json!(u64::MAX), json!(1), None),
            (Subtract, json!(1), json!(2.5), Some(json!(-1.5))),
            (Multiply, json!(0.5), json!(4), Some(json!(2))),
            (Divide, json!(10), json!(4), Some(json!(2.5))),
            (Divide, json!(10), json!(5), Some(json!(2))),
            (Divide, json!(1), json!(0), None),
            (DivideWhole, json!(-7), json!(2), Some(json!(-4))),
            (Remainder, json!(7), json!(4), Some(json!(3))),
            (Remainder, json!(i64::MIN), json!(-1), Some(json!(0))),
            (Remainder, json!(1), json!(0), None),
            (Power, json!(2), json!(10), Some(json!(1024))),
            (Power, json!(10), json!(400), None),
            (Power, json!(10.0), json!(400), None),
        ];
        for (operator, a, b, expected) in cases {
            let found = calculate(operator, &number(&a), &number(&b));
            assert_eq!(found, expected, "{a} {} {b}", operator.symbol());
        }
    }

    #[test]
    fn literals_know_the_escapes() {
        for (source, expected) in
            [(r#""a\nb""#, "a\nb"), (r"'it\'s'", "it's"), (r#""\u00e9""#, "é"), (r#""{{""#, "{{")]
        {
            assert_eq!(literal_text(source).unwrap(), json!(expected), "{source}");
        }
        assert!(literal_text(r#""\ud800""#).is_err());
    }
}
