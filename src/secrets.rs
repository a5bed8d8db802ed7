//! The server's secret, kept in the data directory.
//!
//! Owns its making at the first start and the refusal of a secret that others can read. Knows not what it signs.
//! Invariant: a secret never leaves this process by a log, an error or a printed setting.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a secret: as long as HS256's output.
pub const SECRET_BYTES: usize = 32;
const FILE: &str = "secret";

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The directory cannot be made or the file not read or written.
    #[error("{path}: {error}; the server must be able to write to its data directory")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others can read it, so it may be known already.
    #[error(
        "{path} can be read by others (mode {mode:03o}); run `chmod 600 {path}`, or delete it to get a new one, \
             which ends every token signed with it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What is there is not a secret.
    #[error(
        "{path} does not hold {SECRET_BYTES} bytes in base64; restore it from a backup, or delete it to get a new \
             one, which ends every token signed with it"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the secret of a data directory; makes both if they are not there.
///
/// # Errors
/// See [`SecretError`]; each says what to do.
pub fn load_or_create(data: &Path) -> Result<Vec<u8>, SecretError> {
    let path = data.join(FILE);
    let io = |error| SecretError::Io { path: path.clone(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(io)?;
    if !path.try_exists().map_err(io)? {
        create(data, &path).map_err(io)?;
    }
    let mode = fs::metadata(&path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Open { path, mode });
    }
    let text = fs::read_to_string(&path).map_err(io)?;
    match STANDARD.decode(text.trim()) {
        Ok(secret) if secret.len() >= SECRET_BYTES => Ok(secret),
        _ => Err(SecretError::Malformed { path }),
    }
}

/// Writes a new secret under another name and links it into place: whoever looks finds all of it or nothing, and of two
/// who start at once, the second takes the secret of the first.
fn create(data: &Path, path: &Path) -> io::Result<()> {
    let fresh = data.join(format!("{FILE}.{:016x}", rand::random::<u64>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{}", STANDARD.encode(rand::random::<[u8; SECRET_BYTES]>()))?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name, too, must survive a power cut: a new secret would end every token.
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/b");
        let first = load_or_create(&data).unwrap();
        assert_eq!(first.len(), SECRET_BYTES);
        assert_eq!(load_or_create(&data).unwrap(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data.join(FILE)), mode(&data)), (0o600, 0o700));
        assert_ne!(load_or_create(&directory.path().join("other")).unwrap(), first);
    }

    #[test]
    fn refused_when_open_or_malformed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        load_or_create(directory.path()).unwrap();
        for mode in [0o640, 0o604, 0o622] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load_or_create(directory.path()).unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(&format!("{mode:o}")), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "AAAA", "not base64!", "AAAA".repeat(10).as_str()] {
            fs::write(&path, text).unwrap();
            assert!(matches!(load_or_create(directory.path()), Err(SecretError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn all_who_start_at_once_get_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| load_or_create(data).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(fs::read_dir(data).unwrap().count(), 1, "nothing else is left there");
    }
}
