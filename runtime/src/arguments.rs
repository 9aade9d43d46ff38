//! A launch's arguments as the kernel's parameters.

use ridge_spec::launch::Argument;

use crate::numeric::encode_element;

/// One value for each parameter, in its first bytes; `sizes` are the parameters', in bytes, and
/// `address` knows the tensors.
///
/// # Errors
/// When number or sizes of the arguments are not the parameters', with the reason.
pub(crate) fn encode(
    arguments: &[Argument],
    sizes: impl ExactSizeIterator<Item = usize>,
    address: impl Fn(&str) -> Option<u64>,
) -> Result<Vec<u64>, String> {
    if arguments.len() != sizes.len() {
        return Err(format!("{} arguments for {} parameters", arguments.len(), sizes.len()));
    }
    arguments.iter().zip(sizes).map(|(argument, size)| value(argument, size, &address)).collect()
}

#[expect(clippy::cast_sign_loss, reason = "an integer is passed as its bits")]
fn value(
    argument: &Argument,
    size_bytes: usize,
    address: impl Fn(&str) -> Option<u64>,
) -> Result<u64, String> {
    let (name, value, width) = match argument {
        Argument::Tensor { name } => {
            (name, address(name).ok_or_else(|| format!("there is no buffer `{name}`"))?, 8)
        }
        Argument::Scalar { name, dtype, value } => {
            let width = usize::try_from(dtype.size_bytes()).unwrap_or(8);
            (name, u64::from_le_bytes(encode_element(*dtype, *value)), width)
        }
        Argument::Integer { name, value } => {
            let fits = match size_bytes {
                8 => true,
                4 => i32::try_from(*value).is_ok() || u32::try_from(*value).is_ok(),
                2 => i16::try_from(*value).is_ok() || u16::try_from(*value).is_ok(),
                1 => i8::try_from(*value).is_ok() || u8::try_from(*value).is_ok(),
                _ => {
                    return Err(format!(
                        "`{name}` is an integer, its parameter {size_bytes} bytes"
                    ));
                }
            };
            if !fits {
                return Err(format!("`{name}` is {value}, which {size_bytes} bytes do not hold"));
            }
            (name, *value as u64, size_bytes)
        }
    };
    if width == size_bytes {
        Ok(value)
    } else {
        Err(format!("`{name}` takes {width} bytes and its parameter {size_bytes}"))
    }
}

#[cfg(test)]
mod tests {
    use ridge_spec::dtype::Dtype;
    use ridge_spec::launch::Argument;

    use super::encode;

    #[track_caller]
    fn check(arguments: &[Argument], sizes: &[usize], expected: Result<&[u64], &str>) {
        let encoded =
            encode(arguments, sizes.iter().copied(), |name| (name == "x").then_some(0x1000));
        assert_eq!(encoded.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn arguments_are_as_wide_as_their_parameters() {
        let tensor = |name: &str| Argument::Tensor { name: name.to_owned() };
        let integer = |value| Argument::Integer { name: "n".to_owned(), value };
        let scalar = Argument::Scalar { name: "s".to_owned(), dtype: Dtype::F32, value: 0.5 };
        check(&[tensor("x"), integer(-1)], &[8, 4], Ok(&[0x1000, u64::MAX]));
        check(std::slice::from_ref(&scalar), &[4], Ok(&[u64::from(0.5_f32.to_bits())]));
        check(&[scalar], &[8], Err("`s` takes 4 bytes and its parameter 8"));
        check(&[tensor("y")], &[8], Err("there is no buffer `y`"));
        check(&[integer(1 << 40)], &[4], Err("`n` is 1099511627776, which 4 bytes do not hold"));
        check(&[integer(1)], &[4, 4], Err("1 arguments for 2 parameters"));
    }
}
