//! What can be seen of a publication while it happens.

use std::sync::Arc;
use std::time::Duration;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// What is being done now, in a few words.
    Step(String),
    /// Files are about to be sent.
    Sending {
        /// How many.
        n_files: usize,
        /// Their sizes, added up.
        n_bytes: u64,
    },
    /// So much of them has been sent. The Hub's large-file storage reports this; what is small
    /// travels inside the commit, in one piece.
    Sent {
        /// Bytes dealt with.
        n_bytes: u64,
        /// Bytes to deal with.
        n_total: u64,
    },
    /// The Hub did not answer, or asked us to wait; the same question follows.
    Waiting {
        /// For how long.
        wait: Duration,
        /// Why.
        reason: String,
    },
}

/// Who is told. Called from any thread, and must not block.
pub type Watcher = Arc<dyn Fn(Event) + Send + Sync>;

/// Tells nobody.
pub fn nobody() -> Watcher {
    Arc::new(|_| {})
}
