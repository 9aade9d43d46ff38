//! Loads, stores and atomics of global and constant memory.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES, Row, Space};
use super::block::BlockMemory;
use super::clocks::bits;
use super::count::count_global;
use super::dispatch::{Apply, zero};
use super::global::{Content, Region};
use super::page::{PAGE_BYTES, Span};
use super::pattern::{BYTES_MAX, Pattern, classify, gather, scatter};
use super::record::Lanes;
use super::shared::word;
use super::store::Store;

/// Bytes of neighbouring lanes, or one element of one or all lanes, within one region.
#[derive(Clone, Copy, Debug)]
struct Piece {
    region: usize,
    offset: usize,
    length: usize,
    lanes: Lanes,
    mask: u32,
}

impl<'g> BlockMemory<'g> {
    pub(super) fn load_global(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let (mask, pattern) = self.admit_global(access, addresses);
        zero(rows, access.mask & !mask);
        if mask == 0 {
            return;
        }
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
        let mut buffer = [0; 32];
        for lane in bits(mask) {
            let piece = self.run(addresses, lane, 1, access.width, 1 << lane);
            let Some(piece) = piece else { continue };
            let bytes = if let Some(input) = self.input_bytes(&piece) {
                input
            } else {
                self.load_piece(access, &piece, &mut buffer[..width]);
                &buffer[..width]
            };
            for (k, row) in rows.iter_mut().enumerate().take(width.div_ceil(4)) {
                row[lane] = word(bytes, k);
            }
        }
        if access.space != Space::Const {
            self.sectors_read.add_each(addresses, mask);
        }
    }

    pub(super) fn store_global(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let width = access.width as usize;
        let (mask, pattern) = self.admit_global(access, addresses);
        let mask = self.writable(mask, pattern, addresses);
        if mask == 0 {
            return;
        }
        let counts = &mut self.counters.global_store;
        let elements = count_global(counts, pattern, addresses, mask, access.width);
        if access.order.is_strong() {
            self.each_address(addresses, mask, |memory, address| {
                memory.release_global(address, access.site.warp as usize);
            });
        }
        let mut buffer = [0; BYTES_MAX];
        if let Pattern::Run { first, lanes, .. } = pattern {
            let Some(piece) = self.run(addresses, first, lanes, access.width, mask) else {
                return;
            };
            let bytes = &mut buffer[..piece.length];
            gather(rows, first, lanes, width, bytes);
            self.each_span(access, &piece, |store, span, at, observer, problems| {
                let bytes = &bytes[at..at + span.length];
                store.with_page(span.offset, |page| {
                    page.check_write(span, bytes, observer, problems);
                    page.put_write(span, observer);
                    page.poke(span, bytes);
                });
            });
            self.sectors_written.add(addresses[first], piece.length as u64);
            return;
        }
        let meet = elements != u64::from(mask.count_ones());
        self.store_scattered(access, addresses, (mask, meet), rows);
        self.sectors_written.add_each(addresses, mask);
    }

    /// Stores of lanes that lie anyhow: all are checked against what was there before any is
    /// recorded, and lanes that meet must agree.
    fn store_scattered(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        (mask, meets): (u32, bool),
        rows: &[Row],
    ) {
        let width = access.width as usize;
        let mut buffer = [0; 32];
        for pass in 0..if meets { 3 } else { 1 } {
            for lane in bits(mask) {
                let piece = self.run(addresses, lane, 1, access.width, 1 << lane);
                let Some(piece) = piece else { continue };
                let bytes = &mut buffer[..width];
                gather(rows, lane, 1, width, bytes);
                let strong = access.order.is_strong();
                self.each_span(access, &piece, |store, span, _, observer, problems| {
                    store.with_page(span.offset, |page| {
                        if pass == 0 {
                            page.check_write(span, bytes, observer, problems);
                        }
                        if pass == 1 || !meets {
                            page.put_write(span, observer);
                            page.poke(span, bytes);
                        }
                        if pass == 2 && !strong && page.peek(span) != bytes {
                            let address = span.base + span.offset as u64;
                            let cause = super::Cause::SameInstruction;
                            let kind = FindingKind::Race;
                            problems.note_cause(kind, 1 << lane, address, cause, None);
                        }
                    });
                });
            }
        }
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
        count_global(&mut self.counters.global_atomic, pattern, addresses, mask, access.width);
        let warp = access.site.warp as usize;
        for lane in bits(mask) {
            let piece = self.run(addresses, lane, 1, access.width, 1 << lane);
            let Some(piece) = piece else { continue };
            self.release_global(addresses[lane], warp);
            self.each_span(access, &piece, |store, span, _, observer, problems| {
                store.with_page(span.offset, |page| {
                    page.note_unwritten(span, observer, problems);
                    let mut old = [0; 8];
                    old[..width].copy_from_slice(page.peek(span));
                    match apply(lane, u64::from_le_bytes(old)) {
                        Some(new) => {
                            let new = &new.to_le_bytes()[..width];
                            page.check_write(span, new, observer, problems);
                            page.put_write(span, observer);
                            page.poke(span, new);
                        }
                        None => page.read(span, observer, problems),
                    }
                });
            });
            self.see_global(addresses[lane], warp, true);
        }
        self.sectors_read.add_each(addresses, mask);
        self.sectors_written.add_each(addresses, mask);
    }

