//! A server that the tester starts, ends and starts again, and what the kernel tells about it. Knows the server only by
//! its command line: `serve --config FILE --port N --data DIR`, which prints `listening on http://ADDRESS`.
//! The process ends with this value, also when the run is interrupted.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::error::{Error, Result, setup};

/// A server that is not ready within this has failed to start.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A server that has not exited this long after being asked is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const READY: &str = "listening on http://";

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
    /// Where its output goes.
    pub log: PathBuf,
    /// The core it may run on, if it is to be pinned.
    pub core: Option<usize>,
}

impl Launch {
    /// `konvert serve` on `port` (zero: a free one) with its data in `data` and `settings` such as `gateway.shards=1` in
    /// `dir/config.toml`.
    pub fn konvert(program: &Path, dir: &Path, data: &Path, port: u16, settings: &[String]) -> Result<Self> {
        let config = dir.join("config.toml");
        let lines: Vec<String> = settings.iter().map(|setting| setting.replacen('=', " = ", 1)).collect();
        fs::write(&config, lines.join("\n") + "\n")?;
        let args = ["serve", "--config", &path(&config)?, "--port", &port.to_string(), "--data", &path(data)?];
        Ok(Self {
            program: program.to_owned(),
            args: args.map(str::to_owned).to_vec(),
            env: Vec::new(),
            log: dir.join("server.log"),
            core: None,
        })
    }

    /// The same server on another port.
    pub fn on_port(mut self, port: u16) -> Self {
        if let Some(at) = self.args.iter().position(|arg| arg == "--port") {
            self.args[at + 1] = port.to_string();
        }
        self
    }

    /// Starts the server and waits until it listens.
    pub async fn start(&self) -> Result<ServerProcess> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let begun = Instant::now();
        let mut child = with_affinity(self.core, || command.spawn())
            .map_err(|error| setup(format!("cannot start {}: {error}", self.program.display())))?;
        let stdout = child.stdout.take().ok_or_else(|| setup("the server has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let address = tokio::time::timeout(START_TIMEOUT, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, rest)) = line.split_once(READY) {
                    let end = rest.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(rest.len());
                    return rest[..end].parse().map_err(|_| Error::Protocol(format!("an odd address in {line:?}")));
                }
            }
            let status = child.wait().await?;
            Err(setup(format!("{} ended with {status}: {}", self.program.display(), self.log_tail())))
        });
        let address = address.await.map_err(|_| Error::Timeout("the server to listen"))??;
        let start_time = begun.elapsed();
        // Whatever else it prints is read and dropped, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = child.id().ok_or_else(|| setup("the server ended at once"))?;
        Ok(ServerProcess { child, pid, address, start_time })
    }

    /// The end of what the server said.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.lines().count().saturating_sub(5);
        text.lines().skip(from).collect::<Vec<_>>().join(" | ")
    }
}

/// A running server.
pub struct ServerProcess {
    child: Child,
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process until it listened.
    pub start_time: Duration,
}

impl ServerProcess {
    /// Kills it at once, as a crash would.
    pub async fn kill(mut self) -> Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Asks it to end and waits for that.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        let pid = Pid::from_raw(self.pid as i32).ok_or_else(|| setup("an impossible process id"))?;
        kill_process(pid, Signal::TERM)?;
        match tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.kill().await?;
                Err(Error::Timeout("the server to end"))
            }
        }
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU in user space, microseconds.
    pub user_us: f64,
    /// CPU in the kernel, microseconds.
    pub system_us: f64,
    /// Memory in use, bytes.
    pub resident_bytes: u64,
    /// The part of it that is not backed by files: heap and stacks, bytes.
    pub anonymous_bytes: u64,
    /// The most memory in use so far, bytes.
    pub peak_bytes: u64,
}

impl Usage {
    /// Reads it from the kernel.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let odd = || Error::Io(io::Error::other(format!("/proc/{pid}/stat is odd")));
        // The name, in parentheses, may hold anything; numbers follow the last parenthesis.
        let numbers: Vec<&str> = stat.rsplit_once(')').ok_or_else(odd)?.1.split_whitespace().collect();
        let tick_us = 1e6 / rustix::param::clock_ticks_per_second() as f64;
        let time = |at: usize| numbers.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).map(|ticks| ticks * tick_us);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        Ok(Self {
            user_us: time(11).ok_or_else(odd)?,
            system_us: time(12).ok_or_else(odd)?,
            resident_bytes: bytes("VmRSS:"),
            anonymous_bytes: bytes("RssAnon:"),
            peak_bytes: bytes("VmHWM:"),
        })
    }

    /// All CPU, microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.user_us + self.system_us
    }
}

/// Binds this process to one core.
pub fn pin_self(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Runs `spawn` while bound to `core`, so that the child is bound from its first instruction.
fn with_affinity<T>(core: Option<usize>, spawn: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(core) = core else { return spawn() };
    let own = rustix::thread::sched_getaffinity(None)?;
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)?;
    let spawned = spawn();
    sched_setaffinity(None, &own)?;
    spawned
}

fn path(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| setup(format!("{}: not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_oneself() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 100_000 && usage.peak_bytes >= usage.resident_bytes);
        assert!(Usage::of(u32::MAX).is_err());
    }

    #[tokio::test]
    async fn a_server_that_dies_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let args = vec!["-c".to_owned(), "echo no luck >&2; exit 3".to_owned()];
        let log = dir.path().join("log");
        let launch = Launch { program: "/bin/sh".into(), args, env: Vec::new(), log, core: None };
        let error = launch.start().await.err().unwrap().to_string();
        assert!(error.contains("no luck"), "{error}");
    }

    #[tokio::test]
    async fn the_address_is_read_from_the_first_words() {
        let dir = tempfile::tempdir().unwrap();
        let args =
            vec!["-c".to_owned(), "echo 'konvert listening on http://127.0.0.1:4711/'; exec sleep 60".to_owned()];
        let log = dir.path().join("log");
        let launch = Launch { program: "/bin/sh".into(), args, env: Vec::new(), log, core: None };
        let server = launch.start().await.unwrap();
        assert_eq!(server.address.port(), 4711);
        server.kill().await.unwrap();
    }
}
