//! What a running job tells whoever watches it. The pipeline itself prints nothing.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::outcome::Outcome;
use ridge_spec::space::Candidate;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The kernel compiler is being downloaded and unpacked.
    Installing {
        /// Bytes on the disk so far.
        received: u64,
        /// Bytes there will be, about.
        expected: u64,
    },
    /// A step that takes a while begins; one lower-case clause.
    Step(&'a str),
    /// A workload's search begins.
    SearchStarted {
        /// The workload.
        workload: &'a str,
        /// Legal candidates of its space.
        n_legal: usize,
        /// Evaluations it may take.
        n_budget: usize,
    },
    /// A candidate has its outcome.
    Evaluated {
        /// The candidate.
        candidate: &'a Candidate,
        /// Its outcome.
        outcome: &'a Outcome,
        /// Evaluations done.
        n_done: usize,
        /// Of those, taken from an earlier run's records.
        n_resumed: usize,
        /// The best so far.
        best: Option<Best<'a>>,
    },
    /// The best candidates are checked on every workload of the spec.
    FinalsStarted {
        /// How many.
        n_finalists: usize,
    },
    /// One of them is through.
    FinalDone {
        /// How many are through.
        n_done: usize,
    },
    /// A workload's search is over.
    SearchEnded,
    /// Some of many alike pieces of work are done.
    Counted {
        /// What they are, in the plural.
        what: &'a str,
        /// How many are done: 0 where the work begins, then one more with each event, in any order.
        n_done: usize,
        /// How many there are.
        n_total: usize,
    },
    /// Something to know that stops nothing: a line of the log that is no record, say.
    Warning(&'a Diagnostic),
}

/// The best candidate so far.
#[derive(Clone, Copy, Debug)]
pub struct Best<'a> {
    /// The candidate.
    pub candidate: &'a Candidate,
    /// Its predicted or median time, nanoseconds.
    pub time_ns: u64,
    /// The roofline's time over its own.
    pub fraction_of_roofline: f64,
}

/// Whoever watches. Called from several threads.
pub trait Observer: Sync {
    /// Takes note of an event.
    fn notify(&self, event: Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn notify(&self, _event: Event<'_>) {}
}
