//! What the types of auth share: credentials, addresses, members with two spellings.

use url::Url;

use crate::domain::api_call::Compiler;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::code;
use crate::domain::template::{Template, UrlTemplate};

/// Characters of a credential's template.
const LONGEST_CREDENTIAL: usize = 16_384;
/// Characters of an address.
const LONGEST_URL: usize = 8_192;

/// What an empty or absent text means.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Empty {
    /// It must be there and say something.
    Refused,
    /// It must be there but may be empty.
    Possible,
    /// It may be absent.
    Default,
}

/// A text that ends up in a request, and how it was written.
pub(super) fn credential<'v>(
    name: &'static str,
    auth: &mut Reader<'v, '_>,
    compiler: &mut Compiler<'_>,
    empty: Empty,
) -> Option<(Template, &'v str)> {
    let source = match (auth.get(name), empty) {
        (None, Empty::Default) => "",
        (None, _) => {
            auth.missing(name, "give it, best as a secret: `{secret.…}`");
            return None;
        }
        (Some(_), Empty::Refused) => auth.text(name, LONGEST_CREDENTIAL)?,
        (Some(_), _) => auth.any_text(name, LONGEST_CREDENTIAL)?,
    };
    let at = auth.at(name);
    let template = compiler.template(source, &at, auth.findings)?;
    if template.literal().is_some_and(|text| text.chars().any(char::is_control)) {
        auth.problem(name, code::INVALID, "holds a line break or another control character: remove it");
        return None;
    }
    Some((template, source))
}

/// As [`credential`] for a text that may be left out: then, and when it is wrong, there is none.
pub(super) fn optional<'v>(
    name: &'static str,
    auth: &mut Reader<'v, '_>,
    compiler: &mut Compiler<'_>,
) -> Option<(Template, &'v str)> {
    auth.get(name)?;
    credential(name, auth, compiler, Empty::Refused)
}

/// The spelling of a member that was used: the contract's, or the other one that is taken too.
pub(super) fn spelled(auth: &mut Reader<'_, '_>, name: &'static str, other: &'static str) -> &'static str {
    match (auth.get(name).is_some(), auth.get(other).is_some()) {
        (true, true) => {
            let message = format!("means the same as `{name}`: keep one");
            auth.problem(other, code::DUPLICATE, message);
            name
        }
        (false, true) => other,
        _ => name,
    }
}

/// The address of a token endpoint: absolute, or a path below the connection's base URL.
pub(super) fn address<'v>(
    name: &'static str,
    auth: &mut Reader<'v, '_>,
    compiler: &mut Compiler<'_>,
) -> Option<(UrlTemplate, &'v str)> {
    if auth.get(name).is_none() {
        auth.missing(name, "give the address that answers with a token, with `https://`");
        return None;
    }
    let source = auth.text(name, LONGEST_URL)?.trim();
    if let Some(why) = wrong_address(source) {
        auth.problem(name, code::INVALID, why);
        return None;
    }
    let at = auth.at(name);
    let url = compiler.url(source, &at, auth.findings)?;
    if url.is_relative() && !compiler.has_base() {
        let message = "is not a whole address: begin it with `https://` or `http://`, or name a `connection` whose \
                       `base_url` it follows";
        auth.problem(name, code::INVALID, message);
        return None;
    }
    Some((url, source))
}

/// What can be said of an address before its templates are read. It is not quoted: it may hold a
/// password that somebody put there by mistake.
fn wrong_address(source: &str) -> Option<String> {
    let (scheme, rest) = source.split_once("://")?;
    let plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if plain && !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some(unknown_word(&scheme.to_lowercase(), "a scheme that is called", &["https", "http"]));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("holds credentials: take them out and give them as members of `auth`".to_owned());
    }
    if rest.contains('#') {
        return Some("has a part behind `#`, which is never sent: leave it out".to_owned());
    }
    let written = !source.contains('{');
    Url::parse(source).err().filter(|_| written).map(|error| format!("cannot be read: {error}"))
}
