//! The desk of the one writer: who is served when, and how a batch is written.
//!
//! What people wait for goes first, then a slice of what the engine and the clock bring, in turns.
//! A slice takes a full batch of what somebody waits for, but only a few reports of runs without
//! hurry as long as people come to the desk: so a hundred thousand runs of one tick hold up
//! nobody for longer than a few milliseconds. When a batch fails, its commands are repeated one by one:
//! one that cannot be written harms no other.

use std::mem;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::sync::mpsc;

use super::admits::{self, Admit, Admitted};
use super::claims::{self, Claim, Claimed};
use super::close::{self, Closed, Closing, CommitLimits};
use super::create::{self, CreateOutcome, NewCase};
use super::database::Tx;
use super::error::StoreError;
use super::seals::{self, Seal};
use super::signals::Signals;
use super::writer::{Command, Reply, Work};
use crate::domain::clock::SharedRng;

/// Commands in one turn.
const BATCH: usize = 256;
/// What a report without hurry fills of a turn while people come to the desk: eight are a turn.
const IN_COMPANY: usize = 32;
/// … and while nobody comes.
const ALONE: usize = 2;
/// Turns without anybody after which the desk counts as quiet.
const QUIET: usize = 50;

/// The typed commands of one transaction.
#[derive(Default)]
struct Batch {
    seals: Vec<(Seal, Reply<bool>)>,
    admits: Vec<(Admit, Reply<Admitted>)>,
    closes: Vec<(Arc<Closing>, Reply<Closed>)>,
    creates: Vec<(Box<NewCase>, Reply<CreateOutcome>)>,
    claims: Vec<(Claim, Reply<Claimed>)>,
}

/// Takes what has come meanwhile, up to so much work.
fn fill(waiting: &mut Vec<Command>, line: &mut mpsc::Receiver<Command>, low: usize) {
    let mut load: usize = waiting.iter().map(|command| command.load(low)).sum();
    while load < BATCH
        && let Ok(command) = line.try_recv()
    {
        load += command.load(low);
        waiting.push(command);
    }
}

impl Command {
    /// How much of a batch it fills; `low`: as many times as another does what has no hurry.
    fn load(&self, low: usize) -> usize {
        match self {
            Self::Close(closing, _) if closing.low => low,
            Self::Later(_) => BATCH,
            _ => 1,
        }
    }
}

/// The task behind the two lines.
pub(super) struct Desk {
    pub(super) connection: DatabaseConnection,
    pub(super) signals: Arc<Signals>,
    pub(super) limits: CommitLimits,
    pub(super) rng: SharedRng,
}

impl Desk {
    /// Serves until it is told to stop and both lines are empty.
    pub(super) async fn serve(
        self,
        mut people: mpsc::Receiver<Command>,
        mut engine: mpsc::Receiver<Command>,
    ) {
        let (mut first, mut then) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let mut stopped = false;
        let mut quiet = QUIET;
        loop {
            if !stopped {
                tokio::select! {
                    biased;
                    _ = people.recv_many(&mut first, BATCH) => {}
                    _ = engine.recv_many(&mut then, 1) => {}
                }
            }
            fill(&mut first, &mut people, 1);
            quiet = if first.is_empty() { quiet + 1 } else { 0 };
            fill(&mut then, &mut engine, if quiet < QUIET { IN_COMPANY } else { ALONE });
            if first.is_empty() && then.is_empty() {
                return;
            }
            stopped |= self.write(first.drain(..)).await;
            stopped |= self.write(then.drain(..)).await;
        }
    }

