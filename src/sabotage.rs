//! Deliberately broken behaviour, for the negative controls of the tests: a test that cannot fail proves nothing.
//!
//! Owns the list of faults switched on by the environment variable `KONVERT_SABOTAGE` (names separated by commas).
//! Without the cargo feature `sabotage`, which no release has, every question is answered with `false` at compile time.

/// Whether a fault was asked for. Names in use: in the journal `ack_before_store`, `skip_idempotency`, `skip_sync`,
/// `hole_in_order`, `serve_damaged`; in the core `reorder`, `drop_on_resume`, `store_signals`, `accept_plaintext`; at
/// the edge `unbounded_outbox`, `no_limits`; of webhooks `forget_webhooks`; in the service `keep_revoked`, `keep_members`.
#[cfg(feature = "sabotage")]
pub fn is(fault: &str) -> bool {
    static FAULTS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let from_environment = || {
        let list = std::env::var("KONVERT_SABOTAGE").unwrap_or_default();
        list.split(',').map(|name| name.trim().to_owned()).collect()
    };
    FAULTS.get_or_init(from_environment).iter().any(|name| name == fault)
}

/// Whether a fault was asked for: never, in this build.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
pub fn is(_fault: &str) -> bool {
    false
}
