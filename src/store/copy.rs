//! All rows of an SQLite database into an empty PostgreSQL one: how an installation outgrows its file.
//!
//! Everything comes over in one transaction or nothing does, and the file is only read. The schema
//! of the target says which tables and columns there are and in which order they can be filled, so
//! a new table needs no word here. Both must have the schema of this program. It does not look
//! whether somebody writes to the file meanwhile: what is copied is its state at the beginning.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, QueryResult, Statement, StreamTrait as _,
    TransactionTrait as _, Value,
};
use uuid::Uuid;

use super::dialect::{Dialect, Purpose};
use super::error::StoreError;
use super::statement::{sql, tuples};

/// Rows, and bytes of their texts, that are written at once.
const ROWS: usize = 100;
const BYTES: usize = 4 << 20;

/// Where the schema keeps its own history; the target has it already.
const HISTORY: &str = "seaql_migrations";

/// Where `dossier migrate` notes which master key is in effect; the file says that, too.
const KEY_CHECK: &str = "key_check";

/// Tables whose triggers tell what happened.
const WATCHED: [&str; 3] = ["cases", "case_change", "run"];

/// Events go on behind those that were copied.
const COUNT_ON: &str = "SELECT setval(pg_get_serial_sequence('case_event', 'seq'), COALESCE(MAX(seq), 0) + 1, FALSE) \
     FROM case_event";

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyFailed {
    /// The target holds rows.
    #[error(
        "the database already holds rows (table `{0}`): copy into an empty one, before the first start on it"
    )]
    NotEmpty(String),
    /// One of the two is not what it must be.
    #[error("copying goes from an SQLite file into a PostgreSQL database")]
    WrongWay,
    /// A table of the target that the file does not have, or a type that cannot be read.
    #[error("the column `{table}.{column}` has a type that cannot be copied: {kind}")]
    UnknownType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for CopyFailed {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// A table, and what its columns hold.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Id,
    Bytes,
    Whole,
    Text,
    Boolean,
}

/// Copies all rows from the file at one URL into the database at the other; answers how many of
/// each table, in the order of their names.
pub async fn copy(from: &str, into: &str) -> Result<BTreeMap<String, u64>, CopyFailed> {
    if (Dialect::of(from), Dialect::of(into)) != (Dialect::Sqlite, Dialect::Postgres) {
        return Err(CopyFailed::WrongWay);
    }
    for url in [from, into] {
        let dialect = Dialect::of(url);
        dialect.migrate(&dialect.connect(url, true, Purpose::Migrate).await?).await?;
    }
    let source = Dialect::Sqlite.connect(from, true, Purpose::Read).await?;
    let target = Dialect::Postgres.connect(into, true, Purpose::Write).await?;
    let copied = all(&source, &target).await;
    // Until the server does so by itself it would plan for empty tables.
    if let (Ok(_), Err(error)) = (&copied, target.execute_unprepared("VACUUM ANALYZE").await) {
        tracing::warn!(%error, "the copied tables were not analyzed: run VACUUM ANALYZE");
    }
    source.close().await?;
    target.close().await?;
    copied
}

async fn all(
    source: &DatabaseConnection,
    target: &DatabaseConnection,
) -> Result<BTreeMap<String, u64>, CopyFailed> {
    let (source, target) = (source.begin().await?, target.begin().await?);
    let mut copied = BTreeMap::new();
    let tables = tables(&target).await?;
    for table in tables.iter().filter(|table| table.name != KEY_CHECK) {
        refuse_rows(&target, &table.name).await?;
    }
    target.execute_unprepared(&format!("DELETE FROM {KEY_CHECK}")).await?;
    // What happened is copied, too: the triggers would tell it a second time.
    for table in WATCHED {
        target.execute_unprepared(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await?;
    }
    for table in tables {
        let rows = fill(&source, &target, &table).await?;
        copied.insert(table.name, rows);
    }
    for table in WATCHED {
        target.execute_unprepared(&format!("ALTER TABLE {table} ENABLE TRIGGER USER")).await?;
    }
    target.execute_unprepared(COUNT_ON).await?;
    target.commit().await?;
    Ok(copied)
}

/// The tables of the target; each stands behind those that it refers to.
async fn tables(target: &DatabaseTransaction) -> Result<Vec<Table>, CopyFailed> {
    let columns = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position";
    let mut tables: Vec<Table> = Vec::new();
    for row in target.query_all_raw(sql(columns, Vec::new())).await? {
        let (table, column) = (row.try_get_by_index::<String>(0)?, row.try_get_by_index::<String>(1)?);
        if table == HISTORY {
            continue;
        }
        let kind = kind(&table, &column, row.try_get_by_index(2)?)?;
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push((column, kind)),
            None => tables.push(Table { name: table, columns: vec![(column, kind)] }),
        }
    }
    Ok(in_order(tables, &references(target).await?))
}

