//! Secrets.

/// The inputs beside which a sentence can stand.
pub const INPUTS: &[&str] = &["name", "value"];

pub const TITLE: &str = "Secrets";
pub const LEAD: &str = "Credentials that requests use as {secret.name}. A value goes in and is never shown again, here or anywhere.";
pub const NONE_TITLE: &str = "No secret yet";
pub const NONE: &str = "Add the first one, then write {secret.name} where the credential belongs: in a connection’s auth or \
     headers, or in a field.";
pub const NONE_VIEWER: &str = "A builder of your workspace can add one.";
pub const NAME: &str = "Name";
pub const HOSTS: &str = "Hosts";
pub const USED_BY: &str = "Used by";
pub const CHANGED: &str = "Changed";
pub const LAST_USED: &str = "Last sent";
pub const ACTIONS: &str = "Actions";
pub const NO_HOSTS: &str = "connections only";
pub const NEVER: &str = "never";
pub const NOBODY: &str = "nobody";
pub const SHOWN: &str = "not hidden in answers";
pub const VERSION: &str = "version";
pub const ADD: &str = "Add a secret";
pub const TAKEN: &str =
    "There is a secret with this name already. Replace its value in the list, or choose another name.";
pub const REPLACE: &str = "Replace";
pub const REPLACE_TITLE: &str = "Replace the value of";
pub const VALUE: &str = "Value";
pub const VALUE_HINT: &str = "8 to 16,384 bytes. It cannot be read again, so keep it elsewhere, too.";
pub const NAME_HINT: &str = "A letter, then up to 63 of a-z, 0-9 and _.";
pub const HOSTS_HINT: &str = "Where it may be sent without a connection: one host a line, with an optional port. Leave it \
     empty when only connections use it.";
pub const REDACT: &str = "Hide it wherever it appears in requests and answers";
pub const REDACT_HINT: &str = "Only a value shorter than 8 bytes needs this off.";
pub const SAVE: &str = "Save";
pub const CANCEL: &str = "Cancel";
pub const DELETE: &str = "Delete";
pub const DELETE_SURE: &str = "Nobody uses it. It cannot be brought back.";
pub const DELETE_YES: &str = "Delete it";
pub const FURTHER: &str = "Further secrets";
pub const EXAMPLE_HOST: &str = "api.example.com";

/// What is not listed.
pub fn more(count: usize) -> String {
    format!("and {count} more")
}

/// What a form has done, by the code in the address.
pub fn done(code: &str) -> Option<&'static str> {
    match code {
        "saved" => Some("The secret is saved."),
        "replaced" => Some("The secret has its new value; it is used from now on."),
        "deleted" => Some("The secret is deleted."),
        _ => None,
    }
}
