//! The form of a new case.

pub const TITLE: &str = "New case";
pub const CHOOSE: &str = "Which type of case?";
pub const CHOOSE_LEAD: &str = "The type says which data the case has and what is fetched for it.";
pub const OTHER_TYPE: &str = "Another type";
pub const ABOUT: &str = "About the case";
pub const DATA: &str = "Data";
pub const REFERENCE_HINT: &str = "What people call it; no two cases have the same one.";
pub const CREATE: &str = "Create the case";
pub const CANCEL: &str = "Back to the list";
pub const REFUSED: &str = "The case is not created yet. Correct what is marked, then send it again.";
pub const REUSED: &str = "This form has already created a case with other values; you find it in the list. Send it again to create another one.";

/// What happens by itself.
pub fn will_run(names: &[String]) -> String {
    format!("Runs as soon as the case is made: {}.", names.join(", "))
}

/// Fields that do not fit into the form.
pub fn left_out(count: usize) -> String {
    format!("{count} more fields do not fit here; fill them in on the page of the case once it is made.")
}

/// A value that need not be typed.
pub fn filled_by(name: &str) -> String {
    format!("{name} fills this in.")
}
