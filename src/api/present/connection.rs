//! A connection as answers show it: its definition in normal form, and the facts around it.

use serde_json::{Map, Value, json};

use super::case_type::problems;
use super::words::Time;
use crate::service::{ConnectionUse, ConnectionView};

/// The definition's members and, around them, what only answers say.
pub fn view(found: ConnectionView) -> Value {
    let Value::Object(definition) = found.definition else { return Value::Null };
    let row = found.row;
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(row.id));
    members.extend(definition);
    members.insert("status".to_owned(), json!(row.status));
    members.insert("used_by".to_owned(), found.used_by.iter().map(usage).collect());
    members.insert("version".to_owned(), json!(row.version));
    members.insert("created_at".to_owned(), json!(Time(row.created_at)));
    members.insert("updated_at".to_owned(), json!(Time(row.updated_at)));
    members.insert("warnings".to_owned(), json!(problems(&found.warnings)));
    Value::Object(members)
}

fn usage(found: &ConnectionUse) -> Value {
    json!({"case_type": found.case_type, "field": found.field, "endpoint": found.endpoint})
}
