//! Faults as the memory sees them: raw facts, before anything is known of source lines.

use std::collections::BTreeMap;
use std::fmt;

use ridge_spec::outcome::FindingKind;

use super::access::{Order, Site, Space};

/// Distinct (kind, instruction) pairs kept; the rest are counted together.
const KEPT: usize = 256;

/// The object an address belongs to or lies nearest to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A buffer or module variable.
    Buffer {
        /// Its name.
        name: String,
        /// Its size, bytes.
        size: u64,
    },
    /// The block's shared memory.
    Shared {
        /// Its size, bytes.
        size: u64,
    },
    /// The shared memory of another block of the cluster.
    Remote {
        /// Linear index of the block.
        block: u64,
        /// Its size, bytes.
        size: u64,
    },
    /// The shared memory of a block that the cluster does not have.
    NoBlock {
        /// The rank asked for.
        rank: u64,
        /// Blocks of the cluster.
        blocks: u64,
    },
    /// The thread's stack.
    Local {
        /// Its size, bytes.
        size: u64,
    },
    /// The kernel's parameters.
    Param {
        /// Their size, bytes.
        size: u64,
    },
    /// Nothing is near: a null or wild pointer.
    Nowhere,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A load.
    Load,
    /// A store.
    Store,
    /// An atomic or reduction.
    Atomic,
    /// The source side of an asynchronous copy.
    CopySource,
    /// The destination side of an asynchronous copy.
    CopyDestination,
}

/// Why an access is a race or an uninitialised read, where the kind alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kind says it all.
    Plain,
    /// Lanes of one instruction store different values to one byte.
    SameInstruction,
    /// Lanes of one warp, with no `__syncwarp` between.
    SameWarp,
    /// Warps of one block, with no barrier between.
    SameBlock,
    /// Different blocks, with no release and acquire between.
    OtherBlock,
    /// Different blocks of a cluster in shared memory, with no cluster barrier between.
    Cluster,
    /// Another block's shared memory, before that block is known to have begun.
    OwnerStart,
    /// Another block's shared memory, not ordered before that block's exit.
    OwnerExit,
    /// The bytes are the target of an asynchronous copy that nobody waited for.
    CopyInFlight,
}

/// The earlier access of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherAccess {
    /// Its block.
    pub block: u64,
    /// Its warp and, where the kernel is not too long to record it, instruction.
    pub warp: u32,
    /// Its instruction.
    pub instruction: Option<u32>,
    /// Its lane where it was a single one.
    pub lane: Option<u32>,
    /// Whether it was a write.
    pub is_write: bool,
}

/// One fault of one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FindingKind,
    /// Instruction and warp.
    pub site: Site,
    /// Linear index of the block.
    pub block: u64,
    /// Faulting lanes.
    pub lanes: u32,
    /// Load, store, atomic.
    pub action: Action,
    /// Window as the instruction named it.
    pub space: Space,
    /// Bytes a lane accesses.
    pub width: u32,
    /// Ordering of the access.
    pub order: Order,
    /// Address of the first faulting lane, as the instruction had it.
    pub address: u64,
    /// What it belongs to.
    pub place: Place,
    /// Offset of the address from the start of that place; negative before it. For an
    /// uninitialised read or a race, of the first byte concerned.
    pub offset: i64,
    /// Why.
    pub cause: Cause,
    /// The other side of a race.
    pub other: Option<OtherAccess>,
    /// How many times this instruction had this fault.
    pub occurrences: u64,
}

impl Fault {
    /// First faulting lane.
    pub fn first_lane(&self) -> u32 {
        self.lanes.trailing_zeros().min(31)
    }

    /// One clause that says what happened, with the values.
    pub fn message(&self) -> String {
        let what = match self.action {
            Action::Load => "load",
            Action::Store => "store",
            Action::Atomic => "atomic access",
            Action::CopySource => "asynchronous copy",
            Action::CopyDestination => "asynchronous copy",
        };
        let (width, place) = (self.width, Position(self));
        match self.kind {
            FindingKind::OutOfBounds => format!("{what} of {width} bytes {place}"),
            FindingKind::Misaligned => {
                format!(
                    "{what} of {width} bytes at an address that is no multiple of {width}: {place}"
                )
            }
            FindingKind::UninitializedRead if self.cause == Cause::CopyInFlight => {
                format!("{what} {place} reads an asynchronous copy that was not waited for")
            }
            FindingKind::UninitializedRead => {
                format!("{what} {place} reads memory that nothing wrote")
            }
            FindingKind::ModifiedInput => format!("{what} {place} writes to an input"),
            FindingKind::EarlyAccess => {
                let doing = if self.action == Action::Load || self.action == Action::CopySource {
                    "writing"
                } else {
                    "reading"
                };
                format!(
                    "{what} {place} comes before `griddepcontrol.wait`: the kernel before may still be {doing} it"
                )
            }
            FindingKind::Race => self.race_message(what),
            _ => format!("{what} {place}"),
        }
    }

