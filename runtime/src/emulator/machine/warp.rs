//! A warp: its lanes, fragments and frames.

use super::fragment::{Fragment, Join, Joins, State};
use super::frame::{Frame, LaunchValues, NONE, WarpPlace};
use crate::emulator::decode::program::Program;

/// One warp of a block.
pub(crate) struct Warp {
    /// Its place in the block.
    pub(crate) index: u32,
    /// Lanes that exist.
    pub(crate) existing: u32,
    /// Lanes that have not exited.
    pub(crate) live: u32,
    /// Fragments that do not run at this moment; the last ready one runs next.
    pub(crate) fragments: Vec<Fragment>,
    /// Where fragments meet.
    pub(crate) joins: Joins,
    /// Call frames; the kernel's is the first.
    pub(crate) frames: Vec<Option<Frame>>,
    /// Warp instructions issued, the clock that kernels can read.
    pub(crate) clock: u64,
    /// Whether all its lanes wait at barriers of the block or the cluster.
    pub(crate) at_barrier: bool,
    /// Lanes that have arrived at the cluster's barrier, which is not complete.
    pub(crate) arrived: u32,
    /// Lanes that have arrived at the cluster's barrier, which is complete, and not yet waited.
    pub(crate) admitted: u32,
    /// The instruction of the latest arrival there.
    pub(crate) arrive_pc: u32,
    /// The instruction at which lanes last exited.
    pub(crate) exit_pc: Option<u32>,
    place: WarpPlace,
}

impl Warp {
    /// Warp `index` of blocks of `threads` threads.
    pub(crate) fn new(program: &Program, values: &LaunchValues, index: u32, threads: u32) -> Self {
        let lanes = threads.saturating_sub(index * 32).min(32);
        Self {
            index,
            existing: if lanes == 32 { u32::MAX } else { (1 << lanes) - 1 },
            live: 0,
            fragments: Vec::new(),
            joins: Joins::default(),
            frames: vec![Some(Frame::new(program, 0, values))],
            clock: 0,
            at_barrier: false,
            arrived: 0,
            admitted: 0,
            arrive_pc: NONE,
            exit_pc: None,
            place: WarpPlace { block: [0; 3], warp: index },
        }
    }

    /// Puts the warp at the kernel's first instruction.
    pub(crate) fn begin_block(
        &mut self,
        program: &Program,
        values: &LaunchValues,
        block: [u32; 3],
    ) {
        self.place.block = block;
        self.frames.truncate(1);
        let rows = &program.functions[0].rows;
        if let Some(Some(frame)) = self.frames.first_mut() {
            frame.clear(rows);
            frame.fill_place(rows, values, self.place);
        }
        self.joins.clear();
        self.fragments.clear();
        self.live = self.existing;
        self.clock = 0;
        self.at_barrier = false;
        self.arrived = 0;
        self.admitted = 0;
        self.exit_pc = None;
        self.fragments.push(Fragment {
            pc: program.functions[0].start,
            mask: self.existing,
            frame: 0,
            join: NONE,
            state: State::Ready,
        });
    }

    /// Which warp of which block this is.
    pub(crate) fn place(&self) -> WarpPlace {
        self.place
    }

    /// Whether every lane has exited.
    pub(crate) fn is_finished(&self) -> bool {
        self.live == 0
    }

    /// Takes the fragment that runs next.
    pub(crate) fn take_ready(&mut self) -> Option<Fragment> {
        let position = self.fragments.iter().rposition(|one| one.state == State::Ready)?;
        Some(self.fragments.remove(position))
    }

    /// Splits a fragment: `taken` goes to `target`, the others go on after the branch; they meet
    /// at `reconverge`. The part that runs on.
    pub(crate) fn split(
        &mut self,
        mut fragment: Fragment,
        parts: &[(u32, u32)],
        reconverge: u32,
    ) -> Option<Fragment> {
        if reconverge != NONE && self.joins.meeting_point(&fragment) != reconverge {
            fragment.join = self.joins.open(Join {
                pc: reconverge,
                frame: fragment.frame,
                expected: fragment.mask,
                arrived: 0,
                parent: fragment.join,
                callee: NONE,
            });
        }
        let meeting = self.joins.meeting_point(&fragment);
        let mut next = None;
        for &(pc, mask) in parts {
            if pc == meeting {
                // Others are still to come, so the join cannot be complete.
                if let Some((resumed, _)) = self.joins.arrive(fragment.join, mask) {
                    next = Some(resumed);
                }
                continue;
            }
            let part = Fragment { pc, mask, ..fragment };
            match next {
                None => next = Some(part),
                Some(_) => self.fragments.push(part),
            }
        }
        next
    }

    /// A fragment reaches its innermost join. What runs on, if it was the last.
    pub(crate) fn arrive(&mut self, fragment: &Fragment) -> Option<Fragment> {
        self.joins.arrive(fragment.join, fragment.mask).map(|(next, _)| next)
    }

    /// Lanes of a fragment leave the joins from its innermost out to `until` (exclusive).
    pub(crate) fn leave_joins(&mut self, fragment: &Fragment, until: u32, mask: u32) {
        let mut index = fragment.join;
        while index != until && index != NONE {
            let Some(join) = self.joins.get(index) else { return };
            let (parent, callee) = (join.parent, join.callee);
            if let Some((next, _)) = self.joins.leave(index, mask) {
                self.fragments.push(next);
                self.free_frame(callee);
            } else if self.joins.get(index).is_some_and(|join| join.expected == 0) {
                self.free_frame(callee);
            }
            index = parent;
        }
    }

    /// Lanes exit. What is left of the fragment, if anything.
    pub(crate) fn exit(&mut self, fragment: Fragment, mask: u32) -> Option<Fragment> {
        self.live &= !mask;
        self.exit_pc = Some(fragment.pc);
        self.leave_joins(&fragment, NONE, mask);
        let rest = fragment.mask & !mask;
        (rest != 0).then_some(Fragment { mask: rest, ..fragment })
    }

    /// Frees the frame of a call that has ended.
    pub(crate) fn free_frame(&mut self, frame: u32) {
        if let Some(slot) = self.frames.get_mut(frame as usize).filter(|_| frame != 0) {
            *slot = None;
        }
    }
}
