//! The real binary as a child process: started on a free port, killed without warning, started again on the same one, which
//! nobody else gets meanwhile.

#![allow(dead_code, reason = "each test that includes this uses its own part")]

#[path = "postgres.rs"]
pub mod postgres;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdout, Command};

/// A start that takes longer than this has failed.
const START: Duration = Duration::from_secs(60);

/// Names the directory's database.
const DIRECTORY_URL: &str = "KONVERT_DIRECTORY__URL";

/// What is started.
#[derive(Debug, Clone)]
pub struct Setup {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    /// Where its log goes; where that of the tests goes, if nowhere else.
    log: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { binary: env!("CARGO_BIN_EXE_konvert").into(), environment: Vec::new(), log: None }
    }
}

impl Setup {
    /// With a setting other than its default, such as `gateway.heartbeat_ms`.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        let name = format!("KONVERT_{}", key.replace('.', "__").to_uppercase());
        self.environment.push((name, value.to_string()));
        self
    }

    /// With a log that is read afterwards.
    pub fn log_to(mut self, path: &Path) -> Self {
        self.log = Some(path.into());
        self
    }

    /// The deliberately broken build, with one fault switched on.
    pub fn broken(mut self, binary: &Path, fault: &str) -> Self {
        self.binary = binary.into();
        self.environment.push(("KONVERT_SABOTAGE".into(), fault.into()));
        self
    }

    /// Starts it on a free port, with an empty data directory and, where that is wanted, a PostgreSQL database.
    pub async fn start(&self) -> Server {
        let mut server = self.prepare();
        server.start_again().await;
        server
    }

    /// The same, not started yet.
    pub fn prepare(&self) -> Server {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut setup = self.clone();
        if postgres::is_wanted() && !setup.environment.iter().any(|(name, _)| name == DIRECTORY_URL) {
            setup = setup.set("directory.url", postgres::fresh_database()).set("directory.connections_max", 8);
        }
        let place = place();
        let port = place.local_addr().expect("an address").port();
        Server { setup, child: None, port, _place: place, data, first_administrator: None }
    }
}

/// A server with a data directory of its own.
pub struct Server {
    setup: Setup,
    child: Option<Child>,
    port: u16,
    /// Keeps the port while the server is down.
    _place: TcpSocket,
    /// Deleted when the server is dropped.
    data: TempDir,
    /// By which somebody becomes the first administrator.
    first_administrator: Option<String>,
}

impl Server {
    /// One with the default settings.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// Starts the server on the port and the data it had.
    pub async fn start_again(&mut self) {
        let log = self.setup.log.as_ref().map(|path| {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            Stdio::from(file.expect("the log can be written"))
        });
        let mut child = Command::new(&self.setup.binary)
            .args(["serve", "--port", &self.port.to_string(), "--data"])
            .arg(self.data.path())
            .env_remove("KONVERT_TEST_DATABASE")
            .envs(self.setup.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap_or_else(Stdio::inherit))
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let told = tokio::time::timeout(START, banner(lines)).await;
        let (port, first_administrator) = told.expect("the server tells its port in time");
        assert_eq!(port, self.port);
        self.first_administrator = first_administrator;
        self.child = Some(child);
    }

    /// From the next start on another value of a setting.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.setup = self.setup.clone().set(key, value);
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the server can be killed");
        }
    }

    /// Asks the server to end, as `systemctl stop` does; the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("the server runs");
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)).expect("it has a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be told");
        let status = tokio::time::timeout(START, child.wait()).await.expect("it ends in time");
        status.expect("it was a child").code()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the server runs")
    }

    /// How long its threads of such names have run, nanoseconds: how long one waits for them also depends on what else the
    /// machine does.
    pub fn ran_ns(&self, names: &str) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs").flatten();
        let read = |task: &Path, file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        let named = tasks.map(|task| task.path()).filter(|task| read(task, "comm").starts_with(names));
        let ran = |task: PathBuf| read(&task, "schedstat").split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
        named.map(|task| ran(task).expect("a number")).sum()
    }

    /// The code by which somebody becomes the first administrator, if it printed one at its last start.
    pub fn first_administrator(&self) -> Option<&str> {
        self.first_administrator.as_deref()
    }

    /// Where its socket is.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/api/websocket", self.address())
    }

    /// Deletes everything that a killed server has stored, its secret among it.
    pub fn forget_everything(&mut self) {
        self.data = tempfile::tempdir().expect("a temporary directory");
    }

    /// The address of the directory's database.
    pub fn directory_url(&self) -> String {
        let named = self.setup.environment.iter().find(|(name, _)| name == DIRECTORY_URL);
        let file = || format!("sqlite://{}", self.data.path().join("directory.sqlite").display());
        named.map_or_else(file, |(_, url)| url.clone())
    }

    /// What a start that must fail says.
    pub async fn refuses_to_start(&self) -> String {
        let mut command = Command::new(&self.setup.binary);
        command.args(["serve", "--port", "0", "--data"]).arg(self.data.path()).stdin(Stdio::null());
        command.env_remove("KONVERT_TEST_DATABASE").envs(self.setup.environment.iter().cloned()).kill_on_drop(true);
        let output = tokio::time::timeout(START, command.output()).await.expect("it ends").expect("it runs");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("it prints text")
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Where the chat page is.
    pub fn page(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What a subcommand prints that works on this server's data, running or not.
    pub async fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.setup.binary);
        command.args(words).arg("--data").arg(self.data.path()).stdin(Stdio::null());
        command.env_remove("KONVERT_TEST_DATABASE").envs(self.setup.environment.iter().cloned());
        let output = command.output().await.expect("the subcommand runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it prints text").trim().to_owned()
    }

    /// The secret it signs with.
    pub fn secret(&self) -> Vec<u8> {
        let text = std::fs::read_to_string(self.data.path().join("secret")).expect("the server made its secret");
        base64::engine::general_purpose::STANDARD.decode(text.trim()).expect("the secret is base64")
    }
}

/// A free port that nobody gets, and at which nobody answers. A server that is told its number can listen there, because
/// this does not.
pub fn place() -> TcpSocket {
    let place = TcpSocket::new_v4().expect("a socket");
    place.set_reuseaddr(true).expect("it can be shared");
    place.bind(([0, 0, 0, 0], 0).into()).expect("a free port");
    place
}

/// Reads up to `listening on http://127.0.0.1:PORT`; the port, and the code of the first administrator if there is one.
async fn banner(mut lines: Lines<BufReader<ChildStdout>>) -> (u16, Option<String>) {
    let mut code = None;
    loop {
        let line = lines.next_line().await.expect("the server's output").expect("the server tells its port");
        code = line.split_once("first-administrator?code=").map(|(_, code)| code.trim().to_owned()).or(code);
        let Some((_, after)) = line.split_once("listening on http://127.0.0.1:") else { continue };
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        // Somebody must go on listening, or the server stalls on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        return (digits.parse().expect("a port is a number"), code);
    }
}
