//! The legal candidates of a space, compactly.

use std::borrow::Borrow;

use super::{Candidate, Parameter, SearchSpace, list};
use crate::diagnostic::Diagnostic;

/// The legal points of a search space for one workload and device.
///
/// Points are numbered in the lexicographic order of the declared parameters and their values;
/// never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalSpace {
    parameters: Vec<Parameter>,
    /// `n_points` rows, each with one value index a parameter, sorted.
    indices: Vec<u16>,
    n_points: usize,
    product_size: u128,
}

impl LegalSpace {
    /// The space of given points, such as a recorded landscape's. Points may come in any order;
    /// one that comes twice counts once.
    ///
    /// # Errors
    /// `space.*` where the parameters are not sound, a point is not a point of their product, or
    /// there are no points.
    pub fn from_points<C: Borrow<Candidate>>(
        parameters: Vec<Parameter>,
        points: impl IntoIterator<Item = C>,
    ) -> Result<Self, Diagnostic> {
        let space = SearchSpace::new(parameters, Vec::new(), None)?;
        let strides = strides(&space.parameters)?;
        let mut keys = Vec::new();
        for point in points {
            let indices = space.indices_of(point.borrow())?;
            keys.push(
                indices.iter().zip(&strides).map(|(&i, stride)| u128::from(i) * stride).sum(),
            );
        }
        if keys.is_empty() {
            return Err(Diagnostic::new("space.empty", "the space has no points"));
        }
        Self::from_keys(space.parameters, keys)
    }

    /// The space of points given by their numbers in the full product.
    pub(super) fn from_keys(
        parameters: Vec<Parameter>,
        mut keys: Vec<u128>,
    ) -> Result<Self, Diagnostic> {
        let strides = strides(&parameters)?;
        keys.sort_unstable();
        keys.dedup();
        let mut indices = Vec::with_capacity(keys.len() * parameters.len());
        for key in &keys {
            let mut rest = *key;
            for stride in &strides {
                // A quotient is below its parameter's number of values, which 16 bits hold.
                indices.push(u16::try_from(rest / stride).unwrap_or(u16::MAX));
                rest %= stride;
            }
        }
        let product_size = product_size(&parameters)?;
        Ok(Self { parameters, indices, n_points: keys.len(), product_size })
    }

    /// How many points are legal; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a legal space is never empty")]
    pub fn len(&self) -> usize {
        self.n_points
    }

    /// How many points the product of all values has.
    pub fn product_size(&self) -> u128 {
        self.product_size
    }

    /// The parameters, in declared order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The value index of each parameter at a point.
    ///
    /// # Panics
    /// Where `index` is not below [`Self::len`].
    pub fn indices(&self, index: usize) -> &[u16] {
        assert!(index < self.n_points, "point {index} of {}", self.n_points);
        let width = self.parameters.len();
        &self.indices[index * width..(index + 1) * width]
    }

    /// A point as a candidate.
    ///
    /// # Panics
    /// Where `index` is not below [`Self::len`].
    pub fn candidate(&self, index: usize) -> Candidate {
        let values = self.indices(index).iter().zip(&self.parameters);
        Candidate::new(values.map(|(&value, parameter)| {
            (parameter.name.as_str(), parameter.values[usize::from(value)].clone())
        }))
    }

    /// Every point as a candidate, in order.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        (0..self.n_points).map(|index| self.candidate(index))
    }

    /// The number of a candidate; `None` where it is not legal.
    pub fn find(&self, candidate: &Candidate) -> Option<usize> {
        if candidate.len() != self.parameters.len() {
            return None;
        }
        let mut row = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            let value = candidate.get(&parameter.name)?;
            let index = parameter.values.iter().position(|known| known == value)?;
            row.push(u16::try_from(index).ok()?);
        }
        self.find_indices(&row)
    }

    /// The number of the point with these value indices; `None` where it is not legal.
    pub fn find_indices(&self, row: &[u16]) -> Option<usize> {
        self.find_between(row, 0, self.n_points)
    }

    /// The legal points that differ from a point in exactly one parameter, sorted.
    ///
    /// # Panics
    /// Where `index` is not below [`Self::len`].
    pub fn neighbours(&self, index: usize) -> Vec<usize> {
        let mut row = self.indices(index).to_vec();
        let mut found = Vec::new();
        // Points that share the first `place` values with this one lie together.
        let (mut low, mut high) = (0, self.n_points);
        for place in 0..row.len() {
            let own = row[place];
            for other in 0..self.parameters[place].values.len() {
                let Ok(other) = u16::try_from(other) else { break };
                if other != own {
                    row[place] = other;
                    found.extend(self.find_between(&row, low, high));
                }
            }
            row[place] = own;
            let prefix = &row[..=place];
            let start = self.partition(low, high, |point| point[..=place] < *prefix);
            high = self.partition(start, high, |point| point[..=place] <= *prefix);
            low = start;
        }
        found.sort_unstable();
        found
    }

    fn find_between(&self, row: &[u16], low: usize, high: usize) -> Option<usize> {
        let at = self.partition(low, high, |point| point < row);
        (at < high && self.indices(at) == row).then_some(at)
    }

    /// The first point of `low..high` for which `before` is false.
    fn partition(&self, low: usize, high: usize, before: impl Fn(&[u16]) -> bool) -> usize {
        let (mut low, mut high) = (low, high);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.indices(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// How many points the product of all values has.
pub(super) fn product_size(parameters: &[Parameter]) -> Result<u128, Diagnostic> {
    parameters
        .iter()
        .try_fold(1u128, |size, parameter| size.checked_mul(parameter.values.len() as u128))
        .ok_or_else(|| {
            let names: Vec<_> = parameters.iter().map(|p| p.name.as_str().into()).collect();
            Diagnostic::new("space.too-large", "the product of all values has 2^128 points or more")
                .hint(format!("the parameters are {}", list(&names)))
        })
}

/// What one step of each parameter's value index adds to a point's number in the full product.
pub(super) fn strides(parameters: &[Parameter]) -> Result<Vec<u128>, Diagnostic> {
    product_size(parameters)?;
    let mut strides = vec![1u128; parameters.len()];
    for place in (1..parameters.len()).rev() {
        strides[place - 1] = strides[place] * parameters[place].values.len() as u128;
    }
    Ok(strides)
}
