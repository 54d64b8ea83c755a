//! One's own account.

pub const TITLE: &str = "Your account";
pub const YOU: &str = "You";
pub const NAME: &str = "Name";
pub const EMAIL: &str = "E-mail";
pub const NO_EMAIL: &str =
    "None yet, so you can come back by a link only. An admin can give you one on the page of people.";
pub const ROLE: &str = "Role";
pub const SAVE: &str = "Save";

pub const PASSWORD: &str = "Password";
pub const PRESENT: &str = "Present password";
pub const NEW: &str = "New password";
pub const RULE: &str = "10 to 1024 characters. Your other sessions end when you change it.";
pub const BY_LINK: &str = "You came by a link, so the present password is not needed.";
pub const SET: &str = "Set the password";

pub const SESSIONS: &str = "Where you are signed in";
pub const BROWSER: &str = "Browser";
pub const UNKNOWN_BROWSER: &str = "Unknown browser";

/// `Firefox on Linux`.
pub fn on(browser: &str, system: &str) -> String {
    format!("{browser} on {system}")
}

pub const SINCE: &str = "Since";
pub const SEEN: &str = "Last used";
pub const THIS: &str = "This one";
pub const END: &str = "End";
pub const END_OTHERS: &str = "End all others";
pub const ENDS: &str = "A session ends by itself when it rests for 12 hours, and after 7 days.";

pub const NAME_SAVED: &str = "Your name is changed.";
pub const PASSWORD_SAVED: &str = "Your password is changed; your other sessions have ended.";
pub const SESSION_ENDED: &str = "The session has ended.";
pub const OTHERS_ENDED: &str = "Your other sessions have ended.";
