//! Signing in, by password or by a link.

pub const TITLE: &str = "Sign in";
pub const EMAIL: &str = "E-mail";
pub const PASSWORD: &str = "Password";
pub const SIGN_IN: &str = "Sign in";
pub const WRONG: &str = "E-mail and password do not go together. Check both and try again.";
pub const UNSAVED: &str = "Nothing was changed: you were not signed in any more. Sign in, then do it again on the page that follows.";
pub const HELP: &str = "No password yet, or forgotten? Ask an admin of your workspace for a sign-in link. Whoever runs Dossier makes one with";
pub const COMMAND: &str = "dossier sign-in-link";

pub const LINK_TITLE: &str = "Sign in with your link";
pub const LINK: &str =
    "This link signs you in once. Afterwards, set a password under your account to come back.";
pub const GONE_TITLE: &str = "This link is not good any more";
pub const GONE: &str = "It was used already, or more than an hour has passed since it was made. Ask whoever gave it to you for \
     another one.";
