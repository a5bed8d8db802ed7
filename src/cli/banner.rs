//! What `konvert serve` prints when it is ready: where to go, and what is not yet safe for production.
//!
//! Invariant: the last line is `listening on http://ADDRESS:PORT`, for programs that start the server.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;

use super::health::reachable;
use crate::config::Config;
use crate::server::Ready;

pub(super) fn banner(config: &Config, ready: &Ready) -> String {
    let bound = ready.address;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let (bold, yellow, plain) = if colour { ("\x1b[1m", "\x1b[33m", "\x1b[0m") } else { ("", "", "") };
    let address = SocketAddr::new(reachable(bound.ip()), bound.port());
    let data = config.server.data.canonicalize().unwrap_or_else(|_| config.server.data.clone());
    let mut text = format!(
        "{bold}Konvert {version}{plain}\n\n  \
           chat page  {bold}http://{address}/{plain}\n  \
           socket     ws://{address}/api/websocket\n  \
           API        http://{address}/api/docs\n  \
           health     http://{address}/api/health\n  \
           metrics    http://{address}/metrics\n  \
           data       {data}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        data = data.display(),
    );
    if let Some(code) = &ready.first_administrator {
        let _ = writeln!(
            text,
            "There is no administrator yet. Whoever has this link becomes the first, once:\n  \
               {bold}http://{address}/api/auth/first-administrator?code={code}{plain}\n"
        );
    }
    let warnings = warnings(config, bound);
    if !warnings.is_empty() {
        let _ = writeln!(text, "{yellow}Not yet safe for production:{plain}");
        warnings.iter().for_each(|warning| {
            let _ = writeln!(text, "  - {warning}");
        });
        text.push('\n');
    }
    let _ = write!(text, "listening on http://{address}");
    text
}

/// What somebody from outside could do.
fn warnings(config: &Config, bound: SocketAddr) -> Vec<String> {
    let mut warnings = Vec::new();
    let guest_rooms = config.guest_rooms();
    if config.auth.guests && !guest_rooms.is_empty() {
        let rooms = guest_rooms.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if guest_rooms.len() > 5 { ", …" } else { "" };
        warnings.push(format!("guests enter without a token: {rooms}{more} (auth.guests = false closes that)"));
    }
    if !bound.ip().is_loopback() {
        warnings.push(format!(
            "connections are not encrypted, and {} takes them from every network: put a proxy with TLS in front \
             (deploy/) and listen with --bind 127.0.0.1",
            bound.ip()
        ));
        warnings.push("whoever reaches the port reads /metrics: let the proxy keep it private".to_owned());
    }
    if config.gateway.origins.iter().any(|origin| origin == "*") {
        warnings.push("pages of any origin may connect: name yours in gateway.origins".to_owned());
    }
    if cfg!(feature = "sabotage") {
        warnings.push("THIS BUILD IS BROKEN ON PURPOSE (feature `sabotage`): it exists to fail tests".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_where_and_what_is_not_safe() {
        let mut config = Config::default();
        let banner = |config: &Config, address: &str, code: Option<&str>| {
            banner(config, &Ready { address: address.parse().unwrap(), first_administrator: code.map(str::to_owned) })
        };
        let text = banner(&config, "0.0.0.0:4000", Some("abc"));
        assert!(text.contains("http://127.0.0.1:4000/api/auth/first-administrator?code=abc\n"), "{text}");
        for part in ["http://127.0.0.1:4000/\n", "ws://127.0.0.1:4000/api/websocket", "lobby", "not encrypted"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(text.lines().last(), Some("listening on http://127.0.0.1:4000"));
        config.auth.guests = false;
        let text = banner(&config, "[::1]:4000", None);
        assert!(!text.contains("administrator"), "{text}");
        assert_eq!(text.contains("Not yet safe"), cfg!(feature = "sabotage"), "{text}");
        assert_eq!(text.lines().last(), Some("listening on http://[::1]:4000"));
    }
}
