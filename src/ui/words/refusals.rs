//! What people read when something was refused: what happened, and the way back.

pub const NOT_FOUND_TITLE: &str = "There is nothing here";
pub const NOT_FOUND: &str =
    "Either the address is misspelt, or what it named was deleted or belongs to another workspace.";
pub const FORBIDDEN_TITLE: &str = "Your role does not reach this";
pub const FOREIGN_TITLE: &str = "This form was not sent from a page of ours";
pub const FOREIGN: &str = "Nothing was changed. The page may have been open since before you last signed in: go back, load it again, and \
     send it once more.";
pub const WRONG_TITLE: &str = "This cannot be done like that";
pub const TOO_LARGE_TITLE: &str = "This is too much for one form";
pub const CONFLICT_TITLE: &str = "This cannot be done now";
pub const AWAY_TITLE: &str = "The database is not there just now";
pub const TROUBLE_TITLE: &str = "We have made a mistake";
pub const TROUBLE: &str =
    "It is in our log with this number. Nothing more was changed than the page shows when you load it again.";
pub const UNREADABLE: &str = "What was sent cannot be read. Go back and try again.";
pub const FORM_CUT: &str = "The form was cut on its way. Nothing was changed: go back and send it again.";
pub const FORM_TOO_LARGE: &str = "The form holds more than 256 KB, which is the most that a page can send. Nothing was changed. Go back in your \
     browser, which usually keeps what was typed; shorten the longest text, or save the texts one at a time. \
     Through the API there is more room.";
pub const INVALID: &str = "Nothing was changed. Go back, correct what is listed here, and send it again.";
pub const TAKEN: &str = "Something with this name exists already; choose another one.";
pub const BAD_CURSOR: &str =
    "This address names a page of a list that is no longer there: open the list from its beginning.";
pub const AWAY: &str = "Nothing was changed. Cases and runs are safe; try again shortly.";
pub const FULL: &str =
    "The disk has no space left. Nothing was changed. Tell whoever looks after this installation.";
pub const IN_DOUBT: &str = "The connection was cut while the change was written, so it is not known whether it was made. Look before you repeat it.";
pub const UNREAD: &str =
    "The change was made, but cannot be shown now. Do not repeat it; load the page again shortly.";
pub const TOO_MANY_TITLE: &str = "Too many attempts";
pub const NUMBER: &str = "Number for whoever looks after this installation:";
pub const BACK: &str = "Back to the cases";

/// A role that is missing: `builder`.
pub fn needs_role(role: &str) -> String {
    format!(
        "It needs the role {role}. Ask an admin of your workspace, who can give it to you on the page of people."
    )
}
