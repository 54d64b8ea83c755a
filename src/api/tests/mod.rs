//! The door as a whole, on a real database and without an engine.

mod door;
mod refusals;
mod resources;
