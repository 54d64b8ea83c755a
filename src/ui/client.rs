//! Where a request comes from, as far as that can be believed.
//!
//! That it came over https is believed of whoever says so (`X-Forwarded-Proto`): it makes cookies
//! stricter and nothing else, so who lies only locks themself out. Whose address it is
//! (`X-Forwarded-For`) is believed of a proxy on this machine or in a private network only, and
//! then the last one of the list, which that proxy has seen itself.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;

/// Where failures to sign in are counted.
pub fn address(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip().to_canonical());
    let told = text(request, "x-forwarded-for").and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    if is_near(peer) { told.unwrap_or(peer) } else { peer }
}

/// Whether the browser speaks https with us, or with a proxy of ours.
pub fn is_https(request: &HttpRequest) -> bool {
    text(request, "x-forwarded-proto").is_some_and(|proto| {
        proto.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("https"))
    })
}

/// What the browser says of itself.
pub fn agent(request: &HttpRequest) -> &str {
    text(request, USER_AGENT.as_str()).unwrap_or_default()
}

fn text<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers().get_all(name).last().and_then(|value| value.to_str().ok())
}

fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_a_near_proxy_is_believed_whose_address_it_is() {
        for (peer, told, expected) in [
            ("127.0.0.1:1", None, "127.0.0.1"),
            ("127.0.0.1:1", Some("198.51.100.7, 203.0.113.9"), "203.0.113.9"),
            ("10.0.0.2:1", Some("2001:db8::1"), "2001:db8::1"),
            ("10.0.0.2:1", Some("nonsense"), "10.0.0.2"),
            ("198.51.100.1:1", Some("203.0.113.9"), "198.51.100.1"),
            ("[::ffff:127.0.0.1]:1", Some("203.0.113.9"), "203.0.113.9"),
        ] {
            let mut request = TestRequest::get().peer_addr(peer.parse().unwrap());
            if let Some(told) = told {
                request = request.insert_header(("x-forwarded-for", told));
            }
            assert_eq!(address(&request.to_http_request()).to_string(), expected, "{peer} {told:?}");
        }
    }

    #[test]
    fn https_is_what_the_last_proxy_says() {
        for (told, https) in
            [(None, false), (Some("https"), true), (Some("http"), false), (Some("http, HTTPS"), true)]
        {
            let mut request = TestRequest::get();
            if let Some(told) = told {
                request = request.insert_header(("x-forwarded-proto", told));
            }
            assert_eq!(is_https(&request.to_http_request()), https, "{told:?}");
        }
    }
}
