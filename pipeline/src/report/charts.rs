//! The figures of the report.

use ridge_spec::target::DeviceProfile;

use super::model::{Evaluation, EvaluationVerdict, Workload};
use super::svg::{Plot, Scale};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 20.0;

#[expect(clippy::cast_precision_loss, reason = "numbers are drawn with three digits")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

/// Microseconds with the digits that fit a tick.
pub(super) fn microseconds(ns: f64) -> String {
    let us = ns / 1e3;
    if us < 10.0 { format!("{us:.2}") } else { format!("{us:.1}") }
}

/// Every evaluation in order, the best so far, and the roofline.
pub(crate) fn convergence(workload: &Workload, roofline_ns: f64) -> String {
    let times: Vec<(usize, u64)> = workload
        .evaluations
        .iter()
        .enumerate()
        .filter_map(|(i, evaluation)| Some((i, evaluation.time_ns()?)))
        .collect();
    let slowest = times.iter().map(|(_, time)| *time).max().map_or(1.0, real);
    let (top, bottom) = (30.0, 270.0);
    let x = Scale::linear(0.0, real(workload.evaluations.len() as u64), LEFT, RIGHT);
    let y = Scale::logarithmic(roofline_ns * 0.9, slowest * 1.1, bottom, top);
    let mut plot = Plot::new(WIDTH, 310.0);
    plot.axis_y(&y, LEFT, RIGHT, "time, µs", microseconds);
    plot.axis_x(&x, bottom, "evaluation", |tick| format!("{tick:.0}"));
    let mut best = u64::MAX;
    let mut steps = Vec::new();
    for (i, evaluation) in workload.evaluations.iter().enumerate() {
        let at = x.at(real(i as u64 + 1));
        match &evaluation.verdict {
            EvaluationVerdict::Timed { time_ns, .. } => {
                if best != u64::MAX {
                    steps.push((at, y.at(real(best))));
                }
                best = best.min(*time_ns);
                steps.push((at, y.at(real(best))));
                plot.dot(at, y.at(real(*time_ns)), "candidate", &title(evaluation));
            }
            EvaluationVerdict::Rejected { .. } => {
                plot.dot(at, top, "rejected", &title(evaluation));
            }
        }
    }
    plot.path(&steps, "best");
    let floor = y.at(roofline_ns);
    plot.line((LEFT, floor), (RIGHT, floor), "roof");
    plot.text(RIGHT, floor - 5.0, "end", "tick", "roofline");
    plot.finish("time of every evaluated candidate, and the best so far")
}

/// Every candidate under the roofs of the target.
pub(crate) fn roofline(workload: &Workload, profile: &DeviceProfile) -> Option<String> {
    if workload.flops == 0 {
        return None;
    }
    let points: Vec<(f64, f64, &Evaluation)> = workload
        .evaluations
        .iter()
        .filter_map(|evaluation| {
            let bytes = evaluation.bytes_moved.filter(|bytes| *bytes > 0.0)?;
            let seconds = real(evaluation.time_ns()?.max(1)) * 1e-9;
            let flops = real(workload.flops);
            Some((flops / bytes, flops / seconds, evaluation))
        })
        .collect();
    let lowest = points.iter().map(|point| point.1).reduce(f64::min)?;
    let multiprocessor = &profile.multiprocessor;
    let compute = 2.0
        * multiprocessor.float32_lanes
        * multiprocessor.clock_hz
        * f64::from(profile.multiprocessors);
    let bandwidth = profile.memory.copy_bandwidth;
    let ridge = compute / bandwidth;
    let least = points.iter().map(|point| point.0).reduce(f64::min)?.min(ridge / 30.0);
    let most = points.iter().map(|point| point.0).reduce(f64::max)?.max(ridge * 4.0);
    let (top, bottom) = (30.0, 290.0);
    let x = Scale::logarithmic(least / 2.0, most, LEFT, RIGHT);
    let y = Scale::logarithmic(lowest / 2.0, compute * 1.5, bottom, top);
    let mut plot = Plot::new(WIDTH, 330.0);
    plot.axis_y(&y, LEFT, RIGHT, "GFLOP/s", |value| format!("{:.0}", value / 1e9));
    plot.axis_x(&x, bottom, "arithmetic intensity, FLOP per byte moved", |value| {
        format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
    });
    let start = least / 2.0;
    plot.path(
        &[
            (x.at(start), y.at(start * bandwidth)),
            (x.at(ridge), y.at(compute)),
            (x.at(most), y.at(compute)),
        ],
        "roof",
    );
    plot.text(x.at(ridge), y.at(compute) - 6.0, "middle", "tick", "ridge point");
    for (intensity, rate, evaluation) in points {
        plot.dot(x.at(intensity), y.at(rate), "candidate", &title(evaluation));
    }
    Some(plot.finish("every candidate under the roofline of the target"))
}

