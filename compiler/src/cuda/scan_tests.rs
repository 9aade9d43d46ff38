use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let answer = match scan(text) {
        Ok(includes) => includes
            .iter()
            .map(|include| {
                assert!(text[include.range.clone()].contains(&include.name));
                format!("{}:{}", include.line, &text[include.range.clone()])
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(refused) => format!("line {}: {}", refused.line, refused.message),
    };
    assert_eq!(answer, expected, "{text}");
}

#[test]
fn finds_plain_includes() {
    check(
        "#include <cuda_bf16.h>\n  # include \"sub/a.h\" // why\n",
        "1:<cuda_bf16.h> 2:\"sub/a.h\"",
    );
    check("#include <a.h> /* one */\r\n#include<b.h>\r\n", "1:<a.h> 2:<b.h>");
    check("int x; // see #include \"/etc/hostname\"\n", "");
    check("#define include 1\n#ifdef __has_include\n#endif\n", "");
    check("#if defined(__has_include) && __has_include(<cuda_fp8.h>)\n#endif\n", "");
    check("#define PASTE(a, b) a##b\nint h = 1'000;\n", "");
}

#[test]
fn refuses_names_that_leave_the_folder() {
    let outside = "is outside the toolkit and the kernel's folder";
    let absolute = format!("line 1: `/etc/hostname` {outside}: only relative names are allowed");
    check("#include \"/etc/hostname\"\n", &absolute);
    check("#include </etc/hostname>\n", &absolute);
    check("#include \"a/../../b\"\n", &format!("line 1: `a/../../b` {outside}: `..` leaves it"));
    check("\n#include \"..\"\n", &format!("line 2: `..` {outside}: `..` leaves it"));
    check(
        "#include \"a\\b\"\n",
        &format!("line 1: `a\\b` {outside}: only relative names are allowed"),
    );
    check("#include \"\"\n", "line 1: `#include` of an empty name");
}

#[test]
fn refuses_includes_in_disguise() {
    let literal = "`#include` takes a literal name, `\"file\"` or `<file>`, on the same line";
    let comment = "a comment between `#` and the directive is not allowed";
    let first = "`#include` has to begin its line and be spelt with `#`";
    let outside = "`/etc/x` is outside the toolkit and the kernel's folder: only relative names \
                   are allowed";
    check("#define F \"/etc/x\"\n#include F\n", &format!("line 2: {literal}"));
    check("#define I(x) <x>\n#include I(/etc/x)\n", &format!("line 2: {literal}"));
    check("#define E\n#include E \"/etc/x\"\n", &format!("line 2: {literal}"));
    check("#include /**/ \"/etc/x\"\n", &format!("line 1: {literal}"));
    check("#inc\\\nlude \"/etc/x\"\n", &format!("line 1: {outside}"));
    check("#inc\\\r\nlude \"/etc/x\"\n", &format!("line 1: {outside}"));
    check("#\\\ninclude \"/etc/x\"\n", "line 1: a directive's name may not be escaped");
    check("#include \\\n\"/etc/x\"\n", &format!("line 1: {literal}"));
    check("#include \"a\\\nb\"\n", &format!("line 1: {literal}"));
    check("%:include \"/etc/x\"\n", &format!("line 1: {first}"));
    check("%:include \"a.h\"\n", &format!("line 1: {first}"));
    check("#/*x*/include \"/etc/x\"\n", &format!("line 1: {comment}"));
    check("#/*\n*/include \"/etc/x\"\n", &format!("line 1: {comment}"));
    check("/*x*/#include \"/etc/x\"\n", &format!("line 1: {first}"));
    check("/*\n*/ #include \"/etc/x\"\n", &format!("line 2: {first}"));
    check("// /*\n#include \"/etc/x\" // */\n", &format!("line 2: {outside}"));
    check("const char* s = \"/*\";\n#include \"/etc/x\"\n", &format!("line 2: {outside}"));
    check("R\"(\n#include \"/etc/x\"\n)\";\n", &format!("line 2: {outside}"));
    check(
        "#include_next <x.h>\n",
        "line 1: `#include_next` is not allowed, only a plain `#include`",
    );
    check("#import <x.h>\n", "line 1: `#import` is not allowed, only a plain `#include`");
    check("#embed \"/etc/x\"\n", "line 1: `#embed` is not allowed, only a plain `#include`");
    check("#\\u0069nclude \"/etc/x\"\n", "line 1: a directive's name may not be escaped");
    check("??=include \"/etc/x\"\n", "line 1: the trigraph `??=` is not allowed");
    check("#inc??/\nlude \"/etc/x\"\n", "line 1: the trigraph `??/` is not allowed");
}

#[test]
fn refuses_characters_that_lexers_disagree_about() {
    for (character, code) in [('\u{b}', "000B"), ('\u{c}', "000C"), ('\r', "000D"), ('\0', "0000")]
    {
        let text = format!("int a;\n#{character}include \"/etc/x\"\n");
        check(&text, &format!("line 2: the control character U+{code} is not allowed"));
    }
    check(
        "int a;\u{85}#include \"/etc/x\"\n",
        "line 1: the control character U+0085 is not allowed",
    );
}

#[test]
fn refuses_to_ask_whether_outside_files_exist() {
    let outside = "`/etc/x` is outside the toolkit and the kernel's folder: only relative names \
                   are allowed";
    let literal = "`__has_include` takes a literal name, `\"file\"` or `<file>`";
    check("#if __has_include(\"/etc/x\")\n", &format!("line 1: {outside}"));
    check("#if __has_include_next(</etc/x>)\n", &format!("line 1: {outside}"));
    check("#if __has_inc\\\nlude(\"/etc/x\")\n", &format!("line 1: {outside}"));
    check("#define H __has_include\n", &format!("line 1: {literal}"));
    check("#if __has_include(P)\n", &format!("line 1: {literal}"));
    check("#if _CCCL_HAS_INCLUDE(</etc/x>)\n", &format!("line 1: {outside}"));
    check(
        "#if CAT(__has_, include)\n",
        "line 1: the identifier `__has_` is a piece of `__has_include`",
    );
    check(
        "#if CAT(_, _has_include)\n",
        "line 1: the identifier `_has_include` is a piece of `__has_include`",
    );
}
