//! Candidates as points of a space in which near means alike.

use ridge_spec::expression::Value;
use ridge_spec::space::{LegalSpace, Parameter};

/// Text parameters with more values than this are placed by position instead of one axis a value.
const CATEGORIES_LIMIT: usize = 16;

/// Product axes at most: beyond this, pairs of the parameters declared first.
const PRODUCTS_LIMIT: usize = 6;

/// Powers of two beyond this one make no difference to a GPU's alignment.
const ALIGNMENT_LIMIT: u32 = 8;

/// Prior weights of the axes' squared distances: how much a parameter matters before anything is
/// known, and how much what is derived from parameters does.
const PARAMETER_WEIGHT: f64 = 1.0;
const PRODUCT_WEIGHT: f64 = 0.2;
const PREDICTION_WEIGHT: f64 = 4.0;

/// Maps a candidate to its coordinates, each from 0 to 1.
///
/// Positive integers lie on a logarithmic axis, other integers by rank, text on one axis a value.
/// Two kinds of derived axes carry what GPUs care about and single parameters do not show: the
/// largest power of two that divides a value (alignment, whole warps), and the product of two
/// sizes (threads of a block, elements of a tile). A predicted time is an axis too, so that
/// the model learns how far to trust it.
pub(crate) struct FeatureMap {
    axes: Vec<Axis>,
}

struct Axis {
    source: Source,
    /// The axis's coordinate is `(value - low) * scale`.
    low: f64,
    scale: f64,
    weight: f64,
}

enum Source {
    /// A table over the value indices of one parameter.
    Parameter((usize, Vec<f64>)),
    /// The sum of two tables: of logarithms, and so the logarithm of the product.
    Product([(usize, Vec<f64>); 2]),
    /// Of each candidate, the logarithm of its predicted time.
    Prediction(Vec<f64>),
}

impl FeatureMap {
    /// The map of a space, with each candidate's predicted time, nanoseconds, where there is one; with
    /// `known`, of those of its parameters that are so marked.
    pub(crate) fn new(
        space: &LegalSpace,
        predicted_ns: Option<&[Option<f64>]>,
        known: Option<&[bool]>,
    ) -> Self {
        let mut axes = Vec::new();
        let mut sizes: Vec<(usize, Vec<f64>)> = Vec::new();
        let varying = varying(space);
        let known = |place: usize| known.is_none_or(|known| known.get(place) == Some(&true));
        let parameters: Vec<(usize, &Parameter)> = space
            .parameters()
            .iter()
            .enumerate()
            .filter(|&(place, _)| varying[place] && known(place))
            .collect();
        for &(place, parameter) in &parameters {
            for table in parameter_tables(parameter) {
                axes.extend(Axis::over(place, table));
            }
            if let Some(logarithms) = logarithms(parameter)
                && parameter.values.len() > 2
            {
                sizes.push((place, logarithms));
            }
        }
        for &(place, parameter) in &parameters {
            axes.extend(alignment_table(parameter).and_then(|table| Axis::over(place, table)));
        }
        let pairs =
            (0..sizes.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
        for (first, second) in pairs.take(PRODUCTS_LIMIT) {
            let range = |table: &[f64]| bounds(table.iter().copied());
            let (a, b) = (range(&sizes[first].1), range(&sizes[second].1));
            let source = Source::Product([sizes[first].clone(), sizes[second].clone()]);
            axes.extend(Axis::new(source, (a.0 + b.0, a.1 + b.1), PRODUCT_WEIGHT));
        }
        axes.extend(predicted_ns.and_then(|times| prediction_axis(times, space.len())));
        Self { axes }
    }

    /// How many axes there are.
    pub(crate) fn len(&self) -> usize {
        self.axes.len()
    }

    /// What each axis's weight is expected to be.
    pub(crate) fn weights(&self) -> Vec<f64> {
        self.axes.iter().map(|axis| axis.weight).collect()
    }

    /// The coordinate of a candidate on one axis.
    pub(crate) fn coordinate(&self, axis: usize, space: &LegalSpace, candidate: usize) -> f32 {
        let axis = &self.axes[axis];
        match &axis.source {
            Source::Prediction(logarithms) => axis.place(logarithms[candidate]),
            Source::Parameter(..) | Source::Product(_) => axis.at(space.indices(candidate)),
        }
    }

    /// The coordinates of a point given by value indices, on a map without predictions.
    pub(crate) fn row_at(&self, indices: &[u16]) -> Vec<f32> {
        self.axes.iter().map(|axis| axis.at(indices)).collect()
    }

    /// The coordinates of a candidate on all axes.
    pub(crate) fn row(&self, space: &LegalSpace, candidate: usize) -> Vec<f32> {
        (0..self.len()).map(|axis| self.coordinate(axis, space, candidate)).collect()
    }
}

impl Axis {
    fn new(source: Source, (low, high): (f64, f64), weight: f64) -> Option<Self> {
        let scale = 1.0 / (high - low);
        (high > low && scale.is_finite()).then_some(Self { source, low, scale, weight })
    }

