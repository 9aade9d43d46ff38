//! Loads, stores and atomics: from the window an address aims at to the memory behind it, with
//! the checks that are the same for all.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES, Row, Space};
use super::block::BlockMemory;
use super::clocks::bits;
use super::cluster::rank_of;
use super::count::{count_shared, count_shared_atomic};
use super::fault::{Action, Cause, Fault, OtherAccess, Place};
use super::local::count_local;
use super::pattern::{Pattern, classify};
use super::problems::{Problem, Problems};
use super::shared::{Actors, Run, Shared, at, word};
use super::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW_BYTES};

/// What an atomic does to each lane's old value.
pub(super) type Apply<'a> = &'a mut dyn FnMut(usize, u64) -> Option<u64>;

/// Lanes that may go on, and how their addresses lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) mask: u32,
    pub(super) pattern: Pattern,
}

impl BlockMemory<'_> {
    /// Loads. Rows of inactive lanes keep what they hold; lanes that fault get zeros. `rows` has
    /// one row for each 4 bytes of width, at least one.
    ///
    /// An uninitialised byte is reported when an active lane loads it, whatever becomes of it: a
    /// copy counts. Lanes that a guard or a branch turned off load nothing.
    pub fn load(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        self.split(access, addresses, Action::Load, &mut |memory, access, addresses| match access
            .space
        {
            Space::Shared => memory.load_shared(access, addresses, rows),
            Space::Cluster => memory.load_remote(access, addresses, rows),
            Space::Local => memory.load_local(access, addresses, rows),
            Space::Param => memory.load_param(access, addresses, rows),
            Space::Global | Space::Const | Space::Generic => {
                memory.load_global(access, addresses, rows);
            }
        });
        if access.order.acquires() {
            self.fence(access.site.warp);
        }
    }

    /// Stores; lanes that fault store nothing. Of lanes that store to one address, the highest
    /// wins.
    pub fn store(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        if access.order.releases() {
            self.fence(access.site.warp);
        }
        self.split(access, addresses, Action::Store, &mut |memory, access, addresses| match access
            .space
        {
            Space::Shared => memory.store_shared(access, addresses, rows),
            Space::Cluster => memory.store_remote(access, addresses, rows),
            Space::Local => memory.store_local(access, addresses, rows),
            Space::Param => {
                memory.note_all(FindingKind::ModifiedInput, access.mask, addresses);
            }
            Space::Global | Space::Const | Space::Generic => {
                memory.store_global(access, addresses, rows);
            }
        });
    }

    /// Atomic read-modify-write of 1, 2, 4 or 8 bytes: `apply` gets each active lane and the old
    /// value, in lane order, and returns the new one, or `None` to leave it. Not called for lanes
    /// that fault. An access of order `Weak` counts as relaxed.
    pub fn atomic(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        apply: &mut dyn FnMut(usize, u64) -> Option<u64>,
    ) {
        let mut access = *access;
        if !access.order.is_strong() {
            access.order = super::Order::Relaxed;
        }
        if access.order.releases() {
            self.fence(access.site.warp);
        }
        self.split(
            &access,
            addresses,
            Action::Atomic,
            &mut |memory, access, addresses| match access.space {
                Space::Shared => memory.atomic_shared(access, addresses, apply),
                Space::Cluster => memory.atomic_remote(access, addresses, apply),
                Space::Local => memory.atomic_local(access, addresses, apply),
                Space::Param => {
                    memory.note_all(FindingKind::ModifiedInput, access.mask, addresses);
                }
                Space::Global | Space::Const | Space::Generic => {
                    memory.atomic_global(access, addresses, apply);
                }
            },
        );
        if access.order.acquires() {
            self.fence(access.site.warp);
        }
    }

    /// Does an access window by window, and turns what went wrong into faults.
    fn split(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        action: Action,
        act: &mut dyn FnMut(&mut Self, &Access, &Addresses),
    ) {
        if access.mask == 0 {
            return;
        }
        if !matches!(access.space, Space::Generic | Space::Cluster) {
            act(self, access, addresses);
            self.file(access, access.space, addresses, action);
            return;
        }
        let mut left = access.mask;
        while left != 0 {
            let first = self.aim(access.space, addresses[left.trailing_zeros() as usize]);
            let (space, target, window) = first;
            self.target = target;
            let here = bits(left).filter(|&lane| self.aim(access.space, addresses[lane]) == first);
            let mask = here.fold(0, |mask, lane| mask | 1 << lane);
            left &= !mask;
            let part = Access { space, mask, ..*access };
            if window == 0 {
                act(self, &part, addresses);
            } else {
                act(self, &part, &addresses.map(|address| address.wrapping_sub(window)));
            }
            self.file(&part, access.space, addresses, action);
        }
    }

    /// What an address of the generic or the cluster's window aims at: the window, the rank of
    /// the block, and where its window starts.
    fn aim(&self, space: Space, address: u64) -> (Space, usize, u64) {
        let (space, window) =
            if space == Space::Cluster { (Space::Shared, 0) } else { window_of(address) };
        if space != Space::Shared || self.cluster.is_none() {
            return (space, 0, window);
        }
        match rank_of(address.wrapping_sub(window)) {
            (Some(rank), start) if rank != self.clocks.rank() => {
                (Space::Cluster, rank, window + start)
            }
            (_, start) => (Space::Shared, 0, window + start),
        }
    }

    /// Aligned lanes whose bytes lie below `size`; notes the others.
    pub(super) fn admit(&mut self, access: &Access, addresses: &Addresses, size: u64) -> Admitted {
        let width = u64::from(access.width);
        let pattern = classify(addresses, access.mask, access.width);
        let fits = match pattern {
            Pattern::Run { address, lanes, .. } => {
                address.is_multiple_of(width)
                    && address.checked_add(lanes as u64 * width).is_some_and(|end| end <= size)
            }
            Pattern::Uniform { address } => {
                address.is_multiple_of(width)
                    && address.checked_add(width).is_some_and(|end| end <= size)
            }
            Pattern::Scattered => {
                bits(access.mask).all(|lane| {
                    let address = addresses[lane];
                    address.is_multiple_of(width) && address <= size.saturating_sub(width)
                }) && width <= size
            }
        };
        if fits {
            return Admitted { mask: access.mask, pattern };
        }
        let mut mask = 0;
        for lane in bits(access.mask) {
            let address = addresses[lane];
            if address.checked_add(width).is_none_or(|end| end > size) {
                self.problems.note(FindingKind::OutOfBounds, 1 << lane, address);
            } else if !address.is_multiple_of(width) {
                self.problems.note(FindingKind::Misaligned, 1 << lane, address);
            } else {
                mask |= 1 << lane;
            }
        }
        Admitted { mask, pattern: Pattern::Scattered }
    }

    fn load_shared(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let Admitted { mask, pattern } = self.admit(access, addresses, self.shared.len() as u64);
        zero(rows, access.mask & !mask);
        if mask == 0 {
            return;
        }
        count_shared(&mut self.counters.shared_load, pattern, addresses, mask, access.width);
        let (shared, by, problems) = self.shared_parts(access);
        load_pattern(shared, (pattern, addresses, mask), rows, &by, problems);
        if access.order.is_strong() {
            self.each_address(addresses, mask, |memory, address| {
                memory.see_shared(address, access.site.warp as usize, false);
            });
        }
    }

    fn store_shared(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let Admitted { mask, pattern } = self.admit(access, addresses, self.shared.len() as u64);
        if mask == 0 {
            return;
        }
        let counts = &mut self.counters.shared_store;
        let elements = count_shared(counts, pattern, addresses, mask, access.width);
        if access.order.is_strong() {
            self.each_address(addresses, mask, |memory, address| {
                memory.release_shared(address, access.site.warp as usize);
            });
        }
        let meet = access.width < 4 || elements != u64::from(mask.count_ones());
        let (shared, by, problems) = self.shared_parts(access);
        store_pattern(shared, (pattern, addresses, mask, meet), rows, &by, problems);
    }

    fn atomic_shared(&mut self, access: &Access, addresses: &Addresses, apply: Apply<'_>) {
        let mask = self.admit(access, addresses, self.shared.len() as u64).mask;
        if mask == 0 {
            return;
        }
        count_shared_atomic(&mut self.counters.shared_atomic, addresses, mask, access.width);
        let warp = access.site.warp as usize;
        for lane in bits(mask) {
            self.release_shared(addresses[lane], warp);
            let (shared, by, problems) = self.shared_parts(access);
            shared.atomic(at(addresses[lane]), lane, &by, problems, apply);
            self.see_shared(addresses[lane], warp, true);
        }
    }

    fn load_local(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let mask = self.admit(access, addresses, self.local.len() as u64).mask;
        zero(rows, access.mask & !mask);
        let (warp, width) = (access.site.warp as usize, access.width as usize);
        if mask != 0 {
            count_local(&mut self.counters.local, addresses, mask, access.width);
            self.local.load(warp, addresses, mask, width, rows, &mut self.problems);
        }
    }

    fn store_local(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let mask = self.admit(access, addresses, self.local.len() as u64).mask;
        let (warp, width) = (access.site.warp as usize, access.width as usize);
        if mask != 0 {
            count_local(&mut self.counters.local, addresses, mask, access.width);
            self.local.store(warp, addresses, mask, width, rows);
        }
    }

    fn atomic_local(&mut self, access: &Access, addresses: &Addresses, apply: Apply<'_>) {
        let mask = self.admit(access, addresses, self.local.len() as u64).mask;
        let (warp, width) = (access.site.warp as usize, access.width as usize);
        for lane in bits(mask) {
            let (problems, offset) = (&mut self.problems, at(addresses[lane]));
            self.local.atomic((warp, lane), offset, width, problems, apply);
        }
    }

    fn load_param(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let mask = self.admit(access, addresses, self.shape.params.len() as u64).mask;
        zero(rows, access.mask & !mask);
        let width = access.width as usize;
        for lane in bits(mask) {
            let start = at(addresses[lane]);
            let bytes = &self.shape.params[start..start + width];
            for (k, row) in rows.iter_mut().enumerate().take(width.div_ceil(4)) {
                row[lane] = word(bytes, k);
            }
        }
    }

    /// Each distinct address once, but for repeats that are not neighbours.
    pub(super) fn each_address(
        &mut self,
        addresses: &Addresses,
        mask: u32,
        mut act: impl FnMut(&mut Self, u64),
    ) {
        let mut last = None;
        for lane in bits(mask) {
            if last != Some(addresses[lane]) {
                act(self, addresses[lane]);
            }
            last = Some(addresses[lane]);
        }
    }

    pub(super) fn note_all(&mut self, kind: FindingKind, mask: u32, addresses: &Addresses) {
        let first = mask.trailing_zeros() as usize & (LANES - 1);
        self.problems.note(kind, mask, addresses[first]);
    }

    /// Turns the problems of an access into faults. `access` is in the window's own terms, `named`
    /// and `addresses` in those of the instruction.
    pub(super) fn file(
        &mut self,
        access: &Access,
        named: Space,
        addresses: &Addresses,
        action: Action,
    ) {
        if self.problems.is_empty() {
            return;
        }
        for problem in self.problems.take() {
            let (place, offset) = self.place(access.space, problem.address);
            let first = problem.lanes.trailing_zeros() as usize & (LANES - 1);
            let mut fault = Fault {
                kind: problem.kind,
                site: access.site,
                block: self.block,
                lanes: problem.lanes,
                action,
                space: named,
                width: access.width,
                order: access.order,
                address: addresses[first],
                place,
                offset,
                cause: problem.cause,
                other: problem.other,
                occurrences: 1,
            };
            self.put_in_order(&mut fault, &problem);
            self.faults.push(fault);
        }
    }

    fn place(&self, space: Space, address: u64) -> (Place, i64) {
        let size = match space {
            Space::Shared => self.shared.len(),
            Space::Local => self.local.len(),
            Space::Param => self.shape.params.len(),
            Space::Cluster => 0,
            Space::Global | Space::Const | Space::Generic => return self.global.place(address),
        } as u64;
        let place = match space {
            Space::Shared => Place::Shared { size },
            Space::Cluster => self.remote_place(),
            Space::Local => Place::Local { size },
            _ => Place::Param { size },
        };
        // A 32-bit offset below zero.
        let offset = match u32::try_from(address) {
            Ok(offset) => i64::from(offset.cast_signed()),
            Err(_) => address.cast_signed(),
        };
        (place, offset)
    }

    /// Which of two blocks comes first is chance, so a race between blocks is told the same way
    /// round whichever did: at the read, or else at the higher block.
    fn put_in_order(&self, fault: &mut Fault, problem: &Problem) {
        let Some(other) = problem.other else { return };
        let turn = problem.cause == Cause::OtherBlock
            && (!other.is_write || fault.action != Action::Load && other.block > self.block);
        let (true, Some(instruction)) = (turn, other.instruction) else { return };
        fault.other = Some(OtherAccess {
            block: fault.block,
            warp: fault.site.warp,
            instruction: Some(fault.site.instruction),
            lane: Some(fault.first_lane()),
            is_write: true,
        });
        fault.site = super::Site { instruction, warp: other.warp };
        fault.block = other.block;
        fault.lanes = 1 << other.lane.unwrap_or(0);
        fault.action = if other.is_write { Action::Store } else { Action::Load };
    }
}

