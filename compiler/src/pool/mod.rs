//! A pool of worker processes.
//!
//! Each slot of the pool is a thread that owns one worker process, hands it one unit at a time
//! and waits no longer than the limit. A worker that hangs is killed, one that dies is replaced;
//! either costs the one candidate it was compiling.

mod slot;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ridge_spec::artifact::Artifact;
use ridge_spec::outcome::Rejection;

use crate::cuda::Unit;
use crate::toolchain::Toolkit;
use slot::Slot;

/// How a pool is run.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// The program whose process becomes a worker: it calls [`crate::worker::serve`].
    pub worker: WorkerCommand,
    /// The toolkit that workers load.
    pub toolkit: Toolkit,
    /// Worker processes.
    pub n_workers: NonZero<usize>,
    /// Wall time that one candidate may take.
    pub time_limit: Duration,
    /// Address space that one worker may take, bytes; 0 for no limit. NVRTC itself maps 250 MB
    /// before it compiles anything.
    pub memory_limit_bytes: u64,
}

impl PoolConfig {
    /// As many workers as there are cores, 30 s and 4 GiB for a candidate.
    pub fn new(worker: WorkerCommand, toolkit: Toolkit) -> Self {
        Self {
            worker,
            toolkit,
            n_workers: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            time_limit: Duration::from_secs(30),
            memory_limit_bytes: 4 << 30,
        }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// The pool cannot compile; no candidate is at fault.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// No worker process starts.
    #[error("the compile worker `{program}` does not start: {message}")]
    Worker {
        /// The program.
        program: String,
        /// Why not.
        message: String,
    },
    /// NVRTC does not load or refuses to work.
    #[error("the CUDA toolkit `{toolkit}` does not work: {message}")]
    Toolkit {
        /// The NVRTC library.
        toolkit: String,
        /// Why not.
        message: String,
    },
}

impl PoolError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Worker { .. } => "compile.worker-failed",
            Self::Toolkit { .. } => "toolchain.unusable",
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Worker { .. } => "check that the program can be run and that memory is left",
            Self::Toolkit { .. } => {
                "point `CUDA_HOME` at another toolkit, or let Ridge install one"
            }
        }
    }
}

/// What became of one unit.
pub type Compilation = Result<Result<Artifact, Rejection>, PoolError>;

/// A pool of worker processes, started when there is work for them.
pub struct CompilePool {
    shared: Arc<Shared>,
    results: Receiver<(u64, Compilation)>,
    n_pending: usize,
    slots: Vec<JoinHandle<()>>,
    closed: Arc<AtomicBool>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Unit)>,
    closed: bool,
}

impl CompilePool {
    /// A pool without processes yet.
    pub fn new(config: PoolConfig) -> Self {
        let shared =
            Arc::new(Shared { queue: Mutex::new(Queue::default()), changed: Condvar::new() });
        let (sender, results) = channel();
        let config = Arc::new(config);
        let closed = Arc::new(AtomicBool::new(false));
        let slots = (0..config.n_workers.get())
            .map(|_| {
                let (shared, sender) = (Arc::clone(&shared), sender.clone());
                let slot = Slot::new(Arc::clone(&config), Arc::clone(&closed));
                thread::spawn(move || serve_queue(&shared, slot, &sender))
            })
            .collect();
        Self { shared, results, n_pending: 0, slots, closed }
    }

    /// Queues a unit; its result comes with `id`.
    pub fn submit(&mut self, id: u64, unit: Unit) {
        self.n_pending += 1;
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back((id, unit));
        self.shared.changed.notify_one();
    }

    /// Units submitted whose results have not been received.
    pub const fn n_pending(&self) -> usize {
        self.n_pending
    }

    /// The next result, in the order they finish; waits for it. `None` where nothing is pending.
    pub fn recv(&mut self) -> Option<(u64, Compilation)> {
        if self.n_pending == 0 {
            return None;
        }
        let result = self.results.recv().ok()?;
        self.n_pending -= 1;
        Some(result)
    }

    /// The next result if there is one already.
    pub fn try_recv(&mut self) -> Option<(u64, Compilation)> {
        let result = self.results.try_recv().ok()?;
        self.n_pending -= 1;
        Some(result)
    }
}

impl Drop for CompilePool {
    /// Kills the workers; what is pending is given up.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        {
            let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.clear();
            queue.closed = true;
            self.shared.changed.notify_all();
        }
        for slot in self.slots.drain(..) {
            let _finished = slot.join();
        }
    }
}

/// The loop of one slot's thread.
fn serve_queue(shared: &Shared, mut slot: Slot, results: &Sender<(u64, Compilation)>) {
    loop {
        let next = {
            let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if queue.closed {
                    return;
                }
                if let Some(next) = queue.waiting.pop_front() {
                    break next;
                }
                queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let (id, unit) = next;
        if results.send((id, slot.compile(&unit))).is_err() {
            return;
        }
    }
}
