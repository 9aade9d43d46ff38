//! Asynchronous copies from global to shared memory (`cp.async`).
//!
//! The bytes are moved when the copy is issued, but are in flight until the issuing lane has
//! waited for their group: any access to them before is a race. After the wait they are an
//! ordinary write of that lane at that moment, so other lanes need a barrier as for any write.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES, Order, Site, Space};
use super::block::BlockMemory;
use super::cell::Actor;
use super::clocks::bits;
use super::count::count_shared;
use super::fault::Action;
use super::shared::at;

/// One warp-wide `cp.async`.
#[derive(Clone, Copy, Debug)]
pub struct AsyncCopy<'a> {
    /// Instruction and warp.
    pub site: Site,
    /// Active lanes.
    pub mask: u32,
    /// Bytes written for each lane: 4, 8 or 16.
    pub copy_bytes: u32,
    /// Of those, bytes read for each lane; the rest are zeros.
    pub source_bytes: &'a [u32; LANES],
    /// Shared addresses: offsets, not generic.
    pub destination: &'a Addresses,
    /// Global addresses.
    pub source: &'a Addresses,
}

/// The copies of a block that have not landed.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pending: Vec<Pending>,
    /// Per warp and lane: groups committed so far.
    committed: Vec<[u32; LANES]>,
}

#[derive(Debug)]
struct Pending {
    site: Site,
    /// Lanes whose copy is in flight.
    mask: u32,
    granules: usize,
    destination: [usize; LANES],
    /// The group each lane's copy belongs to.
    group: [u32; LANES],
}

impl Copies {
    /// Forgets everything; gives the granules that were in flight.
    pub(super) fn clear(&mut self) -> Vec<usize> {
        self.committed.clear();
        let pending = std::mem::take(&mut self.pending);
        pending
            .iter()
            .flat_map(|copy| bits(copy.mask).flat_map(|lane| copy.granules(lane)))
            .collect()
    }

    fn committed(&mut self, warp: usize) -> &mut [u32; LANES] {
        if self.committed.len() <= warp {
            self.committed.resize(warp + 1, [0; LANES]);
        }
        &mut self.committed[warp]
    }
}

impl Pending {
    fn granules(&self, lane: usize) -> std::ops::Range<usize> {
        let first = self.destination[lane] / 4;
        first..first + self.granules
    }
}

impl BlockMemory<'_> {
    /// `cp.async`. Counts as a global load and a shared store.
    pub fn async_copy(&mut self, copy: &AsyncCopy<'_>) {
        let mut rows = [[0; LANES]; 4];
        let read = bits(copy.mask).filter(|&lane| copy.source_bytes[lane] != 0);
        let full = |lane: &usize| copy.source_bytes[*lane] >= copy.copy_bytes;
        let (whole, part): (Vec<usize>, Vec<usize>) = read.partition(full);
        let source = Access {
            space: Space::Global,
            width: copy.copy_bytes,
            mask: whole.iter().fold(0, |mask, lane| mask | 1 << lane),
            order: Order::Weak,
            site: copy.site,
        };
        if source.mask != 0 {
            self.load_global(&source, copy.source, &mut rows);
            self.file(&source, Space::Global, copy.source, Action::CopySource);
        }
        for lane in part {
            self.copy_part(&source, copy, lane, &mut rows);
        }
        let access = Access { space: Space::Shared, mask: copy.mask, ..source };
        let admitted = self.admit(&access, copy.destination, self.shared.len() as u64);
        if admitted.mask != 0 {
            let counts = &mut self.counters.shared_store;
            let (pattern, width) = (admitted.pattern, copy.copy_bytes);
            count_shared(counts, pattern, copy.destination, admitted.mask, width);
            self.launch(&access, copy, admitted.mask, &rows);
        }
        self.file(&access, Space::Shared, copy.destination, Action::CopyDestination);
    }

    /// One lane of which fewer bytes are read than written, byte by byte.
    fn copy_part(
        &mut self,
        source: &Access,
        copy: &AsyncCopy<'_>,
        lane: usize,
        rows: &mut [[u32; LANES]; 4],
    ) {
        let start = copy.source[lane];
        if !start.is_multiple_of(u64::from(copy.copy_bytes)) {
            self.problems.note(FindingKind::Misaligned, 1 << lane, start);
            self.file(source, Space::Global, copy.source, Action::CopySource);
            return;
        }
        for byte in 0..copy.source_bytes[lane] {
            let access = Access { width: 1, mask: 1 << lane, ..*source };
            let mut row = [[0; LANES]];
            let addresses = [start + u64::from(byte); LANES];
            let before = self.counters.global_load;
            self.load_global(&access, &addresses, &mut row);
            self.file(&access, Space::Global, &addresses, Action::CopySource);
            if byte > 0 {
                // One request of one sector, however many bytes.
                self.counters.global_load = before;
                self.counters.global_load.bytes += 1;
            }
            rows[byte as usize / 4][lane] |= row[0][lane] << (byte % 4 * 8);
        }
    }

    fn launch(
        &mut self,
        access: &Access,
        copy: &AsyncCopy<'_>,
        mask: u32,
        rows: &[[u32; LANES]; 4],
    ) {
        let width = copy.copy_bytes as usize;
        let mut bytes = [0; 16];
        for lane in bits(mask) {
            super::pattern::gather(rows, lane, 1, width, &mut bytes[..width]);
            let (shared, by, problems) = self.shared_parts(access);
            shared.copy_in(at(copy.destination[lane]), &bytes[..width], lane, &by, problems);
        }
        let group = *self.copies.committed(copy.site.warp as usize);
        self.copies.pending.push(Pending {
            site: copy.site,
            mask,
            granules: width / 4,
            destination: copy.destination.map(at),
            group,
        });
    }

    /// `cp.async.commit_group`.
    pub fn async_commit(&mut self, warp: u32, lanes: u32) {
        let committed = self.copies.committed(warp as usize);
        bits(lanes).for_each(|lane| committed[lane] += 1);
    }

    /// `cp.async.wait_group`: all but the newest `pending` groups of each lane are done.
    /// `cp.async.wait_all` is a commit and a wait for 0.
    pub fn async_wait(&mut self, warp: u32, lanes: u32, pending: u32) {
        let committed = *self.copies.committed(warp as usize);
        let stamp = self.clocks.stamp(warp as usize);
        for copy in self.copies.pending.iter_mut().filter(|copy| copy.site.warp == warp) {
            let actor = Actor {
                stamp,
                instruction: copy.site.instruction,
                warp: warp as usize,
                strong: false,
            };
            for lane in bits(copy.mask & lanes) {
                if copy.group[lane] < committed[lane].saturating_sub(pending) {
                    copy.mask &= !(1 << lane);
                    for granule in copy.granules(lane) {
                        self.shared.shadow().land_copy(granule, &actor, lane);
                    }
                }
            }
        }
        self.copies.pending.retain(|copy| copy.mask != 0);
    }
}
