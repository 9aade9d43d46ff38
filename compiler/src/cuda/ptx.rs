//! What the compiler needs to know of PTX text: a kernel's parameters, and the files that its
//! line information names.

use std::collections::BTreeSet;

use ridge_spec::artifact::ParameterLayout;

/// What the line information calls a file of the toolkit: `<toolkit>/cuda_bf16.h`. No file of a
/// kernel's folder is called so, since an include may not hold these brackets.
pub(crate) const TOOLKIT_PREFIX: &str = "<toolkit>/";

/// Layout of the parameters of the kernel `symbol`, in order; `None` where the PTX has no such
/// kernel or its parameters are not understood.
///
/// Each parameter lies at the next multiple of its alignment, which is its size for a scalar.
pub(crate) fn parameters(ptx: &str, symbol: &str) -> Option<Vec<ParameterLayout>> {
    let list = parameter_list(ptx, symbol)?;
    let mut layout: Vec<ParameterLayout> = Vec::new();
    let mut end = 0_u32;
    for declaration in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let (size_bytes, align_bytes) = declared_size(declaration)?;
        let offset_bytes = end.checked_next_multiple_of(align_bytes)?;
        end = offset_bytes.checked_add(size_bytes)?;
        layout.push(ParameterLayout { offset_bytes, size_bytes, align_bytes });
    }
    Some(layout)
}

/// The text between the parentheses of `.entry symbol(…)`.
fn parameter_list<'p>(ptx: &'p str, symbol: &str) -> Option<&'p str> {
    for (at, directive) in ptx.match_indices(".entry") {
        let line_start = ptx[..at].rfind('\n').map_or(0, |end| end + 1);
        let rest = ptx[at + directive.len()..].trim_start();
        let Some(after) = rest.strip_prefix(symbol) else { continue };
        if ptx[line_start..at].contains("//") {
            continue;
        }
        let after = after.trim_start();
        // A kernel without parameters has no list, or an empty one.
        if after.starts_with(['{', '.']) {
            return Some("");
        }
        if let Some(list) = after.strip_prefix('(') {
            return Some(&list[..list.find(')')?]);
        }
    }
    None
}

/// Size and alignment of `.param .align 8 .b8 name[32]`, `.param .u64 .ptr .global .align 1 name`
/// or `.param .u32 name`.
fn declared_size(declaration: &str) -> Option<(u32, u32)> {
    let mut words = declaration.split_whitespace();
    if words.next()? != ".param" {
        return None;
    }
    let mut word = words.next()?;
    let mut align = None;
    if word == ".align" {
        align = Some(words.next()?.parse().ok()?);
        word = words.next()?;
    }
    let element = scalar_bytes(word)?;
    let name = words.next_back().unwrap_or("");
    let count = match name.split_once('[') {
        Some((_, count)) => count.strip_suffix(']')?.parse::<u32>().ok()?,
        None => 1,
    };
    let align = align.unwrap_or(element);
    (align > 0).then_some(())?;
    Some((element.checked_mul(count)?, align))
}

fn scalar_bytes(word: &str) -> Option<u32> {
    match word {
        ".b8" | ".u8" | ".s8" => Some(1),
        ".b16" | ".u16" | ".s16" | ".f16" => Some(2),
        ".b32" | ".u32" | ".s32" | ".f32" => Some(4),
        ".b64" | ".u64" | ".s64" | ".f64" | ".texref" | ".samplerref" | ".surfref" => Some(8),
        ".b128" => Some(16),
        _ => None,
    }
}