    /// Aligned lanes whose bytes lie in a region; notes the others.
    fn admit_global(&mut self, access: &Access, addresses: &Addresses) -> (u32, Pattern) {
        let width = u64::from(access.width);
        let pattern = classify(addresses, access.mask, access.width);
        let (address, bytes) = match pattern {
            Pattern::Run { address, lanes, .. } => (address, lanes as u64 * width),
            Pattern::Uniform { address } => (address, width),
            Pattern::Scattered => (0, 0),
        };
        if bytes != 0 && address.is_multiple_of(width) && self.offset(address, bytes).is_some() {
            return (access.mask, pattern);
        }
        let mut mask = 0;
        for lane in bits(access.mask) {
            if self.offset(addresses[lane], width).is_none() {
                self.problems.note(FindingKind::OutOfBounds, 1 << lane, addresses[lane]);
            } else if !addresses[lane].is_multiple_of(width) {
                self.problems.note(FindingKind::Misaligned, 1 << lane, addresses[lane]);
            } else {
                mask |= 1 << lane;
            }
        }
        (mask, Pattern::Scattered)
    }

    /// The region that holds a range of addresses, and its offset there.
    fn offset(&mut self, address: u64, bytes: u64) -> Option<(usize, usize)> {
        let holds = |region: &Region| region.holds(address);
        if !self.global.region(self.region).is_some_and(holds) {
            self.region = self.global.locate(address)?;
        }
        let offset = self.global.region(self.region)?.offset(address, bytes)?;
        Some((self.region, offset))
    }

    /// The lanes that may be written; notes the others.
    fn writable(&mut self, mask: u32, pattern: Pattern, addresses: &Addresses) -> u32 {
        let one_region = pattern != Pattern::Scattered;
        let mut writable = 0;
        for lane in bits(mask) {
            let region = self.offset(addresses[lane], 1).and_then(|(r, _)| self.global.region(r));
            if matches!(region, Some(Region { content: Content::Writable(_), .. })) {
                writable |= 1 << lane;
            } else {
                self.problems.note(FindingKind::ModifiedInput, 1 << lane, addresses[lane]);
            }
            if one_region && writable != 0 {
                return mask;
            }
        }
        writable
    }

    fn run(
        &mut self,
        addresses: &Addresses,
        first: usize,
        lanes: usize,
        width: u32,
        mask: u32,
    ) -> Option<Piece> {
        let length = lanes * width as usize;
        let (region, offset) = self.offset(addresses[first], length as u64)?;
        let lanes = Lanes::Run { offset, first, log_width: width.trailing_zeros() };
        Some(Piece { region, offset, length, lanes, mask })
    }

    fn uniform(&mut self, address: u64, width: u32, mask: u32) -> Option<Piece> {
        let length = width as usize;
        let (region, offset) = self.offset(address, length as u64)?;
        Some(Piece { region, offset, length, lanes: Lanes::Many, mask })
    }

    /// The bytes of a piece of read-only memory: always initialised, never in a race.
    fn input_bytes(&self, piece: &Piece) -> Option<&'g [u8]> {
        let bytes: &[u8] = match &self.global.region(piece.region)?.content {
            Content::Input(bytes) => bytes,
            Content::Constant(bytes) => bytes,
            Content::Writable(_) => return None,
        };
        bytes.get(piece.offset..piece.offset + piece.length)
    }

    fn load_piece(&mut self, access: &Access, piece: &Piece, bytes: &mut [u8]) {
        if let Some(input) = self.input_bytes(piece) {
            bytes.copy_from_slice(input);
            return;
        }
        self.each_span(access, piece, |store, span, at, observer, problems| {
            store.with_page(span.offset, |page| {
                page.note_unwritten(span, observer, problems);
                page.read(span, observer, problems);
                bytes[at..at + span.length].copy_from_slice(page.peek(span));
            });
        });
    }

    /// Does something page by page: with the span, and its start in the piece.
    fn each_span(
        &mut self,
        access: &Access,
        piece: &Piece,
        mut act: impl FnMut(
            &Store,
            &Span,
            usize,
            &super::record::Observer<'_>,
            &mut super::problems::Problems,
        ),
    ) {
        let (global, observer, problems) = self.global_parts(access, piece.mask);
        let Some(region) = global.region(piece.region) else { return };
        let Content::Writable(store) = &region.content else { return };
        let end = piece.offset + piece.length;
        let mut offset = piece.offset;
        while offset < end {
            let length = (end - offset).min(PAGE_BYTES - offset % PAGE_BYTES);
            let span = Span { offset, length, lanes: piece.lanes, base: region.base() };
            act(store, &span, offset - piece.offset, &observer, problems);
            offset += length;
        }
    }
}
