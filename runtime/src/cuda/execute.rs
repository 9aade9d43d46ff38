//! One launch to its end, with everything looked at that a GPU leaves to be seen.

use std::time::{Duration, Instant};

use rand::Rng;
use rayon::prelude::*;
use ridge_spec::outcome::{Finding, FindingKind, Rejection};

use super::arena::{Arena, TransferEnd};
use super::device::Engine;
use super::driver::{Event, Function, Waited};
use super::fault::{self, Needs, Purpose, Stop, plain};
use crate::arguments;
use crate::device::{
    BlockSelection, BufferContent, DeviceError, Execution, ExecutionReport, OutputBuffer,
};
use crate::emulator::{sort_findings, unwritten_output};
use crate::measure::{Layout, TensorLayout, poison};

/// Bytes one thread looks at at a time; a multiple of 64.
const TASK: usize = 64 << 10;

/// Runs a launch. Outputs start as random bytes; where some of them are still the same afterwards,
/// it is run again on their complement, so that a byte that was written shows in one of the two.
pub(super) fn execute(
    engine: &mut Engine,
    execution: &Execution<'_>,
    limit: Duration,
) -> Result<ExecutionReport, DeviceError> {
    match run(engine, execution, limit) {
        Ok(report) => Ok(report),
        Err(Stop::Fault(finding)) => Ok(nothing(execution, vec![*finding], None)),
        Err(Stop::TimeUp(limit)) => Ok(nothing(execution, vec![fault::endless(limit)], None)),
        Err(Stop::Refused(rejection)) => Ok(nothing(execution, Vec::new(), Some(*rejection))),
        Err(Stop::Failed(error)) => Err(error),
    }
}

struct Run<'a> {
    execution: &'a Execution<'a>,
    function: Function,
    needs: Needs,
    arena: Arena,
    values: Vec<u64>,
    ended: Event,
    seed: u64,
    limit: Duration,
}

fn run(
    engine: &mut Engine,
    execution: &Execution<'_>,
    limit: Duration,
) -> Result<ExecutionReport, Stop> {
    let (function, needs) = engine.prepare(execution.artifact, &execution.launch)?;
    let tensors = execution.buffers.iter().map(|buffer| TensorLayout {
        name: buffer.name.clone(),
        dtype: buffer.dtype,
        size_bytes: buffer.content.size_bytes(),
        is_output: matches!(buffer.content, BufferContent::Output { .. }),
    });
    let layout = Layout::new(tensors.collect(), 0);
    let deadline = Instant::now() + limit;
    let arena =
        Arena::new(&engine.context, &engine.stream, &mut engine.staging, layout, 1, deadline)
            .map_err(|end| transfer(engine, end, limit))?;
    let values = arguments::encode(execution.arguments, function.parameter_sizes(), |name| {
        arena.address(0, name)
    })
    .map_err(|reason| {
        let entry = execution.artifact.manifest.entry_symbol.clone();
        DeviceError::InvalidExecution { entry, reason }
    })?;
    let ended = Event::new(&engine.context).map_err(|fault| engine.own(&fault))?;
    let seed = engine.seeds.next_u64();
    let run = Run { execution, function, needs, arena, values, ended, seed, limit };
    fill(engine, &run, |_| true)?;
    let image = once(engine, &run, 0)?;
    let mut findings = inspect(&run, &image, 0);
    let mut outputs = outputs(&run, &image, 0);
    let in_doubt = outputs.iter().any(|output| !is_all_written(output));
    if findings.is_empty() && in_doubt {
        fill(engine, &run, |content| matches!(content, BufferContent::InOut(_)))?;
        let image = once(engine, &run, u32::MAX)?;
        findings = inspect(&run, &image, u32::MAX);
        for (output, again) in outputs.iter_mut().zip(self::outputs(&run, &image, u32::MAX)) {
            for (word, more) in output.written.iter_mut().zip(again.written) {
                *word |= more;
            }
        }
    }
    // After a finding there was no second run, and bytes may equal their poison by chance.
    if findings.is_empty() && execution.blocks == BlockSelection::All {
        findings.extend(outputs.iter().filter_map(|output| {
            let buffer = execution.buffers.iter().find(|buffer| buffer.name == output.name)?;
            unwritten_output(buffer, output)
        }));
    }
    sort_findings(&mut findings);
    let blocks_run = execution.launch.blocks();
    Ok(ExecutionReport { outputs, counters: None, findings, blocks_run, refused: None })
}

/// What the end of a transfer means: waiting for one is waiting for the kernel before it.
pub(super) fn transfer(engine: &Engine, end: TransferEnd, limit: Duration) -> Stop {
    match end {
        TransferEnd::Fault(fault) => engine.own(&fault),
        TransferEnd::TimeUp => {
            engine.context.give_up();
            Stop::TimeUp(limit)
        }
    }
}

