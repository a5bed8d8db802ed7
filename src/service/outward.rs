//! Requests that the server makes to addresses that somebody gave it. The one way out for them.
//!
//! Owns where such a request may go: to http and https, never into the networks that the server itself is in, unless the
//! settings allow those. A name is resolved once, every address it has must be allowed, and the connection is made to
//! exactly these addresses. Redirects are not followed: a 3xx is the answer. Refuses to know what is asked for.
//!
//! Invariants: nothing is sent before the address is found allowed; no more of an answer is read than the caller takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, Url, redirect};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a request was not made, or had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutwardError {
    /// The address is none that could be asked.
    #[error("the address {0}")]
    BadUrl(&'static str),
    /// It leads where nothing may be sent.
    #[error("{0} is in a private or special network, where nothing is sent; `webhooks.allow_private` can allow it")]
    Refused(String),
    /// No answer came.
    #[error("{0}")]
    Failed(String),
}

/// A network: an address and how many of its bits are common to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "is not a network; write it like 10.0.0.0/8 or fd00::/8";
        let (address, length) = text.split_once('/').ok_or(FORM)?;
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let length: u32 = length.parse().map_err(|_| FORM)?;
        let whole: u32 = if address.is_ipv4() { 32 } else { 128 };
        let free = whole.checked_sub(length).ok_or(FORM)?;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Ok(Self { bits: number(address) & mask, mask })
    }
}

/// One space for all addresses: those of version 4 are where version 6 maps them.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.bits
    }
}

/// Whether an address is one of the whole internet's, where anybody's server could be.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network; those for benchmarks, documentation and protocols; reserved and broadcast.
        (0, ..)
        | (198, 18 | 19, _)
        | (192, 0, 0 | 2)
        | (198, 51, 100)
        | (203, 0, 113)
        | (192, 88, 99)
        | (240.., ..) => true,
        // Shared by the customers of a carrier.
        (100, 64..=127, _) => true,
        _ => address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast(),
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out; of it, what translates to version 4 (6to4, Teredo) or stands in documents is not taken.
    let is_given_out = a & 0xe000 == 0x2000;
    let is_special = a == 0x2002 || (a == 0x2001 && b < 0x0200) || (a == 0x2001 && b == 0x0db8) || a == 0x3fff;
    is_given_out && !is_special
}

/// The way out.
#[derive(Debug, Clone)]
pub struct Outward {
    client: Client,
    allowed: Allowed,
}

#[derive(Debug, Clone)]
struct Allowed(Arc<[Network]>);

impl Allowed {
    fn has(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(address))
    }
}

/// Resolves names and gives back none of their addresses if one is not allowed.
struct Checked(Allowed);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|found| !allowed.has(found.ip())) {
                Some(found) => Err(OutwardError::Refused(format!("{} ({})", name.as_str(), found.ip())).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

impl Outward {
    /// A way out to the internet and to the networks named; `timeout` is for a request with its answer.
    ///
    /// # Errors
    /// When the system gives no certificates or random numbers.
    pub fn new(allowed: &[Network], timeout: Duration) -> Result<Self, OutwardError> {
        let allowed = Allowed(allowed.into());
        let client = Client::builder()
            .dns_resolver(Arc::new(Checked(allowed.clone())))
            .redirect(redirect::Policy::none())
            // A proxy of the environment would resolve names itself.
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .pool_max_idle_per_host(2)
            .user_agent(concat!("Konvert/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutwardError::Failed(error.to_string()))?;
        Ok(Self { client, allowed })
    }

    /// An address that could be asked: its form, and what it says of itself. Names are looked at when they are resolved.
    ///
    /// # Errors
    /// [`OutwardError::BadUrl`], [`OutwardError::Refused`].
    pub fn check(&self, url: &str) -> Result<Url, OutwardError> {
        const BYTES_MAX: usize = 2_048;
        if url.len() > BYTES_MAX {
            return Err(OutwardError::BadUrl("is longer than 2048 bytes"));
        }
        // It also makes 127.0.0.1 of 2130706433, 0x7f.1 and 0177.0.0.1.
        let url =
            Url::parse(url).map_err(|_| OutwardError::BadUrl("is none; write it like https://example.org/path"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutwardError::BadUrl("must begin with https:// or http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutwardError::BadUrl("must not carry a user or a password"));
        }
        let host = url.host_str().ok_or(OutwardError::BadUrl("names no host"))?;
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.allowed.has(address) => Err(OutwardError::Refused(address.to_string())),
            _ => Ok(url),
        }
    }

    /// Asks, and gives the status and up to `bytes_max` of the answer's body; the rest is left unread.
    ///
    /// # Errors
    /// When the address is not allowed, or no whole answer came in time.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        bytes_max: usize,
    ) -> Result<(u16, Vec<u8>), OutwardError> {
        let mut request = self.client.post(self.check(url)?).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        read(request.send().await.map_err(told)?, bytes_max).await
    }

    /// Fetches, in the same way.
    ///
    /// # Errors
    /// When the address is not allowed, or no whole answer came in time.
    pub async fn get(&self, url: &str, bytes_max: usize) -> Result<(u16, Vec<u8>), OutwardError> {
        read(self.client.get(self.check(url)?).send().await.map_err(told)?, bytes_max).await
    }
}

async fn read(mut response: Response, bytes_max: usize) -> Result<(u16, Vec<u8>), OutwardError> {
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while body.len() < bytes_max
        && let Some(chunk) = response.chunk().await.map_err(told)?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(bytes_max - body.len())]);
    }
    Ok((status, body))
}

/// The innermost reason, which is the one that says something; without the address, which may hold a secret.
fn told(error: reqwest::Error) -> OutwardError {
    let is_timeout = error.is_timeout();
    let error = error.without_url();
    let mut source: &dyn std::error::Error = &error;
    loop {
        if let Some(refused) = source.downcast_ref::<OutwardError>() {
            return refused.clone();
        }
        match source.source() {
            Some(inner) => source = inner,
            None if is_timeout => return OutwardError::Failed("no answer in time".into()),
            None => return OutwardError::Failed(source.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "outward_tests.rs"]
mod tests;
