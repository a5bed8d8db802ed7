//! Somebody who speaks HTTP to the real server: a token, a path, a body, and what comes back.

#![allow(dead_code, reason = "each module uses its own part")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

/// Whoever asks; without a token at first.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    /// The id of the user, once signed up.
    pub user: String,
    /// What they sign in with, once signed up.
    pub login: String,
    /// The refresh token from then.
    pub refresh_token: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    /// Null when the body is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of an answer that must be a good one.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// An answer that must be a problem of this status and name.
    #[track_caller]
    pub fn refused(self, status: u16, name: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["name"].as_str()), (status, Some(name)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body
    }
}

impl Api {
    /// Somebody without a token.
    pub fn new(server: &Server) -> Self {
        let client = reqwest::Client::builder().no_proxy().pool_idle_timeout(IDLE);
        let client = client.build().expect("a client");
        Self {
            client,
            base: format!("http://{}", server.address()),
            token: None,
            user: String::new(),
            login: String::new(),
            refresh_token: String::new(),
        }
    }

    /// Somebody new with an account; the password is always the same.
    pub async fn sign_up(server: &Server, login: &str) -> Self {
        let body = json!({"login": login, "password": PASSWORD, "name": login.to_uppercase()});
        let api = Self::new(server);
        let answer = api.post("/api/auth/sign-up", body).await;
        api.signed_in(&answer.ok())
    }

    /// The first administrator of a server that has none.
    pub async fn administrator(server: &Server) -> Self {
        let code = server.first_administrator().expect("the server printed a code");
        let body = json!({"code": code, "login": "root", "password": PASSWORD, "name": "Root"});
        let api = Self::new(server);
        let answer = api.post("/api/auth/first-administrator", body).await;
        api.signed_in(&answer.ok())
    }

    /// The same account on one more device.
    pub async fn sign_in_again(&self) -> Self {
        let answer = self.post("/api/auth/sign-in", json!({"login": self.login, "password": PASSWORD})).await;
        self.signed_in(&answer.ok())
    }

    /// Whoever the server says has come in.
    pub fn signed_in(&self, answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            user: text(&answer["user"]["id"]),
            login: text(&answer["user"]["login"]),
            refresh_token: text(&answer["refresh_token"]),
            ..self.with_token(&text(&answer["access_token"]))
        }
    }

    /// The same with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same as somebody of this id, who did not sign up.
    pub fn called(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.bearer().expect("signed in")
    }

    /// The token, if there is one.
    pub fn bearer(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// Any request; a body of `None` is none at all.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::answer(request).await
    }

    /// A request to be completed by hand.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
        Self::try_answer(request).await.expect("an answer")
    }

    /// Sends a request that the connection may not outlive.
    pub async fn try_answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

/// Connections that were of no use for longer are not used again. The server ends them a little later, and may do so while
/// a request is on its way.
const IDLE: std::time::Duration = std::time::Duration::from_secs(2);

/// Of everybody in these tests; not one that anybody would guess.
pub const PASSWORD: &str = "violet-anchor-47-harvest";

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);
    const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);
    let end = tokio::time::Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
