//! Dossier: case management whose cases fill themselves in.
//!
//! The life of a run, in ten lines: a door (`api`, `schedule`) takes a change or a wish; a
//! service (`service`) checks it and writes it, together with the runs that it fires, in one
//! transaction (`store`). The engine (`engine`) claims a run when it is due, renders its request
//! from templates and secrets (`domain`), sends it through the guarded way out (`outbound`),
//! maps the answer into values (`domain`), and records data, provenance, field state and history
//! in one transaction again (`store`). What the provider does wrong is a value on the field;
//! what we do wrong gives the run back to the queue. Imports go down this list only.

/// The composition root and the commands.
pub mod app;

/// Door 1: JSON.
pub mod api;

/// Door 2: pages.
pub mod ui;

/// Door 3: the clock.
pub mod schedule;

/// The life of a run.
pub mod engine;

/// Use cases.
pub mod service;

/// SQL and only SQL.
pub mod store;

/// What Dossier counts about itself.
pub mod metrics;

/// HTTP to the world.
pub mod outbound;

/// Names and rules: no I/O.
pub mod domain;

/// The bundled demo provider.
pub mod sandbox;

/// Settings.
pub mod config;

/// Logs.
pub mod telemetry;
