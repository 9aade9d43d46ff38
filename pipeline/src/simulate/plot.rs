//! Convergence curves as one file that opens without a network.

use std::fmt::Write as _;
use std::path::Path;

use ridge_spec::diagnostic::Diagnostic;

use super::SimulateAnswer;

/// What a plot is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One figure: the mean over landscapes.
    Svg,
    /// A page with that figure and one for each landscape.
    Html,
}

/// Colours of the curves that tell apart for the colour-blind (Okabe and Ito); the baseline is
/// grey and dashed.
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a500"];
const GREY: &str = "#777777";

const STYLE: &str = "text { font: 12px system-ui, sans-serif; fill: #333 }\n\
    .title { font-weight: 600 }\n.axis { stroke: #333 }\n.grid { stroke: #ddd }\n\
    .curve { fill: none; stroke-width: 2 }\n.goal { stroke: #333; stroke-dasharray: 2 3 }\n";

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 270.0;

/// The format that a file's name asks for.
///
/// # Errors
/// `simulate.plot` for any other.
pub(super) fn format(path: &Path) -> Result<Format, Diagnostic> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("svg") => Ok(Format::Svg),
        Some("html" | "htm") => Ok(Format::Html),
        _ => Err(Diagnostic::new(
            "simulate.plot",
            format!("`{}` is neither an `.svg` nor an `.html`", path.display()),
        )),
    }
}

/// Draws the curves.
pub(super) fn render(answer: &SimulateAnswer, path: &Path) -> String {
    let title = format!("mean over {} landscapes", answer.landscapes.len());
    let overall = figure(answer, &title, |at| &answer.strategies[at].overall.curve);
    if format(path) != Ok(Format::Html) {
        return overall;
    }
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<title>ridge simulate</title>\n<style>\n\
         body {{ font: 14px system-ui, sans-serif; max-width: 1340px; margin: 24px auto; padding: 0 \
         12px }}\n.figures {{ display: grid; grid-template-columns: repeat(auto-fill, \
         minmax(420px, 1fr)) }}\n</style>\n</head>\n<body>\n<h1>Strategies on recorded \
         landscapes</h1>\n<p>Fraction of the optimum after so many evaluations: the median over {} \
         seeds, {} asked for at a time. Best: {}.</p>\n{overall}<div class=\"figures\">\n",
        answer.seeds,
        answer.batch,
        escape(&answer.best)
    );
    for (place, landscape) in answer.landscapes.iter().enumerate() {
        let workload = match landscape.workload.as_str() {
            "" => String::new(),
            workload => format!(", {workload}"),
        };
        let title = format!("{} on {}{workload}", landscape.kernel, landscape.device);
        page.push_str(&figure(answer, &title, |at| {
            &answer.strategies[at].per_landscape[place].curve
        }));
    }
    page.push_str("</div>\n</body>\n</html>\n");
    page
}

/// One figure: a curve for each strategy and the names beside them.
fn figure<'a>(
    answer: &'a SimulateAnswer,
    title: &str,
    curve: impl Fn(usize) -> &'a Vec<f64>,
) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n<text x=\"{LEFT}\" y=\"18\" \
         class=\"title\">{title}</text>\n",
        title = escape(title)
    );
    let budget = answer.budget.max(2) as f64;
    // The first evaluations matter most: the axis is logarithmic.
    let x = |evaluations: f64| LEFT + (RIGHT - LEFT) * evaluations.max(1.0).ln() / budget.ln();
    let least = (0..answer.strategies.len())
        .filter_map(|at| curve(at).iter().copied().find(|fraction| *fraction > 0.0))
        .fold(0.9, f64::min);
    let low = (least * 10.0).floor() / 10.0;
    let y = |fraction: f64| BOTTOM - (BOTTOM - TOP) * (fraction.max(low) - low) / (1.0 - low);
    axes(&mut svg, answer, low, &x, &y);
    let mut n_coloured = 0;
    for (at, strategy) in answer.strategies.iter().enumerate() {
        let baseline = strategy.strategy == super::BASELINE;
        let colour = if baseline { GREY } else { COLOURS[n_coloured % COLOURS.len()] };
        n_coloured += usize::from(!baseline);
        let dash = if baseline { " stroke-dasharray=\"6 4\"" } else { "" };
        let mut path = String::new();
        for (place, fraction) in curve(at).iter().enumerate() {
            let letter = if place == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ok = write!(path, "{letter}{:.1} {:.1} ", x(place as f64 + 1.0), y(*fraction));
        }
        let name = escape(&strategy.strategy);
        let legend = TOP + 18.0 * at as f64;
        let _ok = write!(
            svg,
            "<path d=\"{}\" class=\"curve\" stroke=\"{colour}\"{dash}><title>{name}</title></path>\n\
             <line x1=\"{}\" y1=\"{legend}\" x2=\"{}\" y2=\"{legend}\" stroke=\"{colour}\" \
             stroke-width=\"3\"{dash}/>\n<text x=\"{}\" y=\"{}\">{name}</text>\n",
            path.trim_end(),
            RIGHT + 12.0,
            RIGHT + 36.0,
            RIGHT + 42.0,
            legend + 4.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(
    svg: &mut String,
    answer: &SimulateAnswer,
    low: f64,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let step = if low < 0.5 { 0.2 } else { 0.1 };
    let mut fraction = low;
    while fraction < 1.0 + 1e-9 {
        let at = y(fraction);
        let _ok = write!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" class=\"grid\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{fraction:.1}</text>\n",
            LEFT - 6.0,
            at + 4.0
        );
        fraction += step;
    }
    let close = y(1.0 / 1.05);
    let _ok = write!(
        svg,
        "<line x1=\"{LEFT}\" y1=\"{close:.1}\" x2=\"{RIGHT}\" y2=\"{close:.1}\" \
         class=\"goal\"><title>within 5 % of the best</title></line>\n<line x1=\"{LEFT}\" \
         y1=\"{BOTTOM}\" x2=\"{RIGHT}\" y2=\"{BOTTOM}\" class=\"axis\"/>\n"
    );
    let ticks = [1usize, 2, 5].into_iter().chain(answer.checkpoints.iter().copied());
    for tick in ticks.filter(|tick| *tick <= answer.budget) {
        let at = x(tick as f64);
        let _ok = write!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{BOTTOM}\" x2=\"{at:.1}\" y2=\"{}\" class=\"axis\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>\n",
            BOTTOM + 4.0,
            BOTTOM + 18.0
        );
    }
    let _ok = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">evaluations</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 38.0
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
