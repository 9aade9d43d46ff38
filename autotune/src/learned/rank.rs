//! How well predictions order candidates.

use serde::Serialize;

/// How well predicted times order measured ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// Kendall's tau-b: 1 for the same order, 0 for none, -1 for the opposite.
    pub kendall_tau: f64,
    /// Spearman's rho: the correlation of the ranks.
    pub spearman_rho: f64,
    /// How much slower than the fastest the candidate is that is predicted fastest; a fraction.
    pub regret_1: f64,
    /// The same for the best of the ten predicted fastest.
    pub regret_10: f64,
}

impl Ranking {
    /// Judges predictions, anything that grows with time, by the logarithms of the times of the
    /// same candidates; `None` for fewer than two. Candidates predicted alike count at their
    /// worst: the slowest of them is taken first.
    pub fn new(predicted: &[f64], measured: &[f64]) -> Option<Self> {
        if predicted.len() < 2 || predicted.len() != measured.len() {
            return None;
        }
        let fastest = measured.iter().copied().fold(f64::INFINITY, f64::min);
        let mut order: Vec<usize> = (0..predicted.len()).collect();
        order.sort_by(|&a, &b| {
            predicted[a].total_cmp(&predicted[b]).then(measured[b].total_cmp(&measured[a]))
        });
        let regret = |n: usize| {
            let best = order.iter().take(n).map(|&at| measured[at]).fold(f64::INFINITY, f64::min);
            (best - fastest).exp_m1()
        };
        Some(Self {
            kendall_tau: kendall_tau(predicted, measured),
            spearman_rho: correlation(&ranks(predicted), &ranks(measured)),
            regret_1: regret(1),
            regret_10: regret(10),
        })
    }

    /// The median of each number over several; `None` without any.
    pub fn median(all: &[Self]) -> Option<Self> {
        let of = |number: fn(&Self) -> f64| middle(all.iter().map(number).collect());
        Some(Self {
            kendall_tau: of(|one| one.kendall_tau)?,
            spearman_rho: of(|one| one.spearman_rho)?,
            regret_1: of(|one| one.regret_1)?,
            regret_10: of(|one| one.regret_10)?,
        })
    }
}

/// The median; `None` of nothing.
pub(super) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}

/// Kendall's tau-b: 1 where every pair is in the same order in both, 0 where one side is all tied. By
/// Knight's method: pairs in the wrong order are counted while sorting. Both are of one length.
pub fn kendall_tau(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[i].total_cmp(&a[j]).then(b[i].total_cmp(&b[j])));
    let same = |values: &[f64], i: usize, j: usize| values[i].total_cmp(&values[j]).is_eq();
    let pairs = |n: usize| (n * n.saturating_sub(1) / 2) as f64;
    let runs = |order: &[usize], equal: &dyn Fn(usize, usize) -> bool| -> f64 {
        order.chunk_by(|&i, &j| equal(i, j)).map(|run| pairs(run.len())).sum()
    };
    let tied_a = runs(&order, &|i, j| same(a, i, j));
    let tied_both = runs(&order, &|i, j| same(a, i, j) && same(b, i, j));
    let mut sorted: Vec<f64> = order.iter().map(|&at| b[at]).collect();
    let n_swaps = merge_sort(&mut sorted, &mut vec![0.0; n]) as f64;
    let tied_b: f64 =
        sorted.chunk_by(|x, y| x.total_cmp(y).is_eq()).map(|run| pairs(run.len())).sum();
    let all = pairs(n);
    let scale = ((all - tied_a) * (all - tied_b)).sqrt();
    if scale > 0.0 { (all - tied_a - tied_b + tied_both - 2.0 * n_swaps) / scale } else { 0.0 }
}

