//! How the desk gets something into the database: in one transaction, together with others of its
//! kind or alone, and once more when another transaction was in the way.

use std::sync::PoisonError;

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};

use super::desk::Desk;
use super::dialect::{Dialect, is_conflict};
use super::error::StoreError;
use super::tx::Tx;
use super::writer::{Reply, Work, caught};

/// How often a transaction is repeated that others were in the way of. A deadlock always lets one
/// of its transactions through, so each round somebody is done.
const REPEATED: u32 = 50;

/// How commands of one kind are written in one transaction; answers for each.
pub(super) type Write<C, T> =
    for<'a> fn(&'a Desk, &'a Tx, &'a [C]) -> BoxFuture<'a, Result<Vec<T>, StoreError>>;

impl Desk {
    /// After one transaction that could not be begun the others of the turn are not tried: a
    /// database that is away would hold up each of them anew.
    async fn begin(&self) -> Result<Tx, StoreError> {
        if let Some(error) = &*self.away.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(error.clone());
        }
        let begun = begin_writing(&self.connection, self.dialect).await;
        begun.inspect_err(|error| {
            *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        })
    }

    /// Why it was not committed, and whether another transaction was in the way.
    fn not_committed(&self, error: DbErr) -> (StoreError, bool) {
        let conflict = is_conflict(&error);
        (StoreError::of_commit(error, self.dialect), conflict)
    }

    /// Does it in one transaction, anew as long as other transactions are in its way.
    pub(super) async fn transact<C, T>(
        &self,
        commands: &[C],
        write: Write<C, T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut left = REPEATED;
        loop {
            let tx = self.begin().await?;
            let (error, conflict) = match caught(write(self, &tx, commands)).await {
                Ok(done) => match tx.commit().await {
                    Ok(()) => return Ok(done),
                    Err(error) => self.not_committed(error),
                },
                Err(error) => {
                    let conflict = tx.is_conflict();
                    tx.roll_back().await;
                    (error, conflict)
                }
            };
            if !conflict || left == 0 {
                return Err(error);
            }
            left -= 1;
        }
    }

    /// Does what a closure asks for; its own refusal is no error.
    pub(super) async fn do_work(&self, work: &mut dyn Work) -> Result<(), StoreError> {
        let mut left = REPEATED;
        loop {
            let tx = self.begin().await?;
            let (done, conflict) = if work.run(&tx).await {
                match tx.commit().await {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        let (error, conflict) = self.not_committed(error);
                        (Err(error), conflict)
                    }
                }
            } else {
                let conflict = tx.is_conflict();
                tx.roll_back().await;
                (Ok(()), conflict)
            };
            if !conflict || left == 0 {
                return done;
            }
            left -= 1;
        }
    }

    /// Writes commands of one kind together, and one by one when that fails. Each is answered.
    pub(super) async fn batch<C, T>(
        &self,
        commands: Vec<(C, Reply<T>)>,
        write: Write<C, T>,
    ) -> Vec<(Reply<T>, Result<T, StoreError>)> {
        let (commands, replies): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        let results = match self.transact(&commands, write).await {
            Ok(done) => done.into_iter().map(Ok).collect(),
            // Where the database is away, busy or full, one by one is no better, only slower.
            Err(error) if commands.len() == 1 || error.is_unavailable() => {
                commands.iter().map(|_| Err(error.clone())).collect()
            }
            Err(_) => {
                let mut results = Vec::with_capacity(commands.len());
                for command in commands.chunks(1) {
                    let one = self.transact(command, write).await;
                    results.push(one.and_then(|done| done.into_iter().next().ok_or(StoreError::Stopped)));
                }
                results
            }
        };
        replies.into_iter().zip(results).collect()
    }
}

/// Connections that the server has closed meanwhile are found out here, one by one.
async fn begin_writing(to: &DatabaseConnection, dialect: Dialect) -> Result<Tx, StoreError> {
    match Tx::writing(to, dialect).await {
        Err(error) if dialect == Dialect::Postgres && !matches!(error, DbErr::ConnectionAcquire(_)) => {
            Ok(Tx::writing(to, dialect).await?)
        }
        begun => Ok(begun?),
    }
}
