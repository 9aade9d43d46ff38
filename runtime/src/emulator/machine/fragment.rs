//! Fragments: the lanes of a warp that run together, and the joins where they meet again.
//!
//! A branch whose lanes go both ways splits a fragment and opens a *join* at the branch's
//! reconvergence point. A fragment that gets there waits until every lane the join expects has
//! come, exited or left the function; then they go on as one. Joins form chains: the innermost is a
//! fragment's own, and each knows its parent. A call opens a join too, at the return address, in
//! the caller's frame.

use super::frame::NONE;

/// Lanes at one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment {
    /// The next instruction.
    pub(crate) pc: u32,
    /// Its lanes; never empty.
    pub(crate) mask: u32,
    /// Its call frame.
    pub(crate) frame: u32,
    /// Its innermost join, or [`NONE`].
    pub(crate) join: u32,
    /// Whether and for what it waits.
    pub(crate) state: State,
}

/// Whether a fragment can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can.
    Ready,
    /// It waits at a warp-wide operation that `active` of its lanes take part in, for `missing`.
    WarpOp {
        /// Lanes that take part.
        active: u32,
        /// Lanes that had not exited when it began to wait and are members too.
        missing: u32,
    },
    /// It waits at a block barrier that `active` of its lanes take part in.
    Barrier {
        /// Lanes that take part.
        active: u32,
    },
    /// It waits at the cluster's barrier, which `active` of its lanes take part in.
    ClusterBarrier {
        /// Lanes that take part.
        active: u32,
    },
}

/// A point where lanes meet again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Join {
    /// The instruction before which they meet.
    pub(crate) pc: u32,
    /// The frame it is in.
    pub(crate) frame: u32,
    /// Lanes that are to come; 0 marks a free place.
    pub(crate) expected: u32,
    /// Of those, lanes that have come.
    pub(crate) arrived: u32,
    /// The join around this one, or [`NONE`].
    pub(crate) parent: u32,
    /// The callee's frame where this is the return from a call, else [`NONE`].
    pub(crate) callee: u32,
}

/// The joins of a warp.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    list: Vec<Join>,
    free: Vec<u32>,
}

impl Joins {
    /// Forgets all joins.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.free.clear();
    }

    /// Opens a join.
    pub(crate) fn open(&mut self, join: Join) -> u32 {
        if let Some(index) = self.free.pop() {
            self.list[index as usize] = join;
            return index;
        }
        self.list.push(join);
        self.list.len() as u32 - 1
    }

    /// A join.
    pub(crate) fn get(&self, index: u32) -> Option<&Join> {
        self.list.get(index as usize)
    }

    /// The instruction at which a fragment reaches its innermost join; [`NONE`] where it reaches
    /// it only by returning.
    pub(crate) fn meeting_point(&self, fragment: &Fragment) -> u32 {
        match self.get(fragment.join) {
            Some(join) if join.callee == NONE && join.frame == fragment.frame => join.pc,
            _ => NONE,
        }
    }

    /// Lanes come to a join. The fragment that goes on from there, if they were the last, and the
    /// frame of the call that ended there.
    pub(crate) fn arrive(&mut self, index: u32, mask: u32) -> Option<(Fragment, u32)> {
        let join = self.list.get_mut(index as usize)?;
        join.arrived |= mask;
        self.complete(index)
    }

    /// Lanes will never come to a join.
    pub(crate) fn leave(&mut self, index: u32, mask: u32) -> Option<(Fragment, u32)> {
        let join = self.list.get_mut(index as usize)?;
        join.expected &= !mask;
        join.arrived &= !mask;
        if join.expected == 0 {
            self.free.push(index);
            return None;
        }
        self.complete(index)
    }

    fn complete(&mut self, index: u32) -> Option<(Fragment, u32)> {
        let join = self.list.get_mut(index as usize)?;
        if join.arrived != join.expected || join.expected == 0 {
            return None;
        }
        let next = Fragment {
            pc: join.pc,
            mask: join.arrived,
            frame: join.frame,
            join: join.parent,
            state: State::Ready,
        };
        let callee = join.callee;
        join.expected = 0;
        self.free.push(index);
        Some((next, callee))
    }

    /// Lets the lanes that wait at the latest join go on without the others: threads make progress
    /// on their own.
    pub(crate) fn release(&mut self) -> Option<Fragment> {
        let waiting = self.list.iter_mut().rev().find(|j| j.expected != 0 && j.arrived != 0)?;
        let next = Fragment {
            pc: waiting.pc,
            mask: waiting.arrived,
            frame: waiting.frame,
            join: waiting.parent,
            state: State::Ready,
        };
        waiting.expected &= !waiting.arrived;
        waiting.arrived = 0;
        Some(next)
    }

    /// The join at which one of these lanes waits.
    pub(crate) fn waiting(&self, lanes: u32) -> Option<&Join> {
        self.list.iter().find(|join| join.expected != 0 && join.arrived & lanes != 0)
    }
}
