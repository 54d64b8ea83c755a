//! Who changed what, as a chain: each entry's hash covers the entry and the hash before it, so
//! that a row that was changed, taken out or put in between is noticed.
//!
//! An entry names things, versions and paths; it never holds a value. A chain belongs to one
//! workspace and begins with a hash of zeros. This file knows no rows: where chains lie, and that
//! two of a kind cannot be added at once, is the store's part.

use std::sync::Arc;

use ring::digest::{Context, SHA256};
use serde_json::json;
use uuid::Uuid;

use super::clock::Instant;
use super::ids::{TokenId, WorkspaceId};

/// SHA-256 of an entry and of what was before it.
pub type AuditHash = [u8; 32];

/// What the first entry of a chain stands on.
pub const BEGINNING: AuditHash = [0; 32];

/// Paths that one entry names at most.
pub const MOST_PATHS: usize = 200;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The spelling in rows and answers.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The one with this spelling.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}

words! {
    /// What was changed.
    AuditKind {
        /// A connection.
        Connection = "connection",
        /// A secret.
        Secret = "secret",
        /// A case type.
        CaseType = "case_type",
        /// A token.
        Token = "token",
        /// The workspace itself.
        Workspace = "workspace",
        /// A person.
        Person = "person",
        /// The key that all secrets are sealed with.
        MasterKey = "master_key",
    }
}

words! {
    /// What was done to it.
    AuditAction {
        /// It is new.
        Created = "created",
        /// It has another version.
        Changed = "changed",
        /// It is gone.
        Deleted = "deleted",
        /// A connection was switched on.
        Enabled = "enabled",
        /// A connection was switched off.
        Disabled = "disabled",
        /// A connection on hold goes on.
        Resumed = "resumed",
        /// A connection has passed its test, and so is not on hold any more.
        Tested = "tested",
        /// The circuit of a connection was opened by hand.
        BreakerOpened = "breaker_opened",
        /// The circuit of a connection was closed by hand.
        BreakerClosed = "breaker_closed",
        /// All sessions of a person were ended.
        SessionsEnded = "sessions_ended",
        /// A link that signs a person in was made.
        LinkMade = "link_made",
        /// All that is sealed is sealed with another master key.
        Rotated = "rotated",
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// As histories name them: `token:ops`, `system`, `system:command`.
    pub by: String,
    /// The token that it came with.
    pub token: Option<TokenId>,
    /// The request that it came with.
    pub request_id: Option<Arc<str>>,
}

impl Author {
    /// The program itself, at its start.
    pub fn system() -> Self {
        Self { by: "system".to_owned(), token: None, request_id: None }
    }

    /// Somebody at the command line, whom we do not know.
    pub fn command() -> Self {
        Self { by: "system:command".to_owned(), ..Self::system() }
    }
}

/// What is done to one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditChange {
    /// What was done.
    pub action: AuditAction,
    /// What kind of thing it was done to.
    pub kind: AuditKind,
    /// What people call it: a key, or the name of a secret or token.
    pub key: String,
    /// Its id.
    pub id: Option<Uuid>,
    /// Its version before; none: it was new, or has no versions.
    pub version_before: Option<i64>,
    /// Its version from then on; none: it is gone, or has no versions.
    pub version_after: Option<i64>,
    /// Dotted paths in which the versions differ, at most [`MOST_PATHS`]; of something new or gone none.
    pub changed: Vec<String>,
}

impl AuditChange {
    /// Of a thing without versions.
    pub fn of(kind: AuditKind, action: AuditAction, key: impl Into<String>) -> Self {
        Self {
            action,
            kind,
            key: key.into(),
            id: None,
            version_before: None,
            version_after: None,
            changed: Vec::new(),
        }
    }

    /// With the thing's id.
    #[must_use]
    pub fn with_id(self, id: Uuid) -> Self {
        Self { id: Some(id), ..self }
    }

    /// With its versions.
    #[must_use]
    pub fn with_versions(self, before: Option<i64>, after: Option<i64>) -> Self {
        Self { version_before: before, version_after: after, ..self }
    }

    /// With what has changed in it.
    #[must_use]
    pub fn with_changed(self, mut changed: Vec<String>) -> Self {
        changed.truncate(MOST_PATHS);
        Self { changed, ..self }
    }
}

/// An entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counts from 1 in its workspace.
    pub number: i64,
    /// When it was done.
    pub at: Instant,
    /// Who did it.
    pub author: Author,
    /// What was done.
    pub change: AuditChange,
    /// Of this entry and all before it.
    pub hash: AuditHash,
}

