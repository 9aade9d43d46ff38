//! Prediction against measurement.

use ridge_autotune::learned::kendall_tau;

use super::charts::{microseconds, real};
use super::model::Workload;
use super::svg::{Plot, Scale};

/// How well the predictions order the measured candidates, and each of them as a dot.
pub(crate) struct Against {
    /// Kendall's rank correlation (tau-b): 1 where every pair is in the right order.
    pub(crate) tau: f64,
    /// How much slower than the best measured candidate the one predicted fastest is.
    pub(crate) regret: f64,
    /// The figure.
    pub(crate) chart: String,
}

/// Draws it, where at least three candidates have both.
pub(crate) fn against(workload: &Workload) -> Option<Against> {
    let both: Vec<(u64, u64, String)> = workload
        .evaluations
        .iter()
        .filter_map(|evaluation| {
            let times = (evaluation.predicted_ns?, evaluation.time_ns()?);
            Some((times.0, times.1, evaluation.candidate.to_string()))
        })
        .collect();
    if both.len() < 3 {
        return None;
    }
    let times: Vec<(u64, u64)> =
        both.iter().map(|(predicted, measured, _)| (*predicted, *measured)).collect();
    let best = times.iter().map(|(_, measured)| *measured).min()?;
    let chosen = times.iter().min()?.1;
    let low = times.iter().map(|&(a, b)| a.min(b)).min()?;
    let high = times.iter().map(|&(a, b)| a.max(b)).max()?;
    let (top, bottom, left, right) = (30.0, 330.0, 70.0, 830.0);
    let x = Scale::logarithmic(real(low) * 0.95, real(high) * 1.05, left, right);
    let y = Scale::logarithmic(real(low) * 0.95, real(high) * 1.05, bottom, top);
    let mut plot = Plot::new(860.0, 372.0);
    plot.axis_y(&y, left, right, "measured, µs", microseconds);
    plot.axis_x(&x, bottom, "predicted, µs", microseconds);
    let (from, to) = (real(low), real(high));
    plot.line((x.at(from), y.at(from)), (x.at(to), y.at(to)), "roof");
    for (predicted, measured, name) in &both {
        let (predicted, measured) = (real(*predicted), real(*measured));
        let label = format!(
            "{name}: predicted {} µs, measured {} µs",
            microseconds(predicted),
            microseconds(measured)
        );
        plot.dot(x.at(predicted), y.at(measured), "candidate", &label);
    }
    let side =
        |of: fn((u64, u64)) -> u64| times.iter().map(|&pair| real(of(pair))).collect::<Vec<f64>>();
    Some(Against {
        tau: kendall_tau(&side(|(predicted, _)| predicted), &side(|(_, measured)| measured)),
        regret: real(chosen) / real(best.max(1)) - 1.0,
        chart: plot.finish("measured time of every candidate over its predicted time"),
    })
}
