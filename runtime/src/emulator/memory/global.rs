//! Global memory: buffers and module variables in one 64-bit address space.
//!
//! Each buffer starts at a multiple of 256 bytes that is not one of 512, as little as the driver
//! promises, and at least a mebibyte and its own size from any other, so that an access that
//! misses its buffer hits nothing and can be told from where it missed.

use std::sync::Arc;

use ridge_spec::outcome::FindingKind;

use crate::device::{Buffer, BufferContent, OutputBuffer};

use super::fault::{FaultLog, Place};
use super::releases::Releases;
use super::shared::at;
use super::store::{Image, Store};

/// Where the first buffer may lie.
const HEAP: u64 = 0x0000_2000_0000_0000;
/// Least distance between two buffers.
const RED_ZONE: u64 = 1 << 20;

/// A `.global` or `.const` variable of the module.
#[derive(Clone, Debug)]
pub struct Variable<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Size, bytes.
    pub size: u64,
    /// Alignment, bytes; 256 is always given.
    pub align: u64,
    /// Whether a kernel may write it (`.global`) or not (`.const`).
    pub writable: bool,
}

/// Global memory of one launch, shared by its blocks.
#[derive(Debug, Default)]
pub struct GlobalMemory {
    /// In ascending order of addresses: buffers, then variables.
    regions: Vec<Region>,
    releases: Releases,
}

/// One buffer or variable.
#[derive(Debug)]
pub(super) struct Region {
    name: String,
    base: u64,
    size: u64,
    pub(super) is_output: bool,
    /// Whether it is an input that no kernel before this one writes.
    pub(super) is_constant: bool,
    pub(super) content: Content,
}

/// What a region holds.
#[derive(Debug)]
pub(super) enum Content {
    /// An input: a write is a finding.
    Input(Arc<[u8]>),
    /// A `.const` variable.
    Constant(Vec<u8>),
    /// An output or a `.global` variable.
    Writable(Store),
}

impl GlobalMemory {
    /// Lays out the buffers of a launch.
    pub fn new(buffers: &[Buffer]) -> Self {
        let mut memory = Self::default();
        for buffer in buffers {
            let (content, is_output) = match &buffer.content {
                BufferContent::Input(bytes) => (Content::Input(Arc::clone(bytes)), false),
                BufferContent::Output { size_bytes } => {
                    (Content::Writable(Store::new(at(*size_bytes), Image::None)), true)
                }
                BufferContent::InOut(bytes) => {
                    let image = Image::Shared(Arc::clone(bytes));
                    (Content::Writable(Store::new(bytes.len(), image)), true)
                }
            };
            let size = buffer.content.size_bytes();
            memory.add(buffer.name.clone(), size, is_output, content);
            if let Some(region) = memory.regions.last_mut() {
                region.is_constant = buffer.constant && !is_output;
            }
        }
        memory
    }

    /// Address of the buffer at that place in the slice given to [`GlobalMemory::new`].
    pub fn buffer_address(&self, index: usize) -> Option<u64> {
        self.regions.get(index).map(|region| region.base)
    }

    /// Adds a module variable, zeroed, and says where it lies: the address of every window, since
    /// constant memory is reached through generic addresses too.
    pub fn add_variable(&mut self, variable: &Variable<'_>) -> u64 {
        let zeros = vec![0; at(variable.size)];
        let content = if variable.writable {
            Content::Writable(Store::new(zeros.len(), Image::Own(zeros)))
        } else {
            Content::Constant(zeros)
        };
        self.add(variable.name.to_owned(), variable.size, false, content)
    }

    /// Writes an initialiser's bytes at an address that [`GlobalMemory::add_variable`] gave, or
    /// within its variable. `false` where they do not fit.
    pub fn initialize(&mut self, address: u64, bytes: &[u8]) -> bool {
        let Some(index) = self.locate(address) else { return false };
        let region = &mut self.regions[index];
        let image = match &mut region.content {
            Content::Constant(image) => Some(image),
            Content::Writable(store) => store.image_mut(),
            Content::Input(_) => None,
        };
        let start = at(address - region.base);
        let target = image.and_then(|image| image.get_mut(start..)?.get_mut(..bytes.len()));
        target.map(|target| target.copy_from_slice(bytes)).is_some()
    }

