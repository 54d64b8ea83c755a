//! Every text that people read on pages, and nothing else: a second language begins here.
//!
//! One file a page, plus those that pages share. Sentences about a failed run are not here but
//! in `domain/failure.rs`, since the API tells them, too.

/// The page of a case.
pub mod case;

/// What all pages have around their content.
pub mod frame;

/// The list of cases.
pub mod case_list;

/// New cases.
pub mod case_new;

/// What several pages have in common.
pub mod parts;

/// Ages and times.
pub mod moments;

/// Refusals.
pub mod refusals;

/// States of fields, runs, cases and connections.
pub mod states;

/// Values.
pub mod values;

/// Signing in.
pub mod sign_in;

/// One's own account.
pub mod account;

/// People who may sign in.
pub mod people;

/// The history of runs, and one run.
pub mod runs;

/// Case types and their fields.
pub mod case_types;

/// Connections and their tests.
pub mod connections;

/// Schedules, and cron lines in words.
pub mod cron;
pub mod schedules;

/// Secrets.
pub mod secrets;
