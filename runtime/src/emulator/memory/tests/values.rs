//! Bytes go where they belong, whatever the shape of the access.

use proptest::prelude::*;

use super::{Script, buffers};
use crate::emulator::memory::{GlobalMemory, LANES, Space};

proptest! {
    #[test]
    fn what_is_stored_is_loaded(
        space in prop::sample::select(vec![Space::Global, Space::Shared]),
        log_width in 0u32..5,
        mask in any::<u32>(),
        stride in 1u64..3,
        start in 0u64..16,
        seed in any::<u32>(),
    ) {
        let global = GlobalMemory::new(&buffers());
        let mut s = Script::new(&global, 64, 0);
        s.space = space;
        let width = 1u32 << log_width;
        let base = if space == Space::Global { s.y } else { 0 };
        let stride = if log_width == 4 { 1 } else { stride };
        let address = |l: u64| base + (start + l * stride) * u64::from(width);
        let value = |l: u32| seed.rotate_left(l).wrapping_mul(l + 1);
        s.store((0, mask, width), address, value);
        let rows = s.load((0, mask, width), address);
        for lane in 0..LANES {
            for (k, row) in rows.iter().enumerate() {
                let stored = value(lane as u32).wrapping_add(1000 * k as u32);
                let bits = 8 * width.min(4);
                let expected = if mask >> lane & 1 == 0 {
                    0xdead_beef
                } else {
                    stored & (u32::MAX >> (32 - bits))
                };
                prop_assert_eq!(row[lane], expected);
            }
        }
        prop_assert!(s.memory.take_faults().is_empty() || start + 32 * stride > 1024 / u64::from(width));
    }
}
