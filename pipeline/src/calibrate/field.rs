//! The numbers of a profile that can be measured, by name.

use ridge_spec::target::DeviceProfile;

/// A number of a profile.
pub(super) enum Field<'a> {
    Real(&'a mut f64),
    Whole(&'a mut u64),
}

impl Field<'_> {
    pub(super) fn get(&self) -> f64 {
        match self {
            Self::Real(value) => **value,
            Self::Whole(value) => **value as f64,
        }
    }

    pub(super) fn set(self, new: f64) {
        match self {
            Self::Real(value) => *value = new,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            Self::Whole(value) => *value = new as u64,
        }
    }
}

/// The field of that name, of those that can be measured.
pub(super) fn field<'a>(profile: &'a mut DeviceProfile, name: &str) -> Option<Field<'a>> {
    let DeviceProfile { memory, multiprocessor, launch, .. } = profile;
    let real = match name {
        "memory.read_bandwidth" => &mut memory.read_bandwidth,
        "memory.write_bandwidth" => &mut memory.write_bandwidth,
        "memory.copy_bandwidth" => &mut memory.copy_bandwidth,
        "memory.latency_ns" => &mut memory.latency_ns,
        "memory.l2_capacity_bytes" => return Some(Field::Whole(&mut memory.l2_capacity_bytes)),
        "memory.l2_bandwidth" => &mut memory.l2_bandwidth,
        "multiprocessor.clock_hz" => &mut multiprocessor.clock_hz,
        "launch.graph_node_ns" => &mut launch.graph_node_ns,
        "launch.block_dispatch_ns" => &mut launch.block_dispatch_ns,
        "launch.block_turnaround_ns" => &mut launch.block_turnaround_ns,
        "launch.barrier_ns" => &mut launch.barrier_ns,
        _ => return None,
    };
    Some(Field::Real(real))
}
