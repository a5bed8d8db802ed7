//! Passwords: how good one must be, and the slow hash, on threads of its own.
//!
//! Owns the threads and their queue. They run at low priority, so that however many sign in, the sockets come first; a
//! full queue is refused, never grown. Invariants: no password is kept, logged or compared in the clear; somebody
//! unknown costs as much as somebody known.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use konvert_protocol::ErrorCode;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use zxcvbn::Score;

use super::{Advice, ServiceError};

/// Shortest password, characters.
pub(super) const CHARACTERS_MIN: usize = 8;
/// Longest password, bytes.
pub(super) const BYTES_MAX: usize = 256;
/// Memory of one hash, KiB, and passes over it: the first of what OWASP names for argon2id.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// Most hashes waiting: about a second's worth of two threads.
const QUEUE_MAX: usize = 64;
/// What somebody is told to wait when the queue is full, milliseconds.
const RETRY_MS: u32 = 1_000;
/// How far behind everything else the threads stand.
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The threads' front.
#[derive(Debug)]
pub(super) struct Passwords(SyncSender<Work>);

impl Passwords {
    /// Starts the threads; they end when this is dropped.
    pub(super) fn start() -> Self {
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let count = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2).min(4);
        for index in 0..count {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new().name(format!("password-{index}"));
            if let Err(error) = thread.spawn(move || work(&receiver)) {
                tracing::error!(%error, "a thread for passwords could not start");
            }
        }
        Self(sender)
    }

    /// The hash of a password that is good enough. `context` is what others know of its owner.
    ///
    /// # Errors
    /// `weak_password` says how to make it better; `rate_limited` when too many wait.
    pub(super) async fn hash(&self, password: &str, context: Vec<String>) -> Result<String, ServiceError> {
        check_length(password)?;
        let password = password.to_owned();
        self.run(move || {
            judge(&password, &context)?;
            hash(&password)
        })
        .await?
    }

    /// Whether a password is the one that was hashed. Without a hash it is not, after the same time.
    ///
    /// # Errors
    /// `rate_limited` when too many wait.
    pub(super) async fn verify(&self, password: &str, hashed: Option<String>) -> Result<bool, ServiceError> {
        // What cannot be a password is not hashed either, known or not.
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        let password = password.to_owned();
        self.run(move || match hashed {
            Some(hashed) => Ok(Argon2::default().verify_password(password.as_bytes(), hashed.as_str()).is_ok()),
            None => hash(&password).map(|_| false),
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServiceError> {
        let (reply, answer) = oneshot::channel();
        let work = move || {
            // Nobody waits any more when the request was broken off.
            if !reply.is_closed() {
                let _ = reply.send(work());
            }
        };
        self.0.try_send(Box::new(work)).map_err(|error| match error {
            TrySendError::Full(_) => ServiceError::too_fast(RETRY_MS),
            TrySendError::Disconnected(_) => ErrorCode::Internal.into(),
        })?;
        answer.await.map_err(|_| ErrorCode::Internal.into())
    }
}

fn work(receiver: &Mutex<Receiver<Work>>) {
    // On Linux a priority is a thread's own, whatever the manual of POSIX says.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "the threads for passwords run at the priority of all others");
    }
    loop {
        // Held while waiting: the others wait for the same.
        let next = receiver.lock().recv();
        match next {
            Ok(work) => work(),
            Err(_) => return,
        }
    }
}

fn hash(password: &str) -> Result<String, ServiceError> {
    let made = Params::new(MEMORY_KIB, PASSES, 1, None).ok().and_then(|params| {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password(password.as_bytes()).ok()
    });
    made.map(|hash| hash.to_string()).ok_or_else(|| ErrorCode::Internal.into())
}

fn check_length(password: &str) -> Result<(), ServiceError> {
    let weak = |text: String, advice: Advice| {
        Err(ServiceError { advice: vec![advice], ..ServiceError::because(ErrorCode::WeakPassword, text) })
    };
    if password.chars().count() < CHARACTERS_MIN {
        let text = format!("A password has at least {CHARACTERS_MIN} characters; a few unusual words are a good one.");
        return weak(text, Advice::TooShort);
    }
    if password.len() > BYTES_MAX {
        return weak(format!("A password has at most {BYTES_MAX} bytes."), Advice::TooLong);
    }
    Ok(())
}

/// Refuses what is guessed with less than 10^6 tries.
fn judge(password: &str, context: &[String]) -> Result<(), ServiceError> {
    // Each as a whole and in its parts: whoever guesses has both.
    let parts = context.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let context: Vec<_> = context.iter().map(String::as_str).chain(parts).filter(|part| part.len() > 2).collect();
    let entropy = zxcvbn::zxcvbn(password, &context);
    if entropy.score() >= Score::Two {
        return Ok(());
    }
    let mut text = "The password is too easy to guess.".to_owned();
    let found = entropy.feedback().into_iter().flat_map(|feedback| {
        let warning = feedback.warning().map(|warning| (Advice::from(warning), warning.to_string()));
        let suggestions = feedback.suggestions().iter();
        warning.into_iter().chain(suggestions.map(|suggestion| (Advice::from(*suggestion), suggestion.to_string())))
    });
    let mut advice = Vec::new();
    for (one, sentence) in found {
        advice.push(one);
        text.push(' ');
        text.push_str(sentence.trim_end_matches('.'));
        text.push('.');
    }
    Err(ServiceError { advice, ..ServiceError::because(ErrorCode::WeakPassword, text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn good_ones_are_hashed_and_weak_ones_are_explained() {
        let passwords = Passwords::start();
        let anna = || vec!["anna.karenina".to_owned(), "Anna".to_owned()];
        for weak in ["", "short", "password", "12345678", "aaaaaaaaaaaa", "annakarenina", &"x".repeat(257)] {
            let error = passwords.hash(weak, anna()).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::WeakPassword, "{weak}");
            assert!(error.message.len() > 20 && !error.advice.is_empty(), "{error}");
        }
        for (weak, advice) in [
            ("short", vec![Advice::TooShort]),
            (&"x".repeat(257), vec![Advice::TooLong]),
            ("password", vec![Advice::Top10, Advice::AddAWordOrTwo]),
            ("aaaaaaaaaaaa", vec![Advice::RepeatedCharacter, Advice::AddAWordOrTwo, Advice::AvoidRepeats]),
        ] {
            assert_eq!(passwords.hash(weak, anna()).await.unwrap_err().advice, advice, "{weak}");
        }
        let hashed = passwords.hash("violet-anchor-47", anna()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, passwords.hash("violet-anchor-47", anna()).await.unwrap());
        for (password, hash, want) in [
            ("violet-anchor-47", Some(hashed.clone()), true),
            ("violet-anchor-48", Some(hashed.clone()), false),
            ("violet-anchor-47", Some("no hash".to_owned()), false),
            ("violet-anchor-47", None, false),
        ] {
            assert_eq!(passwords.verify(password, hash).await.unwrap(), want);
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let passwords = Arc::new(Passwords::start());
        let all = (0..200).map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.verify("violet-anchor-47", None).await })
        });
        let all: Vec<_> = all.collect();
        let (mut done, mut refused) = (0, 0);
        for one in all {
            match one.await.unwrap() {
                Ok(_) => done += 1,
                Err(error) => {
                    assert_eq!((error.code, error.retry_after_ms), (ErrorCode::RateLimited, RETRY_MS));
                    refused += 1;
                }
            }
        }
        assert!(done >= QUEUE_MAX && refused > 0, "{done} done, {refused} refused");
    }
}
