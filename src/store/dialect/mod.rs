//! What differs between the databases: how one is opened, and the few words of SQL that only one
//! of them reads. Everything else is written once, for both.

mod kind;
mod postgres;
mod sqlite;

pub(crate) use kind::{Dialect, Purpose};
pub(crate) use postgres::{
    READERS, connect_info, is_conflict, is_cut, is_passing_state, may_have_committed, postgres_state,
};
