//! The table at the end of a run.

use crate::figures::Outcome;

/// Writes the outcome for a terminal.
pub fn table(outcome: &Outcome) -> String {
    let mut text = format!("\n{}\n", outcome.title);
    let wide = outcome.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
    for figure in &outcome.figures {
        let value = figure.unit.show(figure.value);
        text += &format!("  {:<wide$}  {value:>14}\n", figure.name);
    }
    for note in &outcome.notes {
        text += &format!("  note: {note}\n");
    }
    for reason in &outcome.invalid {
        text += &format!("  INVALID: {reason}\n");
    }
    text
}
