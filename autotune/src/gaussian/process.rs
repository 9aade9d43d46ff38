//! A Gaussian process over the coordinates of candidates: its weights, and its posterior on a pool
//! of candidates, kept up observation by observation.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Observations used to choose weights at most; the cost is cubic in them.
const FIT_LIMIT: usize = 64;

/// Spread of the weights' prior, as the standard deviation of their logarithm.
const WEIGHT_SPREAD: f64 = 2.0;

/// Noise expected before any is seen, as a share of the variance, and the spread of its logarithm.
const NOISE_EXPECTED: f64 = 1e-3;
const NOISE_SPREAD: f64 = 1.5;

const WEIGHT_RANGE: (f64, f64) = (1e-4, 300.0);
const NOISE_RANGE: (f64, f64) = (1e-5, 0.3);

/// What a process assumes: how fast the function changes along each axis, and its noise.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// Weights of the squared distance along each axis: inverse squared length scales.
    pub(crate) weights: Vec<f64>,
    /// Variance of the noise over that of the function.
    pub(crate) noise: f64,
}

/// The Matérn covariance of smoothness 5/2 at a squared scaled distance.
fn matern(squared: f64) -> f64 {
    let root = (5.0 * squared).sqrt();
    (1.0 + root + root * root / 3.0) * (-root).exp()
}

impl Kernel {
    pub(crate) fn new(weights: Vec<f64>) -> Self {
        Self { weights, noise: NOISE_EXPECTED }
    }

    fn covariance(&self, a: &[f32], b: &[f32]) -> f64 {
        let squared = self.weights.iter().zip(a.iter().zip(b)).map(|(weight, (a, b))| {
            let difference = f64::from(a - b);
            weight * difference * difference
        });
        matern(squared.sum())
    }

    /// Changes the weights and the noise towards what explains the observations better: random
    /// steps from where they are, one at a time, each kept if it does. `expected` are the weights'
    /// prior means. The scale of the function is profiled out.
    pub(crate) fn fit(
        &mut self,
        rows: &[Vec<f32>],
        targets: &[f64],
        expected: &[f64],
        n_steps: usize,
        rng: &mut ChaCha8Rng,
    ) {
        let chosen = spread_out(targets);
        let rows: Vec<&[f32]> = chosen.iter().map(|&at| rows[at].as_slice()).collect();
        let targets: Vec<f64> = chosen.iter().map(|&at| targets[at]).collect();
        let mut best = self.evidence(&rows, &targets, expected);
        for step in 0..n_steps {
            let mut tried = self.clone();
            let which = rng.random_range(0..=tried.weights.len());
            // Mostly short steps, and a long one now and then.
            let reach = if step % 3 == 0 { 3.0 } else { 1.2 };
            let factor = (reach * rng.random_range(-1.0..1.0f64)).exp();
            match tried.weights.get_mut(which) {
                Some(weight) => *weight = (*weight * factor).clamp(WEIGHT_RANGE.0, WEIGHT_RANGE.1),
                None => tried.noise = (tried.noise * factor).clamp(NOISE_RANGE.0, NOISE_RANGE.1),
            }
            let evidence = tried.evidence(&rows, &targets, expected);
            if evidence > best {
                best = evidence;
                *self = tried;
            }
        }
    }

    /// Logarithm of the posterior density of these assumptions, up to a constant.
    fn evidence(&self, rows: &[&[f32]], targets: &[f64], expected: &[f64]) -> f64 {
        let n = rows.len();
        let mut factor = Factor::default();
        let mut whitened = Vec::with_capacity(n);
        for (row, target) in rows.iter().zip(targets) {
            let covariances = rows[..factor.n].iter().map(|other| self.covariance(row, other));
            factor.push(covariances.collect(), 1.0 + self.noise);
            whitened.push(factor.whiten_next(&whitened, *target));
        }
        let fit: f64 = whitened.iter().map(|value| value * value).sum();
        let mut evidence = -0.5 * n as f64 * (fit / n as f64).max(1e-12).ln()
            - (0..n).map(|at| factor.diagonal(at).ln()).sum::<f64>();
        for (weight, expected) in self.weights.iter().zip(expected) {
            evidence -= 0.5 * ((weight / expected).ln() / WEIGHT_SPREAD).powi(2);
        }
        evidence - 0.5 * ((self.noise / NOISE_EXPECTED).ln() / NOISE_SPREAD).powi(2)
    }
}

/// The observations to choose weights by: the best half of the limit, the rest spread over time.
fn spread_out(targets: &[f64]) -> Vec<usize> {
    let n = targets.len();
    if n <= FIT_LIMIT {
        return (0..n).collect();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| targets[a].total_cmp(&targets[b]).then(a.cmp(&b)));
    let (best, rest) = order.split_at(FIT_LIMIT / 2);
    let mut rest = rest.to_vec();
    rest.sort_unstable();
    let n_rest = FIT_LIMIT - best.len();
    let mut chosen = best.to_vec();
    chosen.extend((0..n_rest).map(|at| rest[at * rest.len() / n_rest]));
    chosen.sort_unstable();
    chosen
}

/// The Cholesky factor of a covariance matrix, grown row by row.
#[derive(Clone, Debug, Default)]
struct Factor {
    n: usize,
    /// Rows of the lower triangle, one after another.
    entries: Vec<f64>,
}

