//! From raw faults and events to findings a kernel's author can act on.

use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{Finding, FindingKind, SourceLine};

use super::decode::program::{Program, Refused};
use super::machine::Event;
use super::memory::{Fault, Place};
use crate::device::{Buffer, BufferContent, OutputBuffer};

/// Turns what was seen into findings.
pub(super) struct Reporter<'a> {
    /// The program.
    pub(super) program: &'a Program,
    /// The launch.
    pub(super) launch: &'a LaunchConfig,
}

impl Reporter<'_> {
    /// A fault of memory.
    pub(super) fn fault(&self, fault: &Fault) -> Finding {
        let (instruction, lines) = self.program.describe(fault.site.instruction);
        let (source, inlined_at) = innermost(lines);
        let other = fault.other.and_then(|other| other.instruction);
        let (buffer, offset) = self.place(fault);
        let mut message = fault.message();
        if let (Place::Shared { .. } | Place::Remote { .. }, Some(name)) = (&fault.place, &buffer) {
            message.push_str(&format!(" (`{name}`)"));
        }
        Finding {
            kind: fault.kind,
            message,
            source,
            inlined_at,
            other: other.and_then(|pc| innermost(self.program.describe(pc).1).0),
            instruction,
            buffer,
            offset_bytes: offset,
            block: self.block(fault.block),
            thread: self.thread(fault.site.warp, fault.lanes),
            lanes: fault.lanes,
            occurrences: fault.occurrences,
        }
    }

    /// The name of the object a fault concerns, and the offset in it.
    fn place(&self, fault: &Fault) -> (Option<String>, Option<i64>) {
        match &fault.place {
            Place::Buffer { name, .. } => (Some(plain_name(name)), Some(fault.offset)),
            Place::Local { .. } => (Some("local".to_owned()), Some(fault.offset)),
            Place::Param { .. } => (Some("param".to_owned()), Some(fault.offset)),
            Place::Shared { .. } | Place::Remote { .. } => {
                let offset = u64::try_from(fault.offset).ok();
                let variable = offset.and_then(|at| self.program.layout.shared_variable(at));
                match variable {
                    Some((name, inner)) => {
                        (Some(plain_name(name)), Some(i64::try_from(inner).unwrap_or(i64::MAX)))
                    }
                    None => (Some("shared".to_owned()), Some(fault.offset)),
                }
            }
            Place::Nowhere | Place::NoBlock { .. } => (None, None),
        }
    }

    /// A fault of the machine.
    pub(super) fn event(&self, event: Event) -> Finding {
        let (instruction, mut lines) = self.program.describe(event.pc);
        let looping = self.program.loop_lines(event.pc);
        if event.kind == FindingKind::Timeout && !looping.is_empty() {
            lines = looping;
        }
        let (source, inlined_at) = innermost(lines);
        Finding {
            kind: event.kind,
            message: event.message,
            source,
            inlined_at,
            other: event.other.and_then(|pc| innermost(self.program.describe(pc).1).0),
            instruction,
            buffer: None,
            offset_bytes: None,
            block: self.block(event.block),
            thread: self.thread(event.warp, event.lanes),
            lanes: event.lanes,
            occurrences: event.occurrences,
        }
    }

    fn block(&self, linear: u64) -> [u32; 3] {
        let [x, y, _] = self.launch.grid.map(|extent| u64::from(extent.max(1)));
        [linear % x, linear / x % y, linear / x / y].map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn thread(&self, warp: u32, lanes: u32) -> Option<[u32; 3]> {
        let [x, y, _] = self.launch.block.map(|extent| extent.max(1));
        let linear = warp * 32 + lanes.trailing_zeros();
        (lanes != 0).then(|| [linear % x, linear / x % y, linear / x / y])
    }
}

/// The line of an instruction, and those that it was inlined at.
fn innermost(mut lines: Vec<SourceLine>) -> (Option<SourceLine>, Vec<SourceLine>) {
    if lines.is_empty() {
        return (None, lines);
    }
    (Some(lines.remove(0)), lines)
}

/// An instruction that the emulator does not execute.
pub(super) fn unsupported(refused: &Refused) -> Finding {
    let (source, inlined_at) = innermost(refused.lines.clone());
    let head: String = refused.instruction.text.chars().take(80).collect();
    Finding {
        kind: FindingKind::Unsupported,
        message: format!("`{head}` is not executed: {}", refused.reason),
        source,
        inlined_at,
        other: None,
        instruction: Some(refused.instruction.clone()),
        buffer: None,
        offset_bytes: None,
        block: [0; 3],
        thread: None,
        lanes: 0,
        occurrences: 1,
    }
}

/// The output elements that no thread wrote, where there are any.
pub(crate) fn unwritten(buffer: &Buffer, output: &OutputBuffer) -> Option<Finding> {
    if !matches!(buffer.content, BufferContent::Output { .. }) {
        return None;
    }
    let size = output.bytes.len();
    let full = size / 64;
    let tail_is_written = output.is_written(full * 64, size % 64);
    if output.written.iter().take(full).all(|word| *word == u64::MAX) && tail_is_written {
        return None;
    }
    let width = usize::try_from(buffer.dtype.size_bytes()).unwrap_or(1).max(1);
    let starts = (0..size).step_by(width);
    let mut missing = starts.filter(|start| !output.is_written(*start, width.min(size - start)));
    let first = missing.next()?;
    let count = missing.count() + 1;
    let total = size.div_ceil(width);
    Some(Finding {
        kind: FindingKind::UnwrittenOutput,
        message: format!(
            "{count} of the {total} elements of `{}` are never written, the first at index {}",
            buffer.name,
            first / width
        ),
        source: None,
        inlined_at: Vec::new(),
        other: None,
        instruction: None,
        buffer: Some(buffer.name.clone()),
        offset_bytes: i64::try_from(first).ok(),
        block: [0; 3],
        thread: None,
        lanes: 0,
        occurrences: 1,
    })
}

/// Findings in the order a reader wants them: what explains others first.
pub(crate) fn sort(findings: &mut [Finding]) {
    let rank = |kind: FindingKind| match kind {
        FindingKind::Unsupported => 0,
        FindingKind::Trap => 1,
        FindingKind::OutOfBounds => 2,
        FindingKind::Misaligned => 3,
        FindingKind::ModifiedInput => 4,
        FindingKind::DivergentBarrier => 5,
        FindingKind::Race => 6,
        FindingKind::UninitializedRead => 7,
        FindingKind::EarlyAccess => 8,
        FindingKind::Timeout => 9,
        FindingKind::UnwrittenOutput => 10,
    };
    let line = |finding: &Finding| finding.instruction.as_ref().map_or(0, |one| one.line);
    findings.sort_by_key(|finding| (rank(finding.kind), line(finding)));
}

/// The last identifier of a mangled name (`_ZZ4kernelvE4tile` is `tile`); other names as they are.
fn plain_name(name: &str) -> String {
    if !name.starts_with("_Z") {
        return name.to_owned();
    }
    let plain = name.char_indices().rev().find_map(|(at, _)| {
        let (head, tail) = name.split_at(at);
        let digits = head.len() - head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        // The count of an identifier's characters stands before it; a digit of the count may
        // belong to what is before.
        (1..=digits).find_map(|n| {
            let length: usize = head[head.len() - n..].parse().ok()?;
            (length == tail.len() && length > 0).then(|| tail.to_owned())
        })
    });
    plain.unwrap_or_else(|| name.to_owned())
}
