//! When a candidate that is being timed is lost already.
//!
//! Two rules, each with a stated risk of dropping a candidate that is as fast as the best. The
//! first needs no assumption but independent samples, and at least `log2(1 / risk)` of them; the
//! second takes the noise as known and says from the first sample on above which median a
//! candidate is lost. The first samples of a kernel are the noisiest: 13 % off either way has been
//! seen. [`Racing::noise`] must be theirs, not that of a settled device.

use ridge_spec::outcome::Interval;

/// How to race.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Racing {
    /// The probability with which a candidate as fast as the best may be dropped, at each look.
    pub risk: f64,
    /// The standard deviation of one sample, as a fraction of the time.
    pub noise: f64,
}

/// The best candidate so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Incumbent {
    /// Its median, nanoseconds.
    pub median_ns: u64,
    /// The interval that holds its true median.
    pub interval: Interval,
}

/// The standard deviation of a median over that of a mean, for many normal samples.
const MEDIAN_OVER_MEAN: f64 = 1.2533;

impl Incumbent {
    /// An incumbent whose median is taken as known.
    pub fn known(median_ns: u64) -> Self {
        let interval = Interval { low_ns: median_ns, high_ns: median_ns, confidence: 1.0 };
        Self { median_ns, interval }
    }
}

impl Racing {
    /// How screened candidates are raced on a GPU. The noise is that of single samples of the
    /// shortest kernels, flushed before each: five of them lose above 1.05 times the best.
    pub const SCREENING: Self = Self { risk: 0.001, noise: 0.03 };

    /// The median of `n_samples` samples above which a candidate is lost, nanoseconds: were its
    /// true median the high end of the incumbent's interval, the median of so many samples would be
    /// above this with probability [`Racing::risk`] (normal noise of the logarithm). Never below
    /// the high end; falls as samples come.
    pub fn lost_above_ns(&self, best: &Incumbent, n_samples: usize) -> u64 {
        let n = n_samples.max(1) as f64;
        // The median of one or two samples is their mean.
        let wider = if n_samples <= 2 { 1.0 } else { MEDIAN_OVER_MEAN };
        let noise = if self.noise.is_finite() { self.noise.max(0.0) } else { 0.0 };
        let deviations = upper_quantile(self.risk);
        let factor = (deviations * noise * wider / n.sqrt()).exp();
        let high = best.interval.high_ns.max(best.median_ns);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float to an integer saturates, and the value is not negative"
        )]
        let above = (high as f64 * factor).ceil() as u64;
        above.max(high)
    }

    /// Whether a candidate with these samples is lost, by either rule.
    pub fn is_lost(&self, best: &Incumbent, samples_ns: &[u64]) -> bool {
        if samples_ns.is_empty() {
            return false;
        }
        let mut sorted = samples_ns.to_vec();
        sorted.sort_unstable();
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let median = low + (high - low) / 2;
        median > self.lost_above_ns(best, sorted.len()) || self.is_lost_by_counts(best, &sorted)
    }

    /// Without an assumption on the noise: were the candidate's true median at most the high end
    /// of the incumbent's interval, so few samples at or below that end would come with a
    /// probability of at most [`Racing::risk`].
    fn is_lost_by_counts(&self, best: &Incumbent, samples_ns: &[u64]) -> bool {
        let high = best.interval.high_ns.max(best.median_ns);
        let n_below = samples_ns.iter().filter(|&&ns| ns <= high).count();
        at_most_heads(n_below, samples_ns.len()) <= self.risk
    }
}

