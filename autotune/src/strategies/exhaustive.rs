//! Every legal candidate: in the order of the prior where there is one, then by index.

use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::strategy::{Setup, Strategy};

/// See the module.
pub(super) struct Exhaustive {
    first: Vec<usize>,
    next: usize,
}

impl Exhaustive {
    pub(super) fn new(setup: Setup) -> Self {
        Self { first: setup.prior.map(|prior| prior.order()).unwrap_or_default(), next: 0 }
    }
}

impl Strategy for Exhaustive {
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize> {
        let mut batch = Vec::new();
        while batch.len() < n_max && self.next < self.first.len() + space.len() {
            let candidate = match self.first.get(self.next) {
                Some(&predicted) => predicted,
                None => self.next - self.first.len(),
            };
            self.next += 1;
            if candidate < space.len()
                && !history.contains(candidate)
                && !batch.contains(&candidate)
            {
                batch.push(candidate);
            }
        }
        batch
    }
}
