//! The roofline: the least time that the work itself allows on a device.

use ridge_spec::target::DeviceProfile;

/// The exponent of the mixing penalty, see [`mixed_bandwidth`].
const MIX_EXPONENT: i32 = 4;

/// What a workload has to move and to compute, whatever the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Bytes that must be read: every input once.
    pub read_bytes: u64,
    /// Bytes that must be written: every output once.
    pub written_bytes: u64,
    /// Arithmetic operations, a multiply-add being two; 0 where unknown.
    pub flops: u64,
}

/// The two floors of a workload on a device, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// No kernel can be faster, by the data sheet; a measured time clearly below it is wrong.
    /// It holds where the data comes from device memory: a working set that the second-level
    /// cache kept from the launch before can beat it honestly.
    pub physical_ns: f64,
    /// What the device sustains for this mix of reads and writes. Good kernels come within a few
    /// percent, and now and then touch it.
    pub sustained_ns: f64,
    /// Whether memory, rather than arithmetic, sets the physical floor.
    pub memory_bound: bool,
}

/// The roofline of `work` on `profile`.
///
/// `arithmetic_lanes_only` says that the kernel issues no matrix instruction: the arithmetic floor
/// is then `flops` over two per single-precision lane and clock, doubled for packed halves. With
/// matrix instructions there is no arithmetic floor, because the profile does not carry their rate.
pub fn roofline(work: &Work, arithmetic_lanes_only: bool, profile: &DeviceProfile) -> Roofline {
    let (read, written) = (work.read_bytes as f64, work.written_bytes as f64);
    let bytes = read + written;
    let memory_ns = bytes / profile.memory.peak_bandwidth * 1e9;
    let arithmetic_ns = if arithmetic_lanes_only {
        let lanes = f64::from(profile.multiprocessors) * profile.multiprocessor.float32_lanes;
        work.flops as f64 / (4.0 * lanes * profile.multiprocessor.clock_hz) * 1e9
    } else {
        0.0
    };
    let physical_ns = memory_ns.max(arithmetic_ns);
    let sustained_ns = bytes / mixed_bandwidth(read, written, profile) * 1e9;
    Roofline {
        physical_ns,
        sustained_ns: sustained_ns.max(physical_ns),
        memory_bound: memory_ns >= arithmetic_ns,
    }
}

impl Roofline {
    /// The physical floor over a time: 1 at the data sheet's speed. 0 for a time of 0.
    pub fn fraction(&self, time_ns: u64) -> f64 {
        if time_ns == 0 { 0.0 } else { self.physical_ns / time_ns as f64 }
    }

    /// The sustained floor over a time: about 1 for the best kernels. 0 for a time of 0.
    pub fn fraction_of_sustained(&self, time_ns: u64) -> f64 {
        if time_ns == 0 { 0.0 } else { self.sustained_ns / time_ns as f64 }
    }

    /// Whether a time is below the physical floor by more than 5 %, which timer resolution and
    /// rounding cannot explain.
    pub fn refuses(&self, time_ns: u64) -> bool {
        (time_ns as f64) < 0.95 * self.physical_ns
    }
}

/// The bandwidth in bytes per second that a device sustains for `read` and `written` bytes (both
/// may be 0).
///
/// Times of reads and writes add, and turning the bus between them costs extra:
/// `1/B = f/B_read + (1-f)/B_write + k (4 f (1-f))^4` with `f` the share of reads and `k` from the
/// copy's bandwidth at `f = 1/2`. The exponent makes the penalty narrow enough for two reads and
/// one write, which an H200 moves 4 % faster than one and one.
pub fn mixed_bandwidth(read: f64, written: f64, profile: &DeviceProfile) -> f64 {
    let memory = &profile.memory;
    let bytes = read + written;
    let share = if bytes > 0.0 { read / bytes } else { 0.5 };
    let halves = 0.5 / memory.read_bandwidth + 0.5 / memory.write_bandwidth;
    // Bounded, so that for any profile more bytes never take less time.
    let most = 1.0 / memory.read_bandwidth.max(memory.write_bandwidth);
    let penalty = (1.0 / memory.copy_bandwidth - halves).clamp(0.0, most);
    let mixing = (4.0 * share * (1.0 - share)).powi(MIX_EXPONENT);
    let inverse =
        share / memory.read_bandwidth + (1.0 - share) / memory.write_bandwidth + penalty * mixing;
    (1.0 / inverse).min(memory.peak_bandwidth)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::h200;
    use super::*;

    #[track_caller]
    fn check_bandwidth(read: f64, written: f64, expected: f64) {
        let found = mixed_bandwidth(read, written, &h200());
        assert!((found / expected - 1.0).abs() < 0.02, "{found:e} against {expected:e}");
    }

    // Slopes over size of read, write, copy and triad on an H200, and silu-mul at 1.4 GB.
    #[test]
    fn mixes_as_the_device_does() {
        check_bandwidth(1.0, 0.0, 4.53e12);
        check_bandwidth(0.0, 1.0, 4.71e12);
        check_bandwidth(1.0, 1.0, 4.28e12);
        check_bandwidth(2.0, 1.0, 4.43e12);
    }

    #[test]
    fn refuses_times_that_physics_forbids() {
        let mib = 1 << 20;
        let work = Work { read_bytes: 128 * mib, written_bytes: 128 * mib, flops: 0 };
        let floor = roofline(&work, true, &h200());
        assert!((floor.physical_ns - 55_924.0).abs() < 1.0, "{}", floor.physical_ns);
        assert!(floor.memory_bound);
        assert!(floor.refuses(20_000));
        assert!(!floor.refuses(55_000));
        assert!((floor.fraction(63_700) - 0.878).abs() < 1e-3);
        assert!(floor.fraction_of_sustained(63_700) < 1.0);
    }

    #[test]
    fn arithmetic_bounds_only_without_matrix_instructions() {
        let work = Work { read_bytes: 4, written_bytes: 4, flops: 1_000_000_000_000 };
        let lanes = roofline(&work, true, &h200());
        assert!(!lanes.memory_bound);
        assert!((lanes.physical_ns - 7.47e6).abs() < 1e4, "{}", lanes.physical_ns);
        assert!(roofline(&work, false, &h200()).memory_bound);
    }
}
