//! One text of the schema for both databases.
//!
//! The texts are SQLite's, which runs them as they stand. For PostgreSQL types are replaced word
//! by word: ids become UUID, other bytes BYTEA, numbers and instants BIGINT, and texts compare
//! byte by byte there, too, so that lists have the same order on both.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Runs the statements in order.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        match manager.get_database_backend() {
            DbBackend::Postgres => manager.get_connection().execute_unprepared(&postgres(statement)).await?,
            _ => manager.get_connection().execute_unprepared(statement).await?,
        };
    }
    Ok(())
}

fn postgres(statement: &str) -> String {
    let statement = statement.replace(" WITHOUT ROWID", "");
    let mut text = String::with_capacity(statement.len() * 2);
    let mut column = "";
    for word in statement.split_inclusive([' ', ',', '\n']) {
        let end = word.trim_end_matches([' ', ',', '\n']).len();
        let (name, rest) = word.split_at(end);
        text.push_str(match name {
            "BLOB" if is_bytes(column) => "BYTEA",
            "BLOB" => "UUID",
            "INTEGER" => "BIGINT",
            "TEXT" => "TEXT COLLATE \"C\"",
            other => other,
        });
        text.push_str(rest);
        if !name.is_empty() {
            column = name;
        }
    }
    text
}

/// Every other column of bytes holds an id.
fn is_bytes(column: &str) -> bool {
    column.ends_with("hash") || ["sealed", "fingerprint"].contains(&column)
}
