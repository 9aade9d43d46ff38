//! Gradient-boosted regression trees over binned features.
//!
//! Squared loss, histograms of at most [`BINS`] bins a feature, leaves grown best first; the
//! construction of Ke et al., "LightGBM" (2017), without its sampling of rows. A value that is not
//! a number is unknown and goes where the smallest values go.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Bins of a feature at most, the unknown's included.
const BINS: usize = 64;

/// How trees are grown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Trees.
    pub(super) n_trees: usize,
    /// The share of each tree's answer that counts.
    pub(super) rate: f64,
    /// Leaves of a tree at most.
    pub(super) n_leaves: usize,
    /// The least weight of a leaf's rows.
    pub(super) leaf_weight: f64,
    /// What is added to a leaf's weight when its mean is taken.
    pub(super) ridge: f64,
    /// The share of the features that each tree may use.
    pub(super) features: f64,
}

/// Rows of features and what is known of each.
pub(super) struct Rows<'a> {
    /// The features, row by row, each as long as the others.
    pub(super) features: &'a [&'a [f64]],
    /// The target of each row.
    pub(super) targets: &'a [f64],
    /// The weight of each row.
    pub(super) weights: &'a [f64],
}

/// Trees whose answers are summed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trees {
    trees: Vec<Vec<Node>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Leaf(f64),
    /// Rows whose feature is at most the threshold, or unknown, go left.
    Split {
        feature: usize,
        threshold: f64,
        left: usize,
        right: usize,
    },
}

/// A feature's values as bins, and the largest value of each bin but the last.
struct Column {
    bins: Vec<u8>,
    edges: Vec<f64>,
}

/// Sum of weighted residuals and of weights.
#[derive(Clone, Copy, Default)]
struct Cell {
    sum: f64,
    weight: f64,
}

/// A leaf that may still be split.
struct Leaf {
    node: usize,
    rows: Vec<u32>,
    histogram: Vec<Cell>,
    split: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    bin: usize,
}

impl Trees {
    /// Trees for the rows; deterministic for a seed.
    pub(super) fn grow(rows: &Rows<'_>, growth: &Growth, seed: u64) -> Self {
        let columns = columns(rows.features);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut residuals = rows.targets.to_vec();
        let mut trees = Vec::with_capacity(growth.n_trees);
        for _ in 0..growth.n_trees {
            let chosen: Vec<usize> = columns
                .keys()
                .copied()
                .filter(|_| rng.random_range(0.0..1.0) < growth.features)
                .collect();
            let grower = Grower { columns: &columns, chosen, residuals: &residuals, rows, growth };
            let (nodes, leaves) = grower.grow();
            for leaf in leaves {
                if let Node::Leaf(value) = nodes[leaf.node] {
                    leaf.rows.iter().for_each(|&row| residuals[row as usize] -= value);
                }
            }
            trees.push(nodes);
        }
        Self { trees }
    }

    /// The answer for a row of features.
    pub(super) fn predict(&self, features: &[f64]) -> f64 {
        self.trees.iter().map(|nodes| walk(nodes, features)).sum()
    }
}

fn walk(nodes: &[Node], features: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        match nodes[at] {
            Node::Leaf(value) => return value,
            Node::Split { feature, threshold, left, right } => {
                let value = features.get(feature).copied().unwrap_or(f64::NAN);
                at = if value > threshold { right } else { left };
            }
        }
    }
}

/// The features that vary, by their place.
fn columns(features: &[&[f64]]) -> BTreeMap<usize, Column> {
    let n_features = features.first().map_or(0, |row| row.len());
    let column = |place: usize| {
        let mut values: Vec<f64> =
            features.iter().map(|row| row[place]).filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..BINS - 1)
            .filter_map(|bin| values.get(bin * values.len() / (BINS - 1)).copied())
            .collect();
        edges.dedup();
        // The largest value needs no edge, but that unknown ones stand apart from all others.
        let unknown = values.len() < features.len();
        edges.retain(|edge| values.last().is_some_and(|last| edge < last));
        if unknown {
            edges.insert(0, f64::NEG_INFINITY);
        }
        let bin = |value: f64| {
            if value.is_nan() { 0 } else { edges.partition_point(|&edge| edge < value) }
        };
        let bins = features.iter().map(|row| u8::try_from(bin(row[place])).unwrap_or(u8::MAX));
        let bins = bins.collect();
        (!edges.is_empty()).then_some((place, Column { bins, edges }))
    };
    (0..n_features).filter_map(column).collect()
}

