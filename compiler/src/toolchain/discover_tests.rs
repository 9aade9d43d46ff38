use std::ffi::OsString;
use std::fs;

use super::*;

/// A tree of empty files; the environment's values are relative to it. The answer is the origin
/// and the libraries, or what was said of each place.
#[track_caller]
fn check(files: &[&str], environment: &[(&str, &str)], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let mut paths = SearchPaths::from_lookup(|name| {
        let (_, value) = environment.iter().find(|(known, _)| *known == name)?;
        Some(OsString::from(root.join(value)))
    });
    // The test must not see a toolkit of the machine it runs on.
    paths.loader_folders.retain(|folder| folder.starts_with(&root));
    let answer = match discover(&paths) {
        Ok(toolkit) => format!(
            "{:?} {} {} {:?}",
            toolkit.origin,
            toolkit.version,
            toolkit.nvrtc.display(),
            toolkit.include_folders
        ),
        Err(error) => error.to_string(),
    };
    assert_eq!(answer.replace(&format!("{}/", root.display()), ""), expected);
}

const CUDA: [&str; 6] = [
    "cuda/lib64/libnvrtc.so.12",
    "cuda/lib64/libnvrtc.so.12.8.61",
    "cuda/lib64/libnvrtc-builtins.so.12.8.61",
    "cuda/include/cuda_fp16.h",
    "cuda/include/nv/target",
    "cuda/include/crt/host_defines.h",
];

const WHEELS: [&str; 6] = [
    "site/nvidia/cu13/lib/libnvrtc.so.13",
    "site/nvidia/cu13/lib/libnvrtc-builtins.so.13.0",
    "site/nvidia_cuda_nvrtc-13.0.88.dist-info/METADATA",
    "site/nvidia/cu13/include/cuda_fp16.h",
    "site/nvidia/cu13/include/cccl/nv/target",
    "site/nvidia/cu13/include/crt/host_defines.h",
];

#[test]
fn finds_toolkits_in_the_documented_order() {
    let all = [CUDA, WHEELS].concat();
    let cuda = "12.8.61 cuda/lib64/libnvrtc.so.12.8.61 [\"cuda/include\"]";
    let wheels = "13.0.88 site/nvidia/cu13/lib/libnvrtc.so.13 \
                  [\"site/nvidia/cu13/include\", \"site/nvidia/cu13/include/cccl\"]";
    check(&all, &[("CUDA_HOME", "cuda"), ("PYTHONPATH", "site")], &format!("CudaHome {cuda}"));
    check(&all, &[("CUDA_PATH", "cuda"), ("PYTHONPATH", "site")], &format!("CudaHome {cuda}"));
    check(&all, &[("RIDGE_TOOLKIT", "site"), ("CUDA_HOME", "cuda")], &format!("Setting {wheels}"));
    let library = "cuda/lib64/libnvrtc.so.12";
    check(&all, &[("RIDGE_TOOLKIT", library)], &format!("Setting {cuda}"));
    check(
        &all,
        &[("LD_LIBRARY_PATH", "cuda/lib64"), ("PYTHONPATH", "site")],
        &format!("Loader {cuda}"),
    );
    check(&all, &[("PYTHONPATH", "site")], &format!("Python {wheels}"));
}

#[test]
fn finds_wheels_of_environments_and_of_the_python_on_the_path() {
    let move_to = |folder: &str| -> Vec<String> {
        let mut files: Vec<String> =
            WHEELS.iter().map(|file| file.replace("site/", &format!("{folder}/"))).collect();
        files.push("py/bin/python3".to_owned());
        files
    };
    for (name, value, folder) in [
        ("VIRTUAL_ENV", "venv", "venv/lib/python3.11/site-packages"),
        ("PATH", "py/bin", "py/lib/python3.13/dist-packages"),
        ("HOME", "home", "home/.local/lib/python3.12/site-packages"),
    ] {
        let files = move_to(folder);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let expected = format!(
            "Python 13.0.88 {folder}/nvidia/cu13/lib/libnvrtc.so.13 \
             [\"{folder}/nvidia/cu13/include\", \"{folder}/nvidia/cu13/include/cccl\"]"
        );
        check(&files, &[(name, value)], &expected);
    }
    let cache = move_to("home/.cache/ridge/toolchains/cuda-13.0.88");
    let cache: Vec<&str> = cache.iter().map(String::as_str).collect();
    let folder = "home/.cache/ridge/toolchains/cuda-13.0.88/nvidia/cu13";
    let expected = format!(
        "Cache 13.0.88 {folder}/lib/libnvrtc.so.13 [\"{folder}/include\", \"{folder}/include/cccl\"]"
    );
    check(&cache, &[("HOME", "home")], &expected);
}

#[test]
fn says_what_is_missing_where() {
    check(&[], &[], "no CUDA toolkit found");
    check(
        &[],
        &[("CUDA_HOME", "cuda")],
        "no CUDA toolkit found: `cuda` (CUDA_HOME or CUDA_PATH): no `libnvrtc.so` there",
    );
    check(
        &[CUDA.as_slice(), &WHEELS].concat(),
        &[("RIDGE_TOOLKIT", "nowhere"), ("CUDA_HOME", "cuda")],
        "no CUDA toolkit found: `nowhere` (explicit setting): no `libnvrtc.so` there",
    );
    check(
        &CUDA[..3],
        &[("LD_LIBRARY_PATH", "cuda/lib64")],
        "no CUDA toolkit found: `cuda/lib64` (loader's path): `libnvrtc.so` is there, but no \
         header `cuda_fp16.h`",
    );
    check(
        &CUDA[..1],
        &[("CUDA_HOME", "cuda")],
        "no CUDA toolkit found: `cuda` (CUDA_HOME or CUDA_PATH): no `libnvrtc-builtins.so` beside \
         `libnvrtc.so`",
    );
    let old: Vec<String> = CUDA.iter().map(|file| file.replace("12.8.61", "11.8.89")).collect();
    let old: Vec<&str> = old.iter().map(String::as_str).filter(|f| !f.ends_with(".12")).collect();
    check(
        &old,
        &[("CUDA_HOME", "cuda")],
        "no CUDA toolkit found: `cuda` (CUDA_HOME or CUDA_PATH): version 11.8.89 is older than 12.0",
    );
}

#[test]
fn computes_the_cache_folder() {
    let check = |values: [Option<&str>; 3], expected: Option<&str>| {
        let [ridge, xdg, home] = values.map(|value| value.map(OsString::from));
        let found = crate::toolchain::default_cache_folder(ridge, xdg, home);
        assert_eq!(found, expected.map(PathBuf::from));
    };
    check([Some("/r"), Some("/x"), Some("/h")], Some("/r"));
    check([None, Some("/x"), Some("/h")], Some("/x/ridge"));
    check([Some(""), Some("relative"), Some("/h")], Some("/h/.cache/ridge"));
    check([None, None, None], None);
}
