//! Ridge's device library: headers that every kernel may include as `<ridge/….cuh>`.
//!
//! What row kernels share is written once, in `compiler/device/ridge/`, and is part of this binary.
//! To a compilation they are files like those of the kernel's folder: their text is part of the
//! artifact's key, and findings name their lines. A file of that name in the kernel's folder comes
//! first, so that a folder which carries its copies is what it was whatever this binary holds.

use std::collections::BTreeMap;

use super::scan;

macro_rules! device_headers {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("ridge/", $name), include_str!(concat!("../../device/ridge/", $name)))),*]
    };
}

/// Names as they are included, and texts.
const HEADERS: &[(&str, &str)] = device_headers![
    "access.cuh",
    "async.cuh",
    "backward.cuh",
    "cluster.cuh",
    "function.cuh",
    "gated.cuh",
    "heads.cuh",
    "launch.cuh",
    "number.cuh",
    "reduce.cuh",
    "softmax.cuh",
];

/// The text of a header of the library.
pub(super) fn header(name: &str) -> Option<&'static str> {
    HEADERS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The headers of the library that these files of a kernel's folder reach, by name: they belong to
/// what the kernel is, as its own files do.
pub fn headers_reached(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut reached = BTreeMap::new();
    let mut waiting: Vec<&str> =
        files.values().filter_map(|bytes| std::str::from_utf8(bytes).ok()).collect();
    while let Some(text) = waiting.pop() {
        // What the fence refuses is never compiled.
        for include in scan::scan(text).unwrap_or_default() {
            let Some(text) = header(&include.name) else { continue };
            if !files.contains_key(&include.name)
                && reached.insert(include.name, text.as_bytes().to_vec()).is_none()
            {
                waiting.push(text);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_every_file_of_its_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/device/ridge");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("ridge/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        names.sort();
        assert_eq!(names, HEADERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn headers_include_only_each_other() {
        for (name, text) in HEADERS {
            for include in scan::scan(text).unwrap() {
                assert!(header(&include.name).is_some(), "{name} includes {}", include.name);
            }
        }
    }

    #[test]
    fn reaches_what_is_included_and_not_carried() {
        let own = |text: &str| text.as_bytes().to_vec();
        let mut files = BTreeMap::from([
            ("k.cu".to_owned(), own("#include <ridge/reduce.cuh>\n#include \"mine.cuh\"\n")),
            ("mine.cuh".to_owned(), own("#include <ridge/number.cuh>\n")),
        ]);
        let names = |files: &_| headers_reached(files).into_keys().collect::<Vec<_>>();
        let reached = names(&files);
        assert!(reached.contains(&"ridge/reduce.cuh".to_owned()), "{reached:?}");
        assert!(reached.contains(&"ridge/number.cuh".to_owned()), "{reached:?}");

        files.insert("ridge/reduce.cuh".to_owned(), own("// a copy\n"));
        assert_eq!(names(&files), ["ridge/number.cuh"]);
    }
}
