//! What went wrong in the machine itself: barriers, traps, budgets.

use std::collections::BTreeMap;

use ridge_spec::outcome::FindingKind;

/// One fault of the machine.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// What is wrong.
    pub(crate) kind: FindingKind,
    /// The instruction.
    pub(crate) pc: u32,
    /// The other instruction involved.
    pub(crate) other: Option<u32>,
    /// Linear index of the block.
    pub(crate) block: u64,
    /// The warp in its block.
    pub(crate) warp: u32,
    /// Faulting lanes of that warp; 0 where the fault has no single warp.
    pub(crate) lanes: u32,
    /// One clause.
    pub(crate) message: String,
    /// How many times.
    pub(crate) occurrences: u64,
}

/// Events of a block or of an execution, one for each (kind, instruction).
#[derive(Clone, Debug, Default)]
pub(crate) struct EventLog {
    events: BTreeMap<(FindingKind, u32), Event>,
}

impl EventLog {
    /// Adds an event, or counts it; the one kept is that of the lowest block.
    pub(crate) fn push(&mut self, event: Event) {
        match self.events.get_mut(&(event.kind, event.pc)) {
            None => {
                self.events.insert((event.kind, event.pc), event);
            }
            Some(kept) => {
                let occurrences = kept.occurrences + event.occurrences;
                if event.block < kept.block {
                    *kept = event;
                }
                kept.occurrences = occurrences;
            }
        }
    }

    /// Whether nothing went wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes in another log.
    pub(crate) fn merge(&mut self, other: Self) {
        other.events.into_values().for_each(|event| self.push(event));
    }

    /// The events by kind, then instruction.
    pub(crate) fn into_events(self) -> impl Iterator<Item = Event> {
        self.events.into_values()
    }
}
