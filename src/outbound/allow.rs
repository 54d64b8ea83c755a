//! `network.allow`: what may be called although the guard would refuse it.
//!
//! A rule names an address, a network in CIDR form, or a host, each with an optional port. Address
//! rules are matched against the address that is connected to, host rules against the name in the
//! URL; a name that a rule lists is called wherever it leads. A rule for an IPv4 network does not
//! reach its IPv6 spellings: `127.0.0.1` leaves `::ffff:127.0.0.1` refused.
//!
//! Rules only widen: an empty list is the plain guard, and nothing here forbids a global address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use url::Host;

use super::guard::{Verdict, judge};

/// One entry of `network.allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowRule {
    target: Target,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Net(IpNet),
    /// Lower case, in its ASCII form, without the root's dot.
    Host(String),
}

impl AllowRule {
    /// Reads `127.0.0.1:9001`, `10.0.0.0/8`, `10.0.0.0/8:8080`, `[::1]:80`, `::1`, `fd00::/8`,
    /// `[fd00::/8]:80`, `registry.example` or `registry.example:8443`.
    ///
    /// Bits of a network beyond its prefix are ignored. The error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(refuse(text, "is empty"));
        }
        if text.contains("://") {
            return Err(refuse(text, "holds a scheme"));
        }
        let (target, port) = split(text)?;
        Ok(Self { target: Target::parse(&target, text)?, port: parse_port(port, text)? })
    }

    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }

    fn names(&self, host: &str, port: u16) -> bool {
        matches!(&self.target, Target::Host(own) if self.is_for(port) && own == host)
    }

    fn covers(&self, address: IpAddr, port: u16) -> bool {
        matches!(&self.target, Target::Net(net) if self.is_for(port) && net.contains(&address))
    }
}

/// As it is written in settings; reads back as the same rule.
impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.target, self.port) {
            (Target::Net(net @ IpNet::V6(_)), Some(port)) => write!(f, "[{net}]:{port}"),
            (Target::Net(net), Some(port)) => write!(f, "{net}:{port}"),
            (Target::Host(host), Some(port)) => write!(f, "{host}:{port}"),
            (Target::Net(net), None) => write!(f, "{net}"),
            (Target::Host(host), None) => f.write_str(host),
        }
    }
}

impl Target {
    fn parse(target: &str, whole: &str) -> Result<Self, String> {
        if target.contains('/') {
            let net: IpNet =
                target.parse().map_err(|_| refuse(whole, "is not an IP network in CIDR form"))?;
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = target.parse::<Ipv6Addr>() {
            return Ok(Self::Net(IpAddr::V6(address).into()));
        }
        match Host::parse(target) {
            Ok(Host::Ipv4(address)) => Ok(Self::Net(IpAddr::V4(address).into())),
            Ok(Host::Domain(name)) if is_host_name(&name) => Ok(Self::Host(plain(&name).to_owned())),
            _ => Err(refuse(whole, "is neither an address nor a host name")),
        }
    }
}

/// Cuts a rule into its target and the text of its port.
fn split(text: &str) -> Result<(String, Option<&str>), String> {
    let Some(rest) = text.strip_prefix('[') else { return Ok(split_plain(text)) };
    let (inside, after) =
        rest.split_once(']').ok_or_else(|| refuse(text, "opens a bracket that it does not close"))?;
    let (prefix, port) = after.split_once(':').map_or((after, None), |(prefix, port)| (prefix, Some(port)));
    if !inside.contains(':') || !(prefix.is_empty() || prefix.starts_with('/')) {
        return Err(refuse(text, "has brackets around something other than an IPv6 address"));
    }
    Ok((format!("{inside}{prefix}"), port))
}

/// Colons before a slash, or of a bare IPv6 address, introduce no port.
fn split_plain(text: &str) -> (String, Option<&str>) {
    let from = text.find('/').unwrap_or(0);
    let bare = from == 0 && text.parse::<Ipv6Addr>().is_ok();
    match text[from..].split_once(':') {
        Some((head, port)) if !bare => (text[..from + head.len()].to_owned(), Some(port)),
        _ => (text.to_owned(), None),
    }
}

fn parse_port(port: Option<&str>, whole: &str) -> Result<Option<u16>, String> {
    let Some(port) = port else { return Ok(None) };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(Some(port)),
        _ => Err(refuse(whole, "has a port that is not a number from 1 to 65535")),
    }
}

fn is_host_name(name: &str) -> bool {
    let plain = plain(name);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    plain.len() <= 253
        && plain.split('.').all(|label| (1..=63).contains(&label.len()) && label.bytes().all(good))
}

/// A name without the dot of the root: `registry.example.` is the same host.
fn plain(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn refuse(text: &str, what: &str) -> String {
    format!(
        "`{text}` {what}: write an address, a network or a host, each with an optional port, such as \
         127.0.0.1:9001, 10.0.0.0/8, [::1]:80 or registry.example:8443"
    )
}

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

    #[test]
    fn rules_are_read_and_written_back() {
        let cases = [
            ("127.0.0.1", "127.0.0.1/32"),
            (" 127.0.0.1:9001 ", "127.0.0.1/32:9001"),
            ("127.1:80", "127.0.0.1/32:80"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8:8080", "10.0.0.0/8:8080"),
            ("::1", "::1/128"),
            ("[::1]", "::1/128"),
            ("[::1]:80", "[::1/128]:80"),
            ("[::1]/128", "::1/128"),
            ("[fd00::]/8:80", "[fd00::/8]:80"),
            ("[fd00::/8]:80", "[fd00::/8]:80"),
            ("fd00::/8", "fd00::/8"),
            ("fd00::/8:443", "[fd00::/8]:443"),
            ("Registry.Example", "registry.example"),
            ("registry.example.:8443", "registry.example:8443"),
            ("localhost:65535", "localhost:65535"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("my_service-1", "my_service-1"),
        ];
        for (text, written) in cases {
            let rule = AllowRule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(rule.to_string(), written, "{text}");
            assert_eq!(AllowRule::parse(written).unwrap(), rule, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_remedy() {
        let cases = [
            "",
            "  ",
            "http://registry.example",
            "registry.example/path",
            "*.example",
            "*",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.0/",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:",
            "127.0.0.1:+80",
            "registry.example:http",
            "256.1.1.1",
            "1.2.3.4.5",
            "[::1",
            "[::1]80",
            "[127.0.0.1]:80",
            "[registry.example]:80",
            "::1:zz",
            "a..b",
            "a b",
            "user@registry.example",
            "fe80::1%eth0",
            ":80",
        ];
        for text in cases {
            let error = AllowRule::parse(text).expect_err(text);
            assert!(error.starts_with(&format!("`{}`", text.trim())), "{error}");
            assert!(error.contains("127.0.0.1:9001"), "{error}");
        }
    }

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
