//! A page of writable global memory: its bytes, which of them were written, and by whom.

use ridge_spec::outcome::FindingKind;

use super::bitmap::Bitmap;
use super::lines::{LINE_BYTES, Lines as LineMap};
use super::problems::Problems;
use super::record::{Lanes, Observer, Record};

/// Bytes of a page.
pub(super) const PAGE_BYTES: usize = 1 << 14;

/// Unordered readers of one byte that are remembered without an allocation, and at most of other
/// blocks.
const READERS: usize = 4;
/// At most of the reading block.
const READERS_OF_BLOCK: usize = 128;

/// See the module.
#[derive(Debug)]
pub(super) struct Page {
    /// Offset of the page in its buffer.
    start: usize,
    bytes: Vec<u8>,
    written: Bitmap,
    writes: LineMap<Record>,
    /// Absent until something is read.
    reads: Option<LineMap<Readers>>,
}

/// The reads of a byte that no later read is ordered after, latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Readers {
    latest: [Record; READERS],
    others: Option<Box<[Record]>>,
}

/// A range of bytes that one warp accesses, in the terms of its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// First byte, in the buffer.
    pub(super) offset: usize,
    /// Bytes; all in one page.
    pub(super) length: usize,
    /// Which lane has which; offsets are in the buffer.
    pub(super) lanes: Lanes,
    /// Added to an offset gives the address.
    pub(super) base: u64,
}

impl Page {
    /// A page that nobody has written.
    pub(super) fn new(start: usize) -> Self {
        Self {
            start,
            bytes: vec![0; PAGE_BYTES],
            written: Bitmap::new(PAGE_BYTES),
            writes: LineMap::new(PAGE_BYTES),
            reads: None,
        }
    }

    /// The page as [`Page::new`] makes it, in the memory of one no longer needed.
    pub(super) fn reset(&mut self, start: usize) {
        self.start = start;
        self.bytes.fill(0);
        self.written.clear();
        self.writes.clear();
        self.reads = None;
    }

