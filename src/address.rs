//! Where somebody is: what counts as one address, and whose address a request has that came through proxies. Pure.
//!
//! Invariant: what a proxy says is believed only if the proxy is one that the operator named; a chain is followed from
//! its near end, so that whatever somebody claims at its far end changes nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// What counts as one address: IPv4 mapped into IPv6 as IPv4, and IPv6 by its first 64 bits, which is what one
/// customer is given.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::from(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// A network as the settings name it: `10.0.0.0/8`, or a single address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The nearest address that is no proxy of ours. `forwarded` are the values of `X-Forwarded-For` in their order.
pub fn of_request<'a>(peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>, proxies: &[IpNet]) -> IpAddr {
    let mut chain = forwarded.rev().flat_map(|value| value.rsplit(','));
    let mut address = peer.to_canonical();
    while proxies.iter().any(|network| network.contains(&address)) {
        let Some(before) = chain.next().and_then(parse) else { break };
        address = before.to_canonical();
    }
    address
}

/// Some proxies tell the port with it.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_proxies_are_believed() {
        let proxies: Vec<_> = ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"].into_iter().filter_map(network).collect();
        assert_eq!(proxies.len(), 4);
        for (peer, forwarded, want) in [
            ("198.51.100.1", &["1.2.3.4"][..], "198.51.100.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["1.2.3.4"], "1.2.3.4"),
            ("10.1.2.3", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.1.2.3", &["6.6.6.6", "1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            ("10.1.2.3", &["6.6.6.6, 1.2.3.4,192.0.2.7 , 10.9.9.9"], "1.2.3.4"),
            ("10.1.2.3", &["garbage"], "10.1.2.3"),
            ("10.1.2.3", &["1.2.3.4, garbage"], "10.1.2.3"),
            ("10.1.2.3", &["10.1.1.1"], "10.1.1.1"),
            ("10.1.2.3", &["1.2.3.4:5678"], "1.2.3.4"),
            ("::ffff:10.1.2.3", &["::ffff:1.2.3.4"], "1.2.3.4"),
            ("::1", &["[2001:db8::1]:5678"], "2001:db8::1"),
            ("192.0.2.8", &["1.2.3.4"], "192.0.2.8"),
        ] {
            let found = of_request(peer.parse().unwrap(), forwarded.iter().copied(), &proxies);
            assert_eq!(found, want.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
        assert_eq!([network("10.0.0.0/33"), network("all"), network("")], [None, None, None]);
    }

    #[test]
    fn one_customer_is_one_address() {
        for (address, want) in
            [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("192.0.2.1", "192.0.2.1")]
        {
            assert_eq!(canonical(address.parse().unwrap()), want.parse::<IpAddr>().unwrap());
        }
    }
}
