//! Clocks and throttling, by the management library where there is one.
//!
//! A thread asks every few milliseconds, so that no candidate waits for an answer. Nothing is ever
//! set.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::Clock;
use ridge_spec::record::Clocks;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(20);

/// The library's name where only the driver, not its development files, is installed.
const LIBRARY: &str = "libnvidia-ml.so.1";

fn library() -> Option<Nvml> {
    Nvml::builder().lib_path(LIBRARY.as_ref()).init().or_else(|_| Nvml::init()).ok()
}

/// The driver's version, such as `580.159.04`.
pub(super) fn driver_version() -> Option<String> {
    library()?.sys_driver_version().ok()
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    multiprocessor_hz: u64,
    memory_hz: u64,
    throttled: bool,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<Sample>,
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    clocks: Clocks,
    throttled: bool,
}

impl Window {
    fn of(sample: Sample) -> Self {
        let clocks = Clocks {
            multiprocessor_min_hz: sample.multiprocessor_hz,
            multiprocessor_max_hz: sample.multiprocessor_hz,
            memory_hz: sample.memory_hz,
        };
        Self { clocks, throttled: sample.throttled }
    }

    fn add(&mut self, sample: Sample) {
        let clocks = &mut self.clocks;
        clocks.multiprocessor_min_hz = clocks.multiprocessor_min_hz.min(sample.multiprocessor_hz);
        clocks.multiprocessor_max_hz = clocks.multiprocessor_max_hz.max(sample.multiprocessor_hz);
        clocks.memory_hz = sample.memory_hz;
        self.throttled |= sample.throttled;
    }
}

/// Watches one device for as long as it lives.
#[derive(Debug)]
pub(super) struct ClockWatch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl ClockWatch {
    /// Starts watching the device at that place on the bus; without the library, or the right to
    /// ask it, nothing will be seen.
    pub(super) fn start(bus_id: String) -> Self {
        let watch = Self { seen: Arc::default(), stop: Arc::default() };
        let (seen, stop) = (Arc::clone(&watch.seen), Arc::clone(&watch.stop));
        let started = std::thread::Builder::new()
            .name("clocks".to_owned())
            .spawn(move || follow(&bus_id, &seen, &stop));
        if let Err(error) = started {
            tracing::debug!(%error, "nobody watches the clocks");
        }
        watch
    }

    /// Begins a window with what was seen last.
    pub(super) fn begin(&self) {
        let mut seen = self.lock();
        seen.window = seen.last.map(Window::of);
    }

    /// Ends the window: the clocks in it, and whether they were held down.
    pub(super) fn end(&self) -> (Option<Clocks>, bool) {
        match self.lock().window.take() {
            Some(window) => (Some(window.clocks), window.throttled),
            None => (None, false),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        // The thread may be in the middle of a question: it ends by itself, nobody waits for it.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn follow(bus_id: &str, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let Some(nvml) = library() else { return };
    let Ok(device) = nvml.device_by_pci_bus_id(bus_id) else { return };
    let reasons = ThrottleReasons::HW_SLOWDOWN
        | ThrottleReasons::HW_THERMAL_SLOWDOWN
        | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN
        | ThrottleReasons::SW_THERMAL_SLOWDOWN
        | ThrottleReasons::SW_POWER_CAP;
    let hertz = |megahertz: u32| u64::from(megahertz) * 1_000_000;
    while !stop.load(Ordering::Relaxed) {
        let sample = (|| {
            Some(Sample {
                multiprocessor_hz: hertz(device.clock_info(Clock::SM).ok()?),
                memory_hz: hertz(device.clock_info(Clock::Memory).ok()?),
                // A device that does not say why its clocks are low is believed.
                throttled: device
                    .current_throttle_reasons()
                    .is_ok_and(|now| now.intersects(reasons)),
            })
        })();
        let Some(sample) = sample else { return };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last = Some(sample);
        if let Some(window) = &mut seen.window {
            window.add(sample);
        }
        drop(seen);
        std::thread::sleep(INTERVAL);
    }
}