/// Gives each file of the line information the name that the user knows.
///
/// NVRTC writes absolute paths: the compiler runs in `/`, so a file it was handed as `a.cu` is
/// `/a.cu`. Files of the kernel's folder lose the slash; files of the toolkit get
/// [`TOOLKIT_PREFIX`]. Any other name was smuggled in (by `#line`, or assembly text) and is
/// returned as the error: whoever shows a finding reads these files.
pub(crate) fn rename_files(
    ptx: &str,
    own: &BTreeSet<&str>,
    toolkit: &BTreeSet<&str>,
) -> Result<String, String> {
    let mut renamed = String::with_capacity(ptx.len());
    for line in ptx.split_inclusive('\n') {
        let directive = line.trim_start().strip_prefix(".file");
        // `.file 1 "name"`, `.file 1 "name", 1234, 56`.
        let name = directive.and_then(|rest| {
            let open = rest.find('"')?;
            let close = open + 1 + rest[open + 1..].find('"')?;
            Some((&rest[..open], &rest[open + 1..close], &rest[close + 1..]))
        });
        match (directive, name) {
            (None, _) if line.contains(".file") && hides_directive(line) => {
                return Err(line.trim().to_owned());
            }
            (None, _) => renamed.push_str(line),
            (Some(rest), None) => return Err(rest.trim().to_owned()),
            (Some(_), Some((number, path, after))) => {
                let known = path.strip_prefix('/').unwrap_or(path);
                let known = if own.contains(known) {
                    known.to_owned()
                } else if toolkit.contains(known) {
                    format!("{TOOLKIT_PREFIX}{known}")
                } else {
                    return Err(path.to_owned());
                };
                if hides_directive(after) {
                    return Err(after.trim().to_owned());
                }
                renamed.push_str(&format!("\t.file{number}\"{known}\"{after}"));
            }
        }
    }
    Ok(renamed)
}

/// Whether a `.file` stands in the midst of a line, outside a comment: NVRTC never writes that.
fn hides_directive(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    code.split(|c: char| !(c.is_ascii_alphanumeric() || "._$%".contains(c))).any(|w| w == ".file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_parameters_out() {
        let ptx = "// .entry k(\n.func (.param .b32 r) g(.param .b32 p)\n{ }\n\
            .visible .entry kk(.param .u32 a)\n{ }\n\
            .weak .entry k(\n\t.param .u64 .ptr .global .align 1 k_param_0,\n\t.param .u8 k_param_1,\n\
            \t.param .align 8 .b8 k_param_2[24],\n\t.param .f32 k_param_3\n)\n{ }\n\
            .entry none\n{ }\n.entry empty()\n{ }";
        let check = |symbol: &str, expected: Option<&[[u32; 3]]>| {
            let found = parameters(ptx, symbol);
            let expected = expected.map(|list| {
                list.iter()
                    .map(|&[offset_bytes, size_bytes, align_bytes]| ParameterLayout {
                        offset_bytes,
                        size_bytes,
                        align_bytes,
                    })
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{symbol}");
        };
        check("k", Some(&[[0, 8, 8], [8, 1, 1], [16, 24, 8], [40, 4, 4]]));
        check("kk", Some(&[[0, 4, 4]]));
        check("none", Some(&[]));
        check("empty", Some(&[]));
        check("g", None);
        check("absent", None);
    }

    #[test]
    fn renames_files_and_refuses_strangers() {
        let own = BTreeSet::from(["a.cu", "sub/b.h"]);
        let toolkit = BTreeSet::from(["cuda_bf16.h"]);
        let check = |ptx: &str, expected: Result<&str, &str>| {
            let renamed = rename_files(ptx, &own, &toolkit);
            assert_eq!(renamed.as_deref().map_err(String::as_str), expected);
        };
        check(
            "ret;\n\t.file\t1 \"/a.cu\"\n\t.file\t2 \"/sub/b.h\"\n\t.file\t3 \"/cuda_bf16.h\"\n",
            Ok(
                "ret;\n\t.file\t1 \"a.cu\"\n\t.file\t2 \"sub/b.h\"\n\t.file\t3 \"<toolkit>/cuda_bf16.h\"\n",
            ),
        );
        check("\t.file\t1 \"/etc/hostname\"\n", Err("/etc/hostname"));
        check("add; .file 9 \"/etc/hostname\"\n", Err("add; .file 9 \"/etc/hostname\""));
        check("\t.file 1 \"a.cu\" .file 2 \"/etc/x\"\n", Err(".file 2 \"/etc/x\""));
        check("\t// see .file\n", Ok("\t// see .file\n"));
        check(".file 3\n", Err("3"));
    }
}
