//! GPUs: promises, planted faults, and timing. Without a GPU each test says why it does nothing;
//! where the environment says `RIDGE_REQUIRE_GPU`, it fails instead.
//!
//! The test binary needs nothing beside it: it can be carried to another machine and run there.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::exit,
    clippy::print_stdout,
    reason = "a test that cannot go on fails and says what it measured; its tensors are small"
)]

mod executions;
mod faults;
mod support;
mod timing;

use ridge_runtime::cuda::{self, CudaError};

mod conformance {
    ridge_runtime::device_conformance!(
        super::support::isolated(),
        if super::support::has_gpu("conformance")
    );
}

#[test]
fn devices_are_listed_or_it_is_said_why_there_are_none() {
    match cuda::list() {
        Ok(devices) => {
            for device in &devices {
                println!("{device:?}");
                assert!(device.multiprocessors > 0 && device.l2_bytes > 0);
                assert!(device.memory_bytes > 0 && !device.name.is_empty());
            }
            let beyond = u32::try_from(devices.len()).unwrap();
            let error = cuda::CudaDevice::open(beyond).unwrap_err();
            assert_eq!(error, CudaError::NoSuchDevice { ordinal: beyond, n_devices: beyond });
        }
        Err(error) => {
            println!("{error} ({}); hint: {}", error.code(), error.hint());
            assert!(!error.to_string().contains('\n'));
            assert_eq!(cuda::CudaDevice::open(0).unwrap_err(), error);
        }
    }
}
