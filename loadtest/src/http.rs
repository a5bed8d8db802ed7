//! Somebody who asks over HTTP: keeps connections alive, sends JSON with a token, takes the status and the JSON back.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use crate::client::Target;
use crate::error::{Error, Result, setup};

/// An answer that takes longer than this has not come.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Whoever asks; cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// As it came: reading it would take from the processor that the server is measured on.
    body: Bytes,
}

impl Answer {
    /// Whether it is a good one, with a body.
    pub fn good(&self) -> Result<()> {
        match self.status {
            200..=299 if !self.body.is_empty() => Ok(()),
            status => Err(Error::Protocol(format!("status {status}: {}", String::from_utf8_lossy(&self.body)))),
        }
    }

    /// The body of a good answer; null when it is no JSON.
    pub fn ok(self) -> Result<Value> {
        self.good()?;
        Ok(serde_json::from_slice(&self.body).unwrap_or_default())
    }
}

impl Http {
    /// Asks the server of `target`.
    pub fn new(target: &Target) -> Result<Self> {
        Self::from(target, None)
    }

    /// Asks the server of `target` as the `index`th of 65 536 neighbours, where that is this machine.
    pub fn neighbour(target: &Target, index: u16) -> Result<Self> {
        let [high, low] = index.to_be_bytes();
        Self::from(target, target.address.ip().is_loopback().then_some(Ipv4Addr::new(127, 1, high, low)))
    }

    fn from(target: &Target, source: Option<Ipv4Addr>) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).pool_max_idle_per_host(256);
        let client = client.local_address(source.map(IpAddr::from)).build();
        let client = client.map_err(|error| setup(error.to_string()))?;
        Ok(Self { client, base: format!("http://{}", target.address) })
    }

    /// Sends one request; `token` may be empty.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(broken)?;
        Ok(Answer { status, body })
    }
}

fn broken(error: reqwest::Error) -> Error {
    Error::Protocol(format!("HTTP: {error:?}"))
}
