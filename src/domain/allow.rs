//! `network.allow`: what may be called although the network guard would refuse it.
//!
//! A rule names an address, a network in CIDR form, or a host, each with an optional port. A rule
//! for an IPv4 network does not reach its IPv6 spellings: `127.0.0.1` leaves `::ffff:127.0.0.1`
//! refused. Rules only widen, so none forbids a global address; `outbound` applies them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use url::Host;

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

    /// A host rule for this name (lower case, without the root's dot) and port.
    pub fn names(&self, host: &str, port: u16) -> bool {
        matches!(&self.target, Target::Host(own) if self.is_for(port) && own == host)
    }

    /// An address rule for this address and port.
    pub fn covers(&self, address: IpAddr, port: u16) -> bool {
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
pub fn plain(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn refuse(text: &str, what: &str) -> String {
    format!(
        "`{text}` {what}: write an address, a network or a host, each with an optional port, such as \
         127.0.0.1:9001, 10.0.0.0/8, [::1]:80 or registry.example:8443"
    )
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
}
