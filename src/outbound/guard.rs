//! Which addresses are globally routable: the table behind the network guard. Pure.
//!
//! Everything that a special-purpose registry of IANA lists is refused, also the few small blocks
//! in it that are reachable (anycast services that no provider sits on). For IPv6 only the
//! allocated global unicast space `2000::/3` is good, less the exceptions below: that refuses at
//! once whatever is reserved, local, or embeds an IPv4 address outside of it. What embeds an IPv4
//! address inside of it (6to4, Teredo, ISATAP) is listed, since such an address may lead to a host
//! that its IPv4 form would not be allowed to reach.
//!
//! Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and the RFC that
//! each row names. It does not know which network this machine is in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What the guard says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Globally routable unicast.
    Global,
    /// Anything else, and what it is: `loopback (RFC 1122)`.
    Refused(&'static str),
}

/// Judges an address by the tables of this file.
pub fn judge(address: IpAddr) -> Verdict {
    let refused = match address {
        IpAddr::V4(address) => judge_v4(address),
        IpAddr::V6(address) => judge_v6(address),
    };
    refused.map_or(Verdict::Global, Verdict::Refused)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), prefix)
}

const REFUSED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network (RFC 791)"),
    (v4(10, 0, 0, 0, 8), "private (RFC 1918)"),
    (v4(100, 64, 0, 0, 10), "shared with the carrier (RFC 6598)"),
    (v4(127, 0, 0, 0, 8), "loopback (RFC 1122)"),
    (v4(169, 254, 0, 0, 16), "link-local, also cloud metadata (RFC 3927)"),
    (v4(172, 16, 0, 0, 12), "private (RFC 1918)"),
    (v4(192, 0, 0, 0, 24), "protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 0, 24), "documentation (RFC 5737)"),
    (v4(192, 31, 196, 0, 24), "AS112 (RFC 7535)"),
    (v4(192, 52, 193, 0, 24), "AMT (RFC 7450)"),
    (v4(192, 88, 99, 0, 24), "6to4 relay (RFC 7526)"),
    (v4(192, 168, 0, 0, 16), "private (RFC 1918)"),
    (v4(192, 175, 48, 0, 24), "AS112 (RFC 7534)"),
    (v4(198, 18, 0, 0, 15), "benchmarking (RFC 2544)"),
    (v4(198, 51, 100, 0, 24), "documentation (RFC 5737)"),
    (v4(203, 0, 113, 0, 24), "documentation (RFC 5737)"),
    (v4(224, 0, 0, 0, 4), "multicast (RFC 5771)"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast (RFC 1112, RFC 8190)"),
];

/// Rows outside `2000::/3` are here for their names only: that space is refused as a whole.
const REFUSED_V6: &[(Ipv6Net, &str)] = &[
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback (RFC 4291)"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified (RFC 4291)"),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        "an IPv4 address in IPv6 form (RFC 4291)",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
        "an IPv4 address in IPv6 form (RFC 2765)",
    ),
    (v6(0, 0, 0, 96), "an IPv4 address in IPv6 form (RFC 4291, IPv4-compatible)"),
    (v6(0x64, 0xff9b, 0, 96), "an IPv4 address in IPv6 form (RFC 6052, NAT64)"),
    (v6(0x64, 0xff9b, 1, 48), "an IPv4 address in IPv6 form (RFC 8215, local NAT64)"),
    (v6(0x100, 0, 0, 64), "discarded (RFC 6666)"),
    (v6(0x2001, 0, 0, 32), "an IPv4 address in IPv6 form (RFC 4380, Teredo)"),
    (v6(0x2001, 0, 0, 23), "protocol assignments (RFC 2928)"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation (RFC 3849)"),
    (v6(0x2002, 0, 0, 16), "an IPv4 address in IPv6 form (RFC 3056, 6to4)"),
    (v6(0x2620, 0x4f, 0x8000, 48), "AS112 (RFC 7534)"),
    (v6(0x3fff, 0, 0, 20), "documentation (RFC 9637)"),
    (v6(0x5f00, 0, 0, 16), "segment routing (RFC 9602)"),
    (v6(0xfc00, 0, 0, 7), "private (RFC 4193)"),
    (v6(0xfe80, 0, 0, 10), "link-local (RFC 4291)"),
    (v6(0xfec0, 0, 0, 10), "site-local (RFC 3879)"),
    (v6(0xff00, 0, 0, 8), "multicast (RFC 4291)"),
];

const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

