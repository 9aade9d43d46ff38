//! Prints what one warp-wide access of the emulator's memory costs, with all checks.
//!
//! `cargo run --release -p ridge-runtime --example memory_rate [part of a case's name]`
#![expect(clippy::print_stdout, reason = "this program's one purpose")]
#![expect(clippy::unwrap_used, reason = "its inputs are its own")]
#![expect(clippy::cast_possible_truncation, reason = "a step is small")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ridge_runtime::device::{Buffer, BufferContent};
use ridge_runtime::emulator::memory::{
    Access, Addresses, BlockMemory, BlockShape, GlobalMemory, Order, Site, Space,
};
use ridge_spec::counters::Counters;
use ridge_spec::dtype::Dtype;

const WARPS: u32 = 8;
const SIZE: u64 = 32 << 20;
/// Bytes that a block touches of each buffer.
const ROW: u64 = 16384;

/// One kind of access: every warp does it over the block's bytes, then all meet at a barrier.
struct Case {
    name: &'static str,
    space: Space,
    is_store: bool,
    width: u32,
    /// Address of a lane, from the block's base, the step of its warp and the lane.
    address: fn(u64, u64, u64) -> u64,
    /// Bytes between the steps of a warp.
    step: u64,
}

fn cases() -> Vec<Case> {
    let case = |name, space, is_store, width, address, step| Case {
        name,
        space,
        is_store,
        width,
        address,
        step,
    };
    let (g, s) = (Space::Global, Space::Shared);
    vec![
        case("global load, input, 16 B", g, false, 16, |b, at, l| b + at + 16 * l, 512),
        case("global load, input, 4 B", g, false, 4, |b, at, l| b + at + 4 * l, 128),
        case("global load, input, 2 B", g, false, 2, |b, at, l| b + at + 2 * l, 64),
        case("global load, input, broadcast", g, false, 4, |b, at, _| b + at, 128),
        case("global load, input, stride 128", g, false, 4, |b, at, l| b + at + 128 * l, 4),
        case("global store, 16 B", g, true, 16, |b, at, l| b + at + 16 * l, 512),
        case("global store, 4 B", g, true, 4, |b, at, l| b + at + 4 * l, 128),
        case("global store, 2 B", g, true, 2, |b, at, l| b + at + 2 * l, 64),
        case("global store, stride 128", g, true, 4, |b, at, l| b + at + 128 * l, 4),
        case("shared store, 16 B", s, true, 16, |_, at, l| at + 16 * l, 512),
        case("shared store, 4 B", s, true, 4, |_, at, l| at + 4 * l, 128),
        case("shared store, 2 B", s, true, 2, |_, at, l| at + 2 * l, 64),
        case("shared store, stride 132", s, true, 4, |_, at, l| at + 132 * l, 4),
        case("shared load, 16 B", s, false, 16, |_, at, l| at + 16 * l, 512),
        case("shared load, 4 B", s, false, 4, |_, at, l| at + 4 * l, 128),
        case("shared load, 2 B", s, false, 2, |_, at, l| at + 2 * l, 64),
        case("shared load, broadcast", s, false, 4, |_, at, _| at, 128),
        case("shared load, stride 132", s, false, 4, |_, at, l| at + 132 * l, 4),
    ]
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for case in cases().into_iter().filter(|case| case.name.contains(&wanted)) {
        let nanoseconds = (0..3).map(|_| time(&case)).fold(f64::MAX, f64::min);
        println!("{:34} {nanoseconds:8.1} ns", case.name);
    }
    if wanted.is_empty() {
        println!("{:34} {:8.1} µs", "to lay out a 1 GiB output", lay_out(1 << 30));
        println!("{:34} {:8.1} µs", "to lay out a 32 MiB output", lay_out(32 << 20));
    }
}

/// Microseconds until an output can be written; the least of a few.
fn lay_out(size_bytes: u64) -> f64 {
    let content = BufferContent::Output { size_bytes };
    let buffers = [Buffer { name: "y".to_owned(), dtype: Dtype::U8, content, constant: false }];
    let time = |_| {
        let start = Instant::now();
        black_box(GlobalMemory::new(black_box(&buffers)));
        start.elapsed().as_secs_f64() * 1e6
    };
    (0..5).map(time).fold(f64::MAX, f64::min)
}

/// Nanoseconds of one access: the median over blocks.
fn time(case: &Case) -> f64 {
    let input: Arc<[u8]> = vec![1; usize::try_from(SIZE).unwrap()].into();
    let content = if case.is_store {
        BufferContent::Output { size_bytes: SIZE }
    } else {
        BufferContent::Input(input)
    };
    let buffer = Buffer { name: "x".to_owned(), dtype: Dtype::U8, content, constant: false };
    let global = GlobalMemory::new(&[buffer]);
    let base = global.buffer_address(0).unwrap();
    let shape = BlockShape {
        threads: 32 * WARPS,
        shared_bytes: 32768,
        local_bytes: 0,
        params: Arc::from([]),
    };
    let mut memory = BlockMemory::new(&global, shape);
    let mut counters = Counters::default();
    let blocks = SIZE / ROW;
    let rows = [[7; 32]; 4];
    let mut loaded = [[0; 32]; 4];
    let mut times = Vec::new();
    for block in 0..blocks {
        memory.begin_block(block);
        if case.space == Space::Shared {
            fill(&mut memory);
        }
        let steps = if case.step == 4 { 24 } else { ROW / case.step };
        let base = base + block * ROW;
        let addresses: Vec<Addresses> = (0..steps)
            .map(|step| std::array::from_fn(|l| (case.address)(base, step * case.step, l as u64)))
            .collect();
        let start = Instant::now();
        for (step, addresses) in addresses.iter().enumerate() {
            let access = Access {
                space: case.space,
                width: case.width,
                mask: u32::MAX,
                order: Order::Weak,
                site: Site { instruction: 1, warp: step as u32 % WARPS },
            };
            let words = case.width.div_ceil(4) as usize;
            if case.is_store {
                memory.store(&access, addresses, &rows[..words]);
            } else {
                memory.load(&access, addresses, &mut loaded[..words]);
                black_box(&loaded);
            }
        }
        times.push(start.elapsed().as_nanos() as f64 / steps as f64);
        memory.barrier(0xff);
        memory.end_block(&mut counters);
    }
    assert!(memory.take_faults().is_empty(), "the cases are clean");
    black_box(counters);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Writes all of shared memory.
fn fill(memory: &mut BlockMemory<'_>) {
    for step in 0..64 {
        let access = Access {
            space: Space::Shared,
            width: 16,
            mask: u32::MAX,
            order: Order::Weak,
            site: Site { instruction: 0, warp: 0 },
        };
        let addresses = std::array::from_fn(|lane| step * 512 + 16 * lane as u64);
        memory.store(&access, &addresses, &[[1; 32]; 4]);
    }
    memory.barrier(0xff);
}
