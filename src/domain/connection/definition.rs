//! A connection: reads a definition as a whole, and shows it in its normal form.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};
use url::Url;

use crate::domain::api_call::{Compiler, read_headers};
use crate::domain::auth::{Auth, credential_members};
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{DEEPEST, Reader, is_shallow, refuse_nul};
use crate::domain::case_type::{Context, Known};
use crate::domain::ids::{ConnectionKey, KEY_RULE};
use crate::domain::problem::{Problem, code, join};
use crate::domain::redact::HiddenPaths;
use crate::domain::redact::is_credential_header;
use crate::domain::template::Template;

use super::base_url;
use super::endpoints::Endpoints;
use super::limits::{BreakerSettings, RateLimit, Redirects};
use super::read_limits::{form, read_breaker, read_rate_limit};
use super::tls::Tls;

/// Members that answers give and that mean nothing in a body.
const READ_ONLY: [&str; 8] =
    ["id", "version", "revision", "status", "used_by", "created_at", "updated_at", "warnings"];
/// Members of the contract that a later version brings.
const LATER: [&str; 2] = ["price_per_call", "budget"];
const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 2000;
/// Milliseconds for one attempt.
const LONGEST_TIMEOUT: u64 = 300_000;

/// A provider, with everything compiled. Its `Debug` leaves out what may hold a credential.
pub struct Connection {
    /// Unique in the workspace.
    pub key: ConnectionKey,
    /// What people see.
    pub name: String,
    /// What the paths of fields follow; none: it cannot be called yet.
    pub base_url: Option<Url>,
    /// Names as they were written, each with its value; a field's own of that name goes first.
    pub headers: Vec<(String, Template)>,
    /// How requests prove who they are, unless the field says.
    pub auth: Auth,
    /// Milliseconds for one attempt, unless the field says; none: the product's default.
    pub timeout_ms: Option<u64>,
    /// What it bears at most; none: anything.
    pub rate_limit: Option<RateLimit>,
    /// When it counts as down.
    pub breaker: BreakerSettings,
    /// Requests that fields take over.
    pub endpoints: Endpoints,
    /// How far redirects are followed.
    pub redirects: Redirects,
    /// How provider and we prove who we are.
    pub tls: Tls,
    /// Places of its answers that nobody may see.
    pub redact: HiddenPaths,
    /// Secrets that its headers use.
    pub header_secrets: BTreeSet<String>,
    /// Secrets that its `auth` uses.
    pub auth_secrets: BTreeSet<String>,
    /// The definition in its normal form.
    normal: Map<String, Value>,
}

/// A definition that holds together.
#[derive(Debug)]
pub struct Parsed {
    /// The connection.
    pub connection: Connection,
    /// What is doubtful in it.
    pub warnings: Vec<Problem>,
}

impl Connection {
    /// Reads a definition. All problems come at once, each with its pointer into `body`; at most
    /// a hundred are listed.
    pub fn parse(body: &Value, known: &Known) -> Result<Parsed, Vec<Problem>> {
        let mut findings = Findings::default();
        refuse_nul(body, "", &mut findings);
        match read(body, known, &mut findings) {
            Some(connection) if findings.problems.is_empty() => {
                Ok(Parsed { connection, warnings: findings.warnings })
            }
            _ => Err(findings.problems),
        }
    }

    /// The definition with defaults filled in, as rows and answers hold it. Reading it again
    /// gives the same connection.
    pub fn normal_form(&self) -> Value {
        Value::Object(self.normal.clone())
    }

    /// All secrets that it uses.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        let all = [&self.header_secrets, &self.auth_secrets, &self.endpoints.secrets, &self.tls.secrets];
        all.into_iter().flatten().collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether a credential was typed into its `auth`, where no secret's `hosts` bound it.
    pub fn types_auth(&self) -> bool {
        self.normal.get("auth").is_some_and(|auth| !credential_members(auth).is_empty())
    }

    /// Whether a request of this URL stays with the provider, so that headers and credentials of
    /// the connection may go along. Without a base URL there is nothing to stay with.
    pub fn reaches(&self, url: &Url) -> bool {
        self.base_url.as_ref().is_none_or(|base| base.origin() == url.origin())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).field("auth", &self.auth).finish_non_exhaustive()
    }
}

