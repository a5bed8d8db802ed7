//! The real binary as a child process: started on a free port, killed without warning, started again on the same one.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A start that takes longer than this has failed.
const START: Duration = Duration::from_secs(30);

/// A server with a data directory of its own.
pub struct Server {
    child: Option<Child>,
    port: u16,
    /// Deleted when the server is dropped.
    data: TempDir,
}

impl Server {
    /// Starts a server on a free port, with an empty data directory.
    pub async fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self { child: None, port: 0, data };
        server.start_again().await;
        server
    }

    /// Starts the server on the port and the data it had.
    pub async fn start_again(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_konvert"))
            .args(["serve", "--port", &self.port.to_string(), "--data"])
            .arg(self.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        self.port = tokio::time::timeout(START, port(lines)).await.expect("the server tells its port in time");
        self.child = Some(child);
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the server can be killed");
        }
    }

    /// Asks the server to stop, as `systemctl stop` does, and waits until it has; true if it was content.
    pub async fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return false };
        let id = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())).expect("a running server");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the server can be asked");
        let status = tokio::time::timeout(START, child.wait()).await.expect("the server stops in time");
        status.expect("the server was a child").success()
    }

    /// Deletes everything that a killed server has stored, its secrets among it.
    pub fn forget_everything(&mut self) {
        self.data = tempfile::tempdir().expect("a temporary directory");
    }

    /// Where the chat page is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// Reads up to `listening on http://127.0.0.1:PORT`.
async fn port(mut lines: Lines<BufReader<ChildStdout>>) -> u16 {
    loop {
        let line = lines.next_line().await.expect("the server's output").expect("the server tells its port");
        let Some((_, after)) = line.split_once("listening on http://127.0.0.1:") else { continue };
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        // Somebody must go on listening, or the server stalls on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        return digits.parse().expect("a port is a number");
    }
}
