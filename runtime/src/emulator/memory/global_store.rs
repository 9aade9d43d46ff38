//! Stores and atomics of global memory.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, Row};
use super::block::BlockMemory;
use super::count::count_global;
use super::dispatch::Apply;
use super::fault::Cause;
use super::pattern::{BYTES_MAX, Pattern, gather};

impl BlockMemory<'_> {
    pub(super) fn store_global(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let width = access.width as usize;
        let (mask, pattern) = self.admit_global(access, addresses);
        let mask = self.writable(mask, pattern, addresses);
        if mask == 0 {
            return;
        }
        self.note_early(access, addresses, (mask, pattern), true);
        let counts = &mut self.counters.global_store;
        let elements = count_global(counts, pattern, addresses, mask, access.width);
        if access.order.is_strong() {
            self.each_address(addresses, mask, |memory, address| {
                memory.release_global(address, access.site.warp as usize);
            });
        }
        let Pattern::Run { first, lanes, .. } = pattern else {
            let meet = elements != u64::from(mask.count_ones());
            self.store_scattered(access, addresses, (mask, meet), rows);
            self.sectors_written.add_each(addresses, mask);
            return;
        };
        let Some(piece) = self.run(addresses, first, lanes, access.width, mask) else { return };
        let mut buffer = [0; BYTES_MAX];
        let bytes = &mut buffer[..piece.length];
        gather(rows, first, lanes, width, bytes);
        self.each_span(access, &piece, |store, span, at, observer, problems| {
            let bytes = &bytes[at..at + span.length];
            store.with_page(span.offset, |page| page.write(span, bytes, observer, problems));
        });
        self.sectors_written.add(addresses[first], piece.length as u64);
    }

    /// Stores of lanes that lie anyhow. Where two have the same address, all are checked against
    /// what was there before any is recorded, and then they must agree.
    fn store_scattered(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        (mask, meet): (u32, bool),
        rows: &[Row],
    ) {
        let width = access.width as usize;
        let mut buffer = [0; 32];
        let bytes = &mut buffer[..width];
        if !meet {
            self.each_element(access, addresses, mask, |page, lane, span, observer, problems| {
                gather(rows, lane, 1, width, bytes);
                page.write(span, bytes, observer, problems);
            });
            return;
        }
        self.each_element(access, addresses, mask, |page, lane, span, observer, problems| {
            gather(rows, lane, 1, width, bytes);
            page.check_write(span, bytes, observer, problems);
        });
        self.each_element(access, addresses, mask, |page, lane, span, observer, _| {
            gather(rows, lane, 1, width, bytes);
            page.put_write(span, observer);
            page.poke(span, bytes);
        });
        if access.order.is_strong() {
            return;
        }
        self.each_element(access, addresses, mask, |page, lane, span, _, problems| {
            gather(rows, lane, 1, width, bytes);
            if page.peek(span) != bytes {
                let address = span.base + span.offset as u64;
                let (kind, cause) = (FindingKind::Race, Cause::SameInstruction);
                problems.note_cause(kind, 1 << lane, address, cause, None);
            }
        });
    }

    pub(super) fn atomic_global(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        apply: Apply<'_>,
    ) {
        let width = access.width as usize;
        let (mask, pattern) = self.admit_global(access, addresses);
        let mask = self.writable(mask, pattern, addresses);
        if mask == 0 {
            return;
        }
        self.note_early(access, addresses, (mask, pattern), true);
        count_global(&mut self.counters.global_atomic, pattern, addresses, mask, access.width);
        let warp = access.site.warp as usize;
        self.each_address(addresses, mask, |memory, address| memory.release_global(address, warp));
        self.each_element(access, addresses, mask, |page, lane, span, observer, problems| {
            page.note_unwritten(span, observer, problems);
            let mut old = [0; 8];
            old[..width].copy_from_slice(page.peek(span));
            match apply(lane, u64::from_le_bytes(old)) {
                Some(new) => {
                    page.write(span, &new.to_le_bytes()[..width], observer, problems);
                }
                None => page.read(span, observer, problems),
            }
        });
        self.each_address(addresses, mask, |memory, address| {
            memory.see_global(address, warp, true);
        });
        self.sectors_read.add_each(addresses, mask);
        self.sectors_written.add_each(addresses, mask);
    }
}
