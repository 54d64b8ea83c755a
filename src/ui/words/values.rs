//! Values.

pub const NOTHING: &str = "–";
pub const YES: &str = "yes";
pub const NO: &str = "no";
