//! Races against their definition: every access of every byte is kept, with a vector clock over
//! all threads.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ridge_spec::outcome::FindingKind;

use super::random::{Kind, Step, WARPS, offsets, perform, program, value};
use super::{Script, buffers};
use crate::emulator::memory::{GlobalMemory, LANES, Space};

/// Warps of all blocks together, at most.
const WARPS_MAX: usize = 6;
const THREADS: usize = LANES * WARPS_MAX;

/// What a thread knows of each.
pub(super) type Clock = [u32; THREADS];

/// A byte: which memory, and where in it.
type Byte = (usize, u64);

#[derive(Clone, Debug)]
struct Event {
    thread: usize,
    clock: u32,
    is_write: bool,
    strong: bool,
}

/// The definition.
pub(super) struct Oracle {
    pub(super) clocks: Vec<Clock>,
    arrived: Option<Clock>,
    events: BTreeMap<Byte, Vec<Event>>,
    bytes: BTreeMap<Byte, u8>,
}

/// What the definition says of one access.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Clean,
    /// Lanes in a race.
    Race(u32),
    /// Equal values made a conflict harmless: what is remembered of it is no longer all there is.
    Benign,
}

impl Oracle {
    pub(super) fn new() -> Self {
        let clocks = (0..THREADS).map(|t| std::array::from_fn(|other| u32::from(other == t)));
        Self {
            clocks: clocks.collect(),
            arrived: None,
            events: BTreeMap::new(),
            bytes: BTreeMap::new(),
        }
    }

    /// These threads meet, and learn of `joined` too.
    pub(super) fn join(&mut self, threads: &[usize], mut joined: Clock) {
        for &thread in threads {
            for (joined, &clock) in joined.iter_mut().zip(&self.clocks[thread]) {
                *joined = (*joined).max(clock);
            }
        }
        for &thread in threads {
            self.clocks[thread] = joined;
            self.clocks[thread][thread] += 1;
        }
    }

    fn step(&mut self, step: &Step, instruction: u32) -> Verdict {
        let warp_threads = |warps: u32| -> Vec<usize> {
            (0..THREADS).filter(|thread| warps >> (thread / LANES) & 1 == 1).collect()
        };
        match step {
            Step::Access { warp, space, kind, width, shape, mask, strong } => {
                let memory = usize::from(*space == Space::Global);
                let strong = *strong || *kind == Kind::Atomic;
                let offsets = offsets(*width, shape);
                let lanes = (0..LANES).filter(|lane| mask >> lane & 1 == 1);
                let elements: Vec<(usize, u64)> = lanes.map(|l| (l, offsets[l])).collect();
                self.access(
                    (memory, *warp as usize, instruction),
                    (*kind, strong),
                    &elements,
                    u64::from(*width),
                )
            }
            Step::Barrier(warps) => {
                self.join(&warp_threads(*warps), [0; THREADS]);
                Verdict::Clean
            }
            Step::SyncWarp(warp, mask) => {
                let first = *warp as usize * LANES;
                let lanes = (0..LANES).filter(|lane| mask >> lane & 1 == 1);
                let lanes: Vec<usize> = lanes.map(|lane| first + lane).collect();
                self.join(&lanes, [0; THREADS]);
                Verdict::Clean
            }
            Step::Arrive(warp) => {
                let mut arrived = self.arrived.unwrap_or([0; THREADS]);
                for thread in warp_threads(1 << warp) {
                    for (arrived, &clock) in arrived.iter_mut().zip(&self.clocks[thread]) {
                        *arrived = (*arrived).max(clock);
                    }
                    self.clocks[thread][thread] += 1;
                }
                self.arrived = Some(arrived);
                Verdict::Clean
            }
            Step::Leave(warp) => {
                let arrived = self.arrived.take().unwrap_or([0; THREADS]);
                self.join(&warp_threads(1 << warp), arrived);
                Verdict::Clean
            }
        }
    }

    /// An access of a memory by a warp: each lane's element.
    pub(super) fn access(
        &mut self,
        (memory, warp, instruction): (usize, usize, u32),
        (kind, strong): (Kind, bool),
        elements: &[(usize, u64)],
        width: u64,
    ) -> Verdict {
        let mut racing = 0;
        let mut benign = false;
        let mut added = Vec::new();
        let is_write = kind != Kind::Load;
        for &(lane, start) in elements {
            let thread = warp * LANES + lane;
            for byte in 0..width {
                let at = (memory, start + byte);
                let new = value(instruction, lane as u32, byte as u32 / 4).to_le_bytes();
                let same =
                    kind == Kind::Store && self.bytes.get(&at) == Some(&new[byte as usize % 4]);
                for event in self.events.get(&at).into_iter().flatten() {
                    let ordered =
                        event.thread == thread || event.clock <= self.clocks[thread][event.thread];
                    if ordered || !is_write && !event.is_write || strong && event.strong {
                        continue;
                    }
                    benign |= same || event.is_write && kind == Kind::Atomic;
                    racing |= 1u32 << lane;
                }
                let clock = self.clocks[thread][thread];
                added.push((at, Event { thread, clock, is_write, strong }, new[byte as usize % 4]));
            }
        }
        racing |= self.put(&added, (is_write, strong), kind == Kind::Atomic);
        match (benign, racing) {
            (true, _) => Verdict::Benign,
            (false, 0) => Verdict::Clean,
            (false, lanes) => Verdict::Race(lanes),
        }
    }

    /// Records an access; gives the lanes whose plain store another lane of it undid.
    fn put(
        &mut self,
        added: &[(Byte, Event, u8)],
        (is_write, strong): (bool, bool),
        is_atomic: bool,
    ) -> u32 {
        for (at, event, byte) in added {
            // Writes that do not race with each other though nothing orders them, strong ones and
            // those of lanes of one instruction: the last stands for all.
            let events = self.events.entry(*at).or_default();
            if is_write {
                events.retain(|event| !event.is_write);
            }
            events.push(event.clone());
            if is_write && !is_atomic {
                self.bytes.insert(*at, *byte);
            } else if is_atomic {
                self.bytes.remove(at);
            }
        }
        if !is_write || strong {
            return 0;
        }
        let undone = added.iter().filter(|(at, _, byte)| self.bytes.get(at) != Some(byte));
        undone.fold(0, |mask, (_, event, _)| mask | 1 << (event.thread % LANES))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_first_race_is_the_definitions(program in program()) {
        let global = GlobalMemory::new(&buffers());
        let mut s = Script::new(&global, 32 * WARPS, 0);
        let mut oracle = Oracle::new();
        for (instruction, step) in program.iter().enumerate() {
            perform(&mut s, step, instruction as u32);
            let log = s.memory.take_faults();
            let mut found = 0;
            for fault in log.iter().filter(|fault| fault.kind == FindingKind::Race) {
                found |= fault.lanes;
            }
            match oracle.step(step, instruction as u32) {
                Verdict::Benign => break,
                Verdict::Clean => prop_assert_eq!(found, 0, "step {}", instruction),
                Verdict::Race(lanes) => {
                    prop_assert_eq!(found, lanes, "step {}", instruction);
                    break;
                }
            }
        }
    }
}
