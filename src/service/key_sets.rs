//! Fetches the key sets that others publish and hands them to whoever verifies tokens.
//!
//! Owns when: at the start, every so often, and soon after a token named a key that is not known. Invariants: the last
//! good set stays while nothing better comes; an answer is bounded in size and time; however many unknown keys are
//! named, a set is fetched at most every half minute.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Auth;

/// Longest set, bytes.
const BYTES_MAX: usize = 256 << 10;
/// Longest wait for one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between two fetches when a key is missed, and after a failure, seconds.
const AGAIN_S: u64 = 30;

/// Keeps every set up to date until it is dropped.
pub async fn follow_key_sets(auth: Arc<Auth>) {
    let client =
        reqwest::Client::builder().no_proxy().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "key sets cannot be fetched"),
    };
    let sets = (0..auth.key_sets().len()).map(|index| follow(&auth, &client, index));
    futures_util::future::join_all(sets).await;
}

async fn follow(auth: &Auth, client: &reqwest::Client, index: usize) {
    let Some(set) = auth.key_sets().nth(index) else { return };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let fetched = match fetch(client, &set.url).await {
            Ok(text) => auth.replace_key_set(index, &text),
            Err(reason) => Err(reason),
        };
        let wait_s = match fetched {
            Ok(keys) => {
                tracing::debug!(url = set.url, keys, "a key set was fetched");
                set.refresh_s
            }
            Err(reason) => {
                tracing::warn!(
                    url = set.url,
                    reason,
                    "a key set could not be fetched; what is known of it still holds"
                );
                AGAIN_S
            }
        };
        let mut waited_s = 0;
        let mut is_missed = false;
        while waited_s < wait_s && !(is_missed && waited_s >= AGAIN_S) {
            second.tick().await;
            waited_s += 1;
            is_missed |= auth.take_missed_key(index);
        }
    }
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, String> {
    let tell = |error: reqwest::Error| error.without_url().to_string();
    let mut answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(tell)?;
    if !answer.status().is_success() {
        return Err(format!("the answer is {}", answer.status()));
    }
    let mut text = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(tell)? {
        text.extend_from_slice(&part);
        if text.len() > BYTES_MAX {
            return Err(format!("it is longer than {BYTES_MAX} bytes"));
        }
    }
    Ok(text)
}