/// Sorts, and answers how many pairs stood in the wrong order.
fn merge_sort(values: &mut [f64], room: &mut [f64]) -> u64 {
    let n = values.len();
    if n < 2 {
        return 0;
    }
    let half = n / 2;
    let mut n_swaps = merge_sort(&mut values[..half], room) + merge_sort(&mut values[half..], room);
    let (mut left, mut right) = (0, half);
    for place in &mut room[..n] {
        let take_right =
            left == half || (right < n && values[right].total_cmp(&values[left]).is_lt());
        *place = if take_right { values[right] } else { values[left] };
        if take_right {
            n_swaps += (half - left) as u64;
            right += 1;
        } else {
            left += 1;
        }
    }
    values.copy_from_slice(&room[..n]);
    n_swaps
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for run in order.chunk_by(|&i, &j| values[i].total_cmp(&values[j]).is_eq()) {
        let rank = start as f64 + (run.len() - 1) as f64 / 2.0;
        run.iter().for_each(|&at| ranks[at] = rank);
        start += run.len();
    }
    ranks
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut products, mut squares_a, mut squares_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        products += (x - mean_a) * (y - mean_b);
        squares_a += (x - mean_a).powi(2);
        squares_b += (y - mean_b).powi(2);
    }
    let scale = (squares_a * squares_b).sqrt();
    if scale > 0.0 { products / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tau-b by its definition.
    fn by_pairs(a: &[f64], b: &[f64]) -> f64 {
        let (mut sum, mut loose_a, mut loose_b) = (0.0, 0.0, 0.0);
        for i in 0..a.len() {
            for j in 0..i {
                let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
                let (x, y) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
                sum += x * y;
                loose_a += x * x;
                loose_b += y * y;
            }
        }
        if loose_a * loose_b > 0.0 { sum / f64::sqrt(loose_a * loose_b) } else { 0.0 }
    }

    proptest! {
        #[test]
        fn tau_is_what_its_definition_says(
            pairs in proptest::collection::vec((0u8..6, 0u8..6), 2..40),
        ) {
            let a: Vec<f64> = pairs.iter().map(|(a, _)| f64::from(*a)).collect();
            let b: Vec<f64> = pairs.iter().map(|(_, b)| f64::from(*b)).collect();
            prop_assert!((kendall_tau(&a, &b) - by_pairs(&a, &b)).abs() < 1e-9);
        }
    }

    #[test]
    fn rank_correlation() {
        for (pairs, expected) in [
            (vec![(1, 10), (2, 20), (3, 30)], 1.0),
            (vec![(1, 30), (2, 20), (3, 10)], -1.0),
            (vec![(1, 1), (2, 1), (3, 1)], 0.0),
            // One tie in the first: 2 concordant pairs over the root of 2 times 3.
            (vec![(1, 1), (1, 2), (2, 3)], 2.0 / f64::sqrt(6.0)),
        ] {
            let (a, b): (Vec<f64>, Vec<f64>) =
                pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            assert!((kendall_tau(&a, &b) - expected).abs() < 1e-12, "{pairs:?}");
        }
    }

    #[test]
    fn regret_is_of_the_predicted_fastest() {
        let measured: Vec<f64> = (0..20).map(|at| (100.0 + f64::from(at)).ln()).collect();
        let same = Ranking::new(&measured, &measured).unwrap();
        let close = |x: f64, y: f64| (x - y).abs() < 1e-9;
        assert!(close(same.kendall_tau, 1.0) && close(same.spearman_rho, 1.0), "{same:?}");
        assert!(close(same.regret_1, 0.0));
        let upside_down: Vec<f64> = measured.iter().map(|time| -time).collect();
        let found = Ranking::new(&upside_down, &measured).unwrap();
        assert!(close(found.kendall_tau, -1.0) && close(found.regret_1, 0.19), "{found:?}");
        assert!(close(found.regret_10, 0.10), "{found:?}");
        // What is predicted alike is no prediction.
        let alike = Ranking::new(&[1.0; 20], &measured).unwrap();
        assert!(close(alike.kendall_tau, 0.0) && close(alike.regret_1, 0.19), "{alike:?}");
        assert_eq!(Ranking::new(&[1.0], &[1.0]), None);
    }
}
