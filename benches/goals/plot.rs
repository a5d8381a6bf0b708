//! A plot drawn by hand: lines over a logarithmic axis, as an SVG that reads on light and dark paper alike.

use std::fmt::Write as _;

/// One line: its name, and its points in the order of the axis.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 6] = ["#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#868e96", "#c92a2a"];

/// Draws the lines; the horizontal axis goes by tens.
pub(crate) fn draw(title: &str, across: &str, up: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|l| &l.points);
    let (first, last) = all().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(p.0), b.max(p.0)));
    let step = step(all().fold(0.0_f64, |most, p| most.max(p.1)));
    let most = (all().fold(0.0_f64, |most, p| most.max(p.1)) / step).ceil().max(1.0) * step;
    let span = (last / first).log10().max(f64::EPSILON);
    let x = |value: f64| LEFT + (value / first).log10() / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#868e96\">\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    );
    let mut value = 0.0;
    while value <= most + step / 2.0 {
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#868e96\" stroke-opacity=\".3\"/><text x=\"{at}\" y=\"{text:.1}\" text-anchor=\"end\">{value}</text>",
            y = y(value),
            right = WIDTH - RIGHT,
            at = LEFT - 8.0,
            text = y(value) + 4.0
        );
        value += step;
    }
    let mut value = first;
    while value <= last * 1.001 {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
            x(value),
            HEIGHT - BOTTOM + 18.0
        );
        value *= 10.0;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{across}</text>\n<text x=\"{LEFT}\" y=\"34\">{up}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 12.0
    );
    // Names stand where their lines end, and not on each other.
    let mut ends: Vec<_> = lines.iter().enumerate().filter_map(|(n, l)| Some((n, y(l.points.last()?.1)))).collect();
    ends.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut lowest = 0.0;
    for (n, end) in ends {
        let (line, colour) = (&lines[n], COLOURS[n % COLOURS.len()]);
        let points: Vec<_> = line.points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        let at = end.max(lowest + 15.0);
        lowest = at;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            WIDTH - RIGHT + 8.0,
            at + 4.0,
            line.name
        );
        for p in &line.points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(p.0), y(p.1));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A round distance between lines of the grid: about five of them.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let ten = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * ten).find(|s| *s >= rough).unwrap_or(ten)
}
