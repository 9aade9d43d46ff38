//! What a process is trained on, from times.

/// Times slower than the median by more than this many times the way from the best to the median
/// (of logarithms) are compressed: how bad a bad candidate is does not tell where the good ones
/// are, and would cost the model its resolution there.
const COMPRESSED_FROM: f64 = 1.5;
const COMPRESSED_TO: f64 = 0.1;

/// Logarithms of times as targets, and the least of a success: failures are as slow as the slowest
/// success, and what is very slow is compressed.
pub(crate) fn targets(times: &[Option<f64>]) -> (Vec<f64>, Option<f64>) {
    let slowest = times.iter().copied().flatten().fold(f64::NEG_INFINITY, f64::max);
    let best = times.iter().copied().flatten().reduce(f64::min);
    let slowest = if best.is_some() { slowest } else { 0.0 };
    let mut targets: Vec<f64> = times.iter().map(|time| time.unwrap_or(slowest)).collect();
    if let Some(best) = best {
        compress(&mut targets, best);
    }
    (targets, best)
}

fn compress(targets: &mut [f64], best: f64) {
    let mut sorted = targets.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[(sorted.len() - 1) / 2];
    let from = median + COMPRESSED_FROM * (median - best).max(1e-3);
    for target in targets.iter_mut().filter(|target| **target > from) {
        *target = from + COMPRESSED_TO * (*target - from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_slow_ones_are_compressed_in_order() {
        let mut targets = vec![0.0, 1.0, 2.0, 10.0, 20.0];
        compress(&mut targets, 0.0);
        assert_eq!(targets[..3], [0.0, 1.0, 2.0]);
        assert!(targets.is_sorted() && targets[4] < 7.0, "{targets:?}");
    }
}
