//! Text that cannot be read: the line, the code and the words; and text of any kind: no panic.

use proptest::prelude::*;

use super::super::{ControlFlow, parse};

/// Reads a kernel body (line 3 on) and compares the error with `line: code: message`.
#[track_caller]
fn check(body: &str, expected: &str) {
    let source = format!(".version 8.0\n.visible .entry k() {{\n{body}\n}}\n");
    let error = parse(&source).unwrap_err();
    assert_eq!(format!("{}: {}: {}", error.line, error.code.as_str(), error.message), expected);
}

#[test]
fn names_what_is_not_declared() {
    check(
        "add.s32 %r1, %r2, 3;",
        "3: ptx.undeclared: no register, label, variable or function `%r1` is declared",
    );
    check(
        ".reg .b32 %r<3>;\nmov.u32 %r3, 0;",
        "4: ptx.undeclared: no register, label, variable or function `%r3` is declared",
    );
    check(
        "ret;\nbra away;",
        "4: ptx.undeclared: no register, label, variable or function `away` is declared",
    );
    check("@%p1 ret;", "3: ptx.undeclared: no predicate `%p1` is declared");
    check(
        ".reg .b32 a;\nld.b32 a, [b];",
        "4: ptx.undeclared: no register or variable `b` is declared",
    );
    check(
        "{ .reg .b32 a; }\nmov.b32 {a}, 1;",
        "4: ptx.undeclared: no register, variable or function `a` is declared",
    );
    check(
        ".reg .b32 a;\nmov.u32 a, %tid.q;",
        "4: ptx.undeclared: no register `%tid.q` is declared",
    );
    check("t: .branchtargets gone;", "3: ptx.undeclared: no label `gone` is declared");
}

#[test]
fn refuses_names_declared_twice() {
    check(".reg .b32 a;\n.reg .b64 a;", "4: ptx.redeclared: `a` is already declared");
    check(".reg .b32 %r<4>;\n.reg .b32 %r<9>;", "4: ptx.redeclared: `%r` is already declared");
    check("here:\nret;\nhere:", "5: ptx.redeclared: `here` is already declared");
    check("}\n.entry k() {", "4: ptx.redeclared: `k` is already declared");
}

#[test]
fn bounds_what_it_is_asked_to_make() {
    check(".reg .b32 %r<4000000000>;", "3: ptx.limit: `%r` takes the function past 2^20 registers");
    check(".reg .v4 .b32 %r<300000>;", "3: ptx.limit: `%r` takes the function past 2^20 registers");
    check(".shared .b8 s[2][0x7fffffffffffffff];", "3: ptx.range: `s` is larger than 2^40 bytes");
    check(".shared .b8 s[-1];", "3: ptx.range: `-1` is not an extent");
    check(".shared .align 12 .b8 s[4];", "3: ptx.range: the alignment `12` is not a power of two");
    check(&"{".repeat(300), "3: ptx.limit: scopes are nested too deeply");
    check(
        &format!("nanosleep.u32 {}1;", "(".repeat(300)),
        "3: ptx.limit: the constant expression is nested too deeply",
    );
    check(&format!("nanosleep{};", ".wide".repeat(40)), "3: ptx.limit: more than 15 modifiers");
    check(
        "nanosleep.u32 99999999999999999999;",
        "3: ptx.range: `99999999999999999999` is not a number of 64 bits",
    );
    check("nanosleep.u32 1/0;", "3: ptx.range: division by zero in a constant expression");
}

#[test]
fn points_at_what_does_not_follow_the_grammar() {
    check("ret", "4: ptx.syntax: an operand is expected, not `}`");
    check("mov.u32 , 3;", "3: ptx.syntax: an operand is expected, not `,`");
    check("\u{e9}", "3: ptx.syntax: `\\u{e9}` is not PTX");
    check(".loc 1 2;", "3: ptx.syntax: a column is expected, not `;`");
    check(".reg .q32 a;", "3: ptx.directive: `.q32` is not a known directive here");
    check(".pragma \"never closed;", "3: ptx.syntax: the string is not closed");
    check("/* never closed", "3: ptx.syntax: the comment is not closed");
    let error = parse(".version 9.0\n.wobble 3\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `.wobble` is not a known directive");
}

#[test]
fn refuses_initialisers_that_do_not_fit() {
    let check = |declaration: &str, message: &str| {
        let error = parse(declaration).unwrap_err();
        assert_eq!(error.message, message);
    };
    check(".global .b8 a[2] = {1, 2, 3};", "the initialiser of `a` does not fit");
    check(".global .b8 a[2] = {{1}};", "the initialiser has more braces than extents");
    check(".global .u64 a = later;", "no variable or function `later` is declared");
    check(".global .u64 a = 1 .global .u64 b;", "`;` is expected, not `.global`");
}

const WORDS: &[&str] = &[
    ".entry",
    ".func",
    "k",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ":",
    "=",
    "+",
    "-",
    "<",
    ">",
    "|",
    "@",
    "!",
    "_",
    ".reg",
    ".b32",
    ".pred",
    ".v4",
    "%r",
    "%r1",
    "%p1",
    "9",
    "0x",
    "0f3F800000",
    "1.5e",
    ".global",
    ".align",
    ".b8",
    ".param",
    ".loc",
    "1 2 3",
    ".file",
    "\"a\"",
    ".section",
    ".debug_str",
    "inlined_at",
    "function_name",
    "mov.u32",
    "bra",
    "ret",
    "call",
    "brx.idx",
    ".branchtargets",
    ".callprototype",
    "%tid",
    ".x",
    "generic",
    ".version",
    "8.0",
    ".pragma",
    "\n",
    "//",
    "/*",
    "*/",
    "{\n.reg .b32 %r<3>;\n",
    "L:",
    "?",
    "WARP_SZ",
    ".extern",
    ".shared",
    "~",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn survives_any_text(text in "\\PC{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn survives_any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..60), inside in any::<bool>()) {
        let soup = words.join(" ");
        let text = if inside { format!(".entry k() {{ .reg .b32 %r<4>; {soup} }}") } else { soup };
        if let Ok(module) = parse(&text) {
            module.functions.iter().for_each(|function| drop(ControlFlow::new(function)));
        }
    }

    #[test]
    fn survives_damage(
        which in 0..3usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4usize, any::<u8>()), 1..6),
    ) {
        let sources = [
            include_str!("fixtures/pipeline.ptx"),
            include_str!("fixtures/calls.ptx"),
            include_str!("fixtures/dispatch.ptx"),
        ];
        let mut bytes = sources[which].as_bytes().to_vec();
        for (place, length, byte) in edits {
            let at = place.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, [byte]);
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(module) = parse(&text) {
            module.functions.iter().for_each(|function| drop(ControlFlow::new(function)));
            module.globals.iter().for_each(|variable| drop(variable.initial_image()));
        }
    }
}
