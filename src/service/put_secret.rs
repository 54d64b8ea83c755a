//! What a secret shall be. No message quotes the value.

use super::error::ServiceError;
use crate::domain::problem::{Problem, code, join};
use crate::domain::secret::{HostRule, InvalidSecret, SecretValue};

/// Most hosts of one secret.
const MOST_HOSTS: usize = 100;

/// What a secret shall be. It has no `Debug`: nobody prints it by mistake.
#[derive(Clone)]
pub struct PutSecret {
    /// The value: 8 to 16,384 bytes; from 1 byte on when it is not redacted.
    pub value: String,
    /// Where it may be sent.
    pub hosts: Vec<HostRule>,
    /// Whether it is replaced wherever it appears.
    pub redact: bool,
}

/// What was found good.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) value: SecretValue,
    pub(super) hosts: Vec<HostRule>,
}

impl PutSecret {
    /// With hosts as texts.
    pub fn new(value: String, hosts: &[String], redact: bool) -> Result<Self, ServiceError> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            match host.parse::<HostRule>() {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    problems.push(Problem::new(join("/hosts", index), code::INVALID, error.to_string()));
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { value, hosts: rules, redact })
        } else {
            Err(ServiceError::Invalid(problems))
        }
    }

    /// Checks it; equal hosts count once.
    pub(super) fn check(self) -> Result<Checked, ServiceError> {
        let mut problems = Vec::new();
        if self.hosts.len() > MOST_HOSTS {
            let message = format!("has {} items: at most {MOST_HOSTS} are possible", self.hosts.len());
            problems.push(Problem::new("/hosts", code::OUT_OF_RANGE, message));
        }
        let mut hosts: Vec<HostRule> = Vec::new();
        for host in self.hosts {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        match SecretValue::parse(self.value, self.redact) {
            Ok(value) if problems.is_empty() => return Ok(Checked { value, hosts }),
            Ok(_) => {}
            Err(error) => {
                let code = if error == InvalidSecret::Nul { code::INVALID } else { code::OUT_OF_RANGE };
                problems.insert(0, Problem::new("/value", code, error.to_string()));
            }
        }
        Err(ServiceError::Invalid(problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> HostRule {
        format!("h{number}.example").parse().unwrap()
    }

    #[test]
    fn equal_hosts_count_once() {
        let hosts = vec![host(1), host(2), host(1)];
        let secret = PutSecret { value: "x".to_owned(), hosts, redact: false }.check();
        assert_eq!(secret.ok().unwrap().hosts, [host(1), host(2)]);
    }

    #[test]
    fn every_problem_has_its_place_and_none_tells_the_value() {
        let many = || (0..=MOST_HOSTS).map(host).collect::<Vec<_>>();
        for (value, hosts, expected) in [
            ("horse", vec![], vec![("/value", code::OUT_OF_RANGE)]),
            ("correct\0horse", vec![], vec![("/value", code::INVALID)]),
            ("correct-horse", many(), vec![("/hosts", code::OUT_OF_RANGE)]),
            ("", many(), vec![("/value", code::OUT_OF_RANGE), ("/hosts", code::OUT_OF_RANGE)]),
        ] {
            let secret = PutSecret { value: value.to_owned(), hosts, redact: true };
            let Err(ServiceError::Invalid(problems)) = secret.check() else { panic!("{value} was taken") };
            assert!(!format!("{problems:?}").contains("horse"));
            let found: Vec<_> =
                problems.iter().map(|problem| (problem.pointer.as_str(), problem.code)).collect();
            assert_eq!(found, expected);
        }
    }
}
