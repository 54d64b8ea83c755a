//! What a secret shall be, read and checked. No message quotes the value.

use serde_json::Value;

use super::error::ServiceError;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::Reader;
use crate::domain::ids::SecretName;
use crate::domain::problem::{Problem, code, join};
use crate::domain::secret::{HostRule, InvalidSecret, SecretValue};

/// Most hosts of one secret.
const MOST_HOSTS: usize = 100;
const LONGEST_HOST: usize = 300;
const READ_ONLY: [&str; 6] = ["id", "version", "created_at", "updated_at", "warnings", "used_by"];

/// What a secret shall be.
#[derive(Debug, Clone)]
pub struct PutSecret {
    /// The value, which knows whether it is to be redacted.
    pub value: SecretValue,
    /// Where it may be sent; none: only to connections.
    pub hosts: Vec<HostRule>,
}

impl PutSecret {
    /// Checks what the parts say.
    pub fn new(value: String, hosts: &[String], redact: bool) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        let value = read_value(value, redact, &mut findings);
        let hosts = read_hosts(hosts.iter().map(|host| Some(host.as_str())), &mut findings);
        match value {
            Some(value) if findings.problems.is_empty() => Ok(Self { value, hosts }),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }

    /// Reads a body: `value`, `hosts` (none), `redact` (true). A `name` in it must be the one in
    /// the path.
    pub fn read(body: &Value, name: &SecretName) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        match read(body, name, &mut findings) {
            Some(secret) if findings.problems.is_empty() => Ok(secret),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }
}

fn read(body: &Value, name: &SecretName, findings: &mut Findings) -> Option<PutSecret> {
    let mut reader = Reader::open(body, "", findings)?;
    reader.ignore(&READ_ONLY);
    if reader.get("name").is_some_and(|other| other != name.as_str()) {
        reader.problem("name", code::INVALID, format!("is not the name in the path, `{name}`: leave it out"));
    }
    let redact = reader.flag("redact").unwrap_or(true);
    let text = match reader.get("value") {
        None => {
            reader.missing("value", "send the credential itself");
            None
        }
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => {
            reader.wrong_type("value", "a text", other);
            None
        }
    };
    let hosts = reader.list("hosts", MOST_HOSTS).unwrap_or_default();
    reader.finish(|_| None);
    let hosts = read_hosts(hosts.iter().map(Value::as_str), findings);
    let value = read_value(text?, redact, findings)?;
    Some(PutSecret { value, hosts })
}

fn read_value(text: String, redact: bool, findings: &mut Findings) -> Option<SecretValue> {
    let value = SecretValue::parse(text, redact);
    let code = match value {
        Err(InvalidSecret::Nul) => code::INVALID,
        _ => code::OUT_OF_RANGE,
    };
    value.map_err(|error| findings.problem("/value", code, error.to_string())).ok()
}

/// Equal hosts count once.
fn read_hosts<'h>(hosts: impl Iterator<Item = Option<&'h str>>, findings: &mut Findings) -> Vec<HostRule> {
    let mut rules = Vec::new();
    for (index, host) in hosts.enumerate() {
        let rule = match host {
            None => Err(Problem::new("", code::WRONG_TYPE, "expected a text such as `api.example.com`")),
            Some(host) if host.len() > LONGEST_HOST => {
                Err(Problem::new("", code::OUT_OF_RANGE, "is too long for a host"))
            }
            Some(host) => {
                host.parse::<HostRule>().map_err(|error| Problem::new("", code::INVALID, error.to_string()))
            }
        };
        match rule {
            Ok(rule) if rules.contains(&rule) => {}
            Ok(rule) => rules.push(rule),
            Err(problem) => findings.problem(join("/hosts", index), problem.code, problem.message),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<PutSecret, Vec<(String, &'static str)>> {
        PutSecret::read(body, &"vies_token".parse().unwrap()).map_err(|error| {
            let ServiceError::Invalid(problems) = error else { panic!("{error}") };
            let text = format!("{problems:?}");
            assert!(!text.contains("horse"), "{text}");
            problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect()
        })
    }

    #[test]
    fn a_secret_is_a_value_and_where_it_may_go() {
        let secret = read(&json!({
            "name": "vies_token", "value": "correct-horse", "used_by": [],
            "hosts": ["API.example.com", "api.example.com", "127.0.0.1:80"]
        }))
        .unwrap();
        assert_eq!(secret.value.expose(), "correct-horse");
        assert!(secret.value.redact());
        let hosts: Vec<_> = secret.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["api.example.com", "127.0.0.1:80"]);
        let short = read(&json!({"value": "x", "redact": false})).unwrap();
        assert!(!short.value.redact() && short.hosts.is_empty());
    }

    #[test]
    fn every_problem_has_its_place_and_none_tells_the_value() {
        for (body, expected) in [
            (json!("correct-horse"), vec![("", code::WRONG_TYPE)]),
            (json!({}), vec![("/value", code::REQUIRED)]),
            (json!({"value": "horse"}), vec![("/value", code::OUT_OF_RANGE)]),
            (json!({"value": "horse".repeat(4000)}), vec![("/value", code::OUT_OF_RANGE)]),
            (json!({"value": "", "redact": false}), vec![("/value", code::OUT_OF_RANGE)]),
            (json!({"value": "correct\0horse"}), vec![("/value", code::INVALID)]),
            (json!({"value": ["correct-horse"]}), vec![("/value", code::WRONG_TYPE)]),
            (
                json!({"value": "correct-horse", "redact": "no", "vaule": 1, "name": "other"}),
                vec![
                    ("/name", code::INVALID),
                    ("/redact", code::WRONG_TYPE),
                    ("/vaule", code::UNKNOWN_MEMBER),
                ],
            ),
            (
                json!({"value": "correct-horse", "hosts": ["https://a.test", 5, "a.test"]}),
                vec![("/hosts/0", code::INVALID), ("/hosts/1", code::WRONG_TYPE)],
            ),
            (json!({"value": "correct-horse", "hosts": "a.test"}), vec![("/hosts", code::WRONG_TYPE)]),
        ] {
            let problems = read(&body).map(|_| ()).unwrap_err();
            let problems: Vec<_> = problems.iter().map(|(at, code)| (at.as_str(), *code)).collect();
            assert_eq!(problems, expected, "{body}");
        }
    }
}