impl Factor {
    fn row(&self, at: usize) -> &[f64] {
        let start = at * (at + 1) / 2;
        &self.entries[start..=start + at]
    }

    fn diagonal(&self, at: usize) -> f64 {
        self.entries[at * (at + 1) / 2 + at]
    }

    /// Adds an observation by its covariances with those before and its own variance.
    fn push(&mut self, mut covariances: Vec<f64>, variance: f64) {
        for at in 0..self.n {
            let row = self.row(at);
            let explained = dot(&row[..at], &covariances[..at]);
            covariances[at] = (covariances[at] - explained) / row[at];
        }
        let left = variance - dot(&covariances, &covariances);
        self.entries.extend_from_slice(&covariances);
        self.entries.push(left.max(1e-9).sqrt());
        self.n += 1;
    }

    /// The last observation's whitened target, given those of all before.
    fn whiten_next(&self, whitened: &[f64], target: f64) -> f64 {
        let row = self.row(whitened.len());
        (target - dot(&row[..whitened.len()], whitened)) / row[whitened.len()]
    }

    fn whiten(&self, targets: &[f64]) -> Vec<f64> {
        let mut whitened = Vec::with_capacity(targets.len());
        for &target in targets {
            whitened.push(self.whiten_next(&whitened, target));
        }
        whitened
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The posterior of a process on a pool of points.
#[derive(Clone, Debug)]
pub(crate) struct Posterior {
    kernel: Kernel,
    rows: Vec<Vec<f32>>,
    factor: Factor,
    /// For each observation, its whitened covariance with every point of the pool.
    columns: Vec<Vec<f32>>,
    /// The variance left at every point of the pool.
    variance: Vec<f32>,
}

impl Posterior {
    /// A posterior without observations on a pool of so many points.
    pub(crate) fn new(kernel: Kernel, n_points: usize) -> Self {
        Self {
            kernel,
            rows: Vec::new(),
            factor: Factor::default(),
            columns: Vec::new(),
            variance: vec![1.0; n_points],
        }
    }

    /// Adds an observation at a point given by its coordinates; its value is given to
    /// [`Self::mean`]. `pool` holds for each axis the coordinates of all points of the pool.
    pub(crate) fn push(&mut self, row: Vec<f32>, pool: &[Vec<f32>]) {
        let covariances = self.rows.iter().map(|other| self.kernel.covariance(&row, other));
        self.factor.push(covariances.collect(), 1.0 + self.kernel.noise);
        let mut column = vec![0.0f32; self.variance.len()];
        for ((weight, axis), &at) in self.kernel.weights.iter().zip(pool).zip(&row) {
            let weight = narrow(*weight);
            for (squared, coordinate) in column.iter_mut().zip(axis) {
                let difference = coordinate - at;
                *squared += weight * difference * difference;
            }
        }
        for value in &mut column {
            let root = (5.0 * *value).sqrt();
            *value = (1.0 + root + root * root / 3.0) * (-root).exp();
        }
        let last = self.factor.row(self.factor.n - 1);
        for (earlier, &by) in self.columns.iter().zip(last) {
            let by = narrow(by);
            for (value, explained) in column.iter_mut().zip(earlier) {
                *value -= by * explained;
            }
        }
        let scale = narrow(1.0 / self.factor.diagonal(self.factor.n - 1));
        for (value, variance) in column.iter_mut().zip(&mut self.variance) {
            *value *= scale;
            *variance -= *value * *value;
        }
        self.columns.push(column);
        self.rows.push(row);
    }

    /// Adds points to the pool; `axes` holds their coordinates axis by axis.
    pub(crate) fn extend(&mut self, axes: &[Vec<f32>], n_points: usize) {
        let mut whitened = vec![0.0f64; self.rows.len()];
        for point in 0..n_points {
            let row: Vec<f32> = axes.iter().map(|axis| axis[point]).collect();
            let mut variance = 1.0;
            for (at, other) in self.rows.iter().enumerate() {
                let known = self.factor.row(at);
                let covariance = self.kernel.covariance(&row, other);
                whitened[at] = (covariance - dot(&known[..at], &whitened[..at])) / known[at];
                variance -= whitened[at] * whitened[at];
            }
            for (column, value) in self.columns.iter_mut().zip(&whitened) {
                column.push(narrow(*value));
            }
            self.variance.push(narrow(variance));
        }
    }

    /// How many observations it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The mean at every point of the pool and the function's variance, for the observations'
    /// values.
    pub(crate) fn mean(&self, targets: &[f64]) -> (Vec<f32>, f64) {
        let whitened = self.factor.whiten(targets);
        let scale = dot(&whitened, &whitened) / whitened.len().max(1) as f64;
        let mut mean = vec![0.0f32; self.variance.len()];
        for (column, &by) in self.columns.iter().zip(&whitened) {
            let by = narrow(by);
            for (mean, value) in mean.iter_mut().zip(column) {
                *mean += by * value;
            }
        }
        (mean, scale)
    }

    /// The share of the function's variance that is left at a point of the pool.
    pub(crate) fn variance(&self, point: usize) -> f64 {
        f64::from(self.variance[point]).max(1e-9)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the pool is kept in single precision, which halves its memory traffic"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}
