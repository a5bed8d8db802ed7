//! `--assert 'p99<=5ms'`: conditions on figures that decide the exit code. Pure.

use std::str::FromStr;

use crate::figures::{Outcome, Unit};

/// A condition on one figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    name: String,
    comparison: Comparison,
    /// In the base of the unit written, if one was written.
    value: f64,
    unit: Option<Unit>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    AtMost,
    AtLeast,
    Less,
    More,
    Equal,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

const UNITS: [(&str, f64, Option<Unit>); 14] = [
    ("", 1.0, None),
    ("ns", 1e-3, Some(Unit::Time)),
    ("us", 1.0, Some(Unit::Time)),
    ("µs", 1.0, Some(Unit::Time)),
    ("ms", 1e3, Some(Unit::Time)),
    ("s", 1e6, Some(Unit::Time)),
    ("B", 1.0, Some(Unit::Bytes)),
    ("KB", 1024.0, Some(Unit::Bytes)),
    ("KiB", 1024.0, Some(Unit::Bytes)),
    ("MB", 1024.0 * 1024.0, Some(Unit::Bytes)),
    ("MiB", 1024.0 * 1024.0, Some(Unit::Bytes)),
    ("/s", 1.0, Some(Unit::PerSecond)),
    ("%", 0.01, Some(Unit::Share)),
    ("x", 1.0, Some(Unit::Ratio)),
];

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?}: want NAME<=NUMBER[UNIT], with <= >= == < > and a unit of ns us ms s B KB MB /s % x");
        let (at, sign, comparison) = COMPARISONS
            .iter()
            .filter_map(|&(sign, comparison)| text.find(sign).map(|at| (at, sign, comparison)))
            .next()
            .ok_or_else(wrong)?;
        let (name, rest) = (text[..at].trim(), text[at + sign.len()..].trim());
        let number_len = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, unit_name) = (&rest[..number_len], rest[number_len..].trim());
        let &(_, factor, unit) = UNITS.iter().find(|(name, ..)| *name == unit_name).ok_or_else(wrong)?;
        let value = number.parse::<f64>().map_err(|_| wrong())? * factor;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self { name: name.into(), comparison, value, unit, text: text.into() })
    }
}

impl Threshold {
    /// Judges an outcome: what is wrong, or `None`. A figure that is absent, or of another unit, is wrong.
    pub fn judge(&self, outcome: &Outcome) -> Option<String> {
        let Some(figure) = outcome.find(&self.name) else {
            let names: Vec<&str> = outcome.figures.iter().map(|figure| figure.name.as_str()).collect();
            return Some(format!("{}: there is no figure {:?}; there are {}", self.text, self.name, names.join(", ")));
        };
        if self.unit.is_some_and(|unit| unit != figure.unit) {
            return Some(format!("{}: {} is not of that unit", self.text, self.name));
        }
        let holds = match self.comparison {
            Comparison::AtMost => figure.value <= self.value,
            Comparison::AtLeast => figure.value >= self.value,
            Comparison::Less => figure.value < self.value,
            Comparison::More => figure.value > self.value,
            Comparison::Equal => figure.value == self.value,
        };
        (!holds).then(|| format!("{}: it is {}", self.text, figure.unit.show(figure.value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let mut outcome = Outcome::new("test");
        outcome.add("p99", 4_000.0, Unit::Time);
        outcome.count("lost", 0);
        outcome.add("cpu", 0.004, Unit::Share);
        for (text, holds) in [
            ("p99<=5ms", true),
            ("p99 < 4ms", false),
            ("p99<=4000us", true),
            ("lost==0", true),
            ("lost>0", false),
            ("cpu<=0.5%", true),
            ("p99<=5KB", false),
            ("p98<=5ms", false),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.judge(&outcome).is_none(), holds, "{text}");
        }
        for text in ["p99", "<=5", "p99<=fast", "p99<=5 parsec"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
