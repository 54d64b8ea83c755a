//! Real processes that are killed, stopped, starved and hurried: nothing is lost, nobody is hurt.
//!
//! A [`fleet`] is one or more of them on one database, a [`ledger`] the provider that keeps books of
//! what it was asked, a [`crowd`] the people who create cases and look whether all came out right.
//! The clock is the real one here and only here. What a test waits for is an event; the
//! deadlines of nextest are there for what hangs. `tests/long` runs the long forms.

mod copying;
mod crowd;
mod disk_full;
mod fleet;
mod hanging;
mod kills;
mod ledger;
mod polite;
mod postgres;
mod replicas;
mod stopped;
