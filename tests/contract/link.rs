//! What a user of the tests speaks by: a socket, a stream of events with requests beside it, or polls. The same frames
//! go in and come out.

#![allow(dead_code, unused_imports, reason = "each test that includes this uses its own part")]

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use konvert_protocol::{Encoding, v1};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

use crate::server::Server;

/// One of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// WebSocket.
    Socket(Encoding),
    /// Server-sent events, and requests.
    Stream,
    /// Requests only.
    Poll,
}

/// An open one.
pub enum Link {
    Socket(Box<WebSocketStream<TcpStream>>, Encoding),
    Stream(Events, Session),
    Poll(Session),
}

/// A session that is spoken for by requests.
pub struct Session {
    pub http: Http,
    /// The secret; empty when the server told none.
    pub pass: String,
    /// What came and was not looked at.
    said: Vec<Event>,
}

/// Something that a stream or an answer said.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Session(String),
    Frame(Box<v1::ServerFrame>),
    Close(u16),
}

/// The events of an answer, as they come.
pub struct Events {
    body: Incoming,
    rest: BytesMut,
}

/// Opens the socket and nothing else.
pub async fn open_socket(server: &Server, encoding: Encoding) -> WebSocketStream<TcpStream> {
    let mut request = server.socket_url().into_client_request().expect("a request");
    let protocol = encoding.subprotocol().parse().expect("a header");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let socket = TcpStream::connect(server.address()).await.expect("the port is open");
    tokio_tungstenite::client_async(request, socket).await.expect("the socket opens").0
}

impl Link {
    /// Opens one and says the first.
    pub async fn open(server: &Server, by: By, first: Vec<u8>) -> Self {
        let mut session = Session { http: Http::new(server), pass: String::new(), said: Vec::new() };
        match by {
            By::Socket(encoding) => {
                let mut link = Self::Socket(Box::new(open_socket(server, encoding).await), encoding);
                link.send(first).await;
                link
            }
            By::Stream => {
                // A connection of its own: it serves nothing else.
                let response = Http::new(server).post("/api/sse", "", first).await.expect("an answer");
                assert_eq!(response.status(), 200);
                Self::Stream(Events { body: response.into_body(), rest: BytesMut::new() }, session)
            }
            By::Poll => {
                session.take(session.http.clone().post("/api/poll", "", first).await.expect("an answer")).await;
                Self::Poll(session)
            }
        }
    }

    pub fn encoding(&self) -> Encoding {
        match self {
            Self::Socket(_, encoding) => *encoding,
            Self::Stream(..) | Self::Poll(_) => Encoding::Json,
        }
    }

    /// Sends the bytes of a message. That the session has ended is told by what it says, not here.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        match self {
            Self::Socket(socket, encoding) => {
                let message = match encoding.is_text() {
                    true => Message::text(String::from_utf8(bytes).expect("JSON is UTF-8")),
                    false => Message::binary(bytes),
                };
                socket.send(message).await.expect("the socket is open");
            }
            Self::Stream(_, session) | Self::Poll(session) => {
                assert!(!session.pass.is_empty(), "the session is known before anything else is said");
                if let Ok(response) = session.http.post("/api/send", &session.pass, bytes).await {
                    assert!([202, 410].contains(&response.status().as_u16()), "{response:?}");
                }
            }
        }
    }

    /// Waits for something; the close code when the server closed, 1006 when it just ended.
    pub async fn receive(&mut self) -> Result<Vec<v1::ServerFrame>, u16> {
        let (event, session) = match self {
            Self::Socket(socket, encoding) => return receive_by_socket(socket, *encoding).await,
            Self::Stream(events, session) => (events.next().await.ok_or(1006u16)?, session),
            Self::Poll(session) => (session.next().await?, session),
        };
        match event {
            Event::Session(pass) => session.pass = pass,
            Event::Frame(frame) => return Ok(vec![*frame]),
            Event::Close(code) => return Err(code),
        }
        Ok(Vec::new())
    }

    /// Says goodbye.
    pub async fn goodbye(mut self) {
        match &mut self {
            Self::Socket(socket, _) => (**socket).close(None).await.expect("the socket is open"),
            Self::Stream(_, session) | Self::Poll(session) => {
                let response = session.http.post("/api/close", &session.pass, Vec::new()).await.expect("an answer");
                assert_eq!(response.status(), 204);
            }
        }
    }
}