    /// Ends the launch: the output buffers in the order they were given. Uninitialised reads of
    /// bytes that another block wrote after all are taken out of `faults`: which came first is
    /// chance, and the race says it.
    pub fn into_outputs(self, faults: &mut FaultLog) -> Vec<OutputBuffer> {
        faults.retain(|fault| {
            let of_race = fault.kind == FindingKind::UninitializedRead
                && self.written_by_another(&fault.place, fault.offset, fault.block);
            !of_race
        });
        let outputs = self.regions.into_iter().filter(|region| region.is_output);
        outputs
            .filter_map(|region| match region.content {
                Content::Writable(store) => {
                    let (bytes, written) = store.into_bytes();
                    Some(OutputBuffer { name: region.name, bytes, written })
                }
                Content::Input(_) | Content::Constant(_) => None,
            })
            .collect()
    }

    fn written_by_another(&self, place: &Place, offset: i64, block: u64) -> bool {
        let Place::Buffer { name, .. } = place else { return false };
        let region = self.regions.iter().find(|region| region.is_output && region.name == *name);
        let Some(Region { content: Content::Writable(store), .. }) = region else { return false };
        let writer = usize::try_from(offset).ok().and_then(|offset| store.writer(offset));
        writer.is_some_and(|writer| u64::from(writer) != block)
    }

    fn add(&mut self, name: String, size: u64, is_output: bool, content: Content) -> u64 {
        let end = self.regions.last().map_or(HEAP, |r| r.base + r.size + r.red_zone());
        let gap = RED_ZONE.max(size);
        let base = (end + gap).next_multiple_of(4096) + 256;
        self.regions.push(Region { name, base, size, is_output, is_constant: false, content });
        base
    }

    /// The region that holds an address.
    pub(super) fn locate(&self, address: u64) -> Option<usize> {
        let index = self.regions.partition_point(|region| region.base <= address).checked_sub(1)?;
        self.regions[index].holds(address).then_some(index)
    }

    /// The region, by the number [`GlobalMemory::locate`] gave.
    pub(super) fn region(&self, index: usize) -> Option<&Region> {
        self.regions.get(index)
    }

    /// What an address belongs to or just misses, and its offset from there.
    pub(super) fn place(&self, address: u64) -> (Place, i64) {
        let next = self.regions.partition_point(|region| region.base <= address);
        let after = next.checked_sub(1).map(|index| &self.regions[index]);
        let before = self.regions.get(next);
        let past = |r: &Region| (address - r.base).saturating_sub(r.size);
        let nearest = match (after, before) {
            (Some(after), Some(before)) if past(after) > before.base - address => Some(before),
            (Some(after), _) => Some(after).filter(|r| past(r) <= r.red_zone()),
            (None, before) => before.filter(|r| r.base - address <= r.red_zone()),
        };
        match nearest {
            Some(region) => {
                let place = Place::Buffer { name: region.name.clone(), size: region.size };
                (place, address.wrapping_sub(region.base).cast_signed())
            }
            None => (Place::Nowhere, 0),
        }
    }

    pub(super) fn releases(&self) -> &Releases {
        &self.releases
    }
}

impl Region {
    pub(super) fn holds(&self, address: u64) -> bool {
        address.wrapping_sub(self.base) < self.size
    }

    /// Offset of a range of addresses, where all of it is inside.
    pub(super) fn offset(&self, address: u64, bytes: u64) -> Option<usize> {
        let offset = address.wrapping_sub(self.base);
        let fits = offset < self.size && bytes <= self.size - offset;
        fits.then(|| at(offset))
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    fn red_zone(&self) -> u64 {
        RED_ZONE.max(self.size)
    }
}