/// Fills the buffers that `wanted` names and that have content.
fn fill(
    engine: &mut Engine,
    run: &Run<'_>,
    wanted: impl Fn(&BufferContent) -> bool,
) -> Result<(), Stop> {
    let deadline = Instant::now() + run.limit;
    for (at, buffer) in run.execution.buffers.iter().enumerate() {
        let (BufferContent::Input(bytes) | BufferContent::InOut(bytes)) = &buffer.content else {
            continue;
        };
        if wanted(&buffer.content) {
            run.arena
                .fill(&engine.stream, &mut engine.staging, (0, at), bytes, deadline)
                .map_err(|end| transfer(engine, end, run.limit))?;
        }
    }
    Ok(())
}

/// Poisons, launches, waits, and brings everything back.
fn once(engine: &mut Engine, run: &Run<'_>, mask: u32) -> Result<Vec<u8>, Stop> {
    let stream = &engine.stream;
    run.arena
        .poison(stream, &engine.kernels, 1, run.seed, mask)
        .map_err(|fault| engine.own(&fault))?;
    // With an event between them, a programmatic launch does not overlap the poisoning.
    stream.record(&run.ended).map_err(|fault| engine.own(&fault))?;
    stream.launch(&run.function, &run.execution.launch, &run.values).map_err(|fault| {
        fault::stop(&fault, Purpose::Launch(&run.execution.launch, run.needs), &engine.context)
    })?;
    stream.record(&run.ended).map_err(|fault| engine.own(&fault))?;
    let waited = stream.wait(&run.ended, Instant::now() + run.limit);
    match waited.map_err(|fault| engine.own(&fault))? {
        Waited::Done => {}
        Waited::TimeUp => return Err(transfer(engine, TransferEnd::TimeUp, run.limit)),
    }
    // The bytes are on their way for longer the more there are; the kernel has ended.
    let deadline = Instant::now() + run.limit + Duration::from_secs(60);
    run.arena
        .image(&engine.stream, &mut engine.staging, 0, deadline)
        .map_err(|end| transfer(engine, end, run.limit))
}

/// The part of an image that a tensor, or a zone, has.
fn part(image: &[u8], offset: u64, bytes: u64) -> &[u8] {
    let range = usize::try_from(offset).ok().zip(usize::try_from(bytes).ok());
    range.and_then(|(start, n)| image.get(start..start.checked_add(n)?)).unwrap_or_default()
}

/// Red zones and inputs, which must be as they were.
fn inspect(run: &Run<'_>, image: &[u8], mask: u32) -> Vec<Finding> {
    let layout = run.arena.layout();
    let mut findings = Vec::new();
    for (start, bytes, before) in layout.zones() {
        let zone = part(image, start, bytes);
        let mask = mask.to_le_bytes();
        let damaged = zone.iter().enumerate().find(|(at, found)| {
            let place = start + *at as u64;
            **found != poison::byte(run.seed, place) ^ mask[(place % 4) as usize]
        });
        if let Some((at, _)) = damaged {
            findings.push(outside(layout, start + at as u64, before));
        }
    }
    for (at, buffer) in run.execution.buffers.iter().enumerate() {
        let BufferContent::Input(bytes) = &buffer.content else { continue };
        let now = part(image, layout.offset(at).unwrap_or(u64::MAX), bytes.len() as u64);
        if let Some(first) = first_difference(now, bytes) {
            let element = first / usize::try_from(buffer.dtype.size_bytes()).unwrap_or(1).max(1);
            let message = format!("element {element} of input `{}` is written", buffer.name);
            findings.push(Finding {
                buffer: Some(buffer.name.clone()),
                offset_bytes: i64::try_from(first).ok(),
                ..plain(FindingKind::ModifiedInput, message)
            });
        }
    }
    findings
}

/// The finding of a write at `place` in a red zone, named by the nearer of the tensors beside it.
fn outside(layout: &Layout, place: u64, before: Option<usize>) -> Finding {
    let end = |at: usize| {
        let tensor = layout.tensors().get(at)?;
        Some((&tensor.name, tensor.size_bytes, layout.offset(at)?))
    };
    let earlier = before.and_then(end);
    let later = end(before.map_or(0, |at| at + 1));
    let behind = earlier.map(|(_, size, offset)| place - (offset + size));
    let ahead = later.map(|(_, _, offset)| offset.saturating_sub(place));
    let is_earlier = match (behind, ahead) {
        (Some(behind), Some(ahead)) => behind < ahead,
        (behind, _) => behind.is_some(),
    };
    let (found, beside) =
        if is_earlier { (earlier, "behind the end") } else { (later, "before the start") };
    let distance = if is_earlier { behind } else { ahead }.unwrap_or(0);
    let name = found.map_or("", |(name, ..)| name);
    let message = format!(
        "a byte {distance} bytes {beside} of `{name}` is written; run it on the emulator for the line"
    );
    let offset = found
        .and_then(|(_, _, offset)| Some(i64::try_from(place).ok()? - i64::try_from(offset).ok()?));
    Finding {
        buffer: Some(name.to_owned()),
        offset_bytes: offset,
        ..plain(FindingKind::OutOfBounds, message)
    }
}

