//! What is known of every byte of a page, cheap where the bytes of a 32-byte line are alike.

/// Bytes of a line: a sector.
pub(super) const LINE_BYTES: usize = 32;

/// A `T` for every byte of a page. `T::default()` stands for nothing.
#[derive(Debug)]
pub(super) struct Lines<T> {
    whole: Vec<T>,
    /// For each line 0, or one more than the place of its runs in `split`; empty while no line is
    /// split.
    slots: Vec<u16>,
    /// Of lines whose bytes differ, runs in order that cover the line.
    split: Vec<Vec<Run<T>>>,
    /// Places in `split` that no line uses.
    free: Vec<u16>,
    /// Where runs are put together.
    scratch: Vec<Run<T>>,
}

#[derive(Clone, Debug)]
struct Run<T> {
    end: u8,
    value: T,
}

impl<T: Clone + PartialEq + Default> Lines<T> {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            whole: vec![T::default(); bytes.div_ceil(LINE_BYTES)],
            slots: Vec::new(),
            split: Vec::new(),
            free: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Nothing, everywhere.
    pub(super) fn clear(&mut self) {
        self.whole.fill(T::default());
        self.slots.clear();
        self.split.iter_mut().for_each(Vec::clear);
        let places = u16::try_from(self.split.len()).unwrap_or(u16::MAX);
        self.free.clear();
        self.free.extend((0..places).rev());
    }

    fn slot(&self, line: usize) -> Option<usize> {
        self.slots.get(line).and_then(|&slot| usize::from(slot).checked_sub(1))
    }

    /// The value of a whole line, where its bytes are alike.
    pub(super) fn line(&self, line: usize) -> Option<&T> {
        if self.slot(line).is_some() { None } else { Some(&self.whole[line]) }
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
        let Some(slot) = self.slot(line) else { return see(start, end, &self.whole[line]) };
        let mut from = 0;
        for run in &self.split[slot] {
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
        new: impl FnMut(usize, &T) -> T,
    ) {
        if let Some(slot) = self.slot(line) {
            self.update_runs(line, slot, (start, end), new);
        } else {
            self.update_whole(line, (start, end), new);
        }
    }

    fn update_whole(
        &mut self,
        line: usize,
        (start, end): (usize, usize),
        mut new: impl FnMut(usize, &T) -> T,
    ) {
        let value = new(start, &self.whole[line]);
        if start == 0 && end == LINE_BYTES {
            self.whole[line] = value;
            return;
        }
        if value == self.whole[line] {
            return;
        }
        let old = std::mem::take(&mut self.whole[line]);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.split.push(Vec::new());
            u16::try_from(self.split.len() - 1).unwrap_or(u16::MAX)
        });
        let runs = &mut self.split[usize::from(slot)];
        push(runs, start, old.clone());
        push(runs, end, value);
        push(runs, LINE_BYTES, old);
        self.slots.resize(self.whole.len(), 0);
        self.slots[line] = slot + 1;
    }

    fn update_runs(
        &mut self,
        line: usize,
        slot: usize,
        (start, end): (usize, usize),
        mut new: impl FnMut(usize, &T) -> T,
    ) {
        let runs = &mut self.split[slot];
        let updated = &mut self.scratch;
        let mut from = 0;
        for run in runs.drain(..) {
            let to = usize::from(run.end);
            let (cut, resume) = (start.clamp(from, to), end.clamp(from, to));
            if cut < resume {
                let value = new(cut, &run.value);
                if from < cut {
                    push(updated, cut, run.value.clone());
                }
                push(updated, resume, value);
                if resume < to {
                    push(updated, to, run.value);
                }
            } else {
                push(updated, to, run.value);
            }
            from = to;
        }
        if let [run] = &mut updated[..] {
            self.whole[line] = std::mem::take(&mut run.value);
            updated.clear();
            self.slots[line] = 0;
            self.free.push(u16::try_from(slot).unwrap_or(u16::MAX));
        } else {
            std::mem::swap(runs, updated);
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
