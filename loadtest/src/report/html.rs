//! The report as one HTML page without anything from outside: figures, drawings, and how to get them again. Follows the
//! reader's dark or light.

use super::svg::{QUANTILES, draw, escape};
use crate::figures::{Curve, Outcome, Unit};

const STYLE: &str = "
:root { color-scheme: light dark; --back: #fff; --text: #1c2024; --faint: #667; --line: #dde1e6;
  --c0: #2563eb; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #0b7285; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e6e8ea; --faint: #98a2ad; --line: #2b3138;
  --c0: #74a9ff; --c1: #ff9d6b; --c2: #69db7c; --c3: #e599f7; --c4: #ffd43b; --c5: #66d9e8; } }
body { background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; max-width: 860px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.05rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td { padding: .2rem 1.6rem .2rem 0; border-bottom: 1px solid var(--line); }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; padding-right: 0; }
code { background: var(--line); padding: .1rem .35rem; border-radius: 4px; overflow-wrap: anywhere; }
.faint, .legend { color: var(--faint); font-size: .9rem; } .bad { color: var(--c1); font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--faint); font-size: 11px; }
.grid { stroke: var(--line); } polyline { fill: none; stroke-width: 2; }
.legend span { margin-right: 1.2rem; } .legend span::before { content: '━ '; }
polyline.c0, circle.c0 { stroke: var(--c0); } circle.c0 { fill: var(--c0); } .legend .c0 { color: var(--c0); }
polyline.c1, circle.c1 { stroke: var(--c1); } circle.c1 { fill: var(--c1); } .legend .c1 { color: var(--c1); }
polyline.c2, circle.c2 { stroke: var(--c2); } circle.c2 { fill: var(--c2); } .legend .c2 { color: var(--c2); }
polyline.c3, circle.c3 { stroke: var(--c3); } circle.c3 { fill: var(--c3); } .legend .c3 { color: var(--c3); }
polyline.c4, circle.c4 { stroke: var(--c4); } circle.c4 { fill: var(--c4); } .legend .c4 { color: var(--c4); }
polyline.c5, circle.c5 { stroke: var(--c5); } circle.c5 { fill: var(--c5); } .legend .c5 { color: var(--c5); }
";

/// Writes the page.
pub fn html(outcome: &Outcome, failures: &[String], command: &str, seed: u64) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>\
         <p class=\"faint\"><code>konvert-loadtest {}</code> · seed {seed}</p>",
        escape(command),
        title = escape(&outcome.title),
    );
    for failure in failures {
        page += &format!("<p class=\"bad\">{}</p>", escape(failure));
    }
    page += "<table>";
    for figure in &outcome.figures {
        let value = figure.unit.show(figure.value);
        page += &format!("<tr><td>{}</td><td>{}</td></tr>", escape(&figure.name), escape(&value));
    }
    page += "</table>";
    for note in &outcome.notes {
        page += &format!("<p class=\"faint\">{}</p>", escape(note));
    }
    for curve in latency_curve(outcome).iter().chain(&outcome.curves) {
        page += &format!("<h2>{}</h2>{}", escape(&curve.title), draw(curve));
    }
    page
}

/// Delay over rarity: the further right, the rarer.
fn latency_curve(outcome: &Outcome) -> Option<Curve> {
    let latency = outcome.latency.as_ref().filter(|latency| latency.count() > 0)?;
    let points = latency.tail().into_iter().map(|(quantile, delay)| (1.0 / (1.0 - quantile), delay.max(1.0)));
    Some(Curve {
        title: "Delay that this share does not exceed".into(),
        x_name: QUANTILES.into(),
        unit: Unit::Time,
        lines: vec![("delay".into(), points.collect())],
        logarithmic: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Latency;

    #[test]
    fn one_page_and_nothing_from_outside() {
        let mut outcome = Outcome::new("<b>");
        let mut latency = Latency::default();
        (1..2000).for_each(|n| latency.record_ns(n * 10_000));
        outcome.quantiles("", &latency);
        outcome.latency = Some(latency);
        let page = html(&outcome, &["p99 is high".into()], "fanout --html x", 1);
        assert!(page.contains("&lt;b&gt;") && page.contains("<polyline") && page.contains("p99 is high"));
        assert!(!page.contains("http") && !page.contains("src="));
    }
}
