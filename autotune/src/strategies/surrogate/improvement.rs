//! How much better than the best a candidate is expected to be.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The mean of `max(best - value, 0)` for a normal value.
pub(super) fn expected_improvement(mean: f64, deviation: f64, best: f64) -> f64 {
    let gain = best - mean;
    if deviation <= 1e-12 {
        return gain.max(0.0);
    }
    let z = gain / deviation;
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    (gain * normal_cumulative(z) + deviation * density).max(0.0)
}

/// The probability that a standard normal value is below `z`: Abramowitz and Stegun 7.1.26, whose
/// error is below 2e-7.
fn normal_cumulative(z: f64) -> f64 {
    let x = z.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = series.iter().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    let tail = 0.5 * polynomial * (-x * x).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mean: f64, deviation: f64, best: f64, expected: f64) {
        let found = expected_improvement(mean, deviation, best);
        assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
    }

    #[test]
    fn agrees_with_the_closed_form() {
        check(0.0, 1.0, 0.0, 0.398_942_28);
        check(1.0, 1.0, 0.0, 0.083_315_47);
        check(-1.0, 1.0, 0.0, 1.083_315_47);
        check(2.0, 0.0, 3.0, 1.0);
        check(3.0, 0.0, 2.0, 0.0);
    }
}
