//! Graphs of launches, recorded from a stream.

use std::sync::Arc;

use cudarc::driver::sys::{CUgraphExec, CUstreamCaptureMode};

use super::{Context, DriverFault, Stream, call};

/// A graph that can be launched, destroyed on drop.
#[derive(Debug)]
pub(in crate::cuda) struct GraphExec {
    context: Arc<Context>,
    raw: CUgraphExec,
}

// SAFETY: a graph is a handle in a context that any thread may use, one at a time.
unsafe impl Send for GraphExec {}

impl GraphExec {
    /// Records what `queue` puts on the stream, edges of programmatic launches kept as such.
    pub(in crate::cuda) fn record(
        stream: &Stream,
        queue: impl FnOnce() -> Result<(), DriverFault>,
    ) -> Result<Self, DriverFault> {
        let context = stream.context();
        context.bind()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: a handle of this context; the recording is ended below, whatever happens.
        unsafe { call!(cuStreamBeginCapture_v2(stream.raw(), mode)) }?;
        let queued = queue();
        let mut graph = std::ptr::null_mut();
        // SAFETY: a recording is under way; writes one handle, null where it failed.
        let ended = unsafe { call!(cuStreamEndCapture(stream.raw(), &raw mut graph)) };
        let mut raw = std::ptr::null_mut();
        // SAFETY: writes one handle, which is destroyed in `drop`; the graph was recorded.
        let made = queued
            .and(ended)
            .and_then(|()| unsafe { call!(cuGraphInstantiateWithFlags(&raw mut raw, graph, 0)) });
        if !graph.is_null() {
            // SAFETY: a graph of ours, which what was made of it does not need.
            let destroyed = unsafe { call!(cuGraphDestroy(graph)) };
            if let Err(fault) = destroyed {
                tracing::debug!(%fault, "a graph was not destroyed");
            }
        }
        made.map(|()| Self { context: Arc::clone(context), raw })
    }

    /// Queues all of it on a stream.
    pub(in crate::cuda) fn launch(&self, stream: &Stream) -> Result<(), DriverFault> {
        // SAFETY: both are handles of this context; the launches' arguments were copied into the
        // graph when it was recorded.
        unsafe { call!(cuGraphLaunch(self.raw, stream.raw())) }
    }
}

impl Drop for GraphExec {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: created by `record`, destroyed once here.
            if let Err(fault) = unsafe { call!(cuGraphExecDestroy(self.raw)) } {
                tracing::debug!(%fault, "a graph was not destroyed");
            }
        }
    }
}
