//! Who gets in over the real socket, and that no log tells a token: the binary, a socket, tokens good and bad.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

const KONVERT: &str = env!("CARGO_BIN_EXE_konvert");

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(directory: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(KONVERT);
        command.args(["serve", "--port", "0", "--bind", "127.0.0.1"]).current_dir(directory);
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned));
        Self { child, address: ready.expect("the server ended before it was ready") }
    }

    /// The answer to a first frame, and the close code if the server closed after it.
    fn connect(&self, connect: Value) -> (Value, Option<u16>) {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request = format!("ws://{}/api/websocket", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "konvert.v1.json".parse().unwrap());
        // As the page does: guests without an origin are refused.
        request.headers_mut().insert("origin", format!("http://{}", self.address).parse().unwrap());
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        socket.send(Message::text(json!({"id": 1, "connect": connect}).to_string())).unwrap();
        let answer = next(&mut socket).expect("an answer");
        let closed = if answer["error"].is_null() { None } else { next(&mut socket).err() };
        (answer, closed.flatten())
    }

    /// Ends it, and says what it logged.
    fn log(mut self) -> String {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already when its log was taken.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next frame, or the close code.
fn next(socket: &mut WebSocket<TcpStream>) -> Result<Value, Option<u16>> {
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code.into())),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return Ok(serde_json::from_slice(&message.into_data()).unwrap()),
            Err(_) => return Err(None),
        }
    }
}

fn mint(directory: &Path, args: &[&str]) -> String {
    let output = Command::new(KONVERT).arg("token").args(args).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn tokens_open_the_door_and_no_log_tells_them() {
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(here.path(), &[("KONVERT_LOG__LEVEL", "trace")]);
    let good = mint(here.path(), &["--user", "anna", "--name", "Anna", "--room", "lobby"]);
    let foreign = mint(elsewhere.path(), &["--user", "anna", "--room", "lobby"]);
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);

    let (answer, _) = server.connect(json!({"token": good}));
    assert_eq!(
        (&answer["connected"]["user"], &answer["connected"]["name"]),
        (&json!("anna"), &json!("Anna")),
        "{answer}"
    );

    let (answer, _) = server.connect(json!({"name": "Вася"}));
    let guest = answer["connected"]["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let (again, _) = server.connect(json!({"token": guest}));
    assert_eq!(again["connected"]["user"], answer["connected"]["user"], "{again}");

    for bad in [&foreign, &unsigned, "x", "a.b.c", &"x".repeat(9 << 10)] {
        let (answer, closed) = server.connect(json!({"token": bad}));
        assert_eq!((&answer["error"]["code"], closed), (&json!(200), Some(4401)), "{answer}");
    }
    let (answer, closed) = server.connect(json!({"name": "a\nb"}));
    assert_eq!((&answer["error"]["code"], closed), (&json!(400), Some(4401)), "{answer}");

    let secret = std::fs::read_to_string(here.path().join("data/secret")).unwrap();
    let log = server.log();
    assert!(log.contains("draining"), "the log was not seen: {log}");
    for hidden in [&good, &foreign, &guest, secret.trim()] {
        // The signature alone would be too much.
        let hidden = hidden.rsplit('.').next().unwrap();
        let told = log.lines().find(|line| line.contains(hidden));
        assert_eq!(told, None, "the log tells a secret");
    }
}

#[test]
fn guests_stay_out_where_they_are_not_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[("KONVERT_AUTH__GUESTS", "false")]);
    let (answer, closed) = server.connect(json!({"name": "Anna"}));
    assert_eq!((&answer["error"]["code"], closed), (&json!(202), Some(4401)), "{answer}");
}
