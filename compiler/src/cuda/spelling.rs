//! How values and types are spelt in C++.

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::Binding;
use ridge_spec::space::ParameterValue;

/// The C++ type of a dtype. The types that are not built in come with `cuda_fp16.h`,
/// `cuda_bf16.h` and `cuda_fp8.h`, which the source includes itself.
pub const fn cuda_type(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "double",
        Dtype::F32 => "float",
        Dtype::F16 => "__half",
        Dtype::Bf16 => "__nv_bfloat16",
        Dtype::F8e4m3 => "__nv_fp8_e4m3",
        Dtype::F8e5m2 => "__nv_fp8_e5m2",
        Dtype::I64 => "long long",
        Dtype::I32 => "int",
        Dtype::I16 => "short",
        Dtype::I8 => "signed char",
        Dtype::U32 => "unsigned int",
        Dtype::U8 => "unsigned char",
        Dtype::Bool => "bool",
    }
}

/// What a name's macro is defined as.
pub(crate) fn macro_text(binding: &Binding) -> String {
    match binding {
        Binding::Type(dtype) => cuda_type(*dtype).to_owned(),
        // i64::MIN has no literal in C++.
        Binding::Value(ParameterValue::Integer(i64::MIN)) => {
            "(-9223372036854775807LL-1)".to_owned()
        }
        Binding::Value(ParameterValue::Integer(value)) if *value < 0 => format!("({value})"),
        Binding::Value(value) => value.to_string(),
    }
}

/// Whether a text can be a name expression: one line of C++ names, numbers and punctuation, with
/// nothing that could leave the directive that NVRTC puts it into.
pub(crate) fn is_entry(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_:<>(), *&+-!=|~^".contains(c);
    text.chars().all(plain)
        && text.trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_macros() {
        let check = |binding: Binding, expected: &str| assert_eq!(macro_text(&binding), expected);
        check(Binding::Type(Dtype::Bf16), "__nv_bfloat16");
        check(Binding::Value(4096.into()), "4096");
        check(Binding::Value((-1).into()), "(-1)");
        check(Binding::Value(i64::MIN.into()), "(-9223372036854775807LL-1)");
        check(Binding::Value("registers".into()), "registers");
    }

    #[test]
    fn accepts_only_what_can_be_a_name_expression() {
        for entry in ["k", "ns::k<float, (-1), true>", "::k<int*>", "k<Hold::registers>"] {
            assert!(is_entry(entry), "{entry}");
        }
        for entry in ["", " ", "k;", "k\n#include", "k<\"a\">", "k{", "1k", "k\\", "k/*"] {
            assert!(!is_entry(entry), "{entry}");
        }
    }
}
