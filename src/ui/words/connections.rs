//! Connections and their tests.

use crate::domain::connection::ConnectionStatus;
use crate::domain::lane::CircuitState;
use crate::engine::{StageName, StepName, TestVerdict};

pub const TITLE: &str = "Connections";
pub const NONE_TITLE: &str = "No connection yet";
pub const NONE: &str = "A connection is a provider set up once: its address, credentials, limits and what happens when it fails. \
     Save the first with PUT /v1/connections/{key}; the description of the API shows how.";
pub const DOCS: &str = "Open the description of the API";
pub const NAME: &str = "Name";
pub const ADDRESS: &str = "Address";
pub const NO_ADDRESS: &str = "none yet";
pub const STATE: &str = "State";
pub const WAITING: &str = "Runs that wait";
pub const USED_BY: &str = "Used by";
pub const NOBODY: &str = "no field";
pub const FURTHER: &str = "Further connections";

pub const HOW: &str = "How it does";
pub const STATUS: &str = "State";
pub const BREAKER: &str = "Circuit";
pub const HELD: &str = "On hold: the provider refused our credentials five times in a row";
pub const CALLS_GO: &str = "Nothing keeps calls from going";
pub const PAUSED: &str = "The provider takes no more calls until";
pub const DEPTH: &str = "Runs that wait";
pub const OLDEST: &str = "Oldest waits for";
pub const SUCCESS: &str = "Calls that succeeded";
pub const P50: &str = "Half took up to";
pub const P95: &str = "95 of 100 took up to";
pub const QUOTA: &str = "Left of its quota";
pub const NOTHING: &str = "–";
pub const UNTIL: &str = "until";
pub const ABOUT: &str = "About this connection";
pub const KEY: &str = "Key";
pub const VERSION: &str = "Version";
pub const CHANGED: &str = "Changed";
pub const AUTH: &str = "Credentials";
pub const TIMEOUT: &str = "Timeout";
pub const LIMITS: &str = "Limits";
pub const NO_LIMITS: &str = "none";
pub const BREAKER_RULE: &str = "Circuit opens";
pub const REDIRECTS: &str = "Redirects";
pub const REDIRECTS_ANY: &str = "followed to other hosts, too, without credentials";
pub const REDIRECTS_SAME: &str = "followed on the same host only";
pub const ENDPOINTS: &str = "Endpoints";
pub const NO_ENDPOINTS: &str = "It names no endpoints; fields say method and path themselves.";
pub const LAST_RUNS: &str = "Last runs";
pub const ALL_RUNS: &str = "All its runs";
pub const NO_RUNS: &str = "No run has gone over it yet.";
pub const JSON_LONG: &str = "This is the beginning of it; GET /v1/connections/{key} answers the whole.";

pub const BY_HAND: &str = "By hand";
pub const ENABLE: &str = "Switch on";
pub const ENABLE_HINT: &str = "Runs that wait go on; a hold ends.";
pub const DISABLE: &str = "Switch off";
pub const DISABLE_HINT: &str = "Automatic runs wait until it is on again, manual ones fail.";
pub const RESUME: &str = "Resume";
pub const RESUME_HINT: &str = "Ends a hold, and a pause that the provider asked for.";
pub const OPEN: &str = "Stop calls";
pub const OPEN_HINT: &str = "Opens the circuit: no call goes out for a while.";
pub const CLOSE: &str = "Let calls go";
pub const CLOSE_HINT: &str = "Closes the circuit: calls go out again.";
pub const TEST: &str = "Test";
pub const TEST_TITLE: &str = "Try it out";
pub const TEST_HINT: &str = "Goes the way to the provider step by step and makes one sample call. It touches no case, no limit and \
     no circuit.";
pub const TEST_ENDPOINT: &str = "What is called";
pub const TEST_BASE: &str = "the base address";
pub const TEST_CONFIRM: &str = "It may change something at the provider";
pub const TEST_CONFIRM_HINT: &str = "Needed for anything but GET, HEAD and OPTIONS.";
pub const TEST_AGAIN: &str = "Test again";
pub const TEST_OF: &str = "Test of";
pub const BACK: &str = "Back to the connection";
pub const CERTIFICATE: &str = "Its certificate is good until";
pub const SAMPLE: &str = "The sample call";
pub const SAMPLE_NONE: &str = "No call went out.";
pub const ANSWER: &str = "Answer";
pub const BUSY: &str = "As many tests are under way as may be at once; try again shortly.";

/// What a form has done, by the code in the address.
pub fn done(code: &str) -> Option<&'static str> {
    match code {
        "enabled" => Some("The connection is switched on."),
        "disabled" => Some("The connection is switched off: automatic runs wait, manual ones fail."),
        "resumed" => Some("The connection goes on."),
        "opened" => Some("No call goes out for now."),
        "closed" => Some("Calls go out again."),
        _ => None,
    }
}

/// How far a connection has come.
pub const fn status(status: ConnectionStatus) -> &'static str {
    match status {
        ConnectionStatus::Unconfigured => "Has no address yet",
        ConnectionStatus::Configured => "Set up, not tried yet",
        ConnectionStatus::Tested => "Tested",
        ConnectionStatus::Active => "Active",
        ConnectionStatus::Disabled => "Switched off",
    }
}

/// How a circuit stands.
pub const fn circuit(state: CircuitState) -> &'static str {
    match state {
        CircuitState::Closed => "Closed: calls go",
        CircuitState::Open => "Open: no call goes",
        CircuitState::HalfOpen => "Half open: one call tries",
    }
}

/// The stages of a test, as questions.
pub const fn stage(stage: StageName) -> &'static str {
    match stage {
        StageName::Connectivity => "Is there a way to the provider?",
        StageName::Authentication => "Are there credentials, and may they go there?",
        StageName::EndToEnd => "Does the provider answer as it should?",
    }
}

/// The steps of a test.
pub const fn step(step: StepName) -> &'static str {
    match step {
        StepName::Address => "Address",
        StepName::Dns => "Name look-up",
        StepName::Guard => "Allowed network",
        StepName::Connect => "Connection",
        StepName::Tls => "Secure connection",
        StepName::Credentials => "Credentials",
        StepName::Token => "Token",
        StepName::Hosts => "Allowed hosts",
        StepName::Request => "Request",
        StepName::Answer => "Answer",
        StepName::Mapping => "Mapping",
    }
}

/// What came of a step.
pub const fn verdict(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::Passed => "Passed",
        TestVerdict::Failed => "Failed",
        TestVerdict::Skipped => "Not looked at",
    }
}

/// `40 of 100 left`.
pub fn quota(remaining: u64, limit: Option<u64>) -> String {
    limit.map_or_else(|| remaining.to_string(), |limit| format!("{remaining} of {limit}"))
}

/// `98 %`.
pub fn percent(rate: f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

/// `20 calls in 1 s`.
pub fn window(limit: u64, span: &str) -> String {
    format!("{limit} calls in {span}")
}

/// `4 at once`.
pub fn at_once(calls: u64) -> String {
    format!("{calls} at once")
}

/// `after 5 failures in a row, for 30 s`.
pub fn breaker(failures: u64, span: &str, by_endpoint: bool) -> String {
    let of = if by_endpoint { ", each endpoint on its own" } else { "" };
    format!("after {failures} failures in a row, for {span}{of}")
}

/// What is not listed.
pub fn more(count: usize) -> String {
    format!("and {count} more")
}

/// `5 fields`.
pub fn users(count: usize) -> String {
    match count {
        0 => NOBODY.to_owned(),
        1 => "1 field".to_owned(),
        _ => format!("{count} fields"),
    }
}
