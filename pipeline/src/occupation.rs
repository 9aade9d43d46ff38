//! How much of a job's wall time something was being done: the rest is the tuner's own share.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The union of the times during which at least one activity went on.
#[derive(Debug, Default)]
pub(crate) struct Occupation {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    n_active: u32,
    since: Option<Instant>,
    total: Duration,
}

/// An activity, until it is dropped.
#[derive(Debug)]
pub(crate) struct Activity<'a> {
    occupation: &'a Occupation,
}

impl Occupation {
    /// Begins an activity.
    pub(crate) fn begin(&self) -> Activity<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.n_active += 1;
        state.since.get_or_insert_with(Instant::now);
        Activity { occupation: self }
    }

    /// The time so far, nanoseconds.
    pub(crate) fn total_ns(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let current = state.since.map_or(Duration::ZERO, |since| since.elapsed());
        u64::try_from((state.total + current).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Activity<'_> {
    fn drop(&mut self) {
        let mut state = self.occupation.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.n_active = state.n_active.saturating_sub(1);
        if state.n_active == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Occupation;

    #[test]
    fn overlapping_activities_count_once() {
        let occupation = Occupation::default();
        assert_eq!(occupation.total_ns(), 0);
        let first = occupation.begin();
        let second = occupation.begin();
        drop(first);
        let (while_active, later) = (occupation.total_ns(), occupation.total_ns());
        assert!(later >= while_active);
        drop(second);
        let over = occupation.total_ns();
        assert!(over > 0 && over == occupation.total_ns());
    }
}
