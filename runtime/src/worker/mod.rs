//! Isolation: candidates run in a process of their own; the judge stays in this one.
//!
//! [`IsolatedDevice`] is the parent's side and a device like any other. [`serve`] is what its
//! worker process does, over whatever device the process opens. What a candidate does to the
//! worker, be it a crash, a hang or nonsense in its memory, costs that candidate its rejection and
//! no more: the worker is killed, replaced, and the stage put back.
//!
//! **Invariant:** expected outputs never get into a worker, and nothing that a worker says decides
//! how much memory the parent takes.
//!
//! Control messages are JSON lines on the worker's standard streams; tensors, binaries and images
//! go through a file in memory that has no name.

mod exchange;
mod host;
mod isolated;
mod process;
pub mod progress;
mod protocol;
mod serve;
mod stage;

pub use isolated::{IsolatedDevice, IsolationLimits};
pub use process::WorkerCommand;
pub use serve::{serve, serve_stdio};
