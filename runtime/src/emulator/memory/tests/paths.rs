//! The quick paths of runs and single elements do what the path for any addresses does.

use proptest::prelude::*;

use super::random::{Step, WARPS, perform, program};
use super::{Script, buffers};
use crate::emulator::memory::pattern::tests::ALWAYS_SCATTERED;
use crate::emulator::memory::{FaultLog, GlobalMemory};

/// All that a program shows: what it loaded, its faults, counts and outputs.
fn run(program: &[Step], scattered: bool) -> (String, Vec<String>) {
    ALWAYS_SCATTERED.set(scattered);
    let global = GlobalMemory::new(&buffers());
    let mut log = FaultLog::default();
    let mut shown = Vec::new();
    let mut s = Script::new(&global, 32 * WARPS, 0);
    for _ in 0..2 {
        s.memory.begin_block(0);
        for (instruction, step) in program.iter().enumerate() {
            let rows = perform(&mut s, step, instruction as u32);
            shown.push(format!("{step:?} {rows:x?}"));
        }
        log.merge(s.memory.take_faults());
    }
    shown.push(format!("{:?}", s.counters()));
    let faults = log.iter().map(|fault| {
        let (kind, site, lanes) = (fault.kind, fault.site, fault.lanes);
        format!("{kind:?} {site:?} {lanes:x} {} {}\n", fault.offset, fault.occurrences)
    });
    let faults = faults.collect();
    let outputs = global.into_outputs(&mut log);
    shown.push(format!("{:?} {:?}", &outputs[0].bytes[16000..17000], &outputs[0].written));
    ALWAYS_SCATTERED.set(false);
    (faults, shown)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_path_does_the_same(program in program()) {
        let (faults, shown) = run(&program, false);
        let (expected_faults, expected) = run(&program, true);
        prop_assert_eq!(faults, expected_faults);
        for (shown, expected) in shown.iter().zip(&expected) {
            prop_assert_eq!(shown, expected);
        }
    }
}
