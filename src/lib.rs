//! Dossier: case management whose cases fill themselves in.

/// Names and rules.
pub mod domain;

/// HTTP to the world.
pub mod outbound;

/// SQL and only SQL.
pub mod store;

/// Use cases.
pub mod service;

/// The bundled demo provider.
pub mod sandbox;

/// Settings.
pub mod config;

/// Logs.
pub mod telemetry;
