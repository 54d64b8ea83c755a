//! The composition root: config → store → outbound → service → engine → doors, and back down.

mod access_commands;
mod admission;
mod commands;
mod demo;
mod demo_guide;
mod http;
mod keys;
mod parts;
mod presence;
mod serve;
mod sign_in;
mod system;

pub use access_commands::{list_secrets, list_workspaces, rotate_key, verify_audit};
pub use commands::{
    Expiry, SecretCommand, TokenCommand, copy_database, create_token, create_workspace, explain_settings,
    migrate, print_openapi, set_secret,
};
pub use demo::demo;
pub use parts::{App, AppOptions};
pub use serve::{serve, work};
pub use sign_in::print_sign_in_link;
pub use system::{SystemClock, SystemRng};
