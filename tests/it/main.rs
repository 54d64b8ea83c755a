//! Dossier from outside: one binary, one file per capability.
//!
//! `upstream` and `httpbin` are what the tests call instead of the world; `layers` reads the
//! sources. `cfg(test)` on the lines is for clippy: helpers of tests may unwrap like tests.

#[cfg(test)]
mod access;

#[cfg(test)]
mod app;

#[cfg(test)]
mod audit;

#[cfg(test)]
mod authorization;

#[cfg(test)]
mod bad_providers;

#[cfg(test)]
mod browser;

#[cfg(test)]
mod cache;

#[cfg(test)]
mod case_types;

#[cfg(test)]
mod connection_test;
#[cfg(test)]
mod connections;

#[cfg(test)]
mod console;

#[cfg(test)]
mod contract;

#[cfg(test)]
mod crash;

#[cfg(test)]
mod database;

#[cfg(test)]
mod definitions;

#[cfg(test)]
mod demo;

#[cfg(test)]
mod demo_process;

#[cfg(test)]
mod docs;

#[cfg(test)]
mod edges;

#[cfg(test)]
mod endpoints;

#[cfg(test)]
mod enrich;

#[cfg(test)]
mod events;

#[cfg(test)]
mod freshness;

#[cfg(test)]
mod guarded;

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod httpbin;

#[cfg(test)]
mod keys;

#[cfg(test)]
mod lanes;

#[cfg(test)]
mod layers;

#[cfg(test)]
mod manners;

#[cfg(test)]
mod mixture;

#[cfg(test)]
mod once;

#[cfg(test)]
mod model;

#[cfg(test)]
mod oauth;

#[cfg(test)]
mod on_update;

#[cfg(test)]
mod overrides;

#[cfg(test)]
mod people;

#[cfg(test)]
mod metrics;

#[cfg(test)]
mod patience;

#[cfg(test)]
mod pages;

#[cfg(test)]
mod pages_again;

#[cfg(test)]
mod pages_case;

#[cfg(test)]
mod pages_forms;

#[cfg(test)]
mod pages_list;
#[cfg(test)]
mod pages_list_size;

#[cfg(test)]
mod pages_size;

#[cfg(test)]
mod pages_story;

#[cfg(test)]
mod planted;

#[cfg(test)]
mod process;

#[cfg(test)]
mod processes;

#[cfg(test)]
mod providers;

#[cfg(test)]
mod real_http;
#[cfg(test)]
mod redirects;

#[cfg(test)]
mod redaction;

#[cfg(test)]
mod replicas;

#[cfg(test)]
mod runs;

#[cfg(test)]
mod sandbox;

#[cfg(test)]
mod scheduled;

#[cfg(test)]
mod sealing;

#[cfg(test)]
mod schemathesis;

#[cfg(test)]
mod search;

#[cfg(test)]
mod secrets;

#[cfg(test)]
mod summary;

#[cfg(test)]
mod tls;

#[cfg(test)]
mod sign_in;

#[cfg(test)]
mod tutorial;

#[cfg(test)]
mod upstream;

#[cfg(test)]
mod pages_builder;

#[cfg(test)]
mod pages_runs;

#[cfg(test)]
mod visitor;
