//! The guard with the exceptions of `network.allow`.
//!
//! Address rules are matched against the address that is connected to, host rules against the
//! name in the URL; a name that a rule lists is called wherever it leads. An empty list is the
//! plain guard.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::domain::allow::{AllowRule, plain};

use super::guard::{Verdict, judge};

/// The guard with its exceptions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    rules: Arc<[AllowRule]>,
}

/// An address that the guard refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} leads to {address}, which is {what}")]
pub struct Refused {
    /// Host of the URL.
    pub host: String,
    /// Where it leads.
    pub address: IpAddr,
    /// What that address is.
    pub what: &'static str,
}

impl Guard {
    /// A guard with these exceptions.
    pub fn new(rules: Vec<AllowRule>) -> Self {
        Self { rules: rules.into() }
    }

    /// Judges a host that needs no look-up.
    pub fn check_literal(&self, host: &str, address: IpAddr, port: u16) -> Result<(), Refused> {
        self.check(address, port).map_err(|what| Refused { host: host.to_owned(), address, what })
    }

    /// Keeps the addresses that `host` may be called at. When none is left, the first refused one
    /// is the error; of an empty answer nothing is refused.
    pub fn sift(
        &self,
        host: &str,
        port: u16,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let name = plain(host).to_ascii_lowercase();
        if self.rules.iter().any(|rule| rule.names(&name, port)) {
            return Ok(addresses);
        }
        let mut refused = None;
        let mut good = Vec::with_capacity(addresses.len());
        for address in addresses {
            match self.check(address.ip(), port) {
                Ok(()) => good.push(address),
                Err(what) => refused = refused.or(Some((address.ip(), what))),
            }
        }
        match refused {
            Some((address, what)) if good.is_empty() => Err(Refused { host: host.to_owned(), address, what }),
            _ => Ok(good),
        }
    }

    fn check(&self, address: IpAddr, port: u16) -> Result<(), &'static str> {
        match judge(address) {
            Verdict::Global => Ok(()),
            Verdict::Refused(_) if self.rules.iter().any(|rule| rule.covers(address, port)) => Ok(()),
            Verdict::Refused(what) => Err(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(rules: &[&str]) -> Guard {
        Guard::new(rules.iter().map(|rule| AllowRule::parse(rule).unwrap()).collect())
    }

    #[test]
    fn literals_need_a_rule_for_their_address_and_port() {
        let cases: [(&[&str], &str, u16, bool); 14] = [
            (&[], "127.0.0.1", 80, false),
            (&[], "8.8.8.8", 80, true),
            (&["127.0.0.1"], "127.0.0.1", 80, true),
            (&["127.0.0.1:80"], "127.0.0.1", 80, true),
            (&["127.0.0.1:81"], "127.0.0.1", 80, false),
            (&["127.0.0.1:81", "127.0.0.0/8:80"], "127.0.0.1", 80, true),
            (&["10.0.0.0/8"], "10.255.0.1", 80, true),
            (&["10.0.0.0/8"], "11.0.0.0", 80, true),
            (&["10.0.0.0/8"], "172.16.0.1", 80, false),
            (&["127.0.0.1"], "::1", 80, false),
            (&["127.0.0.1"], "::ffff:127.0.0.1", 80, false),
            (&["[::1]:80"], "::1", 80, true),
            (&["[::1]:80"], "::1", 443, false),
            (&["localhost"], "127.0.0.1", 80, false),
        ];
        for (rules, address, port, good) in cases {
            let verdict = guard(rules).check_literal(address, address.parse().unwrap(), port);
            assert_eq!(verdict.is_ok(), good, "{rules:?} {address}:{port}");
        }
    }

    /// Rules, host, what it resolves to, what is kept of that.
    type Sifted<'a> = (&'a [&'a str], &'a str, &'a [&'a str], Option<&'a [&'a str]>);

    #[test]
    fn names_keep_only_their_good_addresses() {
        let cases: [Sifted; 10] = [
            (&[], "registry.example", &["8.8.8.8", "9.9.9.9"], Some(&["8.8.8.8", "9.9.9.9"])),
            (&[], "registry.example", &["8.8.8.8", "10.0.0.1"], Some(&["8.8.8.8"])),
            (&[], "registry.example", &["10.0.0.1", "::1"], None),
            (&[], "registry.example", &[], Some(&[])),
            (&[], "localhost", &["::1", "127.0.0.1"], None),
            (&["127.0.0.1:80"], "localhost", &["::1", "127.0.0.1"], Some(&["127.0.0.1"])),
            (&["127.0.0.1:81"], "localhost", &["::1", "127.0.0.1"], None),
            (&["localhost:80"], "LocalHost.", &["::1", "127.0.0.1"], Some(&["::1", "127.0.0.1"])),
            (&["localhost:81"], "localhost", &["127.0.0.1"], None),
            (&["example"], "registry.example", &["10.0.0.1"], None),
        ];
        for (rules, host, found, kept) in cases {
            let sockets = |list: &[&str]| -> Vec<SocketAddr> {
                list.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
            };
            let sifted = guard(rules).sift(host, 80, sockets(found)).ok();
            assert_eq!(sifted, kept.map(sockets), "{rules:?} {host} {found:?}");
        }
    }

    #[test]
    fn the_first_refused_address_is_named() {
        let found = vec!["10.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let refused = guard(&[]).sift("registry.example", 80, found).unwrap_err();
        assert_eq!(refused.to_string(), "registry.example leads to 10.0.0.1, which is private (RFC 1918)");
    }
}