fn read(body: &Value, known: &Known, findings: &mut Findings) -> Option<Connection> {
    let context = Context::of_workspace(known);
    let mut compiler = Compiler::for_connection(&context);
    let mut reader = Reader::open(body, "", findings)?;
    reader.ignore(&READ_ONLY);
    let key = read_key(&mut reader);
    let name = reader.text("name", LONGEST_NAME).map(str::to_owned);
    let description = reader.any_text("description", LONGEST_DESCRIPTION);
    let base_url = read_base_url(&mut reader);
    let mut written = Map::from_iter([("headers".to_owned(), json!({}))]);
    let headers = read_headers(&mut reader, &mut compiler, &mut written);
    let header_secrets = std::mem::take(&mut compiler.secrets).into_keys().collect();
    let auth = read_auth(&mut reader, &mut compiler, &mut written);
    let auth_secrets = std::mem::take(&mut compiler.secrets).into_keys().collect();
    let (tls, tls_form) = Tls::read(&mut reader, &mut compiler);
    written.extend(tls_form.map(|form| ("tls".to_owned(), form)));
    let endpoints = Endpoints::read(&mut reader, &context);
    let redact = HiddenPaths::read(&mut reader, &mut written);
    let timeout_ms = reader.whole("timeout", 1..=LONGEST_TIMEOUT);
    let rate_limit = read_rate_limit(&mut reader);
    let breaker = read_breaker(&mut reader);
    let redirects = reader.word("redirects", &Redirects::WORDS).unwrap_or_default();
    let metadata = read_metadata(&mut reader);
    for name in LATER {
        reader.later(name);
    }
    doubt_headers(headers.as_deref().unwrap_or_default(), &mut reader);
    if base_url.is_none() {
        doubt_typed(&written, &tls, &mut reader);
    }
    reader.finish(|_| None);
    let key = key?;
    let mut connection = Connection {
        name: name.unwrap_or_else(|| key.to_string()),
        key,
        base_url: base_url.as_ref().map(|(url, _)| url.clone()),
        headers: headers?,
        auth: auth?,
        timeout_ms,
        rate_limit,
        breaker,
        endpoints,
        redirects,
        tls,
        redact,
        header_secrets,
        auth_secrets,
        normal: Map::new(),
    };
    let base_url = base_url.map(|(_, text)| text);
    connection.normal = normal(&connection, description, base_url, written, metadata);
    Some(connection)
}

/// The definition as it is shown. What was not said and has no default stays absent.
fn normal(
    connection: &Connection,
    description: Option<&str>,
    base_url: Option<String>,
    written: Map<String, Value>,
    metadata: Map<String, Value>,
) -> Map<String, Value> {
    let mut normal = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        normal.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("key", Some(connection.key.as_str().into()));
    add("name", Some(connection.name.as_str().into()));
    add("description", description.map(Value::from));
    add("base_url", base_url.map(Value::from));
    for (name, value) in written {
        add(&name, Some(value));
    }
    add("endpoints", Some(connection.endpoints.normal_form()));
    add("timeout", connection.timeout_ms.map(Value::from));
    add("rate_limit", connection.rate_limit.as_ref().map(form));
    add("breaker", Some(form(&connection.breaker)));
    add("redirects", Some(form(&connection.redirects)));
    add("metadata", Some(metadata.into()));
    normal
}

fn read_key(reader: &mut Reader<'_, '_>) -> Option<ConnectionKey> {
    let Some(value) = reader.get("key") else {
        reader.missing("key", KEY_RULE);
        return None;
    };
    let Value::String(text) = value else {
        reader.wrong_type("key", "a text", value);
        return None;
    };
    let key = text.parse();
    if key.is_err() {
        reader.problem("key", code::INVALID, format!("is not a valid key: {KEY_RULE}"));
    }
    key.ok()
}

/// The base URL, and how it was written.
fn read_base_url(reader: &mut Reader<'_, '_>) -> Option<(Url, String)> {
    let text = reader.text("base_url", base_url::LONGEST)?.trim();
    match base_url::read(text) {
        Ok(url) => Some((url, text.to_owned())),
        Err(why) => {
            reader.problem("base_url", code::INVALID, why);
            None
        }
    }
}

fn read_auth(
    reader: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    written: &mut Map<String, Value>,
) -> Option<Auth> {
    let at = reader.at("auth");
    let Some(value) = reader.get("auth") else { return Some(Auth::None) };
    let (auth, form) = Auth::read(value, &at, compiler, reader.findings)?;
    written.insert("auth".to_owned(), form);
    Some(auth)
}

fn read_metadata(reader: &mut Reader<'_, '_>) -> Map<String, Value> {
    let Some(metadata) = reader.object("metadata") else { return Map::new() };
    if !metadata.values().all(|value| is_shallow(value, DEEPEST)) {
        let message = format!("is nested too deep: at most {DEEPEST} levels");
        reader.problem("metadata", code::OUT_OF_RANGE, message);
    }
    metadata.clone()
}

