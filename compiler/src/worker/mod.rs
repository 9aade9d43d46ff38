//! The worker process: compiles what it is told on standard input, until that ends.
//!
//! NVRTC does not compile faster on more threads, and a compiler can hang, exhaust memory or
//! crash; so it runs in processes of its own, which the [pool](crate::pool) starts and kills.

mod confine;
pub(crate) mod protocol;

use std::io::{self, BufRead, Write};

use crate::cuda::compile::FrontEnd;
use crate::cuda::headers::Headers;
use crate::nvrtc::Nvrtc;
use protocol::{Answer, Greeting, Setup};

/// Serves compilations: one JSON object a line in, one a line out. The first line is the setup.
///
/// Returns when `input` ends, which is how the parent says that it is done, or has died. Call it
/// from a process that does nothing else: it gives up files, memory and its working folder.
///
/// # Errors
/// Reading or writing failed, or a line is not of the protocol; the parent replaces the worker.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(());
    }
    let setup: Setup = serde_json::from_str(&line)?;
    let mut front_end = match start(&setup) {
        Ok(front_end) => front_end,
        Err(message) => return send(&mut output, &Greeting::Failed { message }),
    };
    send(&mut output, &Greeting::Ready)?;
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = match front_end.compile(&serde_json::from_str(&line)?) {
            Ok(Ok(artifact)) => Answer::of_artifact(artifact),
            Ok(Err(rejection)) => Answer::Rejected { rejection },
            Err(error) => Answer::Failed { message: error.to_string() },
        };
        send(&mut output, &answer)?;
    }
}

fn start(setup: &Setup) -> Result<FrontEnd, String> {
    confine::before_loading(setup).map_err(|error| error.to_string())?;
    let describe = |error: crate::nvrtc::NvrtcError| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let toolkit = &setup.toolkit;
    let nvrtc = Nvrtc::load(&toolkit.nvrtc, &toolkit.builtins).map_err(describe)?;
    let front_end =
        FrontEnd::new(nvrtc, Headers::new(toolkit.include_folders.clone()), toolkit.name())
            .map_err(describe)?;
    confine::after_loading(setup);
    Ok(front_end)
}

fn send(output: &mut impl Write, message: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}