struct Grower<'a> {
    columns: &'a BTreeMap<usize, Column>,
    /// The features that this tree may use.
    chosen: Vec<usize>,
    residuals: &'a [f64],
    rows: &'a Rows<'a>,
    growth: &'a Growth,
}

impl Grower<'_> {
    /// One tree, and its leaves.
    fn grow(&self) -> (Vec<Node>, Vec<Leaf>) {
        let all: Vec<u32> =
            (0..self.residuals.len()).filter_map(|at| u32::try_from(at).ok()).collect();
        let histogram = self.histogram(&all);
        let mut nodes = vec![Node::Leaf(0.0)];
        let mut leaves = vec![self.leaf(0, all, histogram)];
        while leaves.len() < self.growth.n_leaves {
            let gain = |leaf: &Leaf| leaf.split.map_or(0.0, |split| split.gain);
            let best = (0..leaves.len())
                .max_by(|&a, &b| gain(&leaves[a]).total_cmp(&gain(&leaves[b])).then(b.cmp(&a)));
            let Some((place, split)) = best.and_then(|at| Some((at, leaves[at].split?))) else {
                break;
            };
            let leaf = leaves.swap_remove(place);
            leaves.extend(self.split(leaf, split, &mut nodes));
        }
        for leaf in &leaves {
            let whole = self.total(&leaf.rows);
            let value = self.growth.rate * whole.sum / (whole.weight + self.growth.ridge);
            nodes[leaf.node] = Node::Leaf(value);
        }
        (nodes, leaves)
    }

    fn split(&self, leaf: Leaf, split: Split, nodes: &mut Vec<Node>) -> [Leaf; 2] {
        let feature = self.chosen[split.column];
        let column = &self.columns[&feature];
        let (left, right): (Vec<u32>, Vec<u32>) =
            leaf.rows.iter().partition(|&&row| usize::from(column.bins[row as usize]) <= split.bin);
        let places = [nodes.len(), nodes.len() + 1];
        nodes.extend([Node::Leaf(0.0); 2]);
        nodes[leaf.node] = Node::Split {
            feature,
            threshold: column.edges[split.bin],
            left: places[0],
            right: places[1],
        };
        // The histogram of the smaller part is counted, the other's is what is left.
        let left_is_small = left.len() <= right.len();
        let small = self.histogram(if left_is_small { &left } else { &right });
        let mut large = leaf.histogram;
        for (cell, taken) in large.iter_mut().zip(&small) {
            cell.sum -= taken.sum;
            cell.weight -= taken.weight;
        }
        let (of_left, of_right) = if left_is_small { (small, large) } else { (large, small) };
        [self.leaf(places[0], left, of_left), self.leaf(places[1], right, of_right)]
    }

    fn leaf(&self, node: usize, rows: Vec<u32>, histogram: Vec<Cell>) -> Leaf {
        let split = self.best_split(&rows, &histogram);
        Leaf { node, rows, histogram, split }
    }

    fn total(&self, rows: &[u32]) -> Cell {
        rows.iter().fold(Cell::default(), |cell, &row| {
            let weight = self.rows.weights[row as usize];
            Cell {
                sum: cell.sum + weight * self.residuals[row as usize],
                weight: cell.weight + weight,
            }
        })
    }

    /// The cells of every chosen feature, one feature after the other.
    fn histogram(&self, rows: &[u32]) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); self.chosen.len() * BINS];
        for (feature, cells) in self.chosen.iter().zip(cells.chunks_exact_mut(BINS)) {
            let bins = &self.columns[feature].bins;
            for &row in rows {
                let row = row as usize;
                let cell = &mut cells[usize::from(bins[row])];
                let weight = self.rows.weights[row];
                cell.sum += weight * self.residuals[row];
                cell.weight += weight;
            }
        }
        cells
    }

    /// The split that explains most; `None` where none explains anything.
    fn best_split(&self, rows: &[u32], histogram: &[Cell]) -> Option<Split> {
        let whole = self.total(rows);
        let ridge = self.growth.ridge;
        let worth = |cell: Cell| cell.sum * cell.sum / (cell.weight + ridge);
        let least = self.growth.leaf_weight;
        let mut best: Option<Split> = None;
        if whole.weight < 2.0 * least {
            return None;
        }
        for (column, cells) in histogram.chunks_exact(BINS).enumerate() {
            let mut left = Cell::default();
            let n_edges = self.columns[&self.chosen[column]].edges.len();
            for (bin, cell) in cells.iter().enumerate().take(n_edges) {
                left.sum += cell.sum;
                left.weight += cell.weight;
                let right = Cell { sum: whole.sum - left.sum, weight: whole.weight - left.weight };
                if left.weight < least || right.weight < least {
                    continue;
                }
                let gain = worth(left) + worth(right) - worth(whole);
                if gain > best.map_or(1e-12, |best| best.gain) {
                    best = Some(Split { gain, column, bin });
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth =
        Growth { n_trees: 60, rate: 0.2, n_leaves: 8, leaf_weight: 4.0, ridge: 0.1, features: 1.0 };

    /// A grid of two features and one that says nothing.
    fn grid(unknown: bool) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut features = Vec::new();
        let mut targets = Vec::new();
        for a in 0..20 {
            for b in 0..20 {
                let (a, b) = (f64::from(a), f64::from(b));
                let hidden = unknown && b > 15.0;
                features.push(vec![a, if hidden { f64::NAN } else { b }, 7.0]);
                let step = if a > 9.0 && b < 5.0 { 3.0 } else { 0.0 };
                targets.push(step + 0.1 * a + if hidden { 5.0 } else { 0.0 });
            }
        }
        (features, targets)
    }

    fn worst(features: &[Vec<f64>], targets: &[f64], trees: &Trees) -> f64 {
        features
            .iter()
            .zip(targets)
            .map(|(row, target)| (trees.predict(row) - target).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn learns_steps_slopes_and_what_is_unknown() {
        for unknown in [false, true] {
            let (features, targets) = grid(unknown);
            let weights = vec![1.0; targets.len()];
            let features_of: Vec<&[f64]> = features.iter().map(Vec::as_slice).collect();
            let rows = Rows { features: &features_of, targets: &targets, weights: &weights };
            let trees = Trees::grow(&rows, &GROWTH, 0);
            let found = worst(&features, &targets, &trees);
            assert!(found < 0.25, "{found}");
            assert_eq!(Trees::grow(&rows, &GROWTH, 0), trees);
        }
    }

    #[test]
    fn rows_without_weight_say_nothing() {
        let (features, mut targets) = grid(false);
        let weights: Vec<f64> =
            (0..targets.len()).map(|at| f64::from(u8::from(at % 2 == 0))).collect();
        targets.iter_mut().skip(1).step_by(2).for_each(|target| *target = 100.0);
        let features_of: Vec<&[f64]> = features.iter().map(Vec::as_slice).collect();
        let rows = Rows { features: &features_of, targets: &targets, weights: &weights };
        let trees = Trees::grow(&rows, &GROWTH, 0);
        assert!(features.iter().all(|row| trees.predict(row) < 10.0));
    }

    #[test]
    fn nothing_to_learn_is_no_error() {
        let rows = Rows { features: &[], targets: &[], weights: &[] };
        let trees = Trees::grow(&rows, &GROWTH, 0);
        assert!(trees.predict(&[1.0]).abs() < 1e-12);
    }
}
