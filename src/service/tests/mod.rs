//! Tokens, secrets and case types, told as stories on a real database.

mod admission;
mod counting;
mod house;
mod keys;
mod sealed;
mod signing_in;
mod versions;
