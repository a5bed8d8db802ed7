//! Requests byte by byte: what a client would set right before it sends it, and what ends before it is whole.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::api::{Answer, Api};
use crate::server::Server;
use crate::user::DEADLINE;

/// The beginning of a request, with what is always there; headers follow, and an empty line.
pub fn head(who: &Api, method: &str, target: &str) -> String {
    let token = who.bearer().map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("{method} {target} HTTP/1.1\r\nhost: konvert\r\n{token}")
}

/// A whole request with JSON in it.
pub fn request(who: &Api, method: &str, target: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    format!("{}{kind}content-length: {}\r\n\r\n{body}", head(who, method, target), body.len())
}

/// A connection as old as this is ended by the server, which says so with the last answer.
const LIFETIME: Duration = Duration::from_secs(60);

/// One connection for as many requests as one likes.
pub struct Connection {
    address: String,
    socket: BufReader<TcpStream>,
    since: Instant,
    /// The server has said that this was the last answer.
    is_over: bool,
}

impl Connection {
    pub async fn open(server: &Server) -> Self {
        Self::to(server.address()).await
    }

    async fn to(address: String) -> Self {
        let socket = TcpStream::connect(&address).await.expect("the port is open");
        Self { address, socket: BufReader::new(socket), since: Instant::now(), is_over: false }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // The server may have refused, and closed, before everything was sent.
        let _ = self.socket.write_all(bytes).await;
    }

    /// The answer to what is sent; `None` when the connection was closed instead.
    pub async fn ask(&mut self, bytes: &[u8], has_body: bool) -> Option<Answer> {
        // Of age; nothing else is a reason to end one.
        if self.is_over && self.since.elapsed() >= LIFETIME {
            *self = Self::to(self.address.clone()).await;
        }
        self.send(bytes).await;
        timeout(DEADLINE, self.read(has_body)).await.expect("an answer or the end in time")
    }

    /// Says that nothing more will come; the answer all the same, if there is one.
    pub async fn end(&mut self) -> Option<Answer> {
        let _ = self.socket.get_mut().shutdown().await;
        timeout(DEADLINE, self.read(true)).await.expect("an answer or the end in time")
    }

    async fn read(&mut self, has_body: bool) -> Option<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.socket.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        let status = lines[0].split(' ').nth(1).expect("a status line");
        let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
        let headers = lines[1..].iter().map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.parse::<HeaderName>().expect("a name"), value.trim().parse::<HeaderValue>().expect("a value"))
        });
        let headers: HeaderMap = headers.collect();
        self.is_over = headers.get("connection").is_some_and(|connection| connection == "close");
        let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let mut body = vec![0; length.filter(|_| has_body).unwrap_or_default()];
        self.socket.read_exact(&mut body).await.ok()?;
        Some(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}
