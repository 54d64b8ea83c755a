//! Values into statements: the one place that knows how things are written in rows.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::clock::Instant;

/// Rows in one multi-row statement. Few sizes mean few prepared statements.
pub(super) const CHUNK: usize = 32;

/// A statement with `$1`, `$2`, … and its values.
pub(super) fn sql(text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, text, values)
}

/// `($1, $2), ($3, $4)` for `rows` rows of `columns`, counting on from `first` (1-based).
pub(super) fn tuples(rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                text.push_str(", ");
            }
            text.push('$');
            text.push_str(&(first + row * columns + column).to_string());
        }
        text.push(')');
    }
    text
}

/// `$1, $2, $3`, counting on from `first`. Of no values it is `NULL`: nothing is in it, and PostgreSQL
/// reads no empty list. Ask for NOT IN only with one that has values.
pub(super) fn list(count: usize, first: usize) -> String {
    if count == 0 {
        return "NULL".to_owned();
    }
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn uuid(id: Uuid) -> Value {
    Value::from(id)
}

pub(super) fn maybe_uuid(id: Option<Uuid>) -> Value {
    Value::from(id)
}

pub(super) fn text(text: impl Into<String>) -> Value {
    Value::from(text.into())
}

pub(super) fn maybe_text(text: Option<impl Into<String>>) -> Value {
    Value::from(text.map(Into::into))
}

pub(super) fn ms(at: Instant) -> Value {
    Value::from(at.timestamp_millis())
}

pub(super) fn maybe_ms(at: Option<Instant>) -> Value {
    Value::from(at.map(|at| at.timestamp_millis()))
}

pub(super) fn int(number: impl Into<i64>) -> Value {
    Value::from(number.into())
}

/// JSON text of something that always serialises (maps with text keys, numbers, texts).
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    Value::from(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}

/// JSON text, or NULL for nothing.
pub(super) fn maybe_json<T: Serialize>(value: Option<&T>) -> Value {
    Value::from(value.map(|value| serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())))
}

/// JSON text of a list, or NULL for an empty one.
pub(super) fn json_list<T: Serialize>(list: &[T]) -> Value {
    maybe_json(Some(&list).filter(|list| !list.is_empty()))
}

/// An instant from a row's milliseconds.
pub(super) fn instant(ms: i64) -> Option<Instant> {
    DateTime::<Utc>::from_timestamp_millis(ms)
}
