//! Pages for those who build: case types, connections, schedules and secrets. They read; what they
//! change is switched or put in, not designed: the place for designing fields is another.

/// Case types and their fields.
mod call_view;
pub mod case_type;
pub mod case_types;
mod schedule_view;

/// Connections, and what is done to one by hand.
pub mod connection;
pub mod connection_actions;
mod connection_state;
pub mod connection_test;
pub mod connections;

/// Schedules.
pub mod schedules;

/// Secrets.
pub mod secrets;

/// What the lists have in common.
mod pages;
