//! People, their sessions, and links that sign somebody in once.
//!
//! Conventions as in the first migration. `email_folded` is what e-mails are compared by; several
//! people without one may stand beside each other. Of session tokens and links only hashes are kept.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "CREATE TABLE person (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL,
        email TEXT,
        email_folded TEXT,
        role TEXT NOT NULL,
        active BOOLEAN NOT NULL,
        password TEXT,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )",
    "CREATE UNIQUE INDEX person_email ON person (workspace_id, email_folded)",
    "CREATE INDEX person_sign_in ON person (email_folded)",
    "CREATE TABLE session (
        id BLOB NOT NULL PRIMARY KEY,
        hash BLOB NOT NULL,
        person_id BLOB NOT NULL REFERENCES person(id),
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        created_at INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        by_link BOOLEAN NOT NULL,
        user_agent TEXT NOT NULL
    )",
    "CREATE UNIQUE INDEX session_hash ON session (hash)",
    "CREATE INDEX session_person ON session (person_id)",
    "CREATE INDEX session_seen ON session (last_seen_at)",
    "CREATE TABLE sign_in_link (
        hash BLOB NOT NULL PRIMARY KEY,
        person_id BLOB NOT NULL REFERENCES person(id),
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER
    )",
    "CREATE INDEX sign_in_link_person ON sign_in_link (person_id)",
    "CREATE INDEX sign_in_link_end ON sign_in_link (expires_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
