//! The names an expression can use, and their values.

use std::collections::BTreeMap;

use super::Value;
use crate::dtype::Dtype;
use crate::target::{DeviceLimits, DeviceProfile};

/// Names of the device's values in expressions: the fields of [`DeviceLimits`] and
/// `multiprocessors`, each after `device.`.
pub const DEVICE_NAMES: [&str; 12] = [
    "device.threads_per_block",
    "device.threads_per_multiprocessor",
    "device.blocks_per_multiprocessor",
    "device.registers_per_multiprocessor",
    "device.registers_per_thread",
    "device.register_allocation_unit",
    "device.shared_memory_per_multiprocessor_bytes",
    "device.shared_memory_per_block_bytes",
    "device.shared_memory_reserved_per_block_bytes",
    "device.cluster_blocks",
    "device.warp_size",
    "device.multiprocessors",
];

/// What the names of an expression stand for.
///
/// Axes and parameters are plain names. A type variable `T` is the text of its dtype (`T ==
/// 'bf16'`) and also gives `sizeof(T)`. Device values are `device.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    values: BTreeMap<String, Value>,
}

impl Scope {
    /// A scope with no names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `name` a value, replacing an earlier one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Binds a type variable: its dtype's name as text, and `sizeof(name)` in bytes.
    pub fn set_type(&mut self, name: &str, dtype: Dtype) {
        self.set(name, Value::Text(dtype.name().to_owned()));
        self.set(&format!("sizeof({name})"), size(dtype));
    }

    /// Adds the `device.*` values of a profile.
    pub fn set_device(&mut self, profile: &DeviceProfile) {
        for (name, value) in device_values(&profile.limits, profile.multiprocessors) {
            self.set(name, i64::from(value));
        }
    }

    /// A copy with more names.
    #[must_use]
    pub fn with<'a>(&self, values: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut scope = self.clone();
        for (name, value) in values {
            scope.values.insert(name.to_owned(), value.clone());
        }
        scope
    }

    /// The value of a name; `sizeof(T)` and `device.x` are names too.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Every name with its value, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }
}

fn size(dtype: Dtype) -> i64 {
    i64::try_from(dtype.size_bytes()).unwrap_or(i64::MAX)
}

fn device_values(limits: &DeviceLimits, multiprocessors: u32) -> [(&'static str, u32); 12] {
    let values = [
        limits.threads_per_block,
        limits.threads_per_multiprocessor,
        limits.blocks_per_multiprocessor,
        limits.registers_per_multiprocessor,
        limits.registers_per_thread,
        limits.register_allocation_unit,
        limits.shared_memory_per_multiprocessor_bytes,
        limits.shared_memory_per_block_bytes,
        limits.shared_memory_reserved_per_block_bytes,
        limits.cluster_blocks,
        limits.warp_size,
        multiprocessors,
    ];
    std::array::from_fn(|i| (DEVICE_NAMES[i], values[i]))
}
