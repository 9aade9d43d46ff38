use super::*;

/// Files are `name: text`; the answer is what reaches the compiler, or the error.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[(&str, &str)], toolkit_headers: &[&str]) {
    let sources = load(files).unwrap();
    let found: Vec<(&str, &str)> =
        sources.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(found, expected);
    let headers: Vec<&str> = sources.toolkit_headers.iter().map(String::as_str).collect();
    assert_eq!(headers, toolkit_headers);
}

#[track_caller]
fn check_error(files: &[(&str, &str)], expected: &str) {
    let SourceError(error) = load(files).unwrap_err();
    assert_eq!(format!("{error} [{}]", error.code), expected);
}

/// The first file is the source. A name that starts with `toolkit/` goes to the toolkit's folder.
fn load(files: &[(&str, &str)]) -> Result<Sources, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = match name.strip_prefix("toolkit/") {
            Some(name) => folder.path().join("toolkit").join(name),
            None => folder.path().join("kernel").join(name),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    Sources::load(&folder.path().join("kernel"), files[0].0, &[folder.path().join("toolkit")])
}

#[test]
fn resolves_includes_as_a_compiler_does() {
    check(
        &[
            (
                "k.cu",
                "#include <t.h>\n#include \"./sub//a.h\" // a\n#include \"t.h\"\n#include <vector>\n",
            ),
            ("sub/a.h", "#include \"b.h\"\n#include \"c.h\"\n"),
            ("sub/b.h", "int b;"),
            ("c.h", "#include <sub/b.h>\n"),
            ("unused.h", "#include \"/etc/hostname\"\n"),
            ("toolkit/t.h", ""),
        ],
        &[
            ("c.h", "#include \"sub/b.h\"\n"),
            (
                "k.cu",
                "#include <t.h>\n#include \"sub/a.h\" // a\n#include <t.h>\n#include <vector>\n",
            ),
            ("sub/a.h", "#include \"sub/b.h\"\n#include \"c.h\"\n"),
            ("sub/b.h", "int b;"),
        ],
        &["t.h"],
    );
}

#[test]
fn refuses_what_leaves_the_folder() {
    check_error(
        &[("k.cu", "int a;\n#include \"../x.h\"\n")],
        "k.cu:2:1: `../x.h` is outside the toolkit and the kernel's folder: `..` leaves it \
         [compile.include-outside]",
    );
    check_error(
        &[("k.cu", "#include \"a.h\"\n"), ("a.h", "  %:include <x>\n")],
        "a.h:1:3: `#include` has to begin its line and be spelt with `#` [compile.include-outside]",
    );
    check_error(
        &[("k.cu", "#include \"a.h\"\n"), ("a.h", "-> /etc/hostname")],
        "k.cu:1:10: `a.h` is a link that leaves the kernel's folder [compile.include-outside]",
    );
    check_error(
        &[("k.cu", "-> /etc/hostname")],
        "`k.cu` is a link that leaves the kernel's folder [compile.include-outside]",
    );
    check_error(
        &[("k.cu", "#include \"t.h\"\n"), ("t.h", ""), ("toolkit/t.h", "")],
        "k.cu:1:10: `t.h` is both in the kernel's folder and in the toolkit \
         [compile.include-ambiguous]",
    );
}

#[test]
fn knows_which_macros_matter() {
    let mentioned = |text: &str| {
        let sources = Sources::from_text("k.cu", text, &[]).unwrap();
        sources
            .macros_mentioned()
            .map(|set| set.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        mentioned("int a = RIDGE_COLS + RIDGE_ROWS;"),
        Some(vec!["RIDGE_COLS".into(), "RIDGE_ROWS".into()])
    );
    assert_eq!(mentioned("CAT(RIDGE_, COLS)"), None);
}
