//! The place of a run: a server of our own, where its data is, and the ways to hurt it. Whatever it puts up (processes,
//! mounts, files) it takes down, also when the run is interrupted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::mount::Mount;
use crate::bench::{merged, server_binary};
use crate::client::Target;
use crate::error::{Result, setup};
use crate::options::Common;
use crate::server_process::{Launch, ServerProcess};
use crate::token::Tokens;

/// Limits that would get into the way of the torture's own traffic.
const SETTINGS: [&str; 3] = [
    "gateway.commands_per_second=1000000",
    "gateway.publishes_per_second=1000000",
    "gateway.pending_per_address=10000",
];

/// A server and where it keeps its data. Fields are taken down in this order.
pub struct Stage {
    server: Option<ServerProcess>,
    /// Where to connect.
    pub target: Target,
    launch: Launch,
    mount: Option<Mount>,
    data: PathBuf,
    _dir: TempDir,
}

impl Stage {
    /// A server with its data in a directory.
    pub async fn plain(common: &Common, settings: &[&str], env: &[(String, String)]) -> Result<Self> {
        let dir = scratch(common)?;
        let data = dir.path().join("data");
        Self::open(common, settings, env, dir, data, None).await
    }

    /// A server with its data on a file system of its own, of `bytes` bytes.
    pub async fn mounted(common: &Common, settings: &[&str], env: &[(String, String)], bytes: u64) -> Result<Self> {
        let dir = scratch(common)?;
        let mount = Mount::create(dir.path(), bytes)?;
        let data = mount.path().join("data");
        Self::open(common, settings, env, dir, data, Some(mount)).await
    }

    async fn open(
        common: &Common,
        settings: &[&str],
        env: &[(String, String)],
        dir: TempDir,
        data: PathBuf,
        mount: Option<Mount>,
    ) -> Result<Self> {
        let settings = merged(&SETTINGS, settings, &common.settings);
        let mut launch = Launch::konvert(&server_binary(common)?, dir.path(), &data, 0, &settings)?;
        launch.env = env.to_vec();
        let server = launch.start().await?;
        let tokens = Tokens::from_secret_file(&data.join("secret"))?;
        let target = Target::parse(&server.address.to_string(), tokens)?;
        let launch = launch.on_port(server.address.port());
        Ok(Self { server: Some(server), target, launch, mount, data, _dir: dir })
    }

    /// The server's data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The file system of its own, if it has one.
    pub fn mount(&self) -> Result<&Mount> {
        self.mount.as_ref().ok_or_else(|| setup("this stage has no file system of its own"))
    }

    /// How the server is started.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Whether the server has ended by itself.
    pub fn has_fallen(&mut self) -> bool {
        self.server.as_mut().is_none_or(ServerProcess::has_ended)
    }

    /// Kills the server.
    pub async fn kill(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Asks the server to end.
    pub async fn stop(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.stop().await.map(drop),
            None => Ok(()),
        }
    }

    /// Starts it again; returns how long it took.
    pub async fn restart(&mut self) -> Result<Duration> {
        let server = self.launch.start().await?;
        let took = server.start_time;
        self.server = Some(server);
        Ok(took)
    }

    /// Cuts the power: what the kernel holds unwritten is gone, then the server, and the file system comes back as the
    /// disk has it.
    pub async fn cut_power(&mut self) -> Result<()> {
        self.mount()?.shut_down()?;
        self.kill().await?;
        match &self.mount {
            Some(mount) => mount.mount_again(),
            None => Ok(()),
        }
    }
}

fn scratch(common: &Common) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("konvert-torture-");
    Ok(match &common.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            builder.tempdir_in(dir)?
        }
        None => builder.tempdir()?,
    })
}