    fn race_message(&self, what: &str) -> String {
        let place = Position(self);
        let earlier = self
            .other
            .map_or("another access", |other| if other.is_write { "a write" } else { "a read" });
        let lane = self.other.and_then(|other| other.lane);
        match self.cause {
            Cause::SameInstruction => {
                format!("lanes of one {what} write different values {place}")
            }
            Cause::SameWarp => {
                let by = lane.map_or("other lanes".to_owned(), |lane| format!("lane {lane}"));
                format!(
                    "{what} {place} races with {earlier} by {by} of the same warp: no `__syncwarp` orders them"
                )
            }
            Cause::CopyInFlight => {
                format!("{what} {place} overlaps an asynchronous copy that was not waited for")
            }
            Cause::OtherBlock => {
                let block = self.other.map_or(0, |other| other.block);
                format!(
                    "{what} {place} races with {earlier} by block {block}: nothing orders the two blocks"
                )
            }
            Cause::Cluster => {
                let (block, warp) = self.other.map_or((0, 0), |other| (other.block, other.warp));
                format!(
                    "{what} {place} races with {earlier} by warp {warp} of block {block}: no cluster barrier orders them"
                )
            }
            Cause::OwnerStart => format!(
                "{what} {place} may come before that block has begun: no cluster barrier orders them"
            ),
            Cause::OwnerExit => format!(
                "{what} {place} may come after that block has exited: no cluster barrier orders them"
            ),
            Cause::Plain | Cause::SameBlock => {
                let warp = self.other.map_or(0, |other| other.warp);
                format!(
                    "{what} {place} races with {earlier} by warp {warp}: no barrier orders them"
                )
            }
        }
    }
}

/// "at byte 16 of `y`", "16 bytes past the end of `y`".
struct Position<'f>(&'f Fault);

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, size) = match &self.0.place {
            Place::Shared { .. } if self.0.offset >> super::RANK_SHIFT > 0 => {
                return write!(
                    f,
                    "at {:#x}, in the shared memory of another block: only the cluster's window reaches there",
                    self.0.offset
                );
            }
            Place::Buffer { name, size } => (format!("`{name}`"), *size),
            Place::Shared { size } => ("shared memory".to_owned(), *size),
            Place::Remote { block, size } => (format!("the shared memory of block {block}"), *size),
            Place::NoBlock { rank, blocks } => {
                return write!(
                    f,
                    "at {:#x}, in a block of rank {rank} of a cluster of {blocks}",
                    self.0.address
                );
            }
            Place::Local { size } => ("the thread's stack".to_owned(), *size),
            Place::Param { size } => ("the kernel's parameters".to_owned(), *size),
            Place::Nowhere if self.0.address < super::NULL_PAGE_BYTES => {
                return write!(f, "at {:#x}, next to the null pointer", self.0.address);
            }
            Place::Nowhere => return write!(f, "at {:#x}, near no buffer", self.0.address),
        };
        let offset = self.0.offset;
        if offset < 0 {
            return write!(f, "{} bytes before the start of {name}", offset.unsigned_abs());
        }
        let offset = offset.unsigned_abs();
        match offset.checked_sub(size) {
            Some(0) => write!(f, "just past the end of {name} ({size} bytes)"),
            Some(past) => write!(f, "{past} bytes past the end of {name} ({size} bytes)"),
            None if offset + u64::from(self.0.width) > size
                && self.0.kind == FindingKind::OutOfBounds =>
            {
                write!(f, "at byte {offset} of {name} ({size} bytes), across its end")
            }
            None => write!(f, "at byte {offset} of {name}"),
        }
    }
}

/// Faults of one block or of a whole execution, one for each (kind, instruction).
#[derive(Clone, Debug, Default)]
pub struct FaultLog {
    faults: BTreeMap<(FindingKind, u32), Fault>,
    dropped: u64,
}

impl FaultLog {
    /// Adds a fault, or counts it where its instruction already has one of its kind. The one kept
    /// is that of the lowest block, and of the earliest in it.
    pub fn push(&mut self, fault: Fault) {
        let key = (fault.kind, fault.site.instruction);
        if let Some(kept) = self.faults.get_mut(&key) {
            let occurrences = kept.occurrences + fault.occurrences;
            if fault.block < kept.block {
                *kept = fault;
            }
            kept.occurrences = occurrences;
        } else if self.faults.len() < KEPT {
            self.faults.insert(key, fault);
        } else {
            self.dropped += fault.occurrences;
        }
    }

    /// Takes in another log.
    pub fn merge(&mut self, other: Self) {
        self.dropped += other.dropped;
        for fault in other.faults.into_values() {
            self.push(fault);
        }
    }

    /// Keeps those that `keep` says.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Fault) -> bool) {
        self.faults.retain(|_, fault| keep(fault));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Faults that found no room.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The faults by kind, then instruction.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.values()
    }

    /// The faults by kind, then instruction.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_values().collect()
    }
}
