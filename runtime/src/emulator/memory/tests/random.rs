//! Random programs of three warps that meet in a few bytes.

use proptest::prelude::*;

use super::{Script, lanes};
use crate::emulator::memory::{Access, Addresses, LANES, Order, Row, Site, Space};

/// Warps of a random program.
pub(super) const WARPS: u32 = 3;

/// One step of a random program.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Access {
        warp: u32,
        space: Space,
        kind: Kind,
        width: u32,
        shape: Shape,
        mask: u32,
        strong: bool,
    },
    Barrier(u32),
    SyncWarp(u32, u32),
    Arrive(u32),
    Leave(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Load,
    Store,
    Atomic,
}

/// How lanes' elements lie: the element of lane `l`.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Run(u64),
    Uniform(u64),
    Strided(u64, u64),
    Swizzled(u64),
}

impl Shape {
    fn element(&self, lane: u64) -> u64 {
        match *self {
            Self::Run(start) => start + lane,
            Self::Uniform(at) => at,
            Self::Strided(start, stride) => start + stride * lane,
            Self::Swizzled(xor) => lane ^ (xor % 32),
        }
    }
}

/// Bytes within which all elements start.
pub(super) const BYTES: u64 = 128;

/// A random shape.
pub(super) fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (0u64..8).prop_map(Shape::Run),
        (0u64..40).prop_map(Shape::Uniform),
        (0u64..8, 0u64..4).prop_map(|(start, stride)| Shape::Strided(start, stride)),
        any::<u64>().prop_map(Shape::Swizzled),
    ]
}

/// Random lanes.
pub(super) fn mask() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(u32::MAX),
        any::<u32>(),
        (0u32..32).prop_map(|lane| 1 << lane),
        (0u32..4).prop_map(|group| 0xff << (8 * group)),
    ]
}

fn step(atomics: bool) -> impl Strategy<Value = Step> {
    let kinds = if atomics {
        vec![Kind::Load, Kind::Store, Kind::Atomic]
    } else {
        vec![Kind::Load, Kind::Load, Kind::Store]
    };
    let access = (
        (0..WARPS, prop::bool::weighted(0.3), prop::sample::select(kinds)),
        (prop::sample::select(vec![1u32, 2, 2, 4, 4, 4, 8, 16]), shape(), mask()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|((warp, global, kind), (width, shape, mask), strong)| {
            let space = if global { Space::Global } else { Space::Shared };
            let width = if kind == Kind::Atomic { width.clamp(4, 8) } else { width };
            Step::Access { warp, space, kind, width, shape, mask, strong }
        });
    prop_oneof![
        8 => access,
        2 => Just(Step::Barrier(0b111)),
        1 => (1u32..8).prop_map(Step::Barrier),
        3 => (0..WARPS, mask()).prop_map(|(warp, mask)| Step::SyncWarp(warp, mask)),
        1 => (0..WARPS).prop_map(Step::Arrive),
        1 => (0..WARPS).prop_map(Step::Leave),
    ]
}

/// A random program.
pub(super) fn program() -> impl Strategy<Value = Vec<Step>> {
    any::<bool>().prop_flat_map(|atomics| prop::collection::vec(step(atomics), 1..14))
}

/// Where an access's elements lie, in the terms of the space.
pub(super) fn offsets(width: u32, shape: &Shape) -> Addresses {
    let elements = BYTES / u64::from(width);
    lanes(|lane| shape.element(lane) % elements * u64::from(width))
}

/// What a store at that instruction writes.
pub(super) fn value(instruction: u32, lane: u32, k: u32) -> u32 {
    let mixed = (instruction * 4096 + lane * 8 + k + 1).wrapping_mul(0x9e37_79b1);
    mixed ^ mixed >> 15
}

/// Does one step; gives what a load loaded, or an atomic found.
pub(super) fn perform(s: &mut Script<'_>, step: &Step, instruction: u32) -> Vec<Row> {
    let mut rows = vec![[0; LANES]; 8];
    match step {
        Step::Access { warp, space, kind, width, shape, mask, strong } => {
            let base = if *space == Space::Global { s.y + 16384 - 64 } else { 64 };
            let addresses = offsets(*width, shape).map(|offset| base + offset);
            let access = Access {
                space: *space,
                width: *width,
                mask: *mask,
                order: if *strong { Order::Relaxed } else { Order::Weak },
                site: Site { instruction, warp: *warp },
            };
            let words = width.div_ceil(4) as usize;
            match kind {
                Kind::Load => s.memory.load(&access, &addresses, &mut rows[..words]),
                Kind::Store => {
                    for (k, row) in rows.iter_mut().enumerate() {
                        *row = std::array::from_fn(|l| value(instruction, l as u32, k as u32));
                    }
                    s.memory.store(&access, &addresses, &rows[..words]);
                }
                Kind::Atomic => s.memory.atomic(&access, &addresses, &mut |lane, old| {
                    rows[0][lane] = old as u32;
                    Some(old + u64::from(value(instruction, lane as u32, 0)))
                }),
            }
        }
        Step::Barrier(warps) => s.memory.barrier(*warps),
        Step::SyncWarp(warp, lanes) => s.memory.sync_warp(*warp, *lanes),
        Step::Arrive(warp) => s.memory.barrier_arrive(1, *warp),
        Step::Leave(warp) => s.memory.barrier_release(1, 1 << warp),
    }
    rows
}
