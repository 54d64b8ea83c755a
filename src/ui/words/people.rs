//! People who may sign in.

pub const TITLE: &str = "People";
pub const LEAD: &str = "Everybody who may sign in to this workspace, and what they may do.";
pub const ADD: &str = "Add a person";
pub const NAME: &str = "Name";
pub const EMAIL: &str = "E-mail";
pub const ROLE: &str = "Role";
pub const SIGN_IN: &str = "Sign-in";
pub const ADDED: &str = "Added";
pub const NO_EMAIL: &str = "none";
pub const NEXT: &str = "Next page";
pub const FIRST: &str = "First page";

pub const ACTIVE: &str = "Password or link";
pub const LINK_ONLY: &str = "Link only";
pub const OFF: &str = "Switched off";
pub const YOU: &str = "you";

pub const EMAIL_HINT: &str = "They sign in with it.";
pub const MAY_SIGN_IN: &str = "May sign in";
pub const OFF_HINT: &str = "Who is switched off is signed out everywhere at once.";
pub const SAVE: &str = "Save";
pub const BACK: &str = "All people";

pub const LINK: &str = "Sign-in link";
pub const LINK_LEAD: &str = "For who is new or has forgotten the password: it signs this person in once, within an hour. It is shown this once.";
pub const MAKE_LINK: &str = "Make a sign-in link";
pub const LINK_MADE: &str = "Send this to them now: it is not shown again, and good once, for an hour.";
pub const COPY: &str = "Copy";

pub const SESSIONS: &str = "Sessions";
pub const SESSIONS_LEAD: &str =
    "When a device is lost: signs this person out of every browser at once. Their password stays good.";
pub const END_SESSIONS: &str = "End all of their sessions";
pub const SESSIONS_ENDED: &str = "This person is signed out everywhere.";

pub const REMOVE: &str = "Remove";
pub const REMOVE_LEAD: &str =
    "They are signed out everywhere and cannot come back. What they did keeps their name.";
pub const REMOVE_NOW: &str = "Remove this person";

pub const PERSON_ADDED: &str = "The person is added. Make a sign-in link to let them in.";
pub const PERSON_SAVED: &str = "The changes are saved.";
pub const PERSON_REMOVED: &str = "The person is removed.";

/// What each role may do, for who chooses one.
pub const ROLES: [(&str, &str); 4] = [
    ("viewer", "Viewer: reads"),
    ("operator", "Operator: also works on cases"),
    ("builder", "Builder: also case types, connections and secrets"),
    ("admin", "Admin: also people, tokens and the workspace"),
];
