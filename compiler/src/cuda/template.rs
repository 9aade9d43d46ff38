//! Entry and option templates: `rmsnorm<{T}, {cols}>`.

use std::collections::BTreeMap;

use ridge_spec::dtype::Dtype;

/// The values that a candidate and a workload give to names, as C++ spells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    texts: BTreeMap<String, String>,
}

/// A template that cannot be expanded, in one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} in `{template}`")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What is wrong with it.
    pub message: String,
}

impl Bindings {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a parameter or a specialised axis.
    pub fn integer(&mut self, name: &str, value: i64) {
        // i64::MIN has no literal in C++.
        let text = if value == i64::MIN {
            "(-9223372036854775807LL-1)".to_owned()
        } else if value < 0 {
            format!("({value})")
        } else {
            value.to_string()
        };
        self.texts.insert(name.to_owned(), text);
    }

    /// Binds a type variable.
    pub fn dtype(&mut self, name: &str, dtype: Dtype) {
        self.texts.insert(name.to_owned(), cuda_type(dtype).to_owned());
    }

    /// Expands `{name}`.
    ///
    /// # Errors
    /// [`TemplateError`]: an unknown name, an unpaired brace.
    pub fn expand(&self, template: &str) -> Result<String, TemplateError> {
        let refuse = |message: String| TemplateError { template: template.to_owned(), message };
        let mut expanded = String::new();
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            expanded.push_str(&rest[..open]);
            let Some(inner) = rest[open..].strip_prefix('{') else {
                return Err(refuse("`}` without `{`".to_owned()));
            };
            let close = inner.find('}').ok_or_else(|| refuse("`{` without `}`".to_owned()))?;
            let name = inner[..close].trim();
            let text = self
                .texts
                .get(name)
                .ok_or_else(|| refuse(format!("nothing is called `{name}`")))?;
            expanded.push_str(text);
            rest = &inner[close + 1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// `-DRIDGE_<NAME>=<text>` for each name, in order.
    pub(crate) fn macros(&self) -> impl Iterator<Item = (String, String)> {
        self.texts.iter().map(|(name, text)| (macro_name(name), text.clone()))
    }
}

/// The macro that a name reaches the source as: `RIDGE_` and the name in capitals, `-` as `_`.
pub fn macro_name(name: &str) -> String {
    let upper = name.chars().map(|c| match c {
        '-' => '_',
        c => c.to_ascii_uppercase(),
    });
    format!("RIDGE_{}", upper.collect::<String>())
}

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

/// Whether a text can be a name expression: one line of C++ names, numbers and punctuation, with
/// nothing that could leave the directive that NVRTC puts it into.
pub(crate) fn is_entry(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_:<>(), *&+-!=|~^".contains(c);
    !text.trim().is_empty()
        && text.chars().all(plain)
        && text.trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings() -> Bindings {
        let mut bindings = Bindings::new();
        bindings.dtype("T", Dtype::Bf16);
        bindings.integer("cols", 4096);
        bindings.integer("shift", -1);
        bindings
    }

    #[test]
    fn expands_names() {
        let check = |template: &str, expected: &str| {
            let answer = bindings().expand(template).unwrap_or_else(|error| error.to_string());
            assert_eq!(answer, expected);
        };
        check("rmsnorm<{T}, { cols }, {shift}>", "rmsnorm<__nv_bfloat16, 4096, (-1)>");
        check("plain", "plain");
        check("--maxrregcount={cols}", "--maxrregcount=4096");
        check("k<{rows}>", "nothing is called `rows` in `k<{rows}>`");
        check("k<{cols>", "`{` without `}` in `k<{cols>`");
        check("k<cols}>", "`}` without `{` in `k<cols}>`");
    }

    #[test]
    fn names_macros() {
        let macros: Vec<String> =
            bindings().macros().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(macros, ["RIDGE_T=__nv_bfloat16", "RIDGE_COLS=4096", "RIDGE_SHIFT=(-1)"]);
        assert_eq!(macro_name("tile-m_2"), "RIDGE_TILE_M_2");
    }

    #[test]
    fn accepts_only_what_can_be_a_name_expression() {
        for entry in ["k", "ns::k<float, (-1), true>", "::k<int*>"] {
            assert!(is_entry(entry), "{entry}");
        }
        for entry in ["", " ", "k;", "k\n#include", "k<\"a\">", "k{", "1k", "k\\", "k/*"] {
            assert!(!is_entry(entry), "{entry}");
        }
    }
}
