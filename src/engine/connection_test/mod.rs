//! A connection tried out in three stages: can the provider be reached, are there credentials, does
//! it answer as a field wants it.
//!
//! Every step says how long it took, what came of it and how to mend it; what comes behind one that fails is
//! skipped. All of it happens within the time of one attempt. A test takes no permit, counts for no
//! circuit and no limit, and writes nothing to any case. One that passes over the connection's own
//! credentials says so of the connection, and ends its hold.

/// What somebody asks for.
mod request;

/// What came of it, step by step.
mod report;

/// How to mend what went wrong.
mod hints;

/// The first stage: is there a way to the provider?
mod connectivity;

/// The other two stages, with the steps of a run.
mod sample;

/// The door's way in.
mod desk;

pub use report::{
    CertificateSeen, ConnectionTested, StageName, StageTested, StepName, StepTested, TestVerdict,
};
