//! Progress bars on stderr, where there is somebody to see them.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ridge_hub_publish::hub;
use ridge_pipeline::event::{Event, Observer};

use crate::draw::paint::Paint;
use crate::draw::{self, diagnostic, time};
use crate::{environment, output};

/// A bar's parts, in eighths.
const BLOCKS: &str = "█▉▊▋▌▍▎▏ ";

/// Draws events as they come. Off a terminal only warnings and the download are told.
pub(crate) struct Progress {
    bar: Mutex<ProgressBar>,
    terminal: bool,
    /// Whether the download has been announced.
    installing: AtomicBool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            bar: Mutex::new(ProgressBar::hidden()),
            terminal,
            installing: AtomicBool::new(false),
        }
    }

    /// One that other threads draw on too.
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self::new())
    }

    /// Draws what happens on the way to the Hub.
    pub(crate) fn watcher(self: &Arc<Self>) -> hub::Watcher {
        let progress = Arc::clone(self);
        Arc::new(move |event| progress.on_hub(&event))
    }

    fn on_hub(&self, event: &hub::Event) {
        match event {
            hub::Event::Step(name) => {
                self.replace(None, "{spinner} {msg}");
                self.with(|bar| bar.set_message(name.clone()));
            }
            hub::Event::Sending { n_files, n_bytes } => {
                let size = draw::hub::bytes(*n_bytes);
                self.replace(Some(*n_bytes), "{spinner} {msg}");
                self.with(|bar| bar.set_message(format!("sending {n_files} files, {size}")));
            }
            hub::Event::Sent { n_bytes, n_total } => self.with(|bar| {
                if let Ok(style) = ProgressStyle::with_template(
                    "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}",
                ) {
                    bar.set_style(style.progress_chars(BLOCKS));
                }
                bar.set_length(*n_total);
                bar.set_position(*n_bytes);
            }),
            hub::Event::Waiting { wait, reason } => {
                let paint = Paint::new(environment::stderr_colour());
                let text = format!("{}: {reason}; again in {wait:.1?}\n", paint.strong("warning"));
                self.with(|bar| bar.suspend(|| output::talk(&text)));
            }
        }
    }

    fn replace(&self, length: Option<u64>, template: &str) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.finish_and_clear();
        let target =
            if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        *bar = ProgressBar::with_draw_target(length, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars(BLOCKS));
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
    }

    fn with(&self, change: impl FnOnce(&ProgressBar)) {
        change(&self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Observer for Progress {
    fn notify(&self, event: Event<'_>) {
        match event {
            Event::Installing { received, expected } => {
                if !self.installing.swap(true, Ordering::Relaxed) {
                    self.replace(
                        Some(expected),
                        "installing the CUDA compiler (once) {wide_bar} {bytes}/{total_bytes} {eta}",
                    );
                    if !self.terminal {
                        output::talk("installing the CUDA compiler (once, about 270 MB on disk)\n");
                    }
                }
                self.with(|bar| bar.set_position(received.min(expected)));
            }
            Event::Step(name) => {
                self.replace(None, "{spinner} {msg}");
                self.with(|bar| bar.set_message(name.to_owned()));
            }
            Event::SearchStarted { workload, n_legal, n_budget } => {
                self.replace(Some(n_budget as u64), "{prefix} {wide_bar} {pos}/{len} {eta}  {msg}");
                self.with(|bar| bar.set_prefix(format!("{workload} ({n_legal} legal)")));
            }
            Event::Evaluated { n_done, best, .. } => self.with(|bar| {
                bar.set_position(n_done as u64);
                if let Some(best) = best {
                    bar.set_message(format!(
                        "best {} = {} of roofline",
                        time::nanoseconds(best.time_ns),
                        time::percent(best.fraction_of_roofline)
                    ));
                }
            }),
            Event::FinalsStarted { n_finalists } => self.replace(
                Some(n_finalists as u64),
                "finalists on every workload {wide_bar} {pos}/{len}",
            ),
            Event::FinalDone { n_done } => self.with(|bar| bar.set_position(n_done as u64)),
            Event::Counted { what, n_done: 0, n_total } => {
                self.replace(Some(n_total as u64), "{prefix} {wide_bar} {pos}/{len} {eta}");
                self.with(|bar| bar.set_prefix(what.to_owned()));
            }
            Event::Counted { .. } => self.with(|bar| bar.inc(1)),
            Event::SearchEnded => self.with(ProgressBar::finish_and_clear),
            Event::Warning(warning) => {
                let paint = Paint::new(environment::stderr_colour());
                let text = diagnostic::diagnostic(&paint, warning).replacen("error", "warning", 1);
                self.with(|bar| bar.suspend(|| output::talk(&text)));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.with(ProgressBar::finish_and_clear);
    }
}
