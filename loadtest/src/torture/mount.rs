//! A file system of our own: ext4 in a file, mounted by a loop device. Its power can be cut: the `EXT4_IOC_SHUTDOWN`
//! ioctl makes the kernel forget whatever is not on the disk yet, journal included, exactly as a power loss does one
//! layer below. What the loop device's own disk caches is outside this test. Needs root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Result, setup};

/// The ioctl as C: safe Rust has no way to make one, and a compiler is where Rust is.
const SHUTDOWN_C: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
int main(int argc, char **argv) {
    unsigned no_log_flush = 2;
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || ioctl(fd, 0x8004587D, &no_log_flush) != 0) { perror("shutdown"); return 1; }
    return 0;
}
"#;

/// A mounted file system that goes away with this value.
pub struct Mount {
    image: PathBuf,
    path: PathBuf,
    shutdown: PathBuf,
}

impl Mount {
    /// Why mounts and power cuts are impossible here, if they are.
    pub fn obstacle() -> Option<&'static str> {
        if !rustix::process::geteuid().is_root() {
            return Some("needs root");
        }
        let missing =
            |tool: &str| Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err();
        if missing("mkfs.ext4") || missing("mount") {
            return Some("needs mkfs.ext4 and mount");
        }
        if Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Some("needs a C compiler");
        }
        None
    }

    /// Makes and mounts a file system of `bytes` bytes below `dir`.
    pub fn create(dir: &Path, bytes: u64) -> Result<Self> {
        let (image, path, shutdown) = (dir.join("disk.img"), dir.join("disk"), dir.join("shutdown"));
        std::fs::create_dir(&path)?;
        std::fs::File::create(&image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        std::fs::write(dir.join("shutdown.c"), SHUTDOWN_C)?;
        run(Command::new("cc").arg("-o").arg(&shutdown).arg(dir.join("shutdown.c")))?;
        let mount = Self { image, path, shutdown };
        mount.mount()?;
        Ok(mount)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets what is not on the disk, and fails everything from now on.
    pub fn shut_down(&self) -> Result<()> {
        run(Command::new(&self.shutdown).arg(&self.path))
    }

    /// Unmounts and mounts, as after a power loss.
    pub fn mount_again(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.path))?;
        self.mount()
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&self.image).arg(&self.path))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the killed server may hold files for another moment. The loop device goes with the mount.
        let done = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("could not unmount {}", self.path.display());
        }
    }
}

/// Runs a tool; its words are in the error when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| setup(format!("{}: {error}", command.get_program().display())))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(setup(format!("{} failed: {}", command.get_program().display(), words.trim())))
}
