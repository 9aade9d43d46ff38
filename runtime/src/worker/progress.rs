//! What the candidate is going through: said by the device, heard by the parent.
//!
//! A worker that dies cannot say any more what it was doing; so it says so before it begins.

use std::cell::RefCell;

use ridge_spec::outcome::Phase;

type Sink = Box<dyn FnMut(Phase)>;

thread_local! {
    static SINK: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Says that the candidate at hand is now being loaded, verified or measured.
///
/// A device calls it on the thread that serves the request, outside of anything timed. It does
/// nothing in a process that is no worker.
pub fn enter(phase: Phase) {
    SINK.with(|sink| {
        if let Ok(mut sink) = sink.try_borrow_mut()
            && let Some(sink) = sink.as_mut()
        {
            sink(phase);
        }
    });
}

/// Calls `sink` for all that is entered on this thread from now on.
pub(super) fn listen(sink: impl FnMut(Phase) + 'static) {
    SINK.with(|place| *place.borrow_mut() = Some(Box::new(sink)));
}

/// Lets go of the sink.
pub(super) fn stop() {
    SINK.with(|place| *place.borrow_mut() = None);
}
