//! A headless Chromium, driven through its DevTools protocol.
//!
//! Owns the process, its empty profile and one socket; knows nothing of the page. Everything is one call after the
//! other on that socket; what the page complains about meanwhile is gathered in [`Browser::problems`]. Waiting is
//! always for a condition, with a deadline.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Longest wait for anything; only a broken test gets here.
const DEADLINE: Duration = Duration::from_secs(30);
/// Pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A screenshot comes as one message.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Lets a test take away what a page hears: while `window.isDeaf`, messages of sockets do not reach their handlers.
const CAN_BE_DEAF: &str = "{
    const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
    Object.defineProperty(WebSocket.prototype, 'onmessage', {
        get: own.get,
        set(handler) { own.set.call(this, handler && ((event) => window.isDeaf || handler(event))); },
    });
}";

/// A running browser.
pub struct Browser {
    socket: WebSocketStream<TcpStream>,
    last_id: u64,
    /// Errors that pages wrote to their consoles, exceptions, violations of the content policy.
    pub problems: Vec<String>,
    child: Child,
    /// Deleted when the browser is dropped.
    _profile: TempDir,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Tab {
    session: String,
    /// What to call it in messages of the test.
    pub name: &'static str,
}

/// How a tab looks at the world.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Width and height, CSS pixels.
    pub size: (u32, u32),
    /// Whether the dark theme is preferred.
    pub is_dark: bool,
    /// Whether it is a phone.
    pub is_phone: bool,
    /// Preferred language.
    pub language: &'static str,
}

impl Default for View {
    fn default() -> Self {
        Self { size: (1040, 700), is_dark: false, is_phone: false, language: "en-US" }
    }
}

/// Where Chromium is, if it is installed.
pub fn find() -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&directories)
        .chain([PathBuf::from("/usr/bin")])
        .flat_map(|directory| names.map(|name| directory.join(name)))
        .find(|path| path.is_file())
}

impl Browser {
    /// Starts the browser found at `program`.
    pub async fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Chromium starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let address = loop {
            let line =
                lines.next_line().await.expect("Chromium's stderr").expect("Chromium tells its DevTools address");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.trim().to_owned();
            }
        };
        // It goes on talking; somebody must listen, or it stalls on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let host = address.trim_start_matches("ws://").split('/').next().expect("split gives a part").to_owned();
        let stream = TcpStream::connect(host).await.expect("DevTools accept");
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let (socket, _) = tokio_tungstenite::client_async_with_config(address, stream, Some(config))
            .await
            .expect("DevTools shake hands");
        Self { socket, last_id: 0, problems: Vec::new(), child, _profile: profile }
    }

    /// Ends the browser.
    pub async fn close(mut self) {
        // It may be gone before it answers.
        let command = json!({"id": self.last_id + 1, "method": "Browser.close"}).to_string();
        let said = self.socket.send(Message::text(command)).await.is_ok();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
        if !said || ended.is_err() {
            self.child.kill().await.expect("Chromium can be ended");
        }
    }

    /// Opens an address in a tab of its own.
    pub async fn open(&mut self, name: &'static str, address: &str, view: View) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call(None, "Target.attachToTarget", attach).await;
        let tab = Tab { session: attached["sessionId"].as_str().expect("a session").to_owned(), name };
        let (width, height) = view.size;
        let theme = if view.is_dark { "dark" } else { "light" };
        let scale = if view.is_phone { 2 } else { 1 };
        for (method, parameters) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            (
                "Emulation.setDeviceMetricsOverride",
                json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": view.is_phone}),
            ),
            ("Emulation.setEmulatedMedia", json!({"features": [{"name": "prefers-color-scheme", "value": theme}]})),
            ("Emulation.setUserAgentOverride", json!({"userAgent": "test", "acceptLanguage": view.language})),
            ("Page.addScriptToEvaluateOnNewDocument", json!({"source": CAN_BE_DEAF})),
            ("Page.navigate", json!({"url": address})),
        ] {
            self.call(Some(&tab), method, parameters).await;
        }
        tab
    }

    /// The value of an expression in a page.
    pub async fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        self.call(Some(tab), "Runtime.evaluate", parameters).await["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, tab: &Tab, expression: &str) {
        let deadline = Instant::now() + DEADLINE;
        while self.evaluate(tab, expression).await != true {
            if Instant::now() > deadline {
                let seen = self.evaluate(tab, "document.body.innerText").await;
                panic!("{}: never {expression}\nproblems: {:#?}\nseen: {seen}", tab.name, self.problems);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Types into what has the focus.
    pub async fn type_text(&mut self, tab: &Tab, text: &str) {
        self.call(Some(tab), "Input.insertText", json!({"text": text})).await;
    }

    /// Presses and releases the Enter key.
    pub async fn press_enter(&mut self, tab: &Tab) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
            self.call(Some(tab), "Input.dispatchKeyEvent", key).await;
        }
    }

    /// Makes a tab the visible one; pages in the background are not drawn and get no scroll events.
    pub async fn bring_to_front(&mut self, tab: &Tab) {
        self.call(Some(tab), "Page.bringToFront", json!({})).await;
    }

    /// Loads the page again.
    pub async fn reload(&mut self, tab: &Tab) {
        self.evaluate(tab, "window.isOldPage = true").await;
        self.call(Some(tab), "Page.reload", json!({})).await;
        self.until(tab, "!window.isOldPage && document.readyState === 'complete'").await;
    }

    /// Writes what a tab shows to a PNG file.
    pub async fn screenshot(&mut self, tab: &Tab, file: &Path) {
        let picture = self.call(Some(tab), "Page.captureScreenshot", json!({"format": "png"})).await;
        let data = picture["data"].as_str().expect("a picture");
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("DevTools write base64");
        std::fs::create_dir_all(file.parent().expect("a file is in a directory")).expect("pictures are writable");
        std::fs::write(file, bytes).expect("pictures are writable");
    }

    async fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(tab) = tab {
            command["sessionId"] = json!(tab.session);
        }
        self.socket.send(Message::text(command.to_string())).await.expect("Chromium listens");
        loop {
            let received = tokio::time::timeout(DEADLINE, self.socket.next()).await;
            let message = received.unwrap_or_else(|_| panic!("{method}: no answer")).expect("Chromium lives");
            let Message::Text(text) = message.expect("Chromium speaks WebSocket") else { continue };
            let mut message: Value = serde_json::from_str(&text).expect("DevTools speak JSON");
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let about = &event["params"];
        let problem = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => &about["exceptionDetails"],
            Some("Runtime.consoleAPICalled") if about["type"] == "error" => &about["args"],
            Some("Log.entryAdded") if about["entry"]["level"] == "error" => &about["entry"],
            _ => return,
        };
        self.problems.push(problem.to_string());
    }
}
