//! Prediction against measurement.

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
    Some(Against {
        tau: kendall(&times),
        regret: real(chosen) / real(best.max(1)) - 1.0,
        chart: plot.finish("measured time of every candidate over its predicted time"),
    })
}

/// Kendall's tau-b: concordant minus discordant pairs over the geometric mean of the pairs not tied
/// in either. 0 where one side is all tied.
fn kendall(pairs: &[(u64, u64)]) -> f64 {
    let (mut score, mut first, mut second) = (0.0, 0.0, 0.0);
    for (at, a) in pairs.iter().enumerate() {
        for b in &pairs[at + 1..] {
            let (x, y) = (a.0.cmp(&b.0), a.1.cmp(&b.1));
            first += f64::from(u8::from(x.is_ne()));
            second += f64::from(u8::from(y.is_ne()));
            if x.is_ne() && y.is_ne() {
                score += if x == y { 1.0 } else { -1.0 };
            }
        }
    }
    let pairs = f64::sqrt(first * second);
    if pairs > 0.0 { score / pairs } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::kendall;

    #[test]
    fn rank_correlation() {
        for (pairs, expected) in [
            (vec![(1, 10), (2, 20), (3, 30)], 1.0),
            (vec![(1, 30), (2, 20), (3, 10)], -1.0),
            (vec![(1, 1), (2, 1), (3, 1)], 0.0),
            // One tie in the first: 2 concordant pairs over the root of 2 times 3.
            (vec![(1, 1), (1, 2), (2, 3)], 2.0 / f64::sqrt(6.0)),
        ] {
            assert!((kendall(&pairs) - expected).abs() < 1e-12, "{pairs:?}");
        }
    }
}
