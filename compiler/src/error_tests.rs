//! Every error of the crate, as a person and a program see it.

use std::io;
use std::path::PathBuf;

use crate::pool::PoolError;
use crate::toolchain::{InstallFailure, Looked, Origin, ToolchainError};

#[test]
fn errors_have_a_message_a_code_and_a_hint() {
    let mut text = String::new();
    let mut show = |message: String, code: &str, hint: &str| {
        text.push_str(&format!("{message}\n  code: {code}\n  hint: {hint}\n\n"));
    };
    let failed = |cause, log: &str| ToolchainError::InstallFailed {
        command: "python3 -m pip install".to_owned(),
        log: log.to_owned(),
        cause,
    };
    let io = |kind: io::ErrorKind| ToolchainError::Io {
        action: "create the folder",
        path: "/cache/toolchains".into(),
        source: kind.into(),
    };
    for error in [
        ToolchainError::NotFound { looked: vec![] },
        ToolchainError::NotFound {
            looked: vec![Looked {
                origin: Origin::CudaHome,
                place: PathBuf::from("/opt/cuda"),
                why: "no `libnvrtc.so` there".to_owned(),
            }],
        },
        ToolchainError::NoInstaller { tried: vec!["python3 -m pip install".to_owned()] },
        failed(InstallFailure::Network, "retrying\nERROR: Could not find a version\n\n"),
        failed(InstallFailure::DiskFull, "OSError: [Errno 28] No space left on device\n"),
        failed(InstallFailure::Incomplete, "it installed no `libnvrtc.so`"),
        failed(InstallFailure::Other, ""),
        io(io::ErrorKind::PermissionDenied),
        io(io::ErrorKind::StorageFull),
    ] {
        show(error.to_string(), error.code(), error.hint());
    }
    for error in [
        PoolError::Worker {
            program: "ridge".to_owned(),
            message: "it was killed by signal 9".into(),
        },
        PoolError::Toolkit {
            toolkit: "/opt/cuda/lib64/libnvrtc.so".to_owned(),
            message: "`/opt/cuda/lib64/libnvrtc.so` does not load".to_owned(),
        },
    ] {
        show(error.to_string(), error.code(), error.hint());
    }
    insta::assert_snapshot!(text);
}