/// A credential that everybody can read.
fn doubt_headers(headers: &[(String, Template)], reader: &mut Reader<'_, '_>) {
    let at = reader.at("headers");
    for (name, value) in headers {
        if is_credential_header(name) && value.literal().is_some() {
            let message = "whoever may read this connection can read this credential: put it into `auth`, best as a \
                           secret";
            reader.findings.doubt(join(&at, name), message);
        }
    }
}

/// What was typed before anybody said for whom: it is not sent.
fn doubt_typed(written: &Map<String, Value>, tls: &Tls, reader: &mut Reader<'_, '_>) {
    let auth = written.get("auth").is_some_and(|auth| !credential_members(auth).is_empty());
    let places = [("auth", auth), ("tls", tls.types_key())];
    for (member, _) in places.iter().filter(|(_, typed)| *typed) {
        let at = reader.at(member);
        let message = "holds a credential that was typed in, and without a `base_url` nothing says to whom it may go: \
                       calls over this connection fail with `secret_not_allowed`. Set the `base_url` and type the \
                       credential again, or make it a secret with `hosts`";
        reader.findings.doubt(at, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connection::limits::{BreakerScope, Window};

    fn known() -> Known {
        Known { secrets: [("vies_token".to_owned(), Vec::new())].into(), ..Known::default() }
    }

    fn parse(members: &Value) -> Result<Parsed, Vec<Problem>> {
        let mut body = json!({"key": "vies"});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        Connection::parse(&body, &known())
    }

    fn problems(members: &Value) -> Vec<(String, &'static str)> {
        let problems = parse(members).map(|_| ()).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect()
    }

    #[test]
    fn a_definition_comes_out_whole_and_reads_back_the_same() {
        let Parsed { connection, warnings } = parse(&json!({
            "description": "VAT numbers", "base_url": " https://vies.example/api/ ",
            "headers": {"Accept": "application/json", "X-Key": "{secret.vies_token}", "X-Env": "{params.env}"},
            "auth": {"type": "bearer", "config": {"token": "{secret.vies_token}"}},
            "timeout": 5000, "rate_limit": {"limit": 20, "period": 1, "concurrency": 4},
            "breaker": {"failures": 3, "scope": "endpoint"}, "metadata": {"owner": {"team": "kyb"}},
            "status": "active", "version": 7, "id": null, "warnings": [],
        }))
        .unwrap();
        assert_eq!(warnings, []);
        assert_eq!(connection.timeout_ms, Some(5000));
        assert_eq!(
            connection.rate_limit,
            Some(RateLimit { windows: vec![Window { limit: 20, period: 1 }], concurrency: Some(4) })
        );
        let breaker = BreakerSettings { failures: 3, open_seconds: 30, scope: BreakerScope::Endpoint };
        assert_eq!(connection.breaker, breaker);
        assert_eq!(connection.secrets().collect::<Vec<_>>(), ["vies_token"]);
        let form = connection.normal_form();
        assert_eq!(
            form,
            json!({
                "key": "vies", "name": "vies", "description": "VAT numbers",
                "base_url": "https://vies.example/api/",
                "headers": {"Accept": "application/json", "X-Key": "{secret.vies_token}", "X-Env": "{params.env}"},
                "auth": {"type": "bearer", "token": "{secret.vies_token}"}, "timeout": 5000,
                "rate_limit": {"windows": [{"limit": 20, "period": 1}], "concurrency": 4},
                "breaker": {"failures": 3, "open_seconds": 30, "scope": "endpoint"}, "endpoints": {},
                "redirects": "same_host", "metadata": {"owner": {"team": "kyb"}},
            })
        );
        let again = Connection::parse(&form, &known()).unwrap().connection;
        assert_eq!(again.normal_form(), form);
    }

    #[test]
    fn a_key_is_enough() {
        let form = parse(&json!({})).unwrap().connection.normal_form();
        let breaker = json!({"failures": 5, "open_seconds": 30, "scope": "connection"});
        let expected = json!({
            "key": "vies", "name": "vies", "headers": {}, "endpoints": {}, "breaker": breaker,
            "redirects": "same_host", "metadata": {},
        });
        assert_eq!(form, expected);
    }

    #[test]
    fn every_mistake_has_its_place() {
        use code::{
            DUPLICATE, INVALID, NOT_SUPPORTED_YET, OUT_OF_RANGE, REQUIRED, UNKNOWN_MEMBER, UNKNOWN_REFERENCE,
            UNKNOWN_ROOT, WRONG_TYPE,
        };
        for (members, pointer, code) in [
            (json!({"key": "Vies"}), "/key", INVALID),
            (json!({"key": null}), "/key", REQUIRED),
            (json!({"name": ""}), "/name", OUT_OF_RANGE),
            (json!({"base_url": 5}), "/base_url", WRONG_TYPE),
            (json!({"base_url": "vies.example"}), "/base_url", INVALID),
            (json!({"base_url": "htps://vies.example"}), "/base_url", INVALID),
            (json!({"baseurl": "https://vies.example"}), "/baseurl", UNKNOWN_MEMBER),
            (json!({"headers": []}), "/headers", WRONG_TYPE),
            (json!({"headers": {"Host": "x"}}), "/headers/Host", INVALID),
            (json!({"headers": {"X": "{data.x}"}}), "/headers/X", UNKNOWN_ROOT),
            (json!({"headers": {"X": "{secret.vies_tokn}"}}), "/headers/X", UNKNOWN_REFERENCE),
            (json!({"auth": {"type": "bearer"}}), "/auth/token", REQUIRED),
            (json!({"auth": {"type": "bearer", "token": "{data.x}"}}), "/auth/token", UNKNOWN_ROOT),
            (json!({"auth": {"type": "oauth2_client_credential"}}), "/auth/type", INVALID),
            (json!({"timeout": 0}), "/timeout", OUT_OF_RANGE),
            (json!({"timeout": 300_001}), "/timeout", OUT_OF_RANGE),
            (json!({"timeout": "5s"}), "/timeout", WRONG_TYPE),
            (json!({"rate_limit": 5}), "/rate_limit", WRONG_TYPE),
            (json!({"rate_limit": {}}), "/rate_limit/windows", REQUIRED),
            (json!({"rate_limit": {"windows": []}}), "/rate_limit/windows", OUT_OF_RANGE),
            (json!({"rate_limit": {"limit": 5}}), "/rate_limit/period", REQUIRED),
            (json!({"rate_limit": {"limit": 0, "period": 1}}), "/rate_limit/limit", OUT_OF_RANGE),
            (json!({"rate_limit": {"limit": 1, "period": 1, "windows": []}}), "/rate_limit/limit", DUPLICATE),
            (
                json!({"rate_limit": {"windows": [{"limit": 1, "period": 0.5}]}}),
                "/rate_limit/windows/0/period",
                OUT_OF_RANGE,
            ),
            (
                json!({"rate_limit": {"windows": [{"limit": 1, "periode": 1}]}}),
                "/rate_limit/windows/0/period",
                REQUIRED,
            ),
            (json!({"rate_limit": {"concurrency": 0}}), "/rate_limit/concurrency", OUT_OF_RANGE),
            (json!({"breaker": {"failures": 0}}), "/breaker/failures", OUT_OF_RANGE),
            (json!({"breaker": {"open_seconds": -1}}), "/breaker/open_seconds", OUT_OF_RANGE),
            (json!({"breaker": {"scope": "field"}}), "/breaker/scope", INVALID),
            (json!({"breaker": {"failure": 1}}), "/breaker/failure", UNKNOWN_MEMBER),
            (json!({"metadata": "x"}), "/metadata", WRONG_TYPE),
            (json!({"metadata": {"a": "\0"}}), "/metadata/a", INVALID),
            (json!({"redirects": "all"}), "/redirects", INVALID),
            (json!({"price_per_call": 1}), "/price_per_call", NOT_SUPPORTED_YET),
            (json!({"budget": {}}), "/budget", NOT_SUPPORTED_YET),
        ] {
            let found = problems(&members);
            assert!(found.contains(&(pointer.to_owned(), code)), "{members}: {found:?}");
        }
        let window = json!({"limit": 1, "period": 1});
        for rate_limit in [
            json!({"windows": {}}),
            json!({"windows": vec![window; 11]}),
            json!({"limit": 1, "period": 1, "windows": []}),
        ] {
            let members = json!({"rate_limit": rate_limit});
            assert_eq!(problems(&members).len(), 1, "one mistake is one problem: {members}");
        }
        let all = json!({"base_url": "x", "timeout": 0, "nope": 1, "breaker": {"failures": 0}});
        assert_eq!(problems(&all).len(), 4);
    }

    #[test]
    fn credentials_stay_with_the_origin() {
        let connection = parse(&json!({"base_url": "https://vies.example/api"})).unwrap().connection;
        for (url, expected) in [
            ("https://vies.example:443/other", true),
            ("http://vies.example/api", false),
            ("https://vies.example:8443/api", false),
            ("https://vies.example.evil.example/api", false),
        ] {
            assert_eq!(connection.reaches(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_typed_credential_is_not_printed() {
        let auth = json!({"type": "bearer", "token": "correct-horse"});
        let connection = parse(&json!({"auth": auth, "headers": {"Authorization": "horse"}})).unwrap();
        assert!(!format!("{:?}", connection.connection).contains("horse"));
        assert_eq!(connection.warnings[0].pointer, "/headers/Authorization");
    }
}
