//! Compiles the templates of one field and looks up the names they use.
//!
//! Every template of a request goes through here, so nothing is sent that was not counted: which
//! values the field reads, which secrets it uses and where. A secret that does not exist is a
//! problem at the very member that names it; a param that does not exist is only a doubt, since
//! the workspace may get it later.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::case_type::findings::{Findings, unknown_word};
use crate::domain::case_type::reader::{DEEPEST, Reader, is_shallow};
use crate::domain::case_type::{Context, Known};
use crate::domain::problem::{code, join};
use crate::domain::template::{
    Expression, JsonTextTemplate, Roots, Template, TemplateError, TextTemplate, UrlTemplate, ValueTemplate,
};

/// Characters of an expression; longer ones belong into a service.
const LONGEST_EXPRESSION: usize = 10_000;

/// Characters of a url, bytes of a header's value.
pub const LONGEST_TEMPLATE: usize = 8192;

/// Compiles for one field.
pub struct Compiler<'c> {
    context: &'c Context<'c>,
    request: Roots,
    when: Roots,
    /// Whether all params that there will be are known now.
    params_known: bool,
    /// Whether a path has an address that it follows.
    base: bool,
    /// Whether what is read may be a credential, which no message quotes.
    discreet: bool,
    /// Dotted paths that the request and `when` read.
    pub references: BTreeSet<String>,
    /// Secrets that the request uses, each with the first place that names it.
    pub secrets: BTreeMap<String, String>,
}

impl<'c> Compiler<'c> {
    /// For a field that may read these output variables.
    pub fn new(context: &'c Context<'c>, outputs: &[String]) -> Self {
        Self {
            context,
            request: Roots::request(outputs),
            when: Roots::when(outputs),
            params_known: true,
            base: false,
            discreet: false,
            references: BTreeSet::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// For a connection: it knows no case, and each case type brings params of its own.
    pub fn for_connection(context: &'c Context<'c>) -> Self {
        let roots = Roots::connection();
        Self {
            request: roots.clone(),
            when: roots,
            params_known: false,
            base: true,
            ..Self::new(context, &[])
        }
    }

    /// The field names a connection, whose base URL a path follows.
    pub fn lean_on_connection(&mut self) {
        self.base = true;
    }

    /// Whether a path has an address that it follows.
    pub fn has_base(&self) -> bool {
        self.base
    }

    /// For an endpoint of a connection: it may read whatever every case type has, so no output
    /// variables; each case type brings params of its own.
    pub fn for_endpoint(context: &'c Context<'c>) -> Self {
        Self { params_known: false, ..Self::new(context, &[]) }
    }

    /// Compiles texts that may be credentials: what is wrong with them is told without quoting them.
    pub fn discreetly<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.discreet, true);
        let done = read(self);
        self.discreet = before;
        done
    }

