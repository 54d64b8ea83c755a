//! Rows back into things: columns are read in the order of the statement.

use sea_orm::{QueryResult, TryGetable};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::instant;
use crate::domain::clock::Instant;
use crate::domain::run::Priority;

/// Reads the columns of one row from left to right; the first must be the row's id.
pub(super) struct Columns<'r> {
    row: &'r QueryResult,
    table: &'static str,
    id: Uuid,
    next: usize,
}

impl<'r> Columns<'r> {
    /// Starts at the first column, the id.
    pub(super) fn of(table: &'static str, row: &'r QueryResult) -> Result<Self, StoreError> {
        let id = row.try_get_by_index(0)?;
        Ok(Self { row, table, id, next: 1 })
    }

    /// The row's id.
    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    /// The next column.
    pub(super) fn get<T: TryGetable>(&mut self) -> Result<T, StoreError> {
        let index = self.next;
        self.next += 1;
        self.row.try_get_by_index(index).map_err(|error| self.corrupt(error.to_string()))
    }

    /// The next column, an instant.
    pub(super) fn at(&mut self) -> Result<Instant, StoreError> {
        let ms = self.get::<i64>()?;
        instant(ms).ok_or_else(|| self.corrupt(format!("{ms} is no instant")))
    }

    /// The next column, an instant or nothing.
    pub(super) fn maybe_at(&mut self) -> Result<Option<Instant>, StoreError> {
        let ms = self.get::<Option<i64>>()?;
        Ok(ms.and_then(instant))
    }

    /// The next column, a count.
    pub(super) fn count(&mut self) -> Result<u32, StoreError> {
        let number = self.get::<i64>()?;
        u32::try_from(number).map_err(|_| self.corrupt(format!("{number} is no count")))
    }

    /// The next column, a word that `parse` knows.
    pub(super) fn word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.get::<String>()?;
        parse(&text).ok_or_else(|| self.corrupt(format!("unknown word `{text}`")))
    }

    /// The next column, a word or nothing.
    pub(super) fn maybe_word<T>(
        &mut self,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.get::<Option<String>>()? {
            Some(text) => {
                parse(&text).map(Some).ok_or_else(|| self.corrupt(format!("unknown word `{text}`")))
            }
            None => Ok(None),
        }
    }

    /// The next column, JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text = self.get::<String>()?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(error.to_string()))
    }

    /// The next column, JSON or nothing.
    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        match self.get::<Option<String>>()? {
            Some(text) => {
                serde_json::from_str(&text).map(Some).map_err(|error| self.corrupt(error.to_string()))
            }
            None => Ok(None),
        }
    }

    /// The next column, the rank of a priority.
    pub(super) fn priority(&mut self) -> Result<Priority, StoreError> {
        let rank = self.get::<i64>()?;
        i32::try_from(rank)
            .ok()
            .and_then(Priority::from_rank)
            .ok_or_else(|| self.corrupt(format!("{rank} is no priority")))
    }

    /// The error for this row.
    pub(super) fn corrupt(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Corrupt { table: self.table, id: self.id, reason: reason.into() }
    }
}
