//! What is known of every byte of a page, cheap where the bytes of a 32-byte line are alike.

use std::collections::BTreeMap;

/// Bytes of a line: a sector.
pub(super) const LINE_BYTES: usize = 32;

/// A `T` for every byte of a page. `T::default()` stands for nothing.
#[derive(Debug)]
pub(super) struct Lines<T> {
    whole: Vec<T>,
    /// Which lines are in `split`.
    is_split: Vec<u64>,
    /// Lines whose bytes differ: runs in order that cover the line.
    split: BTreeMap<usize, Vec<Run<T>>>,
}

#[derive(Clone, Debug)]
struct Run<T> {
    end: u8,
    value: T,
}

impl<T: Clone + PartialEq + Default> Lines<T> {
    pub(super) fn new(bytes: usize) -> Self {
        let lines = bytes.div_ceil(LINE_BYTES);
        Self {
            whole: vec![T::default(); lines],
            is_split: vec![0; lines.div_ceil(64)],
            split: BTreeMap::new(),
        }
    }

    fn is_split(&self, line: usize) -> bool {
        self.is_split[line / 64] >> (line % 64) & 1 == 1
    }

    /// The value of a whole line, where its bytes are alike.
    pub(super) fn line(&self, line: usize) -> Option<&T> {
        (!self.is_split(line)).then(|| &self.whole[line])
    }

    /// Sets a line whose bytes are alike.
    pub(super) fn set_line(&mut self, line: usize, value: T) {
        self.whole[line] = value;
    }

    /// Visits the runs of a range within one line: first byte, end, value.
    pub(super) fn visit(
        &self,
        line: usize,
        start: usize,
        end: usize,
        mut see: impl FnMut(usize, usize, &T),
    ) {
        if !self.is_split(line) {
            return see(start, end, &self.whole[line]);
        }
        let mut from = 0;
        for run in self.split.get(&line).into_iter().flatten() {
            let to = usize::from(run.end);
            if from < end && start < to {
                see(from.max(start), to.min(end), &run.value);
            }
            from = to;
        }
    }

    /// Replaces the values of a range within one line.
    pub(super) fn update(
        &mut self,
        line: usize,
        start: usize,
        end: usize,
        mut new: impl FnMut(usize, &T) -> T,
    ) {
        if !self.is_split(line) {
            let value = new(start, &self.whole[line]);
            if start == 0 && end == LINE_BYTES {
                self.whole[line] = value;
                return;
            }
            if value == self.whole[line] {
                return;
            }
            self.is_split[line / 64] |= 1 << (line % 64);
            let old = std::mem::take(&mut self.whole[line]);
            let mut runs = Vec::with_capacity(4);
            push(&mut runs, start, old.clone());
            push(&mut runs, end, value);
            push(&mut runs, LINE_BYTES, old);
            self.split.insert(line, runs);
            return;
        }
        let Some(runs) = self.split.get_mut(&line) else { return };
        if start == 0 && end == LINE_BYTES && runs.is_empty() {
            return;
        }
        let mut from = 0;
        let mut updated = Vec::with_capacity(runs.len() + 2);
        for run in runs.drain(..) {
            let to = usize::from(run.end);
            let (cut, resume) = (start.clamp(from, to), end.clamp(from, to));
            if cut < resume {
                let value = new(cut, &run.value);
                if from < cut {
                    push(&mut updated, cut, run.value.clone());
                }
                push(&mut updated, resume, value);
                if resume < to {
                    push(&mut updated, to, run.value);
                }
            } else {
                push(&mut updated, to, run.value);
            }
            from = to;
        }
        *runs = updated;
        if let [run] = &mut runs[..] {
            self.whole[line] = std::mem::take(&mut run.value);
            self.split.remove(&line);
            self.is_split[line / 64] &= !(1 << (line % 64));
        }
    }
}

/// Adds a run up to `end`, unless it is empty, to the last one where they are alike.
fn push<T: PartialEq>(runs: &mut Vec<Run<T>>, end: usize, value: T) {
    let end = u8::try_from(end).unwrap_or(u8::MAX);
    match runs.last_mut() {
        Some(last) if last.end >= end => {}
        Some(last) if last.value == value => last.end = end,
        None if end == 0 => {}
        _ => runs.push(Run { end, value }),
    }
}
