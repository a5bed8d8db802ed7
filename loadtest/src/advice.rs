//! What the machine's own limits do to a run, told before it begins: descriptors, ports, accept queue. Knows the kernel's
//! files; changes nothing.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Ports needed per connection and source address; the tester uses this many source addresses on the loopback.
const LOOPBACK_SOURCES: u64 = 32;
/// Descriptors a process needs besides its connections.
const SPARE_DESCRIPTORS: u64 = 100;
/// Handshakes that may be waiting to be accepted when everybody comes at once.
const BACKLOG_WANTED: u64 = 1024;

/// Raises the tester's own soft limit of descriptors as far as it may; what still stands in the way of `connections`.
pub fn prepare(connections: u64) -> Vec<String> {
    let limit = getrlimit(Resource::Nofile);
    // Refused or not, the limit that then holds is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let ports = read("/proc/sys/net/ipv4/ip_local_port_range").and_then(|text| {
        let (low, high) = text.trim().split_once(char::is_whitespace)?;
        Some(high.trim().parse::<u64>().ok()? - low.trim().parse::<u64>().ok()?)
    });
    let backlog = read("/proc/sys/net/core/somaxconn").and_then(|text| text.trim().parse().ok());
    obstacles(connections, descriptors, ports, backlog)
}

fn obstacles(connections: u64, descriptors: u64, ports: Option<u64>, backlog: Option<u64>) -> Vec<String> {
    let mut advice = Vec::new();
    if descriptors < connections + SPARE_DESCRIPTORS {
        advice.push(format!(
            "{connections} connections need as many descriptors, here and in the server, and {descriptors} are allowed: \
             ulimit -n {}",
            connections + SPARE_DESCRIPTORS
        ));
    }
    if ports.is_some_and(|ports| ports * LOOPBACK_SOURCES < connections) {
        advice.push("too few local ports: sysctl net.ipv4.ip_local_port_range='1024 65535'".into());
    }
    if backlog.is_some_and(|backlog| backlog < BACKLOG_WANTED.min(connections)) {
        advice.push(format!("the accept queue is short: sysctl net.core.somaxconn={BACKLOG_WANTED}"));
    }
    advice
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_told() {
        assert!(obstacles(10_000, 20_000, Some(28_000), Some(4096)).is_empty());
        assert!(obstacles(10_000, 1024, Some(28_000), Some(4096))[0].contains("ulimit"));
        assert!(obstacles(10_000, 20_000, Some(100), Some(4096))[0].contains("ports"));
        assert!(obstacles(10_000, 20_000, Some(28_000), Some(128))[0].contains("somaxconn"));
        assert!(obstacles(10, 1024, Some(28_000), Some(128)).is_empty());
    }
}
