//! The life of a run, one file per step, in this order.
//!
//! A run is one firing of one API Call field for one case. It waits in the `run` table until it
//! is due; a worker leases it, makes **one** attempt and records what came of it. When that
//! attempt failed and may be repeated, the run goes back to waiting with a later `due_at`: there
//! is no retry loop and no sleep.
//!
//! Whatever the provider does ends as a failure in the field's state and never blocks the case.
//! Only our own trouble is an `EngineError`: nothing was sent, and the run is handed back to be
//! claimed again.

/// What the steps share.
mod context;

/// 1. Claims due runs, keeps hold of them, and hands back what it cannot finish.
mod worker;

/// What it notes of each.
mod hold;

/// 2. Calls the steps below in order.
mod pipeline;

/// What its templates read of the run.
mod occasion;

/// 3. What the attempt needs: plan, secrets, the roots of its templates.
mod prepare;
mod roots;

/// 4. Templates into a request, or skipped.
mod render;

/// 5. Is it still the request that the run was begun with? Kept before it leaves.
mod seal;

/// 6. An answer in the cache? One call for all who want the same.
mod cached;

/// What step 6 keeps, and by which key.
mod answer_cache;
mod cache_key;

/// 7. To the provider and back, in the four steps that follow.
mod ask;

/// 8. May the call go now? What its lane says.
mod admit;

/// 9. Credentials onto the request.
mod authorize;

/// Tokens among them: their life, the call for one, and what comes of it.
mod credentials;
mod held_tokens;
mod token_call;
mod token_fetch;
mod tokens;
mod wanted;

/// Whom it trusts, and by which certificate it says who it is.
mod trust;

/// 10. One exchange, and one for each redirect; what went wrong with it, as a failure.
mod redirect;
mod send;

/// 11. Is the answer a success?
mod judge;

/// 12. The answer into values.
mod map;

/// 13. What becomes of the run.
mod verdict;

/// 14. One commit: data, provenance, state, run, attempt.
mod record;

/// The same steps for a field that is only tried out.
mod console;

/// The same for a connection, in three stages.
mod connection_test;

pub use connection_test::{
    CertificateSeen, ConnectionTested, StageName, StageTested, StepName, StepTested, TestVerdict,
};
pub use console::{CallBeside, Console, MappingTested, NotTested, TargetTested, TargetVerdict, Tested};
pub use context::{CalledFor, Engine, EngineSettings};
pub use worker::Worker;
