//! What the driver's answers say of the candidate that was running.

use std::time::Duration;

use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{Finding, FindingKind, Limit, Phase, Rejection};

use super::driver::{Code, Context, DriverFault};
use crate::device::DeviceError;

/// Why a candidate's run ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The kernel did something that the hardware stopped; its context is lost with it.
    Fault(Box<Finding>),
    /// It did not end in that time; its context is lost with it.
    TimeUp(Duration),
    /// The driver would not load or launch it; nothing ran.
    Refused(Box<Rejection>),
    /// Nobody's fault but the device's or the caller's.
    Failed(DeviceError),
}

impl From<DeviceError> for Stop {
    fn from(error: DeviceError) -> Self {
        Self::Failed(error)
    }
}

impl Stop {
    /// The rejection, where the candidate is to blame.
    ///
    /// # Errors
    /// Where it is not.
    pub(super) fn into_rejection(self, phase: Phase) -> Result<Box<Rejection>, DeviceError> {
        let rejection = match self {
            Self::Fault(finding) => match Rejection::from_finding(*finding) {
                Rejection::Crash { message, finding, .. } => {
                    Rejection::Crash { phase, message, finding }
                }
                Rejection::Timeout { limit, finding, .. } => {
                    Rejection::Timeout { phase, limit, finding }
                }
                other => other,
            },
            Self::TimeUp(limit) => {
                let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
                Rejection::Timeout { phase, limit: Some(Limit::TimeNs(limit)), finding: None }
            }
            Self::Refused(rejection) => return Ok(rejection),
            Self::Failed(error) => return Err(error),
        };
        Ok(Box::new(rejection))
    }
}

/// What a call was for, which says whom its failure is to be blamed on where the code does not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    /// Loading the candidate.
    Load,
    /// Preparing or making a launch of the candidate.
    Launch(&'a LaunchConfig, Needs),
    /// Anything else.
    Own,
}

/// What a kernel needs beside its launch, for messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    /// Registers of a thread.
    pub(super) registers: u32,
    /// Static shared memory of a block, bytes.
    pub(super) static_shared_memory_bytes: u32,
    /// Shared memory a block may have, bytes.
    pub(super) shared_memory_bytes_max: u32,
    /// Threads a block of the kernel may have.
    pub(super) threads_max: u32,
}

/// What a failed call means. A fault of a kernel shows in whatever is called next.
pub(super) fn stop(fault: &DriverFault, purpose: Purpose<'_>, context: &Context) -> Stop {
    if let Some(kind) = kernel_fault(fault.code) {
        context.give_up();
        return Stop::Fault(Box::new(finding(kind, fault)));
    }
    if is_device_lost(fault.code) {
        context.give_up();
        return Stop::Failed(DeviceError::Lost { reason: fault.to_string() });
    }
    match purpose {
        Purpose::Load => Stop::Refused(Box::new(Rejection::Crash {
            phase: Phase::Load,
            message: fault.to_string(),
            finding: None,
        })),
        Purpose::Launch(config, needs) => {
            let message = format!("{fault}: {}", sizes(config, needs));
            Stop::Refused(Box::new(Rejection::Launch { message }))
        }
        Purpose::Own => Stop::Failed(DeviceError::Lost { reason: fault.to_string() }),
    }
}

/// The finding that a kernel which did not end amounts to.
pub(super) fn endless(limit: Duration) -> Finding {
    let message = format!(
        "the kernel had not ended after {} ms; run it on the emulator to see where it is",
        limit.as_millis()
    );
    plain(FindingKind::Timeout, message)
}

/// A finding of which the GPU says neither line nor thread.
pub(super) fn plain(kind: FindingKind, message: String) -> Finding {
    Finding {
        kind,
        message,
        source: None,
        inlined_at: Vec::new(),
        other: None,
        instruction: None,
        buffer: None,
        offset_bytes: None,
        block: [0; 3],
        thread: None,
        lanes: 0,
        occurrences: 1,
    }
}