    /// Writes some commands; answers whether it was told to stop.
    async fn write(&self, commands: impl Iterator<Item = Command>) -> bool {
        let mut batch = Batch::default();
        let mut stop = false;
        for command in commands {
            match command {
                Command::Create(case, reply) => batch.creates.push((case, reply)),
                Command::Claim(claim, reply) => batch.claims.push((claim, reply)),
                Command::Admit(admit, reply) => batch.admits.push((admit, reply)),
                Command::Seal(seal, reply) => batch.seals.push((seal, reply)),
                Command::Close(closing, reply) => batch.closes.push((closing, reply)),
                Command::Work(work) | Command::Later(work) => self.work(work).await,
                Command::Stop => stop = true,
            }
        }
        self.create(mem::take(&mut batch.creates)).await;
        self.seal(mem::take(&mut batch.seals)).await;
        self.close(mem::take(&mut batch.closes)).await;
        // After the reports, whose answers say how lanes stand.
        self.admit(mem::take(&mut batch.admits)).await;
        self.claim(batch.claims).await;
        stop
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Tx(self.connection.begin_with_options(options).await?))
    }

    async fn work(&self, work: Work) {
        let tx = match self.begin().await {
            Ok(tx) => tx,
            Err(error) => return tracing::error!(%error, "no transaction could be begun"),
        };
        let (commit, finish) = work(&tx).await;
        let done = if commit { tx.0.commit().await } else { tx.0.rollback().await };
        // Who is answered finds the wake-up done.
        self.signals.wake();
        finish(done.map_err(StoreError::from));
    }

    async fn seal(&self, seals: Vec<(Seal, Reply<bool>)>) {
        if seals.is_empty() {
            return;
        }
        let (seals, replies): (Vec<_>, Vec<_>) = seals.into_iter().unzip();
        let results = match self.seal_all(&seals).await {
            Ok(ours) => ours.into_iter().map(Ok).collect(),
            Err(error) if seals.len() == 1 => vec![Err(error)],
            Err(_) => self.seal_each(&seals).await,
        };
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn seal_all(&self, seals: &[Seal]) -> Result<Vec<bool>, StoreError> {
        let tx = self.begin().await?;
        let ours = seals::seal(&tx, seals).await?;
        tx.0.commit().await?;
        Ok(ours)
    }

    async fn seal_each(&self, seals: &[Seal]) -> Vec<Result<bool, StoreError>> {
        let mut results = Vec::with_capacity(seals.len());
        for seal in seals {
            let one = self.seal_all(std::slice::from_ref(seal)).await;
            results.push(one.map(|ours| ours.first().copied().unwrap_or(false)));
        }
        results
    }

    async fn close(&self, closes: Vec<(Arc<Closing>, Reply<Closed>)>) {
        if closes.is_empty() {
            return;
        }
        let (closings, replies): (Vec<_>, Vec<_>) = closes.into_iter().unzip();
        let results = match self.close_all(&closings).await {
            Ok(ours) => ours.into_iter().map(Ok).collect(),
            Err(error) if closings.len() == 1 => vec![Err(error)],
            Err(_) => self.close_each(&closings).await,
        };
        self.signals.changed(closings.iter().map(|closing| closing.case_id()));
        self.signals.wake();
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn close_all(&self, closings: &[Arc<Closing>]) -> Result<Vec<Closed>, StoreError> {
        let tx = self.begin().await?;
        let ours = close::close(&tx, closings, self.limits, &self.rng).await?;
        tx.0.commit().await?;
        Ok(ours)
    }

    async fn close_each(&self, closings: &[Arc<Closing>]) -> Vec<Result<Closed, StoreError>> {
        let mut results = Vec::with_capacity(closings.len());
        for closing in closings {
            let one = self.close_all(std::slice::from_ref(closing)).await;
            results.push(one.map(|closed| closed.first().copied().unwrap_or(Closed::Lost)));
        }
        results
    }

    async fn create(&self, creates: Vec<(Box<NewCase>, Reply<CreateOutcome>)>) {
        if creates.is_empty() {
            return;
        }
        let (cases, replies): (Vec<_>, Vec<_>) = creates.into_iter().unzip();
        let results = match self.create_all(&cases).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if cases.len() == 1 => vec![Err(error)],
            Err(_) => self.create_each(&cases).await,
        };
        self.signals.wake();
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn create_all(&self, cases: &[Box<NewCase>]) -> Result<Vec<CreateOutcome>, StoreError> {
        let tx = self.begin().await?;
        let outcomes = create::create(&tx, cases).await?;
        tx.0.commit().await?;
        Ok(outcomes)
    }

    async fn create_each(&self, cases: &[Box<NewCase>]) -> Vec<Result<CreateOutcome, StoreError>> {
        let mut results = Vec::with_capacity(cases.len());
        for case in cases {
            let one = self.create_all(std::slice::from_ref(case)).await;
            results.push(one.map(|outcomes| outcomes.into_iter().next().unwrap_or(CreateOutcome::Created)));
        }
        results
    }

    async fn admit(&self, admits: Vec<(Admit, Reply<Admitted>)>) {
        if admits.is_empty() {
            return;
        }
        let (asks, replies): (Vec<_>, Vec<_>) = admits.into_iter().unzip();
        let results = match self.admit_all(&asks).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if asks.len() == 1 => vec![Err(error)],
            Err(_) => self.admit_each(&asks).await,
        };
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn admit_all(&self, asks: &[Admit]) -> Result<Vec<Admitted>, StoreError> {
        let tx = self.begin().await?;
        let answers = admits::admit(&tx, asks).await?;
        tx.0.commit().await?;
        Ok(answers)
    }

    async fn admit_each(&self, asks: &[Admit]) -> Vec<Result<Admitted, StoreError>> {
        let mut results = Vec::with_capacity(asks.len());
        for ask in asks {
            let one = self.admit_all(std::slice::from_ref(ask)).await;
            results.push(one.map(|answers| answers.first().copied().unwrap_or(Admitted::Lost)));
        }
        results
    }

    async fn claim(&self, claims: Vec<(Claim, Reply<Claimed>)>) {
        for (claim, reply) in claims {
            let _ = reply.send(self.claim_one(&claim).await);
        }
    }

    async fn claim_one(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let tx = self.begin().await?;
        let claimed = claims::claim(&tx, claim).await?;
        tx.0.commit().await?;
        Ok(claimed)
    }
}