/// For each parameter that varies: fastest, median and slowest candidate of each value.
pub(crate) fn main_effects(workload: &Workload) -> Vec<(String, String)> {
    let effects = workload.main_effects();
    let times = || workload.evaluations.iter().filter_map(Evaluation::time_ns);
    let (Some(fastest), Some(slowest)) = (times().min(), times().max()) else { return Vec::new() };
    let mut figures = Vec::new();
    for (name, values) in effects {
        let (width, top, bottom) = (420.0, 24.0, 170.0);
        let y = Scale::logarithmic(real(fastest) * 0.95, real(slowest) * 1.05, bottom, top);
        let mut plot = Plot::new(width, 200.0);
        plot.axis_y(&y, 60.0, width - 10.0, "time, µs", microseconds);
        let step = (width - 80.0) / real(values.len() as u64);
        for (i, (value, times)) in values.iter().enumerate() {
            let middle = 70.0 + step * (real(i as u64) + 0.5);
            let quantile = |share: usize| real(times[(times.len() - 1) * share / 4]);
            plot.line((middle, y.at(quantile(0))), (middle, y.at(quantile(4))), "whisker");
            let (upper, lower) = (y.at(quantile(3)), y.at(quantile(1)));
            let half = (step * 0.3).min(18.0);
            let label = format!(
                "{name}={}: {} candidates, fastest {} µs, median {} µs",
                value.text,
                times.len(),
                microseconds(quantile(0)),
                microseconds(quantile(2))
            );
            plot.bar((middle - half, upper), (half * 2.0, lower - upper), "box", &label);
            plot.dot(middle, y.at(quantile(0)), "best-dot", &label);
            plot.text(middle, bottom + 16.0, "middle", "tick", &value.text);
        }
        figures.push((name, plot.finish("times of the candidates by the parameter's value")));
    }
    figures
}

/// The terms of the best candidates' predictions beside each other.
pub(crate) fn terms(ranking: &[&Evaluation]) -> Option<String> {
    let EvaluationVerdict::Timed { terms, .. } = &ranking.first()?.verdict else { return None };
    let mut terms: Vec<_> = terms.iter().filter(|term| term.time_ns > 0.0).collect();
    terms.sort_by(|a, b| b.time_ns.total_cmp(&a.time_ns));
    let longest = terms.first()?.time_ns;
    let height = 40.0 + 22.0 * real(terms.len() as u64);
    let x = Scale::linear(0.0, longest * 1.1, 150.0, RIGHT);
    let mut plot = Plot::new(WIDTH, height + 40.0);
    for (i, term) in terms.into_iter().enumerate() {
        let y = 16.0 + 22.0 * real(i as u64);
        let (name, ns) = (term.term.name(), term.time_ns);
        plot.text(142.0, y + 12.0, "end", "tick", name);
        let label = format!("{name}: {} µs", microseconds(ns));
        plot.bar((150.0, y), (x.at(ns) - 150.0, 14.0), "box", &label);
        plot.text(x.at(ns) + 6.0, y + 12.0, "start", "tick", &microseconds(ns));
    }
    plot.axis_x(&x, height, "µs, if the term were alone", microseconds);
    Some(plot.finish("terms of the best candidate's predicted time"))
}

fn title(evaluation: &Evaluation) -> String {
    match &evaluation.verdict {
        EvaluationVerdict::Timed { time_ns, limiting, .. } => {
            let by = limiting.as_ref().map_or_else(String::new, |term| format!(", by {term}"));
            format!("{}: {} µs{by}", evaluation.candidate, microseconds(real(*time_ns)))
        }
        EvaluationVerdict::Rejected { code, summary } => {
            format!("{}: {code}: {summary}", evaluation.candidate)
        }
    }
}