    /// Fills the page with an image, of which all counts as written.
    pub(super) fn set_image(&mut self, image: &[u8]) {
        self.bytes[..image.len()].copy_from_slice(image);
        self.written.set(0, PAGE_BYTES);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn written(&self) -> &Bitmap {
        &self.written
    }

    /// The block that last wrote a byte, where one did.
    pub(super) fn writer(&self, offset: usize) -> Option<u32> {
        let mut block = None;
        let at = offset - self.start;
        let (line, byte) = (at / LINE_BYTES, at % LINE_BYTES);
        self.writes.visit(line, byte, byte + 1, |_, _, record| {
            block = record.is_present().then(|| record.block());
        });
        block
    }

    /// The bytes of a span.
    pub(super) fn peek(&self, span: &Span) -> &[u8] {
        &self.bytes[span.offset - self.start..][..span.length]
    }

    /// Writes the bytes of a span, with no check.
    pub(super) fn poke(&mut self, span: &Span, bytes: &[u8]) {
        let at = span.offset - self.start;
        self.bytes[at..at + span.length].copy_from_slice(bytes);
        self.written.set(at, span.length);
    }

    /// Records a read of a span and notes what is wrong with it.
    pub(super) fn read(&mut self, span: &Span, observer: &Observer<'_>, problems: &mut Problems) {
        let at = span.offset - self.start;
        let mut reads = self.reads.take().unwrap_or_else(|| LineMap::new(PAGE_BYTES));
        for segment in segments(at, span.length) {
            let new = self.record(span, observer, segment.line);
            self.check_writes(span, &segment, new, None, observer, problems);
            if segment.is_whole()
                && let Some(old) = reads.line(segment.line)
                && old.is_replaced(new, observer)
            {
                reads.set_line(segment.line, Readers::only(new));
            } else {
                reads.update(segment.line, segment.start, segment.end, |byte, old| {
                    old.with(new, byte, observer)
                });
            }
        }
        self.reads = Some(reads);
    }

    /// Notes what is wrong with a write of these bytes to a span.
    pub(super) fn check_write(
        &self,
        span: &Span,
        bytes: &[u8],
        observer: &Observer<'_>,
        problems: &mut Problems,
    ) {
        let at = span.offset - self.start;
        for segment in segments(at, span.length) {
            let new = self.record(span, observer, segment.line);
            if let Some(reads) = &self.reads {
                reads.visit(segment.line, segment.start, segment.end, |start, end, readers| {
                    for &old in readers.all() {
                        let part = Segment { line: segment.line, start, end };
                        self.check(span, &part, (old, new), false, None, observer, problems);
                    }
                });
            }
            self.check_writes(span, &segment, new, Some((at, bytes)), observer, problems);
        }
    }

    /// Writes bytes to a span whose lanes do not meet: checks and records.
    pub(super) fn write(
        &mut self,
        span: &Span,
        bytes: &[u8],
        observer: &Observer<'_>,
        problems: &mut Problems,
    ) {
        if self.reads.is_some() {
            self.check_write(span, bytes, observer, problems);
            self.put_write(span, observer);
            return self.poke(span, bytes);
        }
        let at = span.offset - self.start;
        for segment in segments(at, span.length) {
            let new = self.record(span, observer, segment.line);
            self.check_writes(span, &segment, new, Some((at, bytes)), observer, problems);
            if segment.is_whole() && self.writes.line(segment.line).is_some() {
                self.writes.set_line(segment.line, new);
            } else {
                self.writes.update(segment.line, segment.start, segment.end, |_, _| new);
            }
        }
        self.poke(span, bytes);
    }

    /// Records a write of a span.
    pub(super) fn put_write(&mut self, span: &Span, observer: &Observer<'_>) {
        for segment in segments(span.offset - self.start, span.length) {
            let new = self.record(span, observer, segment.line);
            if segment.is_whole() && self.writes.line(segment.line).is_some() {
                self.writes.set_line(segment.line, new);
            } else {
                self.writes.update(segment.line, segment.start, segment.end, |_, _| new);
            }
        }
    }

    fn record(&self, span: &Span, observer: &Observer<'_>, line: usize) -> Record {
        let line = self.start + line * LINE_BYTES;
        Record::new(observer.block, &observer.actor, span.lanes, line)
    }

    /// Notes bytes of a span that nobody wrote.
    pub(super) fn note_unwritten(
        &self,
        span: &Span,
        observer: &Observer<'_>,
        problems: &mut Problems,
    ) {
        let at = span.offset - self.start;
        if self.written.all(at, span.length) {
            return;
        }
        let end = at + span.length;
        let mut from = at;
        while let Some(byte) = self.written.first_clear(from, end - from) {
            let lanes = self.lanes_of(span, observer, byte);
            let address = span.base + (self.start + byte) as u64;
            problems.note(FindingKind::UninitializedRead, lanes, address);
            from = byte + 1;
            if from == end {
                break;
            }
        }
    }

    fn lanes_of(&self, span: &Span, observer: &Observer<'_>, byte: usize) -> u32 {
        let record = self.record(span, observer, byte / LINE_BYTES);
        record.lane_of(byte % LINE_BYTES).map_or(observer.mask, |lane| 1 << lane)
    }

    fn check_writes(
        &self,
        span: &Span,
        segment: &Segment,
        new: Record,
        bytes: Option<(usize, &[u8])>,
        observer: &Observer<'_>,
        problems: &mut Problems,
    ) {
        if let Some(&old) = self.writes.line(segment.line)
            && observer.plainly_ordered(old, new)
        {
            return;
        }
        self.writes.visit(segment.line, segment.start, segment.end, |start, end, &old| {
            let part = Segment { line: segment.line, start, end };
            self.check(span, &part, (old, new), true, bytes, observer, problems);
        });
    }

    /// Notes a race of two records on the bytes of a segment. `bytes` are those a plain write
    /// would put there, and where they start: the same value again is no race.
    #[expect(clippy::too_many_arguments, reason = "one place decides what a race is")]
    fn check(
        &self,
        span: &Span,
        segment: &Segment,
        (old, new): (Record, Record),
        is_write: bool,
        bytes: Option<(usize, &[u8])>,
        observer: &Observer<'_>,
        problems: &mut Problems,
    ) {
        if observer.plainly_ordered(old, new) || old.is_strong() && new.is_strong() {
            return;
        }
        let benign = bytes.filter(|_| !old.is_strong() && !new.is_strong());
        for byte in segment.start..segment.end {
            let Some(cause) = observer.unordered(old, new, byte) else {
                if cause_is_uniform(observer, old) {
                    return;
                }
                continue;
            };
            let at = segment.line * LINE_BYTES + byte;
            if benign.is_some_and(|(start, bytes)| bytes[at - start] == self.bytes[at]) {
                continue;
            }
            let lanes = observer.unordered_lanes(old, self.lanes_of(span, observer, at), byte);
            let address = span.base + (self.start + at) as u64;
            let other = Some(old.as_other(byte, is_write));
            problems.note_cause(FindingKind::Race, lanes, address, cause, other);
        }
    }
}

/// Whether the answer for one byte is that for all: between warps, lanes do not matter.
fn cause_is_uniform(observer: &Observer<'_>, old: Record) -> bool {
    !observer.is_own_warp(old)
}

impl Readers {
    fn only(new: Record) -> Self {
        let mut readers = Self::default();
        readers.latest[0] = new;
        readers
    }

