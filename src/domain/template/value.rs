//! A JSON tree whose strings are templates: JSON and form bodies, params.
//!
//! Names of members are literal. In query params and form members what is null, or missing on
//! purpose, is left out at any level (`render_sparse`); in a JSON body a null that was written
//! there stays, and a placeholder without a value stops the call.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::RenderError;
use super::expression::secrets_in;
use super::roots::Roots;
use super::scope::Scope;
use super::string::Template;
use super::work::{LONGEST_TEXT, Work, weight};
use crate::domain::problem::{Problem, join};

/// A compiled tree.
#[derive(Debug, Clone)]
pub struct ValueTemplate {
    tree: Tree,
    references: BTreeSet<String>,
}

#[derive(Debug, Clone)]
enum Tree {
    /// Anything without a placeholder.
    Fixed(Value),
    Text(Template),
    List(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

impl ValueTemplate {
    /// Reads a tree that stands at `pointer` of a document.
    ///
    /// # Errors
    /// Every string that is no template, with its pointer.
    pub fn compile(value: &Value, pointer: &str, roots: &Roots) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { roots, references: BTreeSet::new(), problems: Vec::new() };
        let tree = reader.read(value, pointer);
        if reader.problems.is_empty() {
            Ok(Self { tree, references: reader.references })
        } else {
            Err(reader.problems)
        }
    }

    /// The tree with its values, about 1 MiB at most.
    pub fn render(&self, scope: &Scope) -> Result<Value, RenderError> {
        let rendering = Rendering { scope, work: &Work::new(), sparse: false };
        checked(rendering.value(&self.tree)?.unwrap_or_default())
    }

    /// As [`ValueTemplate::render`], without what is null or missing on purpose; null when
    /// nothing is left of the tree itself.
    pub fn render_sparse(&self, scope: &Scope) -> Result<Value, RenderError> {
        let rendering = Rendering { scope, work: &Work::new(), sparse: true };
        checked(rendering.value(&self.tree)?.unwrap_or_default())
    }

    /// The dotted paths it reads, as far as they are static.
    pub fn references(&self) -> &BTreeSet<String> {
        &self.references
    }

    /// Names of the secrets it reads.
    pub fn secrets(&self) -> BTreeSet<String> {
        secrets_in(&self.references)
    }
}

struct Reader<'r> {
    roots: &'r Roots,
    references: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read(&mut self, value: &Value, pointer: &str) -> Tree {
        match value {
            Value::String(source) => match Template::compile(source, self.roots) {
                Ok(template) => {
                    self.references.extend(template.references().iter().cloned());
                    match template.literal() {
                        Some(text) => Tree::Fixed(Value::from(text)),
                        None => Tree::Text(template),
                    }
                }
                Err(error) => {
                    self.problems.push(Problem::new(pointer, error.code, error.message));
                    Tree::Fixed(Value::Null)
                }
            },
            Value::Array(items) => {
                let read = |(index, item)| self.read(item, &join(pointer, index));
                Tree::List(items.iter().enumerate().map(read).collect())
            }
            Value::Object(members) => {
                let read =
                    |(name, value): (&String, &Value)| (name.clone(), self.read(value, &join(pointer, name)));
                Tree::Members(members.iter().map(read).collect())
            }
            other => Tree::Fixed(other.clone()),
        }
    }
}

struct Rendering<'r> {
    scope: &'r Scope,
    work: &'r Work,
    sparse: bool,
}

impl Rendering<'_> {
    /// None for what is to be left out.
    fn value(&self, tree: &Tree) -> Result<Option<Value>, RenderError> {
        match tree {
            Tree::Fixed(Value::Null) if self.sparse => Ok(None),
            Tree::Fixed(value) => Ok(Some(value.clone())),
            Tree::Text(template) if self.sparse => {
                Ok(template.render_within(self.scope, self.work)?.and_then(without_nulls))
            }
            Tree::Text(template) => {
                // `default(none)` alone in its string says null on purpose; what is merely missing
                // has stopped the rendering before.
                Ok(Some(template.render_within(self.scope, self.work)?.unwrap_or_default()))
            }
            Tree::List(items) => {
                let items = RenderError::gather(items.iter().map(|item| self.value(item)))?;
                Ok(Some(items.into_iter().flatten().collect()))
            }
            Tree::Members(members) => {
                let values = members.iter().map(|(name, tree)| Ok((name, self.value(tree)?)));
                let kept = |(name, value): (&String, Option<Value>)| Some((name.clone(), value?));
                let members: Map<_, _> = RenderError::gather(values)?.into_iter().filter_map(kept).collect();
                Ok(Some(Value::Object(members)))
            }
        }
    }
}

fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(items.into_iter().filter_map(without_nulls).collect()),
        Value::Object(members) => Some(Value::Object(
            members.into_iter().filter_map(|(name, value)| Some((name, without_nulls(value)?))).collect(),
        )),
        other => Some(other),
    }
}

fn checked(value: Value) -> Result<Value, RenderError> {
    if weight(&value) <= LONGEST_TEXT {
        return Ok(value);
    }
    Err(RenderError::Failed("the rendered value is longer than 1 MiB".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::problem::code;

    fn scope() -> Scope {
        let data = json!({"a": "x", "n": 3, "l": [1, null, {"k": null, "v": 2}], "o": {"z": 1, "b": 2}, "huge": "x".repeat(600_000)});
        Scope::new().with("data", Arc::new(data))
    }

    fn compile(value: &Value) -> ValueTemplate {
        ValueTemplate::compile(value, "/body", &Roots::request(&[])).unwrap()
    }

    #[test]
    fn strings_are_filled_and_the_rest_stays() {
        let tree = compile(&json!({
            "z": "{data.n}", "text": "n={data.n}", "list": ["{data.a}", 1.5, null, true], "deep": {"{data.a}": "{data.o}"},
            "null": null, "brace": "{", "float": 2.0,
        }));
        let expected = json!({
            "z": 3, "text": "n=3", "list": ["x", 1.5, null, true], "deep": {"{data.a}": {"z": 1, "b": 2}},
            "null": null, "brace": "{", "float": 2.0,
        });
        let rendered = tree.render(&scope()).unwrap();
        assert_eq!(rendered.to_string(), expected.to_string(), "order of members included");
        assert_eq!(tree.references().iter().collect::<Vec<_>>(), ["data.a", "data.n", "data.o"]);
    }

    #[test]
    fn nulls_are_left_out_of_params_and_forms_only() {
        let tree = compile(&json!({
            "a": null, "b": "{{ data.x | default(none) }}", "c": ["{{ data.y | default(none) }}", "{data.n}", null], "d": {"e": null},
            "f": "{data.l}",
        }));
        let expected = json!({"c": [3], "d": {}, "f": [1, {"v": 2}]});
        assert_eq!(tree.render_sparse(&scope()), Ok(expected));
        let whole = json!({"a": null, "b": null, "c": [null, 3, null], "d": {"e": null}, "f": [1, null, {"k": null, "v": 2}]});
        assert_eq!(tree.render(&scope()), Ok(whole), "a JSON body says null where null is meant");
        let tree = compile(&json!({"a": "{data.x}", "b": ["{data.y}"]}));
        let missing = || Err(RenderError::Missing(vec!["data.x".to_owned(), "data.y".to_owned()]));
        assert_eq!(tree.render(&scope()), missing());
        assert_eq!(tree.render_sparse(&scope()), missing());
    }

    #[test]
    fn every_problem_has_its_pointer() {
        let value = json!({"a": ["{dta.x}", "{data.a}"], "b/c": {"d": "{{ data.a | nope }}"}});
        let problems = ValueTemplate::compile(&value, "/body", &Roots::request(&[])).unwrap_err();
        let found: Vec<_> = problems.iter().map(|problem| (problem.pointer.as_str(), problem.code)).collect();
        assert_eq!(found, [("/body/a/0", code::UNKNOWN_ROOT), ("/body/b~1c/d", code::INVALID_TEMPLATE)]);
    }

    #[test]
    fn many_small_placeholders_cannot_make_something_huge() {
        let tree = compile(&json!(vec!["{data.huge}"; 2]));
        assert!(matches!(tree.render(&scope()), Err(RenderError::Failed(_))));
        let tree = compile(&json!(vec!["{data.huge}"; 10_000]));
        assert!(matches!(tree.render(&scope()), Err(RenderError::Failed(_))));
    }
}