/// The probability of at most `n_heads` heads in `n` throws of a fair coin.
fn at_most_heads(n_heads: usize, n: usize) -> f64 {
    let mut logarithm = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for k in 0..=n_heads.min(n) {
        sum += logarithm.exp();
        logarithm += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    sum.min(1.0)
}

/// The value that a standard normal one exceeds with this probability, at least 0: Abramowitz and
/// Stegun 26.2.23, whose error is below 4.5e-4.
pub(crate) fn upper_quantile(probability: f64) -> f64 {
    let p = if probability.is_nan() { 0.5 } else { probability.clamp(1e-12, 0.5) };
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn best(median_ns: u64, high_ns: u64) -> Incumbent {
        let interval = Interval { low_ns: median_ns, high_ns, confidence: 0.95 };
        Incumbent { median_ns, interval }
    }

    #[test]
    fn the_quantile_and_the_coin_are_right() {
        for (p, expected) in [(0.5, 0.0), (0.158_655, 1.0), (0.022_75, 2.0), (0.001_349_9, 3.0)] {
            assert!((upper_quantile(p) - expected).abs() < 1e-3, "{p}");
        }
        for (heads, n, expected) in [(0, 4, 1.0 / 16.0), (1, 3, 0.5), (9, 3, 1.0), (0, 0, 1.0)] {
            assert!((at_most_heads(heads, n) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn screening_drops_what_is_a_twentieth_slower() {
        let above = Racing::SCREENING.lost_above_ns(&Incumbent::known(10_000), 5);
        assert!((10_450..10_550).contains(&above), "{above}");
    }

    #[test]
    fn clear_losers_go_early_and_close_ones_stay() {
        let racing = Racing { risk: 0.001, noise: 0.05 };
        let incumbent = best(1000, 1010);
        assert!(racing.is_lost(&incumbent, &[1300]));
        assert!(!racing.is_lost(&incumbent, &[1100]));
        assert!(!racing.is_lost(&incumbent, &[]));
        assert!(racing.is_lost(&incumbent, &[1130, 1140, 1120, 1130]));
        // Ten samples above the end need no assumption.
        assert!(!racing.is_lost_by_counts(&incumbent, &[1020; 9]));
        assert!(racing.is_lost_by_counts(&incumbent, &[1020; 10]));
    }

    #[test]
    fn an_equal_candidate_is_dropped_as_rarely_as_stated() {
        let racing = Racing { risk: 0.02, noise: 0.05 };
        let incumbent = best(10_000, 10_000);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut normal = || (0..12).map(|_| rng.random_range(0.0..1.0f64)).sum::<f64>() - 6.0;
        for n_samples in [1usize, 4, 12] {
            let mut n_dropped = 0;
            for _ in 0..4000 {
                let samples: Vec<u64> = (0..n_samples)
                    .map(|_| format!("{:.0}", 10_000.0 * (0.05 * normal()).exp()).parse().unwrap())
                    .collect();
                n_dropped += usize::from(racing.is_lost(&incumbent, &samples));
            }
            // Two rules, each with the risk.
            assert!(n_dropped <= 4000 * 4 / 100, "{n_samples}: {n_dropped}");
        }
    }

    proptest! {
        #[test]
        fn thresholds_fall_with_samples_and_rise_with_caution(
            median in 1u64..1_000_000_000,
            wider in 0u64..1000,
            risk in 1e-9..0.5f64,
            noise in 0.0..0.5f64,
            n in 3usize..100,
        ) {
            let racing = Racing { risk, noise };
            let incumbent = best(median, median + wider);
            let above = racing.lost_above_ns(&incumbent, n);
            prop_assert!(above >= median + wider);
            prop_assert!(racing.lost_above_ns(&incumbent, n + 1) <= above);
            let careful = Racing { risk: risk / 10.0, ..racing };
            prop_assert!(careful.lost_above_ns(&incumbent, n) >= above);
            // Whatever is at or below the incumbent's interval is never lost.
            prop_assert!(!racing.is_lost(&incumbent, &vec![median + wider; n]));
        }

        #[test]
        fn a_slower_candidate_is_no_less_lost(
            mut samples in proptest::collection::vec(900u64..1500, 1..20),
            at in 0usize..20,
            slower in 0u64..500,
        ) {
            let racing = Racing { risk: 0.01, noise: 0.03 };
            let incumbent = best(1000, 1020);
            let before = racing.is_lost(&incumbent, &samples);
            let at = at % samples.len();
            samples[at] += slower;
            prop_assert!(!before || racing.is_lost(&incumbent, &samples));
        }
    }
}
