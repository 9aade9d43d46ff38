//! The NVRTC options a spec may ask for.

/// Options without a value.
const FLAGS: [&str; 6] = [
    "--use_fast_math",
    "--extra-device-vectorization",
    "--restrict",
    "--device-int128",
    "--disable-warnings",
    "--device-as-default-execution-space",
];

/// Options whose value is `true` or `false`.
const SWITCHES: [&str; 4] = ["--fmad", "--ftz", "--prec-div", "--prec-sqrt"];

/// The language standards a spec may choose; without a choice it is C++20.
const STANDARDS: [&str; 2] = ["c++17", "c++20"];

/// Spellings of `nvrtc.h` with one dash that mean the same.
const SHORT: [(&str, &str); 8] = [
    ("-use_fast_math", "--use_fast_math"),
    ("-extra-device-vectorization", "--extra-device-vectorization"),
    ("-restrict", "--restrict"),
    ("-maxrregcount", "--maxrregcount"),
    ("-fmad", "--fmad"),
    ("-ftz", "--ftz"),
    ("-prec-div", "--prec-div"),
    ("-prec-sqrt", "--prec-sqrt"),
];

/// An option that is not allowed, in one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the option `{option}` {why}")]
pub struct OptionRefused {
    /// The option, expanded.
    pub option: String,
    /// The rule it breaks.
    pub why: String,
}

/// The canonical spelling of an allowed option.
///
/// Allowed: `--maxrregcount=N` (0 to 255; 0 leaves the option out, so that a parameter can mean
/// "no limit"), `--fmad`, `--ftz`, `--prec-div`, `--prec-sqrt` with `=true` or `=false`,
/// `--use_fast_math`, `--extra-device-vectorization`, `--restrict`, `--device-int128`,
/// `--disable-warnings`, `--device-as-default-execution-space`, `--std=c++17|c++20`,
/// `--jump-table-density=N`, and `-DNAME[=VALUE]` whose value holds no quotes, slashes,
/// backslashes or `#`. Everything else could change the target, reach files, or drop the line
/// information that findings need.
///
/// # Errors
/// [`OptionRefused`], with the rule.
pub fn allowed(option: &str) -> Result<Option<String>, OptionRefused> {
    let refuse = |why: &str| OptionRefused { option: option.to_owned(), why: why.to_owned() };
    if let Some(definition) = option.strip_prefix("-D").or(option.strip_prefix("--define-macro=")) {
        return macro_definition(definition).map(Some).map_err(refuse);
    }
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    let number = |max: u32| {
        value
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<u32>().ok())
            .filter(|&number| number <= max)
            .ok_or_else(|| refuse(&format!("takes a whole number from 0 to {max}")))
    };
    match name {
        "--maxrregcount" => {
            let registers = number(255)?;
            Ok((registers > 0).then(|| format!("{name}={registers}")))
        }
        "--jump-table-density" => Ok(Some(format!("{name}={}", number(101)?))),
        "--std" => match value {
            Some(standard) if STANDARDS.contains(&standard) => {
                Ok(Some(format!("--std={standard}")))
            }
            _ => Err(refuse("takes `c++17` or `c++20`")),
        },
        _ if FLAGS.contains(&name) => match value {
            None => Ok(Some(name.to_owned())),
            Some(_) => Err(refuse("takes no value")),
        },
        _ if SWITCHES.contains(&name) => match value {
            Some("true" | "false") => Ok(Some(format!("{name}={}", value.unwrap_or_default()))),
            _ => Err(refuse("takes `true` or `false`")),
        },
        _ => Err(refuse(
            "is not in the allow-list (--maxrregcount, --use_fast_math, --fmad, --ftz, \
             --prec-div, --prec-sqrt, --extra-device-vectorization, --restrict, \
             --device-int128, --disable-warnings, --device-as-default-execution-space, \
             --jump-table-density, --std, -D)",
        )),
    }
}

fn macro_definition(definition: &str) -> Result<String, &'static str> {
    let (name, value) = match definition.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (definition, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("defines no plain identifier");
    }
    if name.starts_with("RIDGE_") {
        return Err("defines a name that starts with `RIDGE_`, which is reserved");
    }
    if name.contains("__") {
        return Err("defines a name with two underscores in a row, which is reserved");
    }
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && !"\"'\\/#%?".contains(c);
    if value.is_some_and(|value| !value.chars().all(plain) || value.contains("__has")) {
        return Err("has a value with quotes, slashes, backslashes, `%`, `?` or `#`");
    }
    Ok(format!("-D{definition}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(option: &str, expected: &str) {
        let answer = match allowed(option) {
            Ok(Some(option)) => option,
            Ok(None) => "left out".to_owned(),
            Err(refused) => refused.why,
        };
        assert!(answer.starts_with(expected), "{option}: {answer}");
    }

    #[test]
    fn allows_what_tunes_code_generation() {
        check("--maxrregcount=64", "--maxrregcount=64");
        check("-maxrregcount=064", "--maxrregcount=64");
        check("--maxrregcount=0", "left out");
        check("--use_fast_math", "--use_fast_math");
        check("-fmad=false", "--fmad=false");
        check("-DUNROLL=4", "-DUNROLL=4");
        check("-DT2=float2", "-DT2=float2");
        check("--std=c++17", "--std=c++17");
    }

    #[test]
    fn refuses_the_rest_by_name() {
        for option in [
            "-I/etc",
            "--include-path=/etc",
            "--pre-include=/etc/hostname",
            "-include=/etc/hostname",
            "--time=x",
            "--fdevice-time-trace=x",
            "--gpu-architecture=sm_80",
            "-arch=sm_80",
            "--create-pch=x",
            "--ptxas-options=-v",
            "--device-debug",
            "-G",
            "@/etc/hostname",
            "",
        ] {
            check(option, "is not in the allow-list");
        }
        check("--maxrregcount=300", "takes a whole number from 0 to 255");
        check("--maxrregcount=-1", "takes a whole number");
        check("--fmad=maybe", "takes `true` or `false`");
        check("-DF=\"/etc/hostname\"", "has a value with quotes");
        check("-DH=__has_include", "has a value with quotes");
        check("-DRIDGE_COLS=3", "defines a name that starts with `RIDGE_`");
        check("-D1=3", "defines no plain identifier");
        check("-DA(x)=x", "defines no plain identifier");
    }
}
