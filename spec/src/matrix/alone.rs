//! The candidate for a launch behind a kernel that triggers nothing.

use super::{AloneWinner, Entry, EntryTime, Situation};
use crate::digest::Digest;
use crate::outcome::Samples;
use crate::record::TuningRecord;
use crate::space::Candidate;

/// How sure it must be that one median is below another: neither interval may hold less.
const CONFIDENCE: f64 = 0.95;

impl Situation {
    /// Its word in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Alone => "alone",
        }
    }
}

impl AloneWinner {
    /// What a record says of its candidate alone. `None` where it was not timed alone, or too few
    /// times for an interval that holds the median with 95 %, or has no artifact.
    pub fn of(record: &TuningRecord) -> Option<Self> {
        let samples: &Samples = record.companions.as_ref()?.alone.as_ref()?;
        let interval = samples.interval(CONFIDENCE);
        // TOML has no larger integers.
        i64::try_from(interval.high_ns).ok()?;
        (interval.confidence >= CONFIDENCE).then_some(Self {
            candidate: record.candidate.clone(),
            artifact: record.artifact?,
            median_ns: samples.median_ns(),
            interval_ns: (interval.low_ns, interval.high_ns),
            record: record.digest(),
        })
    }

    /// Whether its interval lies wholly below the other's.
    pub const fn is_surely_faster_than(&self, other: &Self) -> bool {
        self.interval_ns.1 < other.interval_ns.0
    }
}

impl Entry {
    /// The candidate for a situation, and what it compiled to.
    pub const fn winner(&self, situation: Situation) -> (&Candidate, Digest) {
        match (&self.alone, situation) {
            (Some(alone), Situation::Alone) => (&alone.candidate, alone.artifact),
            _ => (&self.candidate, self.artifact),
        }
    }

    /// Digests of the records that prove it: its own, then that of the winner alone.
    pub fn records(&self) -> impl Iterator<Item = Digest> + use<> {
        [self.record].into_iter().chain(self.alone.as_ref().map(|alone| alone.record))
    }
}

/// The winner alone among the records of a bucket that may win, where that is surely another than
/// `chain`, the winner in a chain.
///
/// Only what was measured in the same environment is compared. A programmatic launch gains nothing
/// behind a kernel that triggers nothing, so none takes the place of a plain one. Of equal times
/// the lesser candidate wins, then the lesser digest.
pub(super) fn winner(
    chain: &TuningRecord,
    eligible: &[(&TuningRecord, Entry)],
) -> Option<AloneWinner> {
    let in_chain = AloneWinner::of(chain)?;
    let is_programmatic =
        |record: &TuningRecord| record.launch.is_some_and(|launch| launch.programmatic);
    let comparable = |record: &TuningRecord, entry: &Entry| {
        matches!(entry.time, EntryTime::Measured { .. })
            && record.environment.is_interchangeable(&chain.environment)
            && (is_programmatic(chain) || !is_programmatic(record))
    };
    eligible
        .iter()
        .filter(|(record, entry)| comparable(record, entry))
        .filter_map(|(record, _)| AloneWinner::of(record))
        .min_by(|a, b| {
            (a.median_ns, &a.candidate, a.record).cmp(&(b.median_ns, &b.candidate, b.record))
        })
        .filter(|winner| winner.is_surely_faster_than(&in_chain))
}
