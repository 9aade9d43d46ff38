//! The emulator keeps every device's promises.

use ridge_runtime::emulator::Emulator;

ridge_runtime::device_conformance!(Emulator::new());