async fn receive_by_socket(
    socket: &mut WebSocketStream<TcpStream>,
    encoding: Encoding,
) -> Result<Vec<v1::ServerFrame>, u16> {
    let bytes: Bytes = match socket.next().await {
        Some(Ok(Message::Binary(bytes))) => bytes,
        Some(Ok(Message::Text(text))) => text.into(),
        Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
        Some(Ok(_)) => return Ok(Vec::new()),
        Some(Err(_)) | None => return Err(1006),
    };
    Ok(encoding.decode(bytes).map(|frame| frame.expect("the server's frames decode")).collect())
}

impl Session {
    /// The next event, polled for if need be.
    async fn next(&mut self) -> Result<Event, u16> {
        while self.said.is_empty() {
            let response = self.http.post("/api/poll", &self.pass, Vec::new()).await.map_err(|()| 1006u16)?;
            match response.status().as_u16() {
                200 | 204 => self.take(response).await,
                410 => {
                    let problem = response.into_body().collect().await.map_err(|_| 1006u16)?.to_bytes();
                    let problem: Value = serde_json::from_slice(&problem).expect("a problem is JSON");
                    return Err(problem["close_code"].as_u64().map_or(1006, |code| code as u16));
                }
                status => panic!("a poll got {status}"),
            }
        }
        Ok(self.said.remove(0))
    }

    /// Takes the events of a whole answer, the session's secret among them.
    async fn take(&mut self, response: Response<Incoming>) {
        let mut events = Events { body: response.into_body(), rest: BytesMut::new() };
        while let Some(event) = events.next().await {
            match event {
                Event::Session(pass) => self.pass = pass,
                event => self.said.push(event),
            }
        }
    }
}

impl Events {
    /// The events of an answer.
    pub fn of(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), rest: BytesMut::new() }
    }

    /// Waits for the next event; comments are passed over. `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
                let text = self.rest.split_to(end);
                self.rest.advance(2);
                if text.as_ref() != b":" {
                    return Some(event(&text));
                }
            }
            match self.body.frame().await?.ok()?.into_data() {
                Ok(bytes) => self.rest.extend_from_slice(&bytes),
                Err(_) => continue,
            }
        }
    }
}

fn event(text: &[u8]) -> Event {
    let text = std::str::from_utf8(text).expect("events are text");
    let lines: Vec<_> = text.lines().map(|line| line.split_once(": ").expect("a field and its value")).collect();
    let json = |data: &str| serde_json::from_str::<Value>(data).expect("data is JSON");
    match lines[..] {
        [("data", data)] => {
            let frame = Encoding::Json.decode(Bytes::copy_from_slice(data.as_bytes())).next();
            Event::Frame(Box::new(frame.expect("a frame").expect("the server's frames decode")))
        }
        [("event", "session"), ("data", data)] => Event::Session(json(data)["session"].as_str().expect("text").into()),
        [("event", "close"), ("data", data)] => Event::Close(json(data)["code"].as_u64().expect("a number") as u16),
        _ => panic!("not an event of ours: {text:?}"),
    }
}

/// Requests one after the other on a connection that is kept while the server keeps it.
pub struct Http {
    address: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Clone for Http {
    /// To the same server, by a connection of its own.
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), sender: None }
    }
}

impl Http {
    pub fn new(server: &Server) -> Self {
        Self { address: server.address(), sender: None }
    }

    /// Posts lines of JSON; an error when there was no answer.
    pub async fn post(&mut self, path: &str, pass: &str, body: Vec<u8>) -> Result<Response<Incoming>, ()> {
        let mut headers = vec![("content-type", "application/json")];
        if !pass.is_empty() {
            headers.push(("konvert-session", pass));
        }
        self.request(Method::POST, path, &headers, body).await
    }

    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, ()> {
        let body = Bytes::from(body);
        let request = || {
            let mut request = Request::builder().method(method.clone()).uri(path).header("host", &self.address);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Full::new(body.clone())).expect("a request")
        };
        let (first, second) = (request(), request());
        // The server may end a connection between two requests, and then did not see the second.
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
            && let Ok(response) = sender.send_request(first).await
        {
            self.sender = Some(sender);
            return Ok(response);
        }
        let socket = TcpStream::connect(&self.address).await.map_err(|_| ())?;
        let (mut sender, connection) = handshake(TokioIo::new(socket)).await.map_err(|_| ())?;
        tokio::spawn(connection);
        let response = sender.send_request(second).await.map_err(|_| ())?;
        self.sender = Some(sender);
        Ok(response)
    }
}