    /// The coordinate of a point; 0 on the axis of predictions, which knows candidates only.
    fn at(&self, indices: &[u16]) -> f32 {
        let value = |(place, table): &(usize, Vec<f64>)| table[usize::from(indices[*place])];
        match &self.source {
            Source::Parameter(part) => self.place(value(part)),
            Source::Product(parts) => self.place(parts.iter().map(value).sum()),
            Source::Prediction(_) => 0.0,
        }
    }

    fn place(&self, value: f64) -> f32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "coordinates lie about 0 and 1, where single precision is plenty"
        )]
        let coordinate = ((value - self.low) * self.scale) as f32;
        coordinate
    }

    fn over(place: usize, table: Vec<f64>) -> Option<Self> {
        let range = bounds(table.iter().copied());
        Self::new(Source::Parameter((place, table)), range, PARAMETER_WEIGHT)
    }
}

/// Which parameters have more than one value among the legal points.
fn varying(space: &LegalSpace) -> Vec<bool> {
    let first = space.indices(0);
    let mut varying = vec![false; first.len()];
    for index in 1..space.len() {
        if varying.iter().all(|&known| known) {
            break;
        }
        for ((known, at), start) in varying.iter_mut().zip(space.indices(index)).zip(first) {
            *known |= at != start;
        }
    }
    varying
}

/// The axes of one parameter, as tables over its values.
fn parameter_tables(parameter: &Parameter) -> Vec<Vec<f64>> {
    if let Some(logarithms) = logarithms(parameter) {
        return vec![logarithms];
    }
    let n = parameter.values.len();
    if let Some(integers) = integers(parameter) {
        let mut sorted = integers.clone();
        sorted.sort_unstable();
        let rank = |value: &i64| sorted.partition_point(|known| known < value) as f64;
        return vec![integers.iter().map(rank).collect()];
    }
    if (3..=CATEGORIES_LIMIT).contains(&n) {
        let only = |own: usize| (0..n).map(|at| if at == own { 1.0 } else { 0.0 }).collect();
        return (0..n).map(only).collect();
    }
    vec![(0..n).map(|at| at as f64).collect()]
}

/// The exponent of the largest power of two that divides each value, where the values are not all
/// powers of two themselves.
fn alignment_table(parameter: &Parameter) -> Option<Vec<f64>> {
    let integers = integers(parameter)?;
    let sizes = integers.len() > 2
        && integers.iter().all(|&value| value > 0)
        && integers.iter().any(|&value| value.count_ones() > 1);
    let exponent = |value: &i64| f64::from(value.trailing_zeros().min(ALIGNMENT_LIMIT));
    sizes.then(|| integers.iter().map(exponent).collect())
}

fn prediction_axis(times_ns: &[Option<f64>], n_candidates: usize) -> Option<Axis> {
    let logarithm = |candidate: usize| {
        let time = times_ns.get(candidate).copied().flatten()?;
        (time.is_finite() && time > 0.0).then(|| time.ln())
    };
    let known: Vec<Option<f64>> = (0..n_candidates).map(logarithm).collect();
    let (low, high) = bounds(known.iter().copied().flatten());
    // What has no prediction is taken as slow.
    let all = known.into_iter().map(|time| time.unwrap_or(high)).collect();
    Axis::new(Source::Prediction(all), (low, high), PREDICTION_WEIGHT)
}

fn integers(parameter: &Parameter) -> Option<Vec<i64>> {
    parameter
        .values
        .iter()
        .map(|value| match value {
            Value::Integer(integer) => Some(*integer),
            Value::Text(_) => None,
        })
        .collect()
}

fn logarithms(parameter: &Parameter) -> Option<Vec<f64>> {
    let integers = integers(parameter)?;
    let positive = integers.iter().all(|&value| value > 0);
    positive.then(|| integers.iter().map(|&value| (value as f64).log2()).collect())
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
