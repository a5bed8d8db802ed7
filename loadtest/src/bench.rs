//! What a scenario runs against: a server (ours or somebody's), the credentials for it, the meters on it, and the
//! progress shown meanwhile.

use std::cell::RefCell;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use konvert_protocol::v1;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::{Session, Target};
use crate::error::{Error, Result, setup};
use crate::options::Common;
use crate::server_process::{Launch, ServerProcess, Usage, pin_self};
use crate::token::Tokens;

/// Limits of the started server that would measure themselves rather than the server.
const MEASURING_SETTINGS: [&str; 4] = [
    "gateway.commands_per_second=1000000",
    "gateway.publishes_per_second=1000000",
    "gateway.signals_per_second=1000000",
    "gateway.pending_per_address=10000",
];

/// A server to measure.
pub struct Bench {
    /// Where to connect.
    pub target: Target,
    /// The server, when it is ours; absent while it is down.
    pub server: Option<ServerProcess>,
    /// How ours is started again.
    pub launch: Option<Launch>,
    pid: Option<u32>,
    quiet: bool,
    /// Kept so that the directory lives as long as the server.
    _dir: Option<TempDir>,
}

impl Bench {
    /// Takes the server of the command line or starts one; `settings` are the scenario's, those of the command line win.
    pub async fn prepare(common: &Common, settings: &[&str]) -> Result<Self> {
        if common.pin {
            pin_self(1)?;
        }
        if let Some(url) = &common.url {
            return Self::of_url(common, url);
        }
        let (dir, temporary) = directory(common)?;
        let settings = merged(&MEASURING_SETTINGS, settings, &common.settings);
        let mut launch = Launch::konvert(&server_binary(common)?, &dir, &dir.join("data"), 0, &settings)?;
        launch.core = common.pin.then_some(0);
        let server = launch.start().await?;
        let tokens = Tokens::from_secret_file(&dir.join("data/secret"))?;
        Self::of_server(common, launch, server, tokens, temporary)
    }

    /// Starts the bare loop with up to `coalesce` frames per write.
    pub async fn limit(common: &Common, coalesce: usize) -> Result<Self> {
        if common.pin {
            pin_self(1)?;
        }
        let (dir, temporary) = directory(common)?;
        let launch = Launch {
            program: std::env::current_exe()?,
            args: vec!["limit-server".into(), "--coalesce".into(), coalesce.to_string()],
            env: Vec::new(),
            log: dir.join("limit.log"),
            core: common.pin.then_some(0),
        };
        let server = launch.start().await?;
        Self::of_server(common, launch, server, Tokens::Absent, temporary)
    }

    fn of_url(common: &Common, url: &str) -> Result<Self> {
        let tokens = match (&common.token, &common.secret_file) {
            (Some(token), _) => Tokens::Given(token.clone()),
            (None, Some(file)) => Tokens::from_secret_file(file)?,
            (None, None) => return Err(setup("--url needs --secret-file <data>/secret, or --token")),
        };
        let target = Target::parse(url, tokens)?;
        Ok(Self { target, server: None, launch: None, pid: common.pid, quiet: common.quiet, _dir: None })
    }

    fn of_server(
        common: &Common,
        launch: Launch,
        server: ServerProcess,
        tokens: Tokens,
        dir: Option<TempDir>,
    ) -> Result<Self> {
        let target = Target::parse(&server.address.to_string(), tokens)?;
        let launch = Some(launch.on_port(server.address.port()));
        let pid = Some(server.pid);
        Ok(Self { target, server: Some(server), launch, pid, quiet: common.quiet, _dir: dir })
    }