/// The hash of an entry that stands on `before`: SHA-256 over that hash and the entry as a JSON
/// array in the order of its columns, the instant in milliseconds since 1970.
pub fn hash(
    before: &AuditHash,
    workspace: WorkspaceId,
    (number, at): (i64, Instant),
    author: &Author,
    change: &AuditChange,
) -> AuditHash {
    let row = json!([
        workspace,
        number,
        at.timestamp_millis(),
        author.by,
        author.token,
        change.action.as_str(),
        change.kind.as_str(),
        change.key,
        change.id,
        change.version_before,
        change.version_after,
        change.changed,
        author.request_id.as_deref(),
    ]);
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(row.to_string().as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Where a chain stands, and what it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The number of the last entry; 0: there is none.
    pub number: i64,
    /// Its hash.
    pub hash: AuditHash,
}

impl Link {
    /// Before the first entry.
    pub const BEGINNING: Self = Self { number: 0, hash: BEGINNING };

    /// Goes on to an entry, or says what is wrong with it.
    pub fn follow(self, workspace: WorkspaceId, entry: &AuditEntry) -> Result<Self, String> {
        let number = self.number + 1;
        if entry.number != number {
            return Err(format!("entry {number} is missing: {} comes after {}", entry.number, self.number));
        }
        let hash = hash(&self.hash, workspace, (number, entry.at), &entry.author, &entry.change);
        if hash != entry.hash {
            return Err(format!(
                "entry {number} does not go with its hash: it, or one before it, was changed"
            ));
        }
        Ok(Self { number, hash })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn chain(length: i64) -> Vec<AuditEntry> {
        let (workspace, mut before) = (WorkspaceId(Uuid::nil()), BEGINNING);
        let entry = |number| {
            let at = DateTime::from_timestamp_millis(1_795_253_400_000 + number).unwrap();
            let author = Author { by: "token:ops".into(), token: None, request_id: Some("r".into()) };
            let change = AuditChange::of(AuditKind::Secret, AuditAction::Changed, format!("s{number}"))
                .with_versions(Some(number), Some(number + 1))
                .with_changed(vec!["value".to_owned()]);
            let hash = hash(&before, workspace, (number, at), &author, &change);
            before = hash;
            AuditEntry { number, at, author, change, hash }
        };
        (1..=length).map(entry).collect()
    }

    fn verify(chain: &[AuditEntry]) -> Result<Link, String> {
        let mut entries = chain.iter();
        entries.try_fold(Link::BEGINNING, |link, entry| link.follow(WorkspaceId(Uuid::nil()), entry))
    }

    #[test]
    fn an_untouched_chain_holds() {
        assert_eq!(verify(&chain(5)).unwrap().number, 5);
        assert_eq!(verify(&[]).unwrap(), Link::BEGINNING);
    }

    #[test]
    fn every_touch_is_noticed_where_it_is() {
        type Touch = fn(&mut Vec<AuditEntry>);
        let touches: [(&str, Touch); 12] = [
            ("3", |chain| chain[2].author.by = "token:other".into()),
            ("3", |chain| chain[2].author.token = Some(TokenId(Uuid::nil()))),
            ("3", |chain| chain[2].author.request_id = None),
            ("3", |chain| chain[2].at += std::time::Duration::from_millis(1)),
            ("3", |chain| chain[2].change.key = "other".into()),
            ("3", |chain| chain[2].change.kind = AuditKind::Token),
            ("3", |chain| chain[2].change.action = AuditAction::Deleted),
            ("3", |chain| chain[2].change.id = Some(Uuid::nil())),
            ("3", |chain| chain[2].change.version_after = None),
            ("3", |chain| chain[2].change.changed.clear()),
            ("3 is missing", |chain| {
                chain.remove(2);
            }),
            ("2 is missing", |chain| chain.swap(1, 2)),
        ];
        for (expected, touch) in touches {
            let mut chain = chain(5);
            touch(&mut chain);
            let error = verify(&chain).unwrap_err();
            assert!(error.starts_with(&format!("entry {expected}")), "{expected}: {error}");
        }
        let mut rehashed = chain(5);
        rehashed[2].hash = [7; 32];
        assert!(verify(&rehashed).unwrap_err().starts_with("entry 3"));
    }

    #[test]
    fn words_read_back() {
        for kind in AuditKind::ALL {
            assert_eq!(AuditKind::parse(kind.as_str()), Some(*kind));
        }
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.as_str()), Some(*action));
        }
        assert_eq!(AuditKind::parse("case"), None);
    }
}
