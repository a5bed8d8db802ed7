//! The report for machines.

use serde_json::{Value, json};

use crate::figures::Outcome;

/// Writes the outcome as a JSON value: figures by name in the base of their unit, each with its unit beside it.
pub fn json(outcome: &Outcome, command: &str, seed: u64) -> Value {
    let figures: serde_json::Map<String, Value> =
        outcome.figures.iter().map(|f| (f.name.clone(), json!({ "value": f.value, "unit": f.unit }))).collect();
    json!({
        "title": outcome.title,
        "command": command,
        "seed": seed,
        "figures": figures,
        "latency_us": outcome.latency.as_ref().map(|latency| latency.tail()),
        "curves": outcome.curves,
        "notes": outcome.notes,
        "invalid": outcome.invalid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Unit;

    #[test]
    fn figures_by_name() {
        let mut outcome = Outcome::new("t");
        outcome.add("p99", 5.0, Unit::Time);
        let value = json(&outcome, "fanout", 1);
        assert_eq!(value["figures"]["p99"], json!({ "value": 5.0, "unit": "time" }));
    }
}