/// Which table refers to which.
async fn references(target: &DatabaseTransaction) -> Result<BTreeSet<(String, String)>, CopyFailed> {
    let foreign = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint \
         WHERE contype = 'f' AND connamespace = current_schema()::regnamespace";
    let rows = target.query_all_raw(sql(foreign, Vec::new())).await?;
    let pair = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    rows.iter().map(pair).collect()
}

/// Moves each table behind those that it refers to; there are no circles.
fn in_order(mut waiting: Vec<Table>, references: &BTreeSet<(String, String)>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: BTreeSet<String> = waiting.iter().map(|table| table.name.clone()).collect();
        let waits = |table: &Table| {
            references.iter().any(|(from, to)| *from == table.name && to != from && names.contains(to))
        };
        let (later, now): (Vec<_>, Vec<_>) = waiting.into_iter().partition(waits);
        if now.is_empty() {
            ordered.extend(later);
            break;
        }
        ordered.extend(now);
        waiting = later;
    }
    ordered
}

fn kind(table: &str, column: &str, kind: String) -> Result<Kind, CopyFailed> {
    match kind.as_str() {
        "uuid" => Ok(Kind::Id),
        "bytea" => Ok(Kind::Bytes),
        "bigint" | "integer" => Ok(Kind::Whole),
        "text" => Ok(Kind::Text),
        "boolean" => Ok(Kind::Boolean),
        _ => Err(CopyFailed::UnknownType { table: table.to_owned(), column: column.to_owned(), kind }),
    }
}

async fn refuse_rows(target: &DatabaseTransaction, table: &str) -> Result<(), CopyFailed> {
    let any = sql(format!("SELECT 1 FROM \"{table}\" LIMIT 1"), Vec::new());
    match target.query_one_raw(any).await? {
        Some(_) => Err(CopyFailed::NotEmpty(table.to_owned())),
        None => Ok(()),
    }
}

/// Copies one table.
async fn fill(
    source: &DatabaseTransaction,
    target: &DatabaseTransaction,
    table: &Table,
) -> Result<u64, CopyFailed> {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let names = names.join(", ");
    let mut rows =
        source.stream_raw(sql(format!("SELECT {names} FROM \"{}\"", table.name), Vec::new())).await?;
    let head = format!("INSERT INTO \"{}\" ({names}) VALUES ", table.name);
    let width = table.columns.len();
    let (mut values, mut bytes, mut copied) = (Vec::new(), 0, 0);
    while let Some(row) = rows.try_next().await? {
        bytes += read(&row, &table.columns, &mut values)?;
        copied += 1;
        if values.len() >= ROWS * width || bytes >= BYTES {
            insert(target, &head, width, std::mem::take(&mut values)).await?;
            bytes = 0;
        }
    }
    insert(target, &head, width, values).await?;
    Ok(copied)
}

async fn insert(
    target: &DatabaseTransaction,
    head: &str,
    width: usize,
    values: Vec<Value>,
) -> Result<(), CopyFailed> {
    if values.is_empty() {
        return Ok(());
    }
    let text = format!("{head}{}", tuples(values.len() / width, width, 1));
    let statement: Statement = sql(text, values);
    target.execute_raw(statement).await?;
    Ok(())
}

/// Adds the values of a row; answers the bytes of its longer ones.
fn read(row: &QueryResult, columns: &[(String, Kind)], values: &mut Vec<Value>) -> Result<usize, CopyFailed> {
    let mut bytes = 0;
    for (index, (_, kind)) in columns.iter().enumerate() {
        values.push(match kind {
            Kind::Id => Value::from(row.try_get_by_index::<Option<Uuid>>(index)?),
            Kind::Whole => Value::from(row.try_get_by_index::<Option<i64>>(index)?),
            Kind::Boolean => Value::from(row.try_get_by_index::<Option<bool>>(index)?),
            Kind::Bytes => {
                let value: Option<Vec<u8>> = row.try_get_by_index(index)?;
                bytes += value.as_ref().map_or(0, Vec::len);
                Value::from(value)
            }
            Kind::Text => {
                let value: Option<String> = row.try_get_by_index(index)?;
                bytes += value.as_ref().map_or(0, String::len);
                Value::from(value.map(|text| Dialect::Postgres.storable(text)))
            }
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_filled_behind_those_that_it_refers_to() {
        let tables = ["attempt", "cases", "run", "workspace"];
        let tables = tables.map(|name| Table { name: name.to_owned(), columns: Vec::new() });
        let pairs = [("attempt", "run"), ("run", "cases"), ("run", "run"), ("cases", "workspace")];
        let pairs = pairs.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let ordered = in_order(tables.into(), &BTreeSet::from(pairs));
        let names: Vec<_> = ordered.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["workspace", "cases", "run", "attempt"]);
    }
}
