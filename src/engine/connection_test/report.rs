//! What came of a test, stage by stage and step by step.
//!
//! The steps are always the same, in the same order. After one that fails the others are skipped.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::connection::ConnectionStatus;
use crate::domain::ids::ConnectionKey;
use crate::domain::run::words;
use crate::engine::console::steps::Tested;
use crate::engine::context::Engine;

words! {
    /// What came of a step, a stage, a test.
    TestVerdict {
        /// It is as it should be.
        Passed = "passed",
        /// It is not.
        Failed = "failed",
        /// There was nothing to look at, or something before it has failed.
        Skipped = "skipped",
    }
}

words! {
    /// A stage of a test.
    StageName {
        /// Is there a way to the provider?
        Connectivity = "connectivity",
        /// Are there credentials, and may they go there?
        Authentication = "authentication",
        /// Does the provider answer as it should?
        EndToEnd = "end_to_end",
    }
}

words! {
    /// A step of a stage.
    StepName {
        /// Is there an address that can be called?
        Address = "address",
        /// Is its name known?
        Dns = "dns",
        /// May what it leads to be called?
        Guard = "guard",
        /// Does somebody listen there?
        Connect = "connect",
        /// Is he who he should be?
        Tls = "tls",
        /// Are the credentials there?
        Credentials = "credentials",
        /// Do they get us a token?
        Token = "token",
        /// May they go to this host?
        Hosts = "hosts",
        /// Can the request be put together?
        Request = "request",
        /// Is the answer a success?
        Answer = "answer",
        /// Does it fit its targets?
        Mapping = "mapping",
    }
}

impl StageName {
    const fn steps(self) -> &'static [StepName] {
        use StepName as S;
        match self {
            Self::Connectivity => &[S::Address, S::Dns, S::Guard, S::Connect, S::Tls],
            Self::Authentication => &[S::Credentials, S::Token, S::Hosts],
            Self::EndToEnd => &[S::Request, S::Answer, S::Mapping],
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTested {
    /// Which.
    pub name: StepName,
    /// What came of it.
    pub verdict: TestVerdict,
    /// Milliseconds that it took; none: it was skipped.
    pub ms: Option<u64>,
    /// What was found, in plain words; redacted.
    pub detail: Option<String>,
    /// How to mend it.
    pub hint: Option<String>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageTested {
    /// Which.
    pub name: StageName,
    /// Failed where a step has; skipped where all are.
    pub verdict: TestVerdict,
    /// Its steps, in order.
    pub steps: Vec<StepTested>,
}

/// The certificate that the provider showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateSeen {
    /// Until when it is valid.
    pub valid_until: Instant,
    /// Whole days until then.
    pub days_left: i64,
}

/// What came of a test.
#[derive(Debug)]
pub struct ConnectionTested {
    /// The connection.
    pub connection: ConnectionKey,
    /// The version that was tested.
    pub version: i64,
    /// Passed where every stage has.
    pub verdict: TestVerdict,
    /// How far the connection has come by now.
    pub status: ConnectionStatus,
    /// The three stages.
    pub stages: Vec<StageTested>,
    /// Of a provider over TLS.
    pub certificate: Option<CertificateSeen>,
    /// The sample call, as the test console shows one; as far as it came.
    pub sample: Tested,
}

/// A test under way.
pub(super) struct Report<'e> {
    engine: &'e Engine,
    done: Vec<StepTested>,
    since: Instant,
    failed: bool,
    /// The certificate that the provider showed.
    pub(super) certificate: Option<CertificateSeen>,
}

impl<'e> Report<'e> {
    /// The first step begins now.
    pub(super) fn begin(engine: &'e Engine) -> Self {
        let since = engine.clock.now();
        Self { engine, done: Vec::new(), since, failed: false, certificate: None }
    }

    /// Something has failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// The step has passed; the next one begins.
    pub(super) fn passed(&mut self, name: StepName, detail: impl Into<String>) {
        self.add(name, TestVerdict::Passed, Some(detail.into()), None);
    }

    /// … and something will have to be done about it.
    pub(super) fn passed_but(&mut self, name: StepName, detail: impl Into<String>, hint: &str) {
        self.add(name, TestVerdict::Passed, Some(detail.into()), Some(hint.to_owned()));
    }

    /// There is nothing to look at.
    pub(super) fn skipped(&mut self, name: StepName, detail: impl Into<String>) {
        self.add(name, TestVerdict::Skipped, Some(detail.into()), None);
    }

    /// It is not as it should be.
    pub(super) fn failed(&mut self, name: StepName, detail: impl Into<String>, hint: &str) {
        self.failed = true;
        self.add(name, TestVerdict::Failed, Some(detail.into()), Some(hint.to_owned()));
    }

    fn add(&mut self, name: StepName, verdict: TestVerdict, detail: Option<String>, hint: Option<String>) {
        let now = self.engine.clock.now();
        let took = u64::try_from((now - self.since).num_milliseconds()).unwrap_or_default();
        let ms = (verdict != TestVerdict::Skipped).then_some(took);
        self.done.push(StepTested { name, verdict, ms, detail, hint });
        self.since = now;
    }

    /// All stages, with what was not looked at.
    pub(super) fn stages(self) -> Vec<StageTested> {
        let mut done = self.done;
        let stages = StageName::ALL.iter().map(|name| {
            let step = |step: &StepName| {
                let found = done.iter().position(|it| it.name == *step);
                found.map_or_else(|| not_looked_at(*step), |at| done.swap_remove(at))
            };
            let steps: Vec<_> = name.steps().iter().map(step).collect();
            StageTested { name: *name, verdict: verdict(&steps), steps }
        });
        stages.collect()
    }
}

fn not_looked_at(name: StepName) -> StepTested {
    let detail = Some("a step before it has failed".to_owned());
    StepTested { name, verdict: TestVerdict::Skipped, ms: None, detail, hint: None }
}

fn verdict(steps: &[StepTested]) -> TestVerdict {
    let any = |verdict| steps.iter().any(|step| step.verdict == verdict);
    if any(TestVerdict::Failed) {
        TestVerdict::Failed
    } else if any(TestVerdict::Passed) {
        TestVerdict::Passed
    } else {
        TestVerdict::Skipped
    }
}