/// Loads elements within bounds and aligned that lie as `pattern` says.
#[inline]
pub(super) fn load_pattern(
    shared: &mut Shared,
    (pattern, addresses, mask): (Pattern, &Addresses, u32),
    rows: &mut [Row],
    by: &Actors<'_>,
    problems: &mut Problems,
) {
    match pattern {
        Pattern::Run { address, first, lanes } => {
            let run = Run { start: at(address), first, lanes };
            shared.load_run(run, rows, by, problems);
        }
        Pattern::Uniform { address } => {
            shared.load_uniform(at(address), mask, rows, by, problems);
        }
        Pattern::Scattered => shared.load_scattered(addresses, mask, rows, by, problems),
    }
}

/// Stores elements within bounds and aligned that lie as `pattern` says; `meet` is whether two
/// lanes may have bytes of one granule.
#[inline]
pub(super) fn store_pattern(
    shared: &mut Shared,
    (pattern, addresses, mask, meet): (Pattern, &Addresses, u32, bool),
    rows: &[Row],
    by: &Actors<'_>,
    problems: &mut Problems,
) {
    if let Pattern::Run { address, first, lanes } = pattern {
        let run = Run { start: at(address), first, lanes };
        shared.store_run(run, rows, by, problems);
    } else {
        shared.store_scattered(addresses, (mask, meet), rows, by, problems);
    }
}

/// The window of a generic address, and where it starts.
pub(super) fn window_of(address: u64) -> (Space, u64) {
    let within = |start: u64| address.wrapping_sub(start) < WINDOW_BYTES;
    if within(SHARED_WINDOW) {
        (Space::Shared, SHARED_WINDOW)
    } else if within(LOCAL_WINDOW) {
        (Space::Local, LOCAL_WINDOW)
    } else if within(PARAM_WINDOW) {
        (Space::Param, PARAM_WINDOW)
    } else {
        (Space::Global, 0)
    }
}

/// What lanes get that may not load.
pub(super) fn zero(rows: &mut [Row], mask: u32) {
    if mask != 0 {
        for row in rows {
            bits(mask).for_each(|lane| row[lane] = 0);
        }
    }
}