    /// Ends a server of ours.
    pub async fn stop(mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Starts our server again after it was ended, with its data and on its port.
    pub async fn restart(&mut self) -> Result<Duration> {
        let launch =
            self.launch.as_ref().ok_or_else(|| setup("only a server started by the tester can be restarted"))?;
        let server = launch.start().await?;
        self.pid = Some(server.pid);
        let took = server.start_time;
        self.server = Some(server);
        Ok(took)
    }

    /// What the server has used so far; `None` when its process is not known.
    pub fn usage(&self) -> Result<Option<Usage>> {
        self.pid.map(Usage::of).transpose()
    }

    /// A progress bar up to `len`.
    pub fn bar(&self, what: &str, len: u64) -> ProgressBar {
        progress_bar(self.quiet, what, len)
    }

    /// Connects users `0..count`, `concurrency` at a time; `rooms` tells what each subscribes to.
    /// `each` is given every session as it comes.
    pub async fn connect_all<F>(
        &self,
        count: usize,
        concurrency: usize,
        rooms: impl Fn(usize) -> Vec<v1::Subscribe>,
        each: impl Fn(usize, Session) -> F,
    ) -> Result<()>
    where
        F: Future<Output = ()>,
    {
        let bar = self.bar("connecting", count as u64);
        let gate = Rc::new(Semaphore::new(concurrency));
        let mut tasks = JoinSet::new();
        let failure: Rc<RefCell<Option<Error>>> = Rc::default();
        for index in 0..count {
            let permit = Rc::clone(&gate);
            let permit = permit.acquire_many(1).await.map_err(|_| setup("the gate closed"))?;
            permit.forget();
            let (target, rooms) = (self.target.clone(), rooms(index));
            let gate = Rc::clone(&gate);
            tasks.spawn_local(async move {
                let session = target.connect(index, &format!("load-{index}"), rooms).await;
                gate.add_permits(1);
                (index, session)
            });
            while let Some(done) = tasks.try_join_next() {
                self.connected(done, &each, &failure).await;
                bar.inc(1);
            }
            if failure.borrow().is_some() {
                break;
            }
        }
        while let Some(done) = tasks.join_next().await {
            self.connected(done, &each, &failure).await;
            bar.inc(1);
        }
        bar.finish_and_clear();
        match failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn connected<F: Future<Output = ()>>(
        &self,
        done: std::result::Result<(usize, Result<Session>), tokio::task::JoinError>,
        each: &impl Fn(usize, Session) -> F,
        failure: &RefCell<Option<Error>>,
    ) {
        match done {
            Ok((index, Ok(session))) => match refused_room(&session) {
                None => each(index, session).await,
                Some(error) => drop(failure.borrow_mut().get_or_insert(error)),
            },
            Ok((_, Err(error))) => drop(failure.borrow_mut().get_or_insert(error)),
            Err(error) => drop(failure.borrow_mut().get_or_insert(setup(error.to_string()))),
        }
    }
}

/// The error of the first room that the server did not let the session into.
fn refused_room(session: &Session) -> Option<Error> {
    session.connected.rooms.iter().find_map(|room| room.error.clone()).map(Error::Refused)
}

/// A progress bar up to `len`, or nothing when `quiet`.
pub fn progress_bar(quiet: bool, what: &str, len: u64) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let template = "{msg:>12} [{bar:40}] {human_pos}/{human_len} {per_sec} {elapsed}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(len).with_style(style.progress_chars("━╸─")).with_message(what.to_owned())
}

/// The binary to start: the one named, or `konvert` beside this program.
pub fn server_binary(common: &Common) -> Result<PathBuf> {
    let binary = match &common.server {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("konvert"),
    };
    if binary.is_file() {
        return Ok(binary);
    }
    Err(setup(format!("{}: not there; build it (cargo build --release) or name it by --server", binary.display())))
}

fn directory(common: &Common) -> Result<(PathBuf, Option<TempDir>)> {
    if let Some(dir) = &common.dir {
        std::fs::create_dir_all(dir)?;
        return Ok((dir.clone(), None));
    }
    let dir = tempfile::Builder::new().prefix("konvert-loadtest-").tempdir()?;
    Ok((dir.path().to_owned(), Some(dir)))
}

/// Settings where a later one of the same key replaces an earlier one.
pub fn merged(base: &[&str], scenario: &[&str], given: &[String]) -> Vec<String> {
    let mut settings: Vec<String> = Vec::new();
    for setting in base.iter().chain(scenario).map(|&text| text.to_owned()).chain(given.iter().cloned()) {
        let key = setting.split('=').next().unwrap_or_default().trim().to_owned();
        settings.retain(|other| other.split('=').next().unwrap_or_default().trim() != key);
        settings.push(setting);
    }
    settings
}
