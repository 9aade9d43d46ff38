//! Attempts to read a file outside through the compiler.

use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_spec::outcome::Rejection;
use ridge_spec::target::Architecture;

use crate::toolkit::{config, sm_90a, write_files};

/// What no rejection, PTX or log may hold.
const SECRET: &str = "TOP_SECRET_WORD";

const KERNEL: &str = "\n__global__ void k(int* x) { x[0] = 1; }\n";

/// Compiles each source in a folder whose neighbour holds the secret. `SECRET_PATH` in a source
/// stands for the neighbour's absolute path.
fn attack(sources: &[(&str, &str)], mut judge: impl FnMut(&str, Result<String, Rejection>)) {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kernel = folder.path().join("kernel");
    write_files(folder.path(), &[("secret.txt", SECRET), ("kernel/own.h", "// own\n")]);
    let secret = folder.path().join("secret.txt");
    std::os::unix::fs::symlink(&secret, kernel.join("link.h")).unwrap();
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    for (name, source) in sources {
        let text = source.replace("SECRET_PATH", secret.to_str().unwrap()) + KERNEL;
        write_files(&kernel, &[("k.cu", &text)]);
        let result = match Sources::load(&kernel, "k.cu", &toolkit.include_folders) {
            Err(error) => Err(error.to_rejection()),
            Ok(sources) => Unit::new(Arc::new(sources), "k", &[], &[], sm_90a())
                .and_then(|unit| compiler.compile(unit).unwrap())
                .map(|artifact| artifact.ptx),
        };
        let said = match &result {
            Ok(ptx) => ptx.clone(),
            Err(rejection) => serde_json::to_string(rejection).unwrap(),
        };
        assert!(!said.contains(SECRET), "{name} leaks: {said}");
        judge(name, result);
    }
}

#[test]
fn no_trick_reads_a_file_outside() {
    let sources = [
        ("absolute", "#include \"SECRET_PATH\""),
        ("absolute, angled", "#include <SECRET_PATH>"),
        ("upwards", "#include \"../secret.txt\""),
        ("upwards from the toolkit", "#include <../../../../../../../../../../../etc/hostname>"),
        ("a link", "#include \"link.h\""),
        ("computed", "#define F \"SECRET_PATH\"\n#include F"),
        ("computed from pieces", "#define I(x) <x>\n#include I(SECRET_PATH)"),
        ("computed after nothing", "#define E\n#include E \"SECRET_PATH\""),
        ("spliced", "#inc\\\nlude \"SECRET_PATH\""),
        ("spliced with a carriage return", "#inc\\\r\nlude \"SECRET_PATH\""),
        ("digraph", "%:include \"SECRET_PATH\""),
        ("trigraph", "??=include \"SECRET_PATH\""),
        ("comment within", "#/*x*/include/**/\"SECRET_PATH\""),
        ("comment before", "/*x*/ #include \"SECRET_PATH\""),
        ("comment over lines", "#/*\n*/include \"SECRET_PATH\""),
        ("next", "#include_next \"SECRET_PATH\""),
        ("import", "#import \"SECRET_PATH\""),
        ("embed", "const char d[] = {\n#embed \"SECRET_PATH\"\n};"),
        ("vertical tab", "#\u{b}include \"SECRET_PATH\""),
        ("form feed", "\u{c}#\u{c}include \"SECRET_PATH\""),
        ("character that looks like a string", "#define A '\"'\n#include \"SECRET_PATH\" // '\"'"),
        ("digit separator", "#define Z 1'0\n#include \"SECRET_PATH\"\n#define Y 1'0"),
        ("after a raw string", "#define R R\"(\n)\"\n#include \"SECRET_PATH\""),
        ("has_include", "#if __has_include(\"SECRET_PATH\")\n#error yes\n#endif"),
        ("file directive", "__device__ void f() { asm(\".file 7 \\\"SECRET_PATH\\\"\"); }"),
        ("line directive", "#line 1 \"SECRET_PATH\"\n__global__ void j(int* x) { x[0] = 1; }"),
    ];
    attack(&sources, |name, result| {
        let Err(Rejection::Compile { log, .. }) = result else {
            // Unused inline assembly is dropped before it does anything.
            assert!(matches!(name, "file directive"), "{name} is not refused");
            return;
        };
        let expected = ["error[compile.include-outside]"];
        assert!(expected.iter().any(|code| log.contains(code)), "{name}: {log}");
    });
}

#[test]
fn what_the_scan_cannot_see_the_worker_cannot_open() {
    // The word is put together from pieces that are innocent one by one.
    let asks = "#define CAT_(a, b, c) a##b##c\n#define CAT(a, b, c) CAT_(a, b, c)\n\
                #if CAT(__, has_in, clude)(\"SECRET_PATH\")\n#error found\n#endif";
    if !has_landlock() {
        eprintln!("skipped: this kernel has no Landlock");
        return;
    }
    attack(&[("asks", asks)], |_, result| {
        result.unwrap_or_else(|why| panic!("existence shows: {}", why.summary()));
    });
}

fn has_landlock() -> bool {
    use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| ruleset.create())
        .is_ok()
}

#[test]
fn own_headers_keep_their_names_and_lines() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let folder = tempfile::tempdir().unwrap();
    write_files(
        folder.path(),
        &[
            ("k.cu", "#include \"sub/a.h\"\n__global__ void k(int* x) { x[0] = a(x[1]); }\n"),
            ("sub/a.h", "#include \"b.h\"\n__device__ int a(int x) { return b(x); }\n"),
            ("sub/b.h", "\n\n__device__ __noinline__ int b(int x) { return x * WRONG; }\n"),
        ],
    );
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    let mut compile = || {
        let sources = Sources::load(folder.path(), "k.cu", &toolkit.include_folders).unwrap();
        let unit = Unit::new(Arc::new(sources), "k", &[], &[], sm_90a()).unwrap();
        compiler.compile(unit).unwrap()
    };
    let rejection = compile().unwrap_err();
    assert_eq!(
        rejection.summary(),
        "does not compile: sub/b.h:3:51: identifier \"WRONG\" is undefined"
    );
    write_files(
        folder.path(),
        &[("sub/b.h", "\n\n__device__ __noinline__ int b(int x) { return x * 7; }\n")],
    );
    let ptx = compile().unwrap().ptx;
    let files: Vec<&str> = ptx.lines().filter(|line| line.starts_with("\t.file")).collect();
    assert!(files.iter().any(|line| line.ends_with("\"sub/b.h\"")), "{files:?}");
}

/// Each header of the device library, alone and for every target, is what a kernel may start with.
#[test]
fn every_header_of_the_device_library_stands_alone() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/device/ridge");
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    for entry in std::fs::read_dir(folder).unwrap() {
        let header = entry.unwrap().file_name().into_string().unwrap();
        let text = format!("#include <ridge/{header}>\n{KERNEL}");
        let sources = Sources::from_text("k.cu", &text, &toolkit.include_folders).unwrap();
        for target in ["sm_80", "sm_90a", "sm_100a"] {
            let target = Architecture::parse(target).unwrap();
            let unit = Unit::new(Arc::new(sources.clone()), "k", &[], &[], target).unwrap();
            let compiled = compiler.compile(unit).unwrap();
            assert!(compiled.is_ok(), "{header} for {target}: {compiled:?}");
        }
    }
}