    fn all(&self) -> impl Iterator<Item = &Record> {
        let others = self.others.iter().flat_map(|others| others.iter());
        self.latest.iter().take_while(|record| record.is_present()).chain(others)
    }

    /// Whether a read of the whole line is all that need be remembered, as far as that is plain.
    fn is_replaced(&self, new: Record, observer: &Observer<'_>) -> bool {
        let [last, earlier, ..] = &self.latest;
        !earlier.is_present()
            && observer.plainly_ordered(*last, new)
            && (last.is_strong() || !new.is_strong())
    }

    /// With one more read: those it is ordered after are no longer needed.
    fn with(&self, new: Record, byte: usize, observer: &Observer<'_>) -> Self {
        let mut readers = Self::only(new);
        let needed = |old: &&Record| {
            old.is_present()
                && **old != new
                && (!old.is_strong() && new.is_strong()
                    || !observer.plainly_ordered(**old, new)
                        && observer.unordered(**old, new, byte).is_some())
        };
        let (mut of_others, mut of_block) = (0, 0);
        let room = |old: &&Record| {
            let (count, most) = if old.block() == observer.block {
                (&mut of_block, READERS_OF_BLOCK)
            } else {
                (&mut of_others, READERS)
            };
            *count += 1;
            *count <= most
        };
        let mut kept = self.all().filter(needed).filter(room).copied();
        for (slot, old) in readers.latest[1..].iter_mut().zip(&mut kept) {
            *slot = old;
        }
        let others: Vec<Record> = kept.collect();
        readers.others = (!others.is_empty()).then(|| others.into_boxed_slice());
        readers
    }
}

/// Part of one line.
#[derive(Clone, Copy, Debug)]
struct Segment {
    line: usize,
    start: usize,
    end: usize,
}

impl Segment {
    fn is_whole(self) -> bool {
        self.start == 0 && self.end == LINE_BYTES
    }
}

/// The lines of a range of a page.
fn segments(start: usize, length: usize) -> impl Iterator<Item = Segment> {
    let end = start + length;
    (start / LINE_BYTES..end.div_ceil(LINE_BYTES)).map(move |line| {
        let first = line * LINE_BYTES;
        Segment { line, start: start.saturating_sub(first), end: (end - first).min(LINE_BYTES) }
    })
}