fn judge_v4(address: Ipv4Addr) -> Option<&'static str> {
    REFUSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what)
}

fn judge_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some((_, what)) = REFUSED_V6.iter().find(|(net, _)| net.contains(&address)) {
        return Some(what);
    }
    if !GLOBAL_UNICAST_V6.contains(&address) {
        return Some("not allocated as global unicast (RFC 4291)");
    }
    is_isatap(address).then_some("an IPv4 address in IPv6 form (RFC 5214, ISATAP)")
}

/// ISATAP may sit under any prefix: its interface id is `0000:5efe` or `0200:5efe`, then the IPv4
/// address (RFC 5214, section 6.1).
fn is_isatap(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[4] & 0xfdff == 0 && segments[5] == 0x5efe
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    /// First and last of every refused block, and some between.
    const REFUSED: &str = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.0 127.0.0.1 \
        127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 \
        192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0 \
        192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 \
        224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255 :: ::1 ::2 ::7f00:1 \
        ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 ::1:0:0:0 64:ff9b:: 64:ff9b::808:808 \
        64:ff9b:0:0:0:0:ffff:ffff 64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 64:ff9b:2:: 100:: \
        100::ffff:ffff:ffff:ffff 100:0:0:1:: 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:: 2001::1 \
        2001:0:ffff:ffff:ffff:ffff:ffff:ffff 2001:1::1 2001:20::1 2001:1ff:ffff:: 2001:db8:: \
        2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:7f00:1:: \
        2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:: 3fff:fff:ffff:: 4000:: 5f00::1 2600::5efe:7f00:1 \
        2600::200:5efe:a00:1 fbff:: fc00:: fd00:ec2::254 fdff:ffff:: fe00:: fe80:: fe80::1 febf:ffff:: \
        fec0:: feff:ffff:: ff00:: ff02::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

    /// The neighbours of those blocks that are good.
    const GLOBAL: &str = "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 \
        192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 \
        198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 2000:: 2001:200:: 2001:db7:ffff:: \
        2001:db9:: 2003:: 2606:4700::1111 2600::200:5eff:a00:1 2600::400:5efe:a00:1 \
        3ffe:ffff:: 3fff:1000::";

    #[test]
    fn boundaries_of_every_block() {
        for text in REFUSED.split(' ') {
            let verdict = judge(text.parse().unwrap());
            assert!(matches!(verdict, Verdict::Refused(_)), "{text} was taken for global");
        }
        for text in GLOBAL.split(' ') {
            assert_eq!(judge(text.parse().unwrap()), Verdict::Global, "{text}");
        }
    }

    /// Every row of the IANA registries of special-purpose addresses (of 2025), and those of multicast and of
    /// what is not allocated; each with whether its neighbours below and above are good.
    const BLOCKS: &[(&str, bool, bool)] = &[
        ("0.0.0.0/8", false, true),
        ("0.0.0.0/32", false, false),
        ("10.0.0.0/8", true, true),
        ("100.64.0.0/10", true, true),
        ("127.0.0.0/8", true, true),
        ("169.254.0.0/16", true, true),
        ("172.16.0.0/12", true, true),
        ("192.0.0.0/24", true, true),
        ("192.0.0.0/29", true, false),
        ("192.0.0.8/32", false, false),
        ("192.0.0.9/32", false, false),
        ("192.0.0.10/32", false, false),
        ("192.0.0.170/32", false, false),
        ("192.0.0.171/32", false, false),
        ("192.0.2.0/24", true, true),
        ("192.31.196.0/24", true, true),
        ("192.52.193.0/24", true, true),
        ("192.88.99.0/24", true, true),
        ("192.168.0.0/16", true, true),
        ("192.175.48.0/24", true, true),
        ("198.18.0.0/15", true, true),
        ("198.51.100.0/24", true, true),
        ("203.0.113.0/24", true, true),
        ("224.0.0.0/4", true, false),
        ("240.0.0.0/4", false, false),
        ("255.255.255.255/32", false, false),
        ("::/128", false, false),
        ("::1/128", false, false),
        ("::/96", false, false),
        ("::ffff:0:0/96", false, false),
        ("::ffff:0:0:0/96", false, false),
        ("64:ff9b::/96", false, false),
        ("64:ff9b:1::/48", false, false),
        ("100::/64", false, false),
        ("100:0:0:1::/64", false, false),
        ("2001::/23", true, true),
        ("2001::/32", true, false),
        ("2001:1::1/128", false, false),
        ("2001:1::2/128", false, false),
        ("2001:1::3/128", false, false),
        ("2001:2::/48", false, false),
        ("2001:3::/32", false, false),
        ("2001:4:112::/48", false, false),
        ("2001:10::/28", false, false),
        ("2001:20::/28", false, false),
        ("2001:30::/28", false, false),
        ("2001:db8::/32", true, true),
        ("2002::/16", true, true),
        ("2620:4f:8000::/48", true, true),
        ("3fff::/20", true, true),
        ("4000::/2", true, false),
        ("5f00::/16", false, false),
        ("8000::/1", false, false),
        ("fc00::/7", false, false),
        ("fe80::/10", false, false),
        ("fec0::/10", false, false),
        ("ff00::/8", false, false),
    ];

    fn neighbours(net: IpNet) -> (Option<IpAddr>, Option<IpAddr>) {
        match net {
            IpNet::V4(net) => {
                let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
                let address = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
                (first.checked_sub(1).map(address), last.checked_add(1).map(address))
            }
            IpNet::V6(net) => {
                let (first, last) = (u128::from(net.network()), u128::from(net.broadcast()));
                let address = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits));
                (first.checked_sub(1).map(address), last.checked_add(1).map(address))
            }
        }
    }

    #[test]
    fn every_special_block_is_refused_to_its_edges_and_no_further() {
        for (block, below, above) in BLOCKS {
            let net: IpNet = block.parse().unwrap();
            for address in [net.network(), net.broadcast()] {
                assert_ne!(judge(address), Verdict::Global, "{address} of {block}");
            }
            let (before, after) = neighbours(net);
            for (neighbour, good) in [(before, below), (after, above)] {
                let Some(neighbour) = neighbour else { continue };
                assert_eq!(judge(neighbour) == Verdict::Global, *good, "{neighbour} beside {block}");
            }
        }
    }

    /// Whatever IPv4 address is inside: that of a good host as much as of this machine.
    #[test]
    fn every_form_that_embeds_an_ipv4_address_is_refused() {
        let first = u128::from(Ipv6Addr::new(0x2600, 1, 2, 3, 0, 0, 0, 0));
        for inside in
            ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "8.8.8.8", "1.1.1.1"]
        {
            let v4: Ipv4Addr = inside.parse().unwrap();
            let bits = u128::from(u32::from(v4));
            let [a, b, c, d] = v4.octets().map(u128::from);
            let nat64 = |prefix: &str| u128::from(prefix.parse::<Ipv6Addr>().unwrap());
            for (form, address) in [
                ("compatible", bits),
                ("mapped", 0xffff << 32 | bits),
                ("translated", 0xffff << 48 | bits),
                ("6to4", 0x2002 << 112 | bits << 80 | 1),
                ("Teredo server", 0x2001 << 112 | bits << 64),
                ("Teredo client", 0x2001 << 112 | 0x0808_0808 << 64 | (!bits & 0xffff_ffff)),
                ("NAT64", nat64("64:ff9b::") | bits),
                ("local NAT64, 96", nat64("64:ff9b:1::") | bits),
                // RFC 6052, section 2.2: bits 64 to 71 are left out.
                ("local NAT64, 48", nat64("64:ff9b:1::") | a << 72 | b << 64 | c << 48 | d << 40),
                ("ISATAP", first | 0x5efe << 32 | bits),
                ("ISATAP, global", first | 0x0200_5efe << 32 | bits),
                ("ISATAP, link-local", 0xfe80 << 112 | 0x5efe << 32 | bits),
            ] {
                let address = IpAddr::V6(Ipv6Addr::from_bits(address));
                assert_ne!(judge(address), Verdict::Global, "{form} of {inside}: {address}");
            }
        }
    }

    #[test]
    fn the_reason_is_the_narrowest_one() {
        let cases = [
            ("127.0.0.1", "loopback (RFC 1122)"),
            ("::1", "loopback (RFC 4291)"),
            ("::", "unspecified (RFC 4291)"),
            ("::ffff:10.0.0.1", "an IPv4 address in IPv6 form (RFC 4291)"),
            ("2001:0:1::", "an IPv4 address in IPv6 form (RFC 4380, Teredo)"),
            ("2001:1::1", "protocol assignments (RFC 2928)"),
            ("4000::1", "not allocated as global unicast (RFC 4291)"),
        ];
        for (text, what) in cases {
            assert_eq!(judge(text.parse().unwrap()), Verdict::Refused(what), "{text}");
        }
    }
}
