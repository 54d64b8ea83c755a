//! What several pages have in common: lists that go on, definitions as JSON.

pub const PAGES: &str = "Pages of the list";
pub const FIRST: &str = "From the beginning";

pub const JSON: &str = "The definition as JSON";
pub const JSON_HINT: &str =
    "Credentials that were typed in read as [hidden]; written back like that they stay as they are.";
pub const COPY: &str = "Copy";
