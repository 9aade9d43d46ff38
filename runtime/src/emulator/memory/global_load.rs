//! Loads of global and constant memory.

use super::access::{Access, Addresses, Row, Space};
use super::block::BlockMemory;
use super::clocks::bits;
use super::count::count_global;
use super::dispatch::zero;
use super::pattern::{BYTES_MAX, Pattern, scatter};
use super::shared::{at, word};

impl BlockMemory<'_> {
    pub(super) fn load_global(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let (mask, pattern) = self.admit_global(access, addresses);
        zero(rows, access.mask & !mask);
        if mask == 0 {
            return;
        }
        self.note_early(access, addresses, (mask, pattern), false);
        if access.space != Space::Const {
            let counts = &mut self.counters.global_load;
            count_global(counts, pattern, addresses, mask, access.width);
        }
        match pattern {
            Pattern::Run { first, lanes, .. } => {
                self.load_run(access, addresses, (first, lanes, mask), rows);
            }
            Pattern::Uniform { address } => {
                self.load_uniform(access, (address, addresses), mask, rows);
            }
            Pattern::Scattered => self.load_each(access, addresses, mask, rows),
        }
        if access.order.is_strong() {
            self.each_address(addresses, mask, |memory, address| {
                memory.see_global(address, access.site.warp as usize, false);
            });
        }
    }

    fn load_run(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        (first, lanes, mask): (usize, usize, u32),
        rows: &mut [Row],
    ) {
        let width = access.width as usize;
        let Some(piece) = self.run(addresses, first, lanes, access.width, mask) else { return };
        if let Some(bytes) = self.input_bytes(&piece) {
            scatter(rows, first, lanes, width, bytes);
        } else {
            let mut buffer = [0; BYTES_MAX];
            let bytes = &mut buffer[..piece.length];
            self.load_piece(access, &piece, bytes);
            scatter(rows, first, lanes, width, bytes);
        }
        if access.space != Space::Const {
            self.sectors_read.add(addresses[first], piece.length as u64);
        }
    }

    fn load_uniform(
        &mut self,
        access: &Access,
        (address, addresses): (u64, &Addresses),
        mask: u32,
        rows: &mut [Row],
    ) {
        let Some(piece) = self.uniform(address, access.width, mask) else { return };
        let mut buffer = [0; 32];
        let bytes = &mut buffer[..piece.length];
        if let Some(input) = self.input_bytes(&piece) {
            bytes.copy_from_slice(input);
        } else if mask == self.clocks.live(access.site.warp as usize) {
            self.load_piece(access, &piece, bytes);
        } else {
            // A record of several lanes stands for all of the warp's: these are only some.
            return self.load_each(access, addresses, mask, rows);
        }
        for (k, row) in rows.iter_mut().enumerate().take(bytes.len().div_ceil(4)) {
            let value = word(bytes, k);
            if mask == u32::MAX {
                row.fill(value);
            } else {
                bits(mask).for_each(|lane| row[lane] = value);
            }
        }
        if access.space != Space::Const {
            self.sectors_read.add(address, piece.length as u64);
        }
    }

    fn load_each(&mut self, access: &Access, addresses: &Addresses, mask: u32, rows: &mut [Row]) {
        let width = access.width as usize;
        let mut put = |lane: usize, bytes: &[u8]| {
            for (k, row) in rows.iter_mut().enumerate().take(width.div_ceil(4)) {
                row[lane] = word(bytes, k);
            }
        };
        let mut left = mask;
        while let Some(first) = bits(left).next() {
            let input = self.input_around(addresses[first]);
            let Some((base, input)) = input else {
                let lanes = self.lanes_of_page(addresses, left);
                left &= !lanes;
                self.each_element(
                    access,
                    addresses,
                    lanes,
                    |page, lane, span, observer, problems| {
                        page.note_unwritten(span, observer, problems);
                        page.read(span, observer, problems);
                        put(lane, page.peek(span));
                    },
                );
                continue;
            };
            for lane in bits(left) {
                let start = at(addresses[lane].wrapping_sub(base));
                let Some(bytes) = input.get(start..).and_then(|bytes| bytes.get(..width)) else {
                    break;
                };
                put(lane, bytes);
                left &= !(1 << lane);
            }
        }
        if access.space != Space::Const {
            self.sectors_read.add_each(addresses, mask);
        }
    }
}
