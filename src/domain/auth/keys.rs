//! API keys: one, or several at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::definition::{ApiKey, Auth, KeyPlace};
use super::members::{Empty, credential, spelled};
use crate::domain::api_call::{Compiler, header_name_problem};
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::{code, join};

const LONGEST_KEY_NAME: usize = 200;
/// Keys of one request.
const MOST_KEYS: usize = 20;

/// Reads `api_key`: `key`, `value` and `in`, or a list of such.
pub(super) fn read(auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    if auth.get("keys").is_some() {
        return read_several(auth, compiler);
    }
    let place = read_place(auth);
    let (key, form) = read_one(auth, compiler, place)?;
    Some((Auth::ApiKeys(vec![key]), with_type(form)))
}

/// Reads `header`, another word for an API key in a header.
pub(super) fn read_header(auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    let (key, form) = read_one(auth, compiler, Some(KeyPlace::Header))?;
    Some((Auth::ApiKeys(vec![key]), with_type(form)))
}

fn with_type(form: Value) -> Value {
    let mut all = json!({"type": "api_key"});
    if let (Value::Object(all), Value::Object(form)) = (&mut all, form) {
        all.extend(form);
    }
    all
}

fn read_several(auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    for name in ["key", "value", "in", "location"] {
        if auth.get(name).is_some() {
            auth.problem(name, code::DUPLICATE, "stands in `keys` already: keep one of the two");
        }
    }
    let at = auth.at("keys");
    let items = auth.list("keys", MOST_KEYS)?;
    if items.is_empty() {
        auth.problem("keys", code::OUT_OF_RANGE, "is empty: give at least one key, or `\"type\": \"none\"`");
        return None;
    }
    let (mut keys, mut forms, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (index, item) in items.iter().enumerate() {
        let Some(mut reader) = Reader::open(item, join(&at, index), auth.findings) else { continue };
        let place = read_place(&mut reader);
        if let Some((key, form)) = read_one(&mut reader, compiler, place) {
            if !seen.insert((key.place == KeyPlace::Header, identity(&key))) {
                reader.problem("key", code::DUPLICATE, "is set by another one of `keys`: keep one");
            }
            keys.push(key);
            forms.push(form);
        }
        reader.finish(|_| None);
    }
    let whole = keys.len() == items.len();
    whole.then(|| (Auth::ApiKeys(keys), json!({"type": "api_key", "keys": forms})))
}

/// Names of headers are equal whatever their case.
fn identity(key: &ApiKey) -> String {
    match key.place {
        KeyPlace::Header => key.key.to_ascii_lowercase(),
        KeyPlace::Query => key.key.clone(),
    }
}

fn read_one(
    reader: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    place: Option<KeyPlace>,
) -> Option<(ApiKey, Value)> {
    if reader.get("key").is_none() {
        reader.missing("key", "the name of the header or query parameter");
    }
    let key = reader.text("key", LONGEST_KEY_NAME);
    let value = credential("value", reader, compiler, Empty::Refused);
    let (place, key) = (place?, key?);
    if place == KeyPlace::Header
        && let Some(why) = header_name_problem(key)
    {
        reader.problem("key", code::INVALID, why);
        return None;
    }
    let (value, source) = value?;
    let spelling = if place == KeyPlace::Header { "header" } else { "query" };
    let form = json!({"key": key, "value": source, "in": spelling});
    Some((ApiKey { key: key.to_owned(), value, place }, form))
}

/// `in`, or its other spelling `location`.
fn read_place(reader: &mut Reader<'_, '_>) -> Option<KeyPlace> {
    const PLACES: [(&str, KeyPlace); 2] = [("header", KeyPlace::Header), ("query", KeyPlace::Query)];
    let name = spelled(reader, "in", "location");
    if reader.get(name).is_none() {
        return Some(KeyPlace::Header);
    }
    reader.word(name, &PLACES)
}