fn finding(kind: FindingKind, fault: &DriverFault) -> Finding {
    let message = format!(
        "{} (`{}`); a GPU does not say where: run it on the emulator for the line",
        fault.text, fault.name
    );
    plain(kind, message)
}

/// The kinds of fault that a kernel's own doing ends in.
fn kernel_fault(code: Code) -> Option<FindingKind> {
    match code {
        Code::CUDA_ERROR_ILLEGAL_ADDRESS | Code::CUDA_ERROR_INVALID_ADDRESS_SPACE => {
            Some(FindingKind::OutOfBounds)
        }
        Code::CUDA_ERROR_MISALIGNED_ADDRESS => Some(FindingKind::Misaligned),
        Code::CUDA_ERROR_LAUNCH_TIMEOUT => Some(FindingKind::Timeout),
        Code::CUDA_ERROR_ASSERT
        | Code::CUDA_ERROR_HARDWARE_STACK_ERROR
        | Code::CUDA_ERROR_ILLEGAL_INSTRUCTION
        | Code::CUDA_ERROR_INVALID_PC
        | Code::CUDA_ERROR_LAUNCH_FAILED => Some(FindingKind::Trap),
        _ => None,
    }
}

/// Codes after which nothing more can be had from the device by this process.
fn is_device_lost(code: Code) -> bool {
    matches!(
        code,
        Code::CUDA_ERROR_DEINITIALIZED
            | Code::CUDA_ERROR_DEVICE_UNAVAILABLE
            | Code::CUDA_ERROR_NO_DEVICE
            | Code::CUDA_ERROR_INVALID_CONTEXT
            | Code::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | Code::CUDA_ERROR_ECC_UNCORRECTABLE
            | Code::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | Code::CUDA_ERROR_EXTERNAL_DEVICE
            | Code::CUDA_ERROR_MPS_CONNECTION_FAILED
            | Code::CUDA_ERROR_MPS_RPC_FAILURE
            | Code::CUDA_ERROR_SYSTEM_NOT_READY
            | Code::CUDA_ERROR_UNKNOWN
    )
}

fn sizes(config: &LaunchConfig, needs: Needs) -> String {
    let [x, y, z] = config.grid;
    let mut text = format!(
        "grid {x} × {y} × {z}, {} threads a block of at most {} with {} registers each, {} + {} \
         bytes of shared memory of at most {}",
        config.threads_per_block(),
        needs.threads_max,
        needs.registers,
        needs.static_shared_memory_bytes,
        config.shared_memory_bytes,
        needs.shared_memory_bytes_max,
    );
    if let Some([x, y, z]) = config.cluster {
        text.push_str(&format!(", clusters of {x} × {y} × {z}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use ridge_spec::outcome::FindingKind;

    use super::{Code, is_device_lost, kernel_fault};

    #[test]
    fn codes_are_blamed_on_kernel_device_or_neither() {
        for (code, kind, lost) in [
            (Code::CUDA_ERROR_ILLEGAL_ADDRESS, Some(FindingKind::OutOfBounds), false),
            (Code::CUDA_ERROR_MISALIGNED_ADDRESS, Some(FindingKind::Misaligned), false),
            (Code::CUDA_ERROR_ILLEGAL_INSTRUCTION, Some(FindingKind::Trap), false),
            (Code::CUDA_ERROR_LAUNCH_FAILED, Some(FindingKind::Trap), false),
            (Code::CUDA_ERROR_ASSERT, Some(FindingKind::Trap), false),
            (Code::CUDA_ERROR_ECC_UNCORRECTABLE, None, true),
            (Code::CUDA_ERROR_INVALID_VALUE, None, false),
            (Code::CUDA_ERROR_OUT_OF_MEMORY, None, false),
            (Code::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, None, false),
        ] {
            assert_eq!((kernel_fault(code), is_device_lost(code)), (kind, lost), "{code:?}");
        }
    }
}
