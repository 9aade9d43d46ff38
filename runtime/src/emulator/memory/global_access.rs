//! Where global accesses lie: which region, which page, which lanes.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES};
use super::block::BlockMemory;
use super::clocks::bits;
use super::global::{Content, Region};
use super::page::{PAGE_BYTES, Page, Span};
use super::pattern::{Pattern, classify};
use super::problems::Problems;
use super::record::{Lanes, Observer};
use super::shared::at;
use super::store::Store;

/// Bytes of neighbouring lanes, or one element of one or all lanes, within one region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) region: usize,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) lanes: Lanes,
    pub(super) mask: u32,
}

impl<'g> BlockMemory<'g> {
    /// Aligned lanes whose bytes lie in a region; notes the others.
    pub(super) fn admit_global(
        &mut self,
        access: &Access,
        addresses: &Addresses,
    ) -> (u32, Pattern) {
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

    /// The region that holds an address.
    pub(super) fn region_at(&mut self, address: u64) -> Option<&'g Region> {
        let (region, _) = self.offset(address, 1)?;
        self.global.region(region)
    }

    /// The lanes that may be written; notes the others.
    pub(super) fn writable(&mut self, mask: u32, pattern: Pattern, addresses: &Addresses) -> u32 {
        let one_region = pattern != Pattern::Scattered;
        let mut writable = 0;
        for lane in bits(mask) {
            if matches!(
                self.region_at(addresses[lane]),
                Some(Region { content: Content::Writable(_), .. })
            ) {
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

    pub(super) fn run(
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

    pub(super) fn uniform(&mut self, address: u64, width: u32, mask: u32) -> Option<Piece> {
        let length = width as usize;
        let (region, offset) = self.offset(address, length as u64)?;
        Some(Piece { region, offset, length, lanes: Lanes::Many, mask })
    }

    /// The bytes of a piece of read-only memory: always initialised, never in a race.
    pub(super) fn input_bytes(&self, piece: &Piece) -> Option<&'g [u8]> {
        let bytes: &[u8] = match &self.global.region(piece.region)?.content {
            Content::Input(bytes) => bytes,
            Content::Constant(bytes) => bytes,
            Content::Writable(_) => return None,
        };
        bytes.get(piece.offset..piece.offset + piece.length)
    }

    pub(super) fn load_piece(&mut self, access: &Access, piece: &Piece, bytes: &mut [u8]) {
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
    pub(super) fn each_span(
        &mut self,
        access: &Access,
        piece: &Piece,
        mut act: impl FnMut(&Store, &Span, usize, &Observer<'_>, &mut Problems),
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

    /// The read-only region that holds an address: where it starts, and its bytes.
    pub(super) fn input_around(&mut self, address: u64) -> Option<(u64, &'g [u8])> {
        let region = self.region_at(address)?;
        match &region.content {
            Content::Input(bytes) => Some((region.base(), bytes)),
            Content::Constant(bytes) => Some((region.base(), bytes)),
            Content::Writable(_) => None,
        }
    }

    /// Of lanes known to be within regions, the first and those after it up to one that lies in
    /// another page.
    pub(super) fn lanes_of_page(&mut self, addresses: &Addresses, lanes: u32) -> u32 {
        let Some(first) = bits(lanes).next() else { return 0 };
        let Some((_, offset)) = self.offset(addresses[first], 1) else { return 1 << first };
        let page = addresses[first] - (offset % PAGE_BYTES) as u64;
        let inside = |&lane: &usize| addresses[lane].wrapping_sub(page) < PAGE_BYTES as u64;
        bits(lanes).take_while(inside).fold(0, |mask, lane| mask | 1 << lane)
    }

    /// Does something to the element of each lane in turn. Pages are locked once for neighbours
    /// in them; lanes outside writable memory are left out.
    pub(super) fn each_element(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        mask: u32,
        mut act: impl FnMut(&mut Page, usize, &Span, &Observer<'_>, &mut Problems),
    ) {
        let log_width = access.width.trailing_zeros();
        let mut left = mask;
        while left != 0 {
            let lanes = self.lanes_of_page(addresses, left);
            left &= !lanes;
            let first = addresses[lanes.trailing_zeros() as usize & (LANES - 1)];
            let Some((region, offset)) = self.offset(first, 1) else { continue };
            let (global, observer, problems) = self.global_parts(access, mask);
            let Some(region) = global.region(region) else { continue };
            let Content::Writable(store) = &region.content else { continue };
            store.with_page(offset, |page| {
                for lane in bits(lanes) {
                    let offset = at(addresses[lane] - region.base());
                    let span = Span {
                        offset,
                        length: access.width as usize,
                        lanes: Lanes::Run { offset, first: lane, log_width },
                        base: region.base(),
                    };
                    act(page, lane, &span, &observer, problems);
                }
            });
        }
    }
}
