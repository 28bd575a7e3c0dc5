//! The figures of a report as a drawing (SVG): rates as bars with the bare loop as a line across them, latencies as
//! bars from the median to the 99th percentile with a whisker to the longest. Text and rectangles; no script, no fonts.

use std::fmt::Write as _;

use super::report::{Latency, Report};

const WIDTH: f64 = 960.0;
/// Where bars begin and end; names stand before, values behind.
const LEFT: f64 = 280.0;
const RIGHT: f64 = 780.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;

/// Draws a report.
pub(super) fn svg(report: &Report) -> String {
    let mut drawing = Drawing { body: String::new(), y: 0.0 };
    drawing.title(&format!("refundry bench {}", report.scenario));
    drawing.rates(report);
    drawing.latencies(&report.latencies);
    for (name, value) in &report.setup {
        drawing.next(ROW * 0.8);
        drawing.text(16.0, "start", "#777", &format!("{name}: {value}"));
    }
    drawing.finished()
}

struct Drawing {
    body: String,
    /// The middle of the row that is drawn.
    y: f64,
}

impl Drawing {
    fn next(&mut self, height: f64) {
        self.y += height;
    }

    fn title(&mut self, text: &str) {
        self.next(ROW * 1.5);
        self.text(16.0, "start", "#000", text);
        self.next(ROW * 0.5);
    }

    fn rates(&mut self, report: &Report) {
        let all = report.rates.iter().chain(&report.baseline);
        let most = all.map(|rate| rate.per_second).fold(0.0, f64::max);
        if most <= 0.0 {
            return;
        }
        let place = |per_second: f64| LEFT + (RIGHT - LEFT) * per_second / most;
        let top = self.y + ROW * 0.5;
        for rate in &report.rates {
            self.next(ROW);
            self.text(LEFT - 10.0, "end", "#000", &format!("{}/s", rate.name));
            self.bar(LEFT, place(rate.per_second), "#4a7fb5");
            self.text(place(rate.per_second) + 6.0, "start", "#000", &format!("{:.0}", rate.per_second));
        }
        if let (Some(baseline), Some(ratio)) = (&report.baseline, report.ratio()) {
            let x = place(baseline.per_second);
            self.next(ROW);
            self.line((x, top), (x, self.y), "#c0392b");
            let text = format!("{}: {:.0}/s; the first is {ratio:.2} of it", baseline.name, baseline.per_second);
            // On the side where there is room for it.
            let (at, anchor) = if x > f64::midpoint(LEFT, RIGHT) { (x - 6.0, "end") } else { (x + 6.0, "start") };
            self.text(at, anchor, "#c0392b", &text);
        }
        self.next(ROW * 0.5);
    }

    fn latencies(&mut self, latencies: &[Latency]) {
        let shown: Vec<&Latency> = latencies.iter().filter(|latency| latency.count > 0).collect();
        let ends = shown.iter().flat_map(|latency| [latency.us[0], latency.us[4]]);
        let (Some(least), Some(most)) = (ends.clone().min(), ends.max()) else { return };
        let scale = Logarithmic::over(least, most);
        self.next(ROW);
        self.text(LEFT - 10.0, "end", "#777", "latency, p50 to p99, line to the longest");
        self.text(RIGHT + 6.0, "start", "#777", "p50 / p99 in ms");
        for latency in shown {
            self.next(ROW);
            let [p50, _, p99, _, max] = latency.us.map(|us| scale.place(us));
            self.text(LEFT - 10.0, "end", "#000", &latency.name);
            self.line((p99, self.y), (max, self.y), "#999");
            self.bar(p50, p99.max(p50 + 2.0), "#6aa56a");
            let value = format!("{} / {}", milliseconds(latency.us[0]), milliseconds(latency.us[2]));
            self.text(RIGHT + 6.0, "start", "#000", &value);
        }
        self.next(ROW);
        for us in scale.decades() {
            self.text(scale.place(us), "middle", "#777", &format!("{} ms", milliseconds(us)));
        }
        self.next(ROW * 0.5);
    }

    // Writing into a string cannot fail.
    fn text(&mut self, x: f64, anchor: &str, colour: &str, text: &str) {
        let (y, text) = (self.y + 4.0, escaped(text));
        let _ =
            writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}">{text}</text>"#);
    }

    fn bar(&mut self, from: f64, to: f64, colour: &str) {
        let (y, width) = (self.y - BAR / 2.0, (to - from).max(1.0));
        let _ = writeln!(
            self.body,
            r#"<rect x="{from:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="2"/>"#
        );
    }

    fn finished(self) -> String {
        let height = self.y + ROW;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// Times from whole decade to whole decade: a list may take a thousand times as long as another.
struct Logarithmic {
    /// The exponents of the first and the last decade, in microseconds.
    first: u32,
    last: u32,
}

impl Logarithmic {
    fn over(least: u64, most: u64) -> Self {
        let first = least.max(1).ilog10();
        Self { first, last: most.max(1).ilog10() + 1 }
    }

    fn place(&self, us: u64) -> f64 {
        // Latencies are far below 2^32 µs, which is more than an hour.
        let us = f64::from(u32::try_from(us.max(1)).unwrap_or(u32::MAX));
        let (first, last) = (f64::from(self.first), f64::from(self.last));
        LEFT + (RIGHT - LEFT) * ((us.log10() - first) / (last - first)).clamp(0.0, 1.0)
    }

    fn decades(&self) -> impl Iterator<Item = u64> {
        (self.first..=self.last).map(|exponent| 10_u64.pow(exponent))
    }
}

fn milliseconds(us: u64) -> String {
    let ms = f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1_000.0;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
