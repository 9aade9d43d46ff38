//! The distinct sectors a block touches.

use std::collections::BTreeMap;

use super::access::Addresses;
use super::bitmap::Bitmap;
use super::clocks::bits;
use super::count::SECTOR_BYTES;

/// Sectors of one group, a bit each: 64 KiB of addresses.
const GROUP_SECTORS: u64 = 2048;
const CACHED: usize = 16;

/// A set of sectors.
#[derive(Debug)]
pub(super) struct Touched {
    groups: BTreeMap<u64, usize>,
    bitmaps: Vec<Bitmap>,
    /// Groups met lately, by their low bits.
    cache: [(u64, usize); CACHED],
    count: u64,
}

impl Touched {
    pub(super) fn new() -> Self {
        Self {
            groups: BTreeMap::new(),
            bitmaps: Vec::new(),
            cache: [(u64::MAX, 0); CACHED],
            count: 0,
        }
    }

    /// Empties the set and says how many sectors it had.
    pub(super) fn take(&mut self) -> u64 {
        for &at in self.groups.values() {
            self.bitmaps[at].clear();
        }
        self.groups.clear();
        self.cache = [(u64::MAX, 0); CACHED];
        std::mem::take(&mut self.count)
    }

    /// Adds the sectors of a range of addresses that is not empty.
    pub(super) fn add(&mut self, address: u64, bytes: u64) {
        let mut sector = address / SECTOR_BYTES;
        let end = (address + bytes - 1) / SECTOR_BYTES + 1;
        while sector < end {
            let group = sector / GROUP_SECTORS;
            let to = end.min((group + 1) * GROUP_SECTORS);
            let bitmap = self.bitmap(group);
            self.count += u64::from(bitmap.set(within(sector), within_length(to - sector)));
            sector = to;
        }
    }

    /// Adds the sector of each element; an element lies within one.
    pub(super) fn add_each(&mut self, addresses: &Addresses, mask: u32) {
        let mut last = u64::MAX;
        for lane in bits(mask) {
            let sector = addresses[lane] / SECTOR_BYTES;
            if sector != last {
                let bitmap = self.bitmap(sector / GROUP_SECTORS);
                let added = bitmap.set_element(within(sector), 1);
                self.count += u64::from(added);
                last = sector;
            }
        }
    }

    fn bitmap(&mut self, group: u64) -> &mut Bitmap {
        let slot = slot(group);
        let (cached, mut at) = self.cache[slot];
        if cached != group {
            let next = self.groups.len();
            at = *self.groups.entry(group).or_insert(next);
            if at == self.bitmaps.len() {
                self.bitmaps.push(Bitmap::new(within_length(GROUP_SECTORS)));
            }
            self.cache[slot] = (group, at);
        }
        &mut self.bitmaps[at]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few bits are left")]
fn slot(group: u64) -> usize {
    (group % CACHED as u64) as usize
}

fn within(sector: u64) -> usize {
    (sector % GROUP_SECTORS) as usize
}

fn within_length(sectors: u64) -> usize {
    sectors.min(GROUP_SECTORS) as usize
}
