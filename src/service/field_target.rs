//! To whom a field's calls go, as far as it can be told without a case: what a credential that was
//! typed into it must not leave.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::{Origin, Url};

use crate::domain::auth::Auth;
use crate::domain::case_type::{CaseType, KnownConnection};
use crate::domain::ids::{ConnectionKey, FieldKey};
use crate::domain::template::UrlTemplate;

/// Connections by key, as they are now.
pub(super) type Connections = BTreeMap<String, KnownConnection>;

/// Whom a field calls.
#[derive(PartialEq)]
enum Target<'c> {
    /// This scheme, host and port.
    Origin(Origin),
    /// Nobody yet: a path over a connection without a `base_url`.
    Nobody(&'c ConnectionKey),
    /// Whoever these params say.
    Params(&'c str, &'c Map<String, Value>),
}

/// Whether a field may call somebody else than before, its token endpoint included. Another path,
/// query or endpoint of the same provider is nobody else, neither is his whole address in place of a
/// path. Where params say the host, any change of the url or the params counts.
pub(super) fn is_another(
    before: &CaseType,
    now: &CaseType,
    field: &FieldKey,
    connections: &Connections,
) -> bool {
    match (of(before, field, connections), of(now, field, connections)) {
        (Some(before), Some(now)) => before != now,
        _ => true,
    }
}

/// Whom the field calls, and whom for a token.
fn of<'c>(
    case_type: &'c CaseType,
    field: &FieldKey,
    connections: &Connections,
) -> Option<(Target<'c>, Option<Target<'c>>)> {
    let call = case_type.field(field.as_str())?.api_call()?;
    let known = call.connection.as_ref().and_then(|key| connections.get(key.as_str()));
    let base = known.and_then(|known| known.base_url.as_ref()).map(Url::origin);
    let target = |url: &'c UrlTemplate| match (url.literal_origin(), &base, &call.connection) {
        (Some(literal), ..) => Target::Origin(literal.origin()),
        (None, Some(base), _) if url.is_relative() => Target::Origin(base.clone()),
        (None, None, Some(connection)) if url.is_relative() => Target::Nobody(connection),
        _ => Target::Params(url.source(), &case_type.params),
    };
    let token = match &call.request.auth {
        Auth::Token(token) => Some(target(token.url())),
        _ => None,
    };
    Some((target(&call.request.url), token))
}
