//! The tester's binary against its own limit server: the whole path from command line to verdict without any other
//! server, and the proof that a lossless run passes and a demand that cannot be met fails.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_konvert-loadtest");

struct Limit {
    process: Child,
    url: String,
}

impl Limit {
    fn start(coalesce: &str) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["limit-server", "--coalesce", coalesce]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().trim_start_matches("listening on http://").to_owned();
        Self { process, url }
    }

    fn run(&self, args: &[&str]) -> (bool, serde_json::Value) {
        let common = ["--url", &self.url, "--token", "none", "--quiet", "--json", "-"];
        let output = Command::new(BINARY).args(args).args(common).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {output:?}"));
        (output.status.success(), json)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn value(report: &serde_json::Value, name: &str) -> f64 {
    report["figures"][name]["value"].as_f64().unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
fn every_delivery_is_counted() {
    let limit = Limit::start("1");
    for kind in ["signal", "message"] {
        let traffic = ["--kind", kind, "--rate", "200", "--seconds", "1", "--warmup", "0.2", "--publishers", "2"];
        let rooms = ["rooms", "--rooms", "8", "--members", "5"];
        let (passed, report) = limit.run(&[&rooms[..], &traffic[..], &["--assert", "lost==0"]].concat());
        assert!(passed, "{report}");
        assert_eq!(value(&report, "delivered"), value(&report, "expected"), "{report}");
        assert!((value(&report, "expected") - 240.0 * 5.0).abs() <= 10.0, "{report}");
    }
}

#[test]
fn saturated_and_coalesced() {
    let limit = Limit::start("64");
    let traffic = ["--kind", "signal", "--saturate", "64", "--seconds", "0.5", "--warmup", "0.1"];
    let (passed, report) = limit.run(&[&["fanout", "--subscribers", "20"][..], &traffic[..]].concat());
    assert!(passed, "{report}");
    assert!(value(&report, "delivered") > 10_000.0, "{report}");
}

#[test]
fn a_demand_that_is_not_met_fails_the_run() {
    let limit = Limit::start("1");
    for (demand, holds) in [("connected==30", true), ("p50<=0us", false), ("no_such_figure>=0", false)] {
        let (passed, report) = limit.run(&["connect", "--connections", "30", "--assert", demand]);
        assert_eq!(passed, holds, "{demand}: {report}");
    }
}
