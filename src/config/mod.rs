//! Settings: `config/default.toml`, then a file, then the environment; the later one wins.
//!
//! They are read once, at the start, as a whole: every unknown key and bad value is listed with
//! its place and its remedy before anything else happens, and afterwards nobody checks again.
//! Values of `security.*` are never printed. Only `app` reads `Settings` and hands its
//! sections on.

mod key_change;
mod master_key;
mod problem;
mod reader;
mod sections;
mod settings;
mod shown;
mod size;
mod sources;

pub use key_change::{KeyChange, change_key};
pub use master_key::{LoadedKeys, MasterKeyError, load_or_create as load_master_key, read_keys};
pub use problem::{InvalidSettings, SettingProblem};
pub use sections::{
    Cache, Database, Limits, Log, LogFormat, Network, Retention, Security, Server, Synchronous, Workers,
};
pub use settings::Settings;
pub use sources::{Origin, environment};