/// The first place where two runs of bytes differ.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let differ = |(at, (a, b)): (usize, (&[u8], &[u8]))| {
        if a == b {
            return None;
        }
        let first = a.iter().zip(b).position(|(a, b)| a != b);
        Some(at * TASK + first.unwrap_or(a.len().min(b.len())))
    };
    a.par_chunks(TASK).zip(b.par_chunks(TASK)).enumerate().find_map_first(differ)
}

/// The outputs with their written bytes, as far as one run shows them.
fn outputs(run: &Run<'_>, image: &[u8], mask: u32) -> Vec<OutputBuffer> {
    let layout = run.arena.layout();
    let mut outputs = Vec::new();
    for (at, buffer) in run.execution.buffers.iter().enumerate() {
        let offset = layout.offset(at).unwrap_or(u64::MAX);
        let bytes = part(image, offset, buffer.content.size_bytes()).to_vec();
        let written = match &buffer.content {
            BufferContent::Input(_) => continue,
            BufferContent::InOut(_) => vec![u64::MAX; bytes.len().div_ceil(64)],
            BufferContent::Output { .. } => written(&bytes, run.seed, offset, mask),
        };
        outputs.push(OutputBuffer { name: buffer.name.clone(), bytes, written });
    }
    outputs
}

/// One bit for each byte that is no longer poison. `offset` is a multiple of 4.
fn written(bytes: &[u8], seed: u64, offset: u64, mask: u32) -> Vec<u64> {
    let word = |(at, chunk): (usize, &[u8])| {
        let mut bits = 0_u64;
        for (k, four) in chunk.chunks(4).enumerate() {
            let place = offset + (at * 64 + k * 4) as u64;
            let expected = (poison::word(seed, place) ^ mask).to_le_bytes();
            for (j, (found, expected)) in four.iter().zip(expected).enumerate() {
                bits |= u64::from(*found != expected) << (k * 4 + j);
            }
        }
        bits
    };
    bytes.par_chunks(64).with_min_len(TASK / 64).enumerate().map(word).collect()
}

fn is_all_written(output: &OutputBuffer) -> bool {
    let full = output.bytes.len() / 64;
    output.written.iter().take(full).all(|word| *word == u64::MAX)
        && output.is_written(full * 64, output.bytes.len() % 64)
}

/// The report of a launch that left nothing to look at.
fn nothing(
    execution: &Execution<'_>,
    findings: Vec<Finding>,
    refused: Option<Rejection>,
) -> ExecutionReport {
    let outputs = execution.buffers.iter().filter_map(|buffer| {
        let bytes = match &buffer.content {
            BufferContent::Input(_) => return None,
            BufferContent::Output { size_bytes } => vec![0; usize::try_from(*size_bytes).ok()?],
            BufferContent::InOut(bytes) => bytes.to_vec(),
        };
        let written = vec![0; bytes.len().div_ceil(64)];
        Some(OutputBuffer { name: buffer.name.clone(), bytes, written })
    });
    let outputs = outputs.collect();
    ExecutionReport { outputs, findings, refused, ..ExecutionReport::default() }
}

#[cfg(test)]
mod tests {
    use ridge_spec::dtype::Dtype;

    use super::{Layout, TensorLayout, first_difference, outside, poison, written};

    #[test]
    fn bytes_that_differ_from_their_poison_are_written() {
        let (seed, offset) = (0xfeed_0000_beef, 65_536);
        let mut bytes = vec![0; 150];
        poison::fill(&mut bytes, seed, offset);
        assert_eq!(written(&bytes, seed, offset, 0), [0; 3]);
        for at in [0, 63, 64, 149] {
            bytes[at] ^= 1;
        }
        assert_eq!(written(&bytes, seed, offset, 0), [1 | 1 << 63, 1, 1 << 21]);
        // On the complement every one of these bytes counts as written, for it is not poison.
        let all = written(&bytes, seed, offset, u32::MAX);
        assert_eq!(all, [u64::MAX, u64::MAX, (1 << 22) - 1]);
    }

    #[test]
    fn damage_is_named_by_the_nearer_tensor() {
        let tensor = |name: &str, size_bytes| TensorLayout {
            name: name.to_owned(),
            dtype: Dtype::F32,
            size_bytes,
            is_output: true,
        };
        let layout = Layout::new(vec![tensor("x", 100), tensor("y", 300)], 0);
        let place = |at: usize, by: i64| layout.offset(at).unwrap().checked_add_signed(by).unwrap();
        for (at, before, name, offset) in [
            (place(0, -4), None, "x", -4),
            (place(0, 104), Some(0), "x", 104),
            (place(1, -1), Some(0), "y", -1),
            (place(1, 300), Some(1), "y", 300),
        ] {
            let finding = outside(&layout, at, before);
            assert_eq!(
                (finding.buffer.as_deref(), finding.offset_bytes),
                (Some(name), Some(offset))
            );
        }
    }

    #[test]
    fn the_first_difference_is_found_across_tasks() {
        let a = vec![1; 300_000];
        let mut b = a.clone();
        assert_eq!(first_difference(&a, &b), None);
        b[200_001] = 2;
        b[250_000] = 2;
        assert_eq!(first_difference(&a, &b), Some(200_001));
    }
}
