//! What a run found: named figures with units, histograms and curves. Pure; how they are shown is the report's.

use serde::Serialize;

use crate::stats::{Faults, Latency};

/// What a figure counts. Values are kept in the base unit named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Time,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// Things per second.
    PerSecond,
    /// Of a whole, 1 is all.
    Share,
    /// A multiple of something else.
    Ratio,
}

impl Unit {
    /// Writes a value of this unit for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Time if value < 1e3 => format!("{} µs", digits(value)),
            Unit::Time if value < 1e6 => format!("{} ms", digits(value / 1e3)),
            Unit::Time => format!("{} s", digits(value / 1e6)),
            Unit::Bytes if value < 1024.0 => format!("{value:.0} B"),
            Unit::Bytes if value < 1024.0 * 1024.0 => format!("{} KiB", digits(value / 1024.0)),
            Unit::Bytes => format!("{} MiB", digits(value / 1024.0 / 1024.0)),
            Unit::Count => thousands(value),
            Unit::PerSecond => format!("{}/s", thousands(value)),
            Unit::Share => format!("{} %", digits(value * 100.0)),
            Unit::Ratio => format!("{}×", digits(value)),
        }
    }
}

/// Three digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn thousands(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return digits(value);
    }
    let plain = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// One named number.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Name, as `--assert` takes it: `p99`, `lost`, `cpu_per_delivery`, …
    pub name: String,
    /// Value in the unit's base.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// A line to be drawn: how something grows.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// What is shown, for the heading.
    pub title: String,
    /// What grows from left to right.
    pub x_name: String,
    /// Unit of the height.
    pub unit: Unit,
    /// The lines: name and points `(x, y)`.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
    /// Whether both axes are logarithmic.
    pub logarithmic: bool,
}

/// Everything one scenario found.
#[derive(Default)]
pub struct Outcome {
    /// Name of the scenario with what matters of its settings.
    pub title: String,
    /// Figures in the order to be shown.
    pub figures: Vec<Figure>,
    /// Delays, if the scenario measures any.
    pub latency: Option<Latency>,
    /// Curves to draw.
    pub curves: Vec<Curve>,
    /// What was skipped or should be known when reading the figures.
    pub notes: Vec<String>,
    /// Why the run does not count, whatever the figures say.
    pub invalid: Vec<String>,
}

impl Outcome {
    /// An outcome without figures yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: Unit) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    /// Adds a count.
    pub fn count(&mut self, name: impl Into<String>, value: u64) {
        self.add(name, value as f64, Unit::Count);
    }

    /// Adds p50 to max of `latency`, each name behind `prefix`.
    pub fn quantiles(&mut self, prefix: &str, latency: &Latency) {
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
            self.add(format!("{prefix}{name}"), latency.quantile_us(quantile), Unit::Time);
        }
    }

    /// Adds what was wrong with deliveries.
    pub fn faults(&mut self, faults: Faults) {
        self.count("lost", faults.lost);
        self.count("duplicates", faults.duplicates);
        self.count("out_of_order", faults.out_of_order);
        self.count("foreign", faults.foreign);
    }

    /// The figure of this name.
    pub fn find(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// Value of the figure of this name, if there is one.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.find(name).map(|figure| figure.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_for_people() {
        for (unit, value, want) in [
            (Unit::Time, 2.7345, "2.73 µs"),
            (Unit::Time, 12_345.0, "12.3 ms"),
            (Unit::Bytes, 1536.0, "1.50 KiB"),
            (Unit::Count, 1_234_567.0, "1 234 567"),
            (Unit::PerSecond, 999.0, "999/s"),
            (Unit::Share, 0.005, "0.500 %"),
            (Unit::Ratio, 1.1, "1.10×"),
        ] {
            assert_eq!(unit.show(value), want);
        }
    }
}
