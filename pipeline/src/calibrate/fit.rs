//! From times to figures: pure functions.

/// How sharply the limits by latency and by bandwidth go over into one another: the exponent of the
/// norm that the cost model joins them by.
const SHARPNESS: i32 = 4;

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) intercept: f64,
    pub(super) slope: f64,
}

/// The line through points, by least squares; `None` for fewer than two places.
pub(super) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let shared: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let slope = shared / spread;
    (points.len() >= 2 && slope.is_finite()).then_some(Line { intercept: y - slope * x, slope })
}

/// The slope between two points where it is positive: time that each unit takes.
pub(super) fn rise(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    Some((to.1 - from.1) / (to.0 - from.0)).filter(|slope| slope.is_finite() && *slope > 0.0)
}

/// What bandwidth by footprint shows of a cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Knee {
    /// Bandwidth while everything fits.
    pub(super) bandwidth: f64,
    /// The footprint at which the bandwidth has lost a tenth of the way down to that of memory.
    pub(super) capacity: f64,
}

/// Share of the way down at which a cache counts as full.
const KNEE: f64 = 0.1;

/// Reads a cache's bandwidth and capacity off points of (footprint, bandwidth) in rising order of
/// footprints. `fits` is a footprint that surely fits; the last point must surely not. `None` where
/// there are too few points, or the bandwidth does not fall.
pub(super) fn knee(points: &[(f64, f64)], fits: f64) -> Option<Knee> {
    let mut inside: Vec<f64> =
        points.iter().filter(|point| point.0 <= fits).map(|point| point.1).collect();
    // Small footprints keep too little in flight: what the cache can do is the best of them.
    inside.sort_by(f64::total_cmp);
    let bandwidth = *inside.last()?;
    let (_, outside) = *points.last()?;
    if outside >= 0.9 * bandwidth {
        return None;
    }
    let mark = bandwidth - KNEE * (bandwidth - outside);
    let start = points.iter().rposition(|point| point.1 >= mark)?;
    let (&(x0, y0), &(x1, y1)) = (points.get(start)?, points.get(start + 1)?);
    Some(Knee { bandwidth, capacity: x0 + (x1 - x0) * (y0 - mark) / (y0 - y1) })
}

/// The latency of memory under load: what `trip_ns`, the time of one round of loads of
/// `in_flight` bytes by the whole device, would be if bandwidth were endless. `None` where
/// bandwidth is more than three quarters used: then the rest says too little.
pub(super) fn loaded_latency_ns(in_flight: f64, trip_ns: f64, bandwidth: f64) -> Option<f64> {
    let used = in_flight / bandwidth * 1e9 / trip_ns;
    let within = used.is_finite() && (0.0..0.75).contains(&used) && trip_ns > 0.0;
    within.then(|| trip_ns * (1.0 - used.powi(SHARPNESS)).powf(1.0 / f64::from(SHARPNESS)))
}

/// The step of a clock that took these times: their differences' greatest common divisor, `None`
/// where all are the same.
pub(super) fn tick_ns(times_ns: &[u64]) -> Option<u64> {
    let first = *times_ns.first()?;
    let tick = times_ns.iter().fold(0, |tick, &time| greatest_divisor(tick, time.abs_diff(first)));
    (tick > 0).then_some(tick)
}

fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How far apart two times of the same thing are, as a share of the smaller.
pub(super) fn distance(one: f64, other: f64) -> f64 {
    (one - other).abs() / one.min(other)
}

/// A number with four significant digits: more is not known.
pub(super) fn rounded(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return value;
    }
    // Through text: the nearest decimal, not the nearest multiple of a power of ten.
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn lines_are_found_again() {
        let points: Vec<(f64, f64)> =
            [0.0, 10.0, 1000.0, 131_072.0].map(|x| (x, 484.0 + 0.6 * x)).into();
        let found = line(&points).unwrap();
        close(Some(found.slope), 0.6);
        assert!((found.intercept - 484.0).abs() < 1e-6);
        // Errors that cancel do not move it.
        let noisy = [(0.0, 1.0), (0.0, -1.0), (4.0, 9.0), (4.0, 7.0)];
        assert_eq!(line(&noisy), Some(Line { intercept: 0.0, slope: 2.0 }));
        assert_eq!(line(&points[..1]), None);
        assert_eq!(line(&[(3.0, 1.0), (3.0, 2.0)]), None);
    }

    #[test]
    fn bandwidth_is_the_slope_between_two_sizes() {
        // 4 TB/s after a fixed 5 microseconds.
        let time = |bytes: f64| (bytes, 5000.0 + bytes / 4e12 * 1e9);
        close(rise(time(268e6), time(1074e6)).map(|ns_per_byte| 1e9 / ns_per_byte), 4e12);
        assert_eq!(rise((1.0, 2.0), (1.0, 3.0)), None);
        assert_eq!(rise((1.0, 3.0), (2.0, 2.0)), None);
    }

    #[test]
    fn a_caches_knee_is_found_between_the_points() {
        // 10 up to 40, then falling by 0.1 for each unit of footprint, down to 4.
        let curve = |x: f64| (10.0 - (x - 40.0).max(0.0) * 0.1).max(4.0);
        let points: Vec<(f64, f64)> =
            [8.0, 16.0, 32.0, 40.0, 60.0, 120.0, 240.0].map(|x| (x, curve(x))).into();
        let found = knee(&points, 32.0).unwrap();
        close(Some(found.bandwidth), 10.0);
        // A tenth of the way from 10 to 4 is 9.4, which it has at 46.
        close(Some(found.capacity), 46.0);
        // Little in flight at the smallest footprint is no end of the cache.
        let mut slow_start = points.clone();
        slow_start[0].1 = 5.0;
        assert_eq!(knee(&slow_start, 32.0), Some(found));
        // No fall, no capacity.
        assert_eq!(knee(&[(8.0, 10.0), (16.0, 10.0)], 16.0), None);
        assert_eq!(knee(&points, 1.0), None);
    }

    #[test]
    fn latency_comes_back_out_of_the_norm_that_hid_it() {
        let (latency, bandwidth) = (780.0f64, 4.5e12f64);
        for in_flight in [132.0f64 * 1024.0, 132.0 * 8192.0, 132.0 * 16384.0] {
            let moving = in_flight / bandwidth * 1e9;
            let trip = (latency.powi(4) + moving.powi(4)).powf(0.25);
            close(loaded_latency_ns(in_flight, trip, bandwidth), latency);
        }
        // All bandwidth used: nothing can be said.
        assert_eq!(loaded_latency_ns(132.0 * 65536.0, 1925.0, bandwidth), None);
        assert_eq!(loaded_latency_ns(1.0, f64::NAN, bandwidth), None);
    }

    #[test]
    fn ticks_of_clocks() {
        assert_eq!(tick_ns(&[1536, 1568, 1696, 1536]), Some(32));
        assert_eq!(tick_ns(&[4096, 2048, 8192]), Some(2048));
        assert_eq!(tick_ns(&[100, 100]), None);
        assert_eq!(tick_ns(&[]), None);
    }

    #[test]
    fn small_things() {
        close(Some(distance(1.01, 1.0)), 0.01);
        assert_eq!(rounded(4_531_234_567_890.0).to_bits(), 4.531e12f64.to_bits());
        assert_eq!(rounded(0.600_049).to_bits(), 0.6f64.to_bits());
    }
}