    /// What exists in the workspace.
    pub fn known(&self) -> &'c Known {
        self.context.known
    }

    /// A header, an auth member: one text.
    pub fn template(&mut self, source: &str, pointer: &str, findings: &mut Findings) -> Option<Template> {
        let template = self.sorted(Template::compile(source, &self.request), pointer, findings)?;
        self.note(template.references(), template.secrets(), pointer, findings);
        Some(template)
    }

    /// The url.
    pub fn url(&mut self, source: &str, pointer: &str, findings: &mut Findings) -> Option<UrlTemplate> {
        let template = sorted(UrlTemplate::compile(source, &self.request), pointer, findings)?;
        self.note(template.references(), template.secrets(), pointer, findings);
        Some(template)
    }

    /// A JSON or form body, the query params: texts in a tree.
    pub fn tree(&mut self, source: &Value, pointer: &str, findings: &mut Findings) -> Option<ValueTemplate> {
        let mut compiled = ValueTemplate::compile(source, pointer, &self.request);
        if let Err(problems) = &mut compiled
            && self.discreet
        {
            for problem in problems {
                problem.message = unquoted(None);
            }
        }
        let template = findings.keep(compiled)?;
        self.note(template.references(), BTreeSet::new(), pointer, findings);
        if !template.secrets().is_empty() {
            self.note_secrets_within(source, pointer, findings);
        }
        Some(template)
    }

    /// A JSON body that is given as a text.
    pub fn json_text(
        &mut self,
        source: &str,
        pointer: &str,
        findings: &mut Findings,
    ) -> Option<JsonTextTemplate> {
        let template = self.sorted(JsonTextTemplate::compile(source, &self.request), pointer, findings)?;
        self.note(template.references(), template.secrets(), pointer, findings);
        Some(template)
    }

    /// A body of any text.
    pub fn text(&mut self, source: &str, pointer: &str, findings: &mut Findings) -> Option<TextTemplate> {
        let template = self.sorted(TextTemplate::compile(source, &self.request), pointer, findings)?;
        self.note(template.references(), template.secrets(), pointer, findings);
        Some(template)
    }

    /// The condition under which the field runs.
    pub fn when(&mut self, reader: &mut Reader<'_, '_>) -> Option<Expression> {
        let roots = self.when.clone();
        let expression = expression(reader, "when", &roots)?;
        let pointer = reader.at("when");
        self.note(expression.references(), BTreeSet::new(), &pointer, reader.findings);
        Some(expression)
    }

    /// As [`sorted`], without quoting what may be a credential.
    fn sorted<T>(
        &self,
        result: Result<T, TemplateError>,
        pointer: &str,
        findings: &mut Findings,
    ) -> Option<T> {
        let told = |error: TemplateError| {
            let message = if self.discreet { unquoted(error.hint.as_deref()) } else { error.message };
            TemplateError { message, ..error }
        };
        sorted(result.map_err(told), pointer, findings)
    }

    fn note(
        &mut self,
        references: &BTreeSet<String>,
        secrets: BTreeSet<String>,
        pointer: &str,
        findings: &mut Findings,
    ) {
        for path in references {
            self.doubt_param(path, pointer, findings);
            self.references.insert(path.clone());
        }
        for secret in secrets {
            if findings.is_full() {
                return;
            }
            self.note_secret(secret, pointer, findings);
        }
    }

    fn note_secret(&mut self, name: String, pointer: &str, findings: &mut Findings) {
        let known = &self.context.known.secrets;
        if !known.contains_key(&name) {
            let names: Vec<_> = known.keys().map(String::as_str).collect();
            let message = format!(
                "{}: create it with `PUT /v1/secrets/{name}`",
                unknown_word(&name, "a secret of this workspace", &names)
            );
            findings.problem(pointer, code::UNKNOWN_REFERENCE, message);
        }
        self.secrets.entry(name).or_insert_with(|| pointer.to_owned());
    }

    fn doubt_param(&self, path: &str, pointer: &str, findings: &mut Findings) {
        if !self.params_known || !findings.has_room_for_doubts() {
            return;
        }
        let Some(name) = path.strip_prefix("params.").and_then(|rest| rest.split('.').next()) else { return };
        if !self.context.params.contains_key(name) {
            let names: Vec<_> = self.context.params.keys().map(String::as_str).collect();
            findings.doubt(pointer, unknown_word(name, "a param of this case type or workspace", &names));
        }
    }

    /// Finds the texts of a tree that name secrets, so that each is noted where it stands.
    fn note_secrets_within(&mut self, value: &Value, pointer: &str, findings: &mut Findings) {
        if findings.is_full() {
            return;
        }
        match value {
            Value::String(text) if text.contains("secret") => {
                let secrets = Template::compile(text, &self.request).map(|template| template.secrets());
                for secret in secrets.unwrap_or_default() {
                    self.note_secret(secret, pointer, findings);
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.note_secrets_within(item, &join(pointer, at), findings);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.note_secrets_within(member, &join(pointer, name), findings);
                }
            }
            _ => {}
        }
    }
}

/// Reads and compiles a member that is an expression.
pub fn expression(reader: &mut Reader<'_, '_>, name: &'static str, roots: &Roots) -> Option<Expression> {
    let source = reader.text(name, LONGEST_EXPRESSION)?;
    let pointer = reader.at(name);
    sorted(Expression::compile(source, roots), &pointer, reader.findings)
}

/// What is wrong with the braces of a text that may be a credential.
fn unquoted(hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!(
        "holds braces that are read as a placeholder and are none that can be filled in{hint}. If they belong to a \
         credential, keep it as a secret with `PUT /v1/secrets/my_secret`, where any character may stand, and write \
         `{{secret.my_secret}}` here"
    )
}

/// Puts what the compiler of templates says at its place.
fn sorted<T>(result: Result<T, TemplateError>, pointer: &str, findings: &mut Findings) -> Option<T> {
    result.map_err(|error| findings.problem(pointer, error.code, error.message)).ok()
}

/// Reports a tree that is nested too deep to be compiled.
pub fn is_flat_enough(name: &'static str, value: &Value, config: &mut Reader<'_, '_>) -> bool {
    let flat = is_shallow(value, DEEPEST);
    if !flat {
        config.problem(name, code::OUT_OF_RANGE, format!("is nested too deep: at most {DEEPEST} levels"));
    }
    flat
}
