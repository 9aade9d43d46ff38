//! What one access has done wrong so far: the first instance of each kind, and its lanes.

use ridge_spec::outcome::FindingKind;

use super::fault::{Cause, OtherAccess};

/// One kind of fault of one access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) kind: FindingKind,
    pub(super) lanes: u32,
    /// Of the first byte concerned, in the terms of its window.
    pub(super) address: u64,
    pub(super) cause: Cause,
    pub(super) other: Option<OtherAccess>,
}

/// The faults of one access, one for each kind: of several, that of the lowest lane.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn note(&mut self, kind: FindingKind, lanes: u32, address: u64) {
        self.note_cause(kind, lanes, address, Cause::Plain, None);
    }

    pub(super) fn note_cause(
        &mut self,
        kind: FindingKind,
        lanes: u32,
        address: u64,
        cause: Cause,
        other: Option<OtherAccess>,
    ) {
        if let Some(problem) = self.list.iter_mut().find(|problem| problem.kind == kind) {
            if lanes.trailing_zeros() < problem.lanes.trailing_zeros() {
                *problem = Problem { kind, lanes: problem.lanes, address, cause, other };
            }
            problem.lanes |= lanes;
        } else {
            self.list.push(Problem { kind, lanes, address, cause, other });
        }
    }

    /// Whether there is one of that kind.
    pub(super) fn has(&self, kind: FindingKind) -> bool {
        self.list.iter().any(|problem| problem.kind == kind)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.list)
    }
}
