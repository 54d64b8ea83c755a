//! The composition root: config → store → outbound → service → engine → doors, and back down.

mod admission;
mod commands;
mod demo;
mod demo_guide;
mod http;
mod parts;
mod presence;
mod serve;
mod system;

pub use commands::{
    Expiry, SecretCommand, TokenCommand, copy_database, create_token, create_workspace, explain_settings,
    migrate, print_openapi, set_secret,
};
pub use demo::demo;
pub use parts::{App, AppOptions};
pub use serve::{serve, work};
pub use system::{SystemClock, SystemRng};
