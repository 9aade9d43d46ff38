//! Requests, sectors, wavefronts.

use ridge_spec::counters::{GlobalAccess, SharedAccess};

use super::{Script, buffers};
use crate::emulator::memory::{GlobalMemory, Space};

const ALL: u32 = u32::MAX;

/// Requests, sectors, ideal, bytes of one global load.
#[track_caller]
fn check_global((mask, width): (u32, u32), address: impl Fn(u64) -> u64, expected: [u64; 4]) {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Global;
    let x = s.x;
    s.load((0, mask, width), |l| x + address(l));
    let counters = s.counters();
    let [requests, sectors, sectors_ideal, bytes] = expected;
    let expected = GlobalAccess { requests, sectors, sectors_ideal, bytes };
    assert_eq!(counters.global_load, expected);
    assert_eq!(counters.block_sectors_read, sectors);
    assert_eq!(counters.block_sectors_written, 0);
}

#[test]
fn sectors_of_a_request() {
    check_global((ALL, 4), |l| 4 * l, [1, 4, 4, 128]);
    check_global((ALL, 16), |l| 16 * l, [1, 16, 16, 512]);
    check_global((ALL, 4), |l| 4 * l + 4, [1, 5, 4, 128]);
    check_global((ALL, 2), |l| 2 * l, [1, 2, 2, 64]);
    check_global((ALL, 4), |_| 8, [1, 1, 1, 128]);
    check_global((ALL, 4), |l| 128 * l % 4096, [1, 32, 4, 128]);
    check_global((ALL, 4), |l| 4 * (31 - l), [1, 4, 4, 128]);
    check_global((ALL, 4), |l| 4 * (l / 2), [1, 2, 2, 128]);
    check_global((0x1f, 4), |l| 4 * l, [1, 1, 1, 20]);
    check_global((0b101, 1), |l| 31 + l / 2, [1, 2, 1, 2]);
    check_global((0, 4), |l| 4 * l, [0, 0, 0, 0]);
}

/// Requests, wavefronts, ideal, bytes of one shared load.
#[track_caller]
fn check_shared((mask, width): (u32, u32), address: impl Fn(u64) -> u64, expected: [u64; 4]) {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.load((0, mask, width), |l| address(l) % 1024);
    let [requests, wavefronts, wavefronts_ideal, bytes] = expected;
    let expected = SharedAccess { requests, wavefronts, wavefronts_ideal, bytes };
    assert_eq!(s.counters().shared_load, expected);
}

#[test]
fn wavefronts_of_a_request() {
    check_shared((ALL, 4), |l| 4 * l, [1, 1, 1, 128]);
    check_shared((ALL, 4), |_| 4, [1, 1, 1, 128]);
    check_shared((ALL, 4), |l| 8 * l, [1, 2, 1, 128]);
    check_shared((ALL, 4), |l| 128 * l, [1, 8, 1, 128]);
    check_shared((ALL, 4), |l| 4 * (31 - l), [1, 1, 1, 128]);
    check_shared((ALL, 4), |l| 36 * l, [1, 1, 1, 128]);
    check_shared((ALL, 2), |l| 2 * l, [1, 1, 1, 64]);
    check_shared((ALL, 1), |l| l, [1, 1, 1, 32]);
    check_shared((ALL, 8), |l| 8 * l, [1, 2, 2, 256]);
    check_shared((ALL, 16), |l| 16 * l, [1, 4, 4, 512]);
    check_shared((ALL, 8), |_| 8, [1, 1, 1, 256]);
    check_shared((ALL, 16), |_| 16, [1, 2, 1, 512]);
    check_shared((ALL, 8), |l| 8 * (l / 2), [1, 1, 1, 256]);
    check_shared((ALL, 16), |l| 16 * (l / 2), [1, 2, 2, 512]);
    check_shared((0xffff, 8), |l| 8 * l, [1, 1, 1, 128]);
    check_shared((ALL, 8), |l| 16 * l, [1, 4, 2, 256]);
    check_shared((ALL, 16), |l| 32 * l, [1, 8, 4, 512]);
}

#[test]
fn atomics_serialise_on_one_word() {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.store((0, ALL, 4), |l| 4 * l, |_| 0);
    s.add(0, ALL, |_| 0);
    s.add(0, ALL, |l| 4 * l);
    let counted = s.counters().shared_atomic;
    assert_eq!((counted.requests, counted.wavefronts, counted.wavefronts_ideal), (2, 33, 2));
}

#[test]
fn stacks_are_interleaved() {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Local;
    s.store((0, ALL, 4), |_| 4, |_| 0);
    s.store((0, ALL, 16), |_| 16, |_| 0);
    s.store((0, 0xff, 4), |_| 4, |_| 0);
    s.store((0, ALL, 4), |l| 4 * (l % 2), |_| 0);
    let expected =
        GlobalAccess { requests: 4, sectors: 4 + 16 + 1 + 8, sectors_ideal: 25, bytes: 800 };
    assert_eq!(s.counters().local, expected);
}

#[test]
fn a_block_counts_each_sector_once() {
    let global = GlobalMemory::new(&buffers());
    let mut s = Script::new(&global, 64, 0);
    s.space = Space::Global;
    let (x, y) = (s.x, s.y);
    for _ in 0..3 {
        s.load((0, ALL, 4), |l| x + 4 * l);
        s.load((0, ALL, 16), |l| x + 16 * l);
        s.store((0, ALL, 16), |l| y + 64000 + 16 * l, |l| l);
        s.store((0, ALL, 4), |l| y + 1000 * l, |l| l);
    }
    let counters = s.counters();
    assert_eq!((counters.block_sectors_read, counters.block_sectors_written), (16, 48));
    assert_eq!(s.counters(), ridge_spec::counters::Counters::default());
}
