//! What is installed where no toolkit is found, and where it goes.

use std::path::{Path, PathBuf};

/// The packages that make up a toolkit, with their versions.
pub const PACKAGES: [(&str, &str); 4] = [
    ("nvidia-cuda-nvrtc", "13.0.88"),
    ("nvidia-cuda-runtime", "13.0.96"),
    ("nvidia-cuda-cccl", "13.0.85"),
    ("nvidia-cuda-crt", "13.0.88"),
];

/// Where the installed toolkit lies, or would lie, in Ridge's cache folder.
pub fn installed_folder(cache_folder: &Path) -> PathBuf {
    cache_folder.join("toolchains").join(format!("cuda-{}", PACKAGES[0].1))
}
