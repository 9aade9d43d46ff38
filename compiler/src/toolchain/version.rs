//! The exact version of an NVRTC library, without loading it.

use std::fs;
use std::io::Read;
use std::path::Path;

/// The version of the library at `nvrtc`, such as `13.0.88`: from the wheel's metadata, the
/// toolkit's `version.json`, the library's full file name, or the text inside it.
pub(super) fn version_of(nvrtc: &Path) -> Option<String> {
    let folder = nvrtc.parent()?;
    from_wheel(folder)
        .or_else(|| from_version_json(folder))
        .or_else(|| from_file_name(nvrtc))
        .or_else(|| from_contents(nvrtc))
}

/// `nvidia_cuda_nvrtc-13.0.88.dist-info` or `nvidia_cuda_nvrtc_cu12-12.4.127.dist-info` in the
/// site-packages that holds `nvidia/*/lib`.
fn from_wheel(library_folder: &Path) -> Option<String> {
    let site_packages = library_folder.parent()?.parent()?.parent()?;
    if library_folder.parent()?.parent()?.file_name()? != "nvidia" {
        return None;
    }
    let mut versions: Vec<String> = fs::read_dir(site_packages)
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?.strip_suffix(".dist-info")?;
            let (package, version) = name.split_once('-')?;
            // The layout tells which of two installed generations this is.
            let expected = if library_folder.parent()?.file_name()? == "cuda_nvrtc" {
                package.starts_with("nvidia_cuda_nvrtc_cu")
            } else {
                package == "nvidia_cuda_nvrtc"
            };
            (expected && is_full_version(version)).then(|| version.to_owned())
        })
        .collect();
    versions.sort();
    versions.pop()
}

/// The toolkit's `version.json` names each component's version.
fn from_version_json(library_folder: &Path) -> Option<String> {
    let real = library_folder.canonicalize().ok()?;
    let text = real
        .ancestors()
        .skip(1)
        .take(3)
        .find_map(|folder| fs::read_to_string(folder.join("version.json")).ok())?;
    let parsed: serde_json::Value = serde_json::from_str(&text).ok()?;
    let version = parsed.get("cuda_nvrtc")?.get("version")?.as_str()?;
    is_full_version(version).then(|| version.to_owned())
}

/// `libnvrtc.so.13.0.88`, usually behind two links.
fn from_file_name(nvrtc: &Path) -> Option<String> {
    let real = nvrtc.canonicalize().ok()?;
    let version = real.file_name()?.to_str()?.strip_prefix("libnvrtc.so.")?;
    is_full_version(version).then(|| version.to_owned())
}

/// `Cuda compilation tools, release 13.0, V13.0.88` is in the library, since it heads every PTX.
fn from_contents(nvrtc: &Path) -> Option<String> {
    const MARK: &[u8] = b"Cuda compilation tools, release ";
    const WINDOW: usize = 1 << 20;
    let mut file = fs::File::open(nvrtc).ok()?;
    let mut buffer: Vec<u8> = Vec::new();
    loop {
        // A mark that straddles two reads is found because a tail is kept.
        let keep = buffer.len().min(128);
        buffer.drain(..buffer.len() - keep);
        let read = file.by_ref().take(1 << 20).read_to_end(&mut buffer).ok()?;
        for at in find_all(&buffer, MARK) {
            let rest = &buffer[at + MARK.len()..(at + MARK.len() + 40).min(buffer.len())];
            let text = String::from_utf8_lossy(rest);
            if let Some((_, version)) = text.split_once(", V") {
                let version: String =
                    version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                if is_full_version(&version) {
                    return Some(version);
                }
            }
        }
        if read < WINDOW {
            return None;
        }
    }
}

fn find_all<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(mark.len()).enumerate().filter(move |(_, at)| *at == mark).map(|(at, _)| at)
}

/// Three numbers with dots between.
fn is_full_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() >= 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_where_each_layout_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let check = |library: &str, beside: &str, content: &str, expected: Option<&str>| {
            let root = tempfile::tempdir_in(folder.path()).unwrap();
            for (path, text) in [(library, "…"), (beside, content)] {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(version_of(&root.path().join(library)).as_deref(), expected, "{library}");
        };
        check(
            "nvidia/cu13/lib/libnvrtc.so.13",
            "nvidia_cuda_nvrtc-13.0.88.dist-info/METADATA",
            "",
            Some("13.0.88"),
        );
        check(
            "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            "nvidia_cuda_nvrtc_cu12-12.4.127.dist-info/METADATA",
            "",
            Some("12.4.127"),
        );
        check(
            "lib64/libnvrtc.so.12",
            "version.json",
            r#"{"cuda_nvrtc": {"name": "CUDA NVRTC", "version": "12.6.77"}}"#,
            Some("12.6.77"),
        );
        check("lib64/libnvrtc.so.12.8.61", "x", "", Some("12.8.61"));
        check("lib64/libnvrtc.so", "x", "", None);
    }

    #[test]
    fn reads_the_version_in_the_library_across_a_read_boundary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libnvrtc.so");
        let mut bytes = vec![0_u8; (1 << 20) - 20];
        bytes.extend(b"// Cuda compilation tools, release 13.0, V13.0.88\n");
        fs::write(&path, bytes).unwrap();
        assert_eq!(version_of(&path).as_deref(), Some("13.0.88"));
    }
}
