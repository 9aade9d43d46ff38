//! Measured latencies and what is computed from them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Latencies of one kernel, integer nanoseconds, in the order in which they were taken.
///
/// Never empty and never zero: a time that was not taken cannot be written down as the fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireSamples")]
pub struct Samples {
    latency_ns: Vec<u64>,
}

/// The unchecked form that is read from JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSamples {
    latency_ns: Vec<u64>,
}

impl TryFrom<WireSamples> for Samples {
    type Error = SamplesError;

    fn try_from(wire: WireSamples) -> Result<Self, SamplesError> {
        Self::new(wire.latency_ns)
    }
}

/// Why a list of latencies is no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// There is none.
    #[error("a measurement has no samples")]
    Empty,
    /// One of them took no time at all.
    #[error("sample `{index}` is 0 ns")]
    Zero {
        /// Its place, from 0.
        index: usize,
    },
}

/// A range of times that holds a median with a stated probability. Nanoseconds, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The low end.
    pub low_ns: u64,
    /// The high end.
    pub high_ns: u64,
    /// The probability that the range holds the true median, if the samples are independent;
    /// lower than what was asked for where there are too few samples.
    pub confidence: f64,
}

impl Samples {
    /// Checks and takes latencies in nanoseconds, in the order in which they were taken.
    ///
    /// # Errors
    /// When there is none, or one of them is 0.
    pub fn new(latency_ns: Vec<u64>) -> Result<Self, SamplesError> {
        if latency_ns.is_empty() {
            return Err(SamplesError::Empty);
        }
        match latency_ns.iter().position(|&ns| ns == 0) {
            Some(index) => Err(SamplesError::Zero { index }),
            None => Ok(Self { latency_ns }),
        }
    }

    /// The latencies in nanoseconds, in the order in which they were taken; at least one.
    pub fn latency_ns(&self) -> &[u64] {
        &self.latency_ns
    }

    /// How many there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.latency_ns.len()
    }

    /// The shortest, nanoseconds.
    pub fn min_ns(&self) -> u64 {
        self.latency_ns.iter().copied().min().unwrap_or(1)
    }

    /// The longest, nanoseconds.
    pub fn max_ns(&self) -> u64 {
        self.latency_ns.iter().copied().max().unwrap_or(1)
    }

    /// The median in nanoseconds; between two middle samples, their mean rounded down.
    pub fn median_ns(&self) -> u64 {
        let sorted = self.sorted();
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        low + (high - low) / 2
    }

    /// The quantile at `fraction` (0 the shortest, 1 the longest; clamped to that range; NaN is
    /// taken as 0), interpolated between neighbours and rounded to the nearest nanosecond.
    pub fn quantile_ns(&self, fraction: f64) -> u64 {
        let sorted = self.sorted();
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let place = fraction * (sorted.len() - 1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the integer part of a number between 0 and the length is meant"
        )]
        let below = (place.floor() as usize).min(sorted.len() - 1);
        let above = (below + 1).min(sorted.len() - 1);
        let step = (sorted[above] - sorted[below]) as f64 * (place - below as f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rounded part of a difference of two u64 is not negative and fits"
        )]
        let step = step.round() as u64;
        sorted[below].saturating_add(step)
    }

    /// The interval between two order statistics that holds the true median with at least
    /// `confidence` (such as 0.95), whatever the distribution: the number of samples below the
    /// median is binomial with probability one half. With too few samples it is the whole range,
    /// and [`Interval::confidence`] says what that is worth.
    pub fn interval(&self, confidence: f64) -> Interval {
        let sorted = self.sorted();
        let n = sorted.len();
        // P(fewer than k samples lie below the median), summed from the left tail.
        let mut probability = (-(n as f64) * std::f64::consts::LN_2).exp();
        let mut log_probability = -(n as f64) * std::f64::consts::LN_2;
        let mut tail = 0.0;
        let mut best = (0, 1.0 - 2.0 * probability);
        for k in 0..n / 2 {
            tail += probability;
            let held = 1.0 - 2.0 * tail;
            if k > 0 && held < confidence {
                break;
            }
            best = (k, held);
            log_probability += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
            probability = log_probability.exp();
        }
        let (k, held) = best;
        Interval { low_ns: sorted[k], high_ns: sorted[n - 1 - k], confidence: held.max(0.0) }
    }

    fn sorted(&self) -> Vec<u64> {
        let mut sorted = self.latency_ns.clone();
        sorted.sort_unstable();
        sorted
    }
}
