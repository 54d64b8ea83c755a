//! The composition root: config → store → outbound → service → engine → doors, and back down.

mod admission;
mod commands;
mod demo;
mod demo_guide;
mod http;
mod keys;
mod parts;
mod presence;
mod serve;
mod system;

pub use commands::{
    Expiry, SecretCommand, TokenCommand, create_token, create_workspace, explain_settings, list_secrets,
    list_workspaces, migrate, print_openapi, rotate_key, set_secret, verify_audit,
};
pub use demo::demo;
pub use parts::{App, AppOptions};
pub use serve::{serve, work};
pub use system::{SystemClock, SystemRng};
