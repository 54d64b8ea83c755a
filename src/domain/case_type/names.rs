//! Compares the fields of a case type with each other: no two may write to one place.
//!
//! Targets and output variables of all fields are equal to nobody's, and none is the prefix of
//! another. The raw definitions are compared, not the compiled fields, so that a field with
//! another problem still takes part and all problems come out at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::data::DataPath;
use crate::domain::problem::{code, join};

use super::findings::Findings;

/// One place in `data` that a field writes to.
struct Claim {
    words: Vec<String>,
    pointer: String,
    /// The index of the field.
    field: usize,
    /// It is an output variable, which takes the whole place.
    output: bool,
}

/// Reports every two claims that meet, and outputs that take the place of a plain field.
pub fn compare(definitions: &[Value], at: &str, findings: &mut Findings) {
    let plain = plain_fields(definitions);
    let mut claims = claims(definitions, at);
    for claim in &claims {
        beside_plain_field(claim, &plain, at, findings);
    }
    // A prefix sorts right before what it is a prefix of, so neighbours tell it all. The sort
    // is stable: of two equal ones the later in the document is reported.
    claims.sort_by(|a, b| a.words.cmp(&b.words));
    for pair in claims.windows(2) {
        let [first, second] = pair else { continue };
        let apart = first.field != second.field || first.output || second.output;
        if apart && second.words.starts_with(&first.words) {
            report(first, second, findings);
        }
    }
}

/// The members of `data` that fields name: keys of plain fields, first words of targets, output
/// variables.
pub fn named(definitions: &[Value]) -> BTreeSet<String> {
    let written = claims(definitions, "").into_iter().filter_map(|claim| claim.words.into_iter().next());
    plain_fields(definitions).into_keys().map(str::to_owned).chain(written).collect()
}

/// The output variable of a raw definition.
pub fn output_variable(definition: &Value) -> Option<&str> {
    is_api_call(definition).then(|| definition.get("api_config")?.get("output_variable")?.as_str()).flatten()
}

fn claims(definitions: &[Value], at: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (field, definition) in definitions.iter().enumerate().filter(|(_, it)| is_api_call(it)) {
        let config = join(&join(at, field), "api_config");
        let targets = definition.get("api_config").and_then(|config| config.get("response_mapping"));
        for target in targets.and_then(Value::as_object).into_iter().flat_map(|targets| targets.keys()) {
            // A target that is no path is reported by the mapping itself.
            let Ok(path) = DataPath::parse(target) else { continue };
            let pointer = join(&join(&config, "response_mapping"), target);
            claims.push(Claim { words: path.segments().to_vec(), pointer, field, output: false });
        }
        if let Some(name) = output_variable(definition) {
            let pointer = join(&config, "output_variable");
            claims.push(Claim { words: vec![name.to_owned()], pointer, field, output: true });
        }
    }
    claims
}

fn report(first: &Claim, second: &Claim, findings: &mut Findings) {
    let (at, other) = if first.field > second.field { (first, second) } else { (second, first) };
    let here = at.words.join(".");
    let message = if at.words == other.words {
        format!("`{here}` is also written by `{}`: two fields may not write to one place", other.pointer)
    } else {
        let there = other.words.join(".");
        format!(
            "`{here}` and `{there}` (at `{}`) lie one inside the other: two fields may not write to one place",
            other.pointer
        )
    };
    findings.problem(at.pointer.as_str(), code::DUPLICATE, message);
}

/// Keys of plain fields, each with its index and type.
fn plain_fields(definitions: &[Value]) -> BTreeMap<&str, (usize, &str)> {
    definitions
        .iter()
        .enumerate()
        .filter(|(_, definition)| !is_api_call(definition))
        .filter_map(|(index, definition)| {
            let key = definition.get("key")?.as_str()?;
            Some((key, (index, definition.get("type")?.as_str()?)))
        })
        .collect()
}

fn beside_plain_field(
    claim: &Claim,
    plain: &BTreeMap<&str, (usize, &str)>,
    at: &str,
    findings: &mut Findings,
) {
    let Some((index, kind)) = claim.words.first().and_then(|word| plain.get(word.as_str())) else { return };
    let field = join(at, index);
    if claim.output {
        let message = format!("`{field}` holds a value under the same name: choose another name");
        findings.problem(claim.pointer.as_str(), code::DUPLICATE, message);
    } else if claim.words.len() > 1 && *kind != "json" {
        let message = format!(
            "nothing can be written inside the value of `{field}`, which is of the type `{kind}`: every run will fail \
             with `mapping_failed`"
        );
        findings.doubt(claim.pointer.as_str(), message);
    }
}

fn is_api_call(definition: &Value) -> bool {
    definition.get("type").is_some_and(|kind| kind == "api_call")
}
