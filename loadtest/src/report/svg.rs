//! Drawings as SVG text: lines over two axes, linear or logarithmic. Colours are CSS variables of the page, so that one
//! drawing suits dark and light. Pure.

use crate::figures::{Curve, Unit};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
/// Room left of, above, right of and below the plot.
const MARGIN: [f64; 4] = [78.0, 14.0, 18.0, 46.0];
/// Colours of the page, as many as may be told apart.
const COLOURS: usize = 6;

/// One axis: values to places.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, logarithmic: bool, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && (!logarithmic || *value > 0.0)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if logarithmic {
            (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
            high = if high <= low { low * 10.0 } else { high };
        } else {
            low = low.min(0.0);
            high = if high <= low { low + 1.0 } else { high * 1.05 };
        }
        Self { low, high, logarithmic, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = match self.logarithmic {
            true => (value.max(self.low).log10() - self.low.log10()) / (self.high.log10() - self.low.log10()),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let powers = (self.high / self.low).log10().round() as i32;
            let step = (powers / 6).max(1);
            return (0..=powers).step_by(step as usize).map(|power| self.low * 10f64.powi(power)).collect();
        }
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough);
        let step = step.unwrap_or(rough);
        (0..).map(|n| n as f64 * step).take_while(|&tick| tick <= self.high).collect()
    }
}

/// Draws a curve.
pub fn draw(curve: &Curve) -> String {
    let points = || curve.lines.iter().flat_map(|(_, points)| points);
    let x = Axis::new(points().map(|point| point.0), curve.logarithmic, MARGIN[0], WIDTH - MARGIN[2]);
    let y = Axis::new(points().map(|point| point.1), curve.logarithmic, HEIGHT - MARGIN[3], MARGIN[1]);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escape(&curve.title));
    for tick in y.ticks() {
        let at = y.place(tick);
        svg += &format!(
            "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            MARGIN[0],
            WIDTH - MARGIN[2],
            MARGIN[0] - 6.0,
            at + 4.0,
            escape(&curve.unit.show(tick))
        );
    }
    for tick in x.ticks() {
        let at = x.place(tick);
        let label = if curve.x_name == QUANTILES { quantile_label(tick) } else { Unit::Count.show(tick) };
        svg += &format!(
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\"/><text x=\"{at:.1}\" y=\"{}\" \
             text-anchor=\"middle\">{label}</text>",
            MARGIN[1],
            HEIGHT - MARGIN[3],
            HEIGHT - MARGIN[3] + 16.0
        );
    }
    for (at, (name, points)) in curve.lines.iter().enumerate() {
        svg += &line(&x, &y, at % COLOURS, name, points, curve.unit);
    }
    let (middle, bottom) = ((MARGIN[0] + WIDTH - MARGIN[2]) / 2.0, HEIGHT - 8.0);
    svg +=
        &format!("<text x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">{}</text></svg>", escape(&curve.x_name));
    svg + &legend(curve)
}

fn line(x: &Axis, y: &Axis, colour: usize, name: &str, points: &[(f64, f64)], unit: Unit) -> String {
    let places: Vec<(f64, f64)> = points.iter().map(|&(px, py)| (x.place(px), y.place(py))).collect();
    let path: Vec<String> = places.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
    let mut svg = format!("<polyline class=\"c{colour}\" points=\"{}\"/>", path.join(" "));
    if points.len() <= 20 {
        for ((px, py), (_, value)) in places.iter().zip(points) {
            svg += &format!(
                "<circle class=\"c{colour}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\"><title>{}: {}</title></circle>",
                escape(name),
                escape(&unit.show(*value))
            );
        }
    }
    svg
}

fn legend(curve: &Curve) -> String {
    if curve.lines.len() < 2 {
        return curve
            .lines
            .first()
            .map(|(name, _)| format!("<p class=\"legend\">{}</p>", escape(name)))
            .unwrap_or_default();
    }
    let names = curve.lines.iter().enumerate();
    let names = names.map(|(at, (name, _))| format!("<span class=\"c{}\">{}</span>", at % COLOURS, escape(name)));
    format!("<p class=\"legend\">{}</p>", names.collect::<Vec<_>>().join(" "))
}

/// Name of the horizontal axis of a latency drawing, whose values are `1 / (1 - quantile)`.
pub const QUANTILES: &str = "share of deliveries";

fn quantile_label(rarity: f64) -> String {
    let share = 100.0 * (1.0 - 1.0 / rarity);
    if rarity < 1000.0 { format!("{share:.0} %") } else { format!("{share:.*} %", rarity.log10() as usize - 2) }
}

/// Makes text safe inside HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_inside_the_drawing() {
        for logarithmic in [false, true] {
            let points = vec![(1.0, 0.0), (10.0, 3.0), (15_000.0, 1e7), (20_000.0, f64::NAN)];
            let curve = Curve {
                title: "a < b".into(),
                x_name: "x".into(),
                unit: Unit::Time,
                lines: vec![("one".into(), points), ("none".into(), Vec::new())],
                logarithmic,
            };
            let svg = draw(&curve);
            assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
            let places = svg.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
            assert!(places.into_iter().all(|place| (MARGIN[0]..=WIDTH).contains(&place)), "{svg}");
        }
    }

    #[test]
    fn quantiles_are_named() {
        let names = [1.0, 10.0, 100.0, 1_000.0, 10_000.0].map(quantile_label);
        assert_eq!(names, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }
}
