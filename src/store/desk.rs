//! The desk of the one writer: who is served when, and how a batch is written.
//!
//! What people wait for goes first, then a slice of what the engine and the clock bring, in turns.
//! A slice takes a full batch of what somebody waits for, but only a few reports of runs without
//! hurry as long as people come to the desk: so a hundred thousand runs of one tick hold up
//! nobody for longer than a few milliseconds. When a batch fails, its commands are repeated one by one:
//! one that cannot be written, or on which a bug strikes, harms no other. When the database is not
//! there, one command finds that out, and all of its turn are told so at once.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::DatabaseConnection;
use tokio::sync::mpsc;

use super::admits::{self, Admit, Admitted};
use super::claims::{self, Claim, Claimed};
use super::close::{self, Closed, Closing, CommitLimits};
use super::create::{self, CreateOutcome, NewCase};
use super::dialect::Dialect;
use super::error::StoreError;
use super::seals::{self, Seal};
use super::signals::Signals;
use super::tx::Tx;
use super::unclaim;
use super::writer::{Command, Reply, Work};
use crate::domain::clock::SharedRng;
use crate::domain::ids::LeaseToken;

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
    pub(super) dialect: Dialect,
    signals: Arc<Signals>,
    limits: CommitLimits,
    rng: SharedRng,
    /// Why no transaction can be begun, in this turn.
    pub(super) away: Mutex<Option<StoreError>>,
    /// Claims that may have been committed although their worker was told otherwise.
    doubtful: Mutex<Vec<LeaseToken>>,
}

impl Desk {
    /// A desk that nobody has come to yet.
    pub(super) fn new(
        (connection, dialect): (DatabaseConnection, Dialect),
        signals: Arc<Signals>,
        limits: CommitLimits,
        rng: SharedRng,
    ) -> Self {
        let (away, doubtful) = (Mutex::default(), Mutex::default());
        Self { connection, dialect, signals, limits, rng, away, doubtful }
    }

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
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
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

    async fn work(&self, mut work: Box<dyn Work>) {
        let done = self.do_work(&mut *work).await;
        // Who is answered finds the wake-up done.
        self.signals.committed();
        work.finish(done);
    }

    async fn seal(&self, seals: Vec<(Seal, Reply<bool>)>) {
        if seals.is_empty() {
            return;
        }
        answer(self.batch(seals, |_, tx, seals| Box::pin(seals::seal(tx, seals))).await);
    }

    async fn close(&self, closes: Vec<(Arc<Closing>, Reply<Closed>)>) {
        if closes.is_empty() {
            return;
        }
        let cases: Vec<_> = closes.iter().map(|(closing, _)| closing.case_id()).collect();
        let answers = self
            .batch(closes, |desk, tx, closings| Box::pin(close::close(tx, closings, desk.limits, &desk.rng)));
        let answers = answers.await;
        self.signals.changed(cases);
        self.signals.committed();
        answer(answers);
    }

    async fn create(&self, creates: Vec<(Box<NewCase>, Reply<CreateOutcome>)>) {
        if creates.is_empty() {
            return;
        }
        let answers = self.batch(creates, |_, tx, cases| Box::pin(create::create(tx, cases))).await;
        self.signals.committed();
        answer(answers);
    }

    async fn admit(&self, admits: Vec<(Admit, Reply<Admitted>)>) {
        if admits.is_empty() {
            return;
        }
        let answers = self.batch(admits, |_, tx, asks| Box::pin(admits::admit(tx, asks))).await;
        self.signals.moved();
        answer(answers);
    }

    async fn claim(&self, claims: Vec<(Claim, Reply<Claimed>)>) {
        for (claim, reply) in claims {
            let claimed = self.claim_one(&claim).await;
            if claimed.as_ref().is_ok_and(|claimed| !claimed.runs.is_empty()) {
                self.signals.moved();
            }
            let _ = reply.send(claimed);
        }
    }

    async fn claim_one(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let claim = std::slice::from_ref(claim);
        let taken = self.transact(claim, |desk, tx, claim| Box::pin(desk.take(tx, claim))).await;
        let mut now_doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        match &taken {
            Ok(_) => now_doubtful.clear(),
            Err(_) => now_doubtful.extend(claim.iter().map(|claim| claim.token)),
        }
        drop(now_doubtful);
        Ok(taken?.pop().unwrap_or_default())
    }

    async fn take(&self, tx: &Tx, asked: &[Claim]) -> Result<Vec<Claimed>, StoreError> {
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).clone();
        unclaim::give_back(tx, &doubtful).await?;
        let mut taken = Vec::with_capacity(asked.len());
        for claim in asked {
            taken.push(claims::claim(tx, claim).await?);
        }
        Ok(taken)
    }
}

fn answer<T>(answers: Vec<(Reply<T>, Result<T, StoreError>)>) {
    for (reply, result) in answers {
        let _ = reply.send(result);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::BoxFuture;
    use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
    use tokio::sync::mpsc::UnboundedSender;

    use super::*;
    use crate::domain::clock::Rng;

    struct Dice;

    impl Rng for Dice {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    /// Notes whether it got a transaction.
    struct Noting(&'static str, UnboundedSender<(&'static str, bool)>);

    impl Work for Noting {
        fn run<'a>(&'a mut self, _: &'a Tx) -> BoxFuture<'a, bool> {
            Box::pin(async { true })
        }

        fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
            let got = committed.map_err(|error| assert!(error.is_unavailable(), "{error}")).is_ok();
            self.1.send((self.0, got)).unwrap();
        }
    }

    #[tokio::test]
    async fn one_command_finds_out_that_the_database_is_locked_and_the_next_turn_tries_again() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("desk.db").display());
        let open = || {
            let mut options = ConnectOptions::new(url.clone());
            options.max_connections(1).map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(Duration::ZERO));
            Database::connect(options)
        };
        let (other, connection) = (open().await.unwrap(), open().await.unwrap());
        other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();

        let (notes, mut seen_by) = mpsc::unbounded_channel();
        let (people, from_people) = mpsc::channel(8);
        let (_engine, from_engine) = mpsc::channel(8);
        let send = |name| {
            let work = Command::Work(Box::new(Noting(name, notes.clone())));
            people.try_send(work).unwrap_or_else(|_| panic!("the line is full"));
        };
        send("first");
        send("second");
        let limits = CommitLimits { case_bytes: 1, output_bytes: 1 };
        let desk = Desk::new((connection, Dialect::Sqlite), Arc::default(), limits, Arc::new(Dice));
        let mut seen = Vec::new();
        tokio::join!(desk.serve(from_people, from_engine), async {
            seen.extend(seen_by.recv().await);
            seen.extend(seen_by.recv().await);
            other.execute_unprepared("ROLLBACK").await.unwrap();
            send("next");
            people.send(Command::Stop).await.unwrap_or_else(|_| panic!("the desk is gone"));
            seen.extend(seen_by.recv().await);
        });
        assert_eq!(seen, [("first", false), ("second", false), ("next", true)]);
    }
}
