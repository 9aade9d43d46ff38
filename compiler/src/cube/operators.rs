//! The math language's functions on numbers in variables. A new function of the language is one
//! arm here.

use cubecl_ir::{Arithmetic, Comparison, ConstantValue, ElemType, FloatKind, Variable};
use ridge_spec::dtype::Dtype;
use ridge_spec::math::{Binary, Unary, round_to};

use super::code::{INTEGER, SINGLE};
use super::kernel::{Kernel, Scalar, elem};

impl Kernel<'_> {
    /// A number as a variable of a type, without rounding but that of the type.
    pub(super) fn typed(&mut self, scalar: Scalar, ty: ElemType) -> Variable {
        match scalar {
            Scalar::Emitted(variable) if ty == ElemType::Bool => self.truth(variable),
            Scalar::Emitted(variable) => self.code.cast(variable, ty),
            Scalar::Constant(value) if !value.is_finite() => self.special(value, ty),
            Scalar::Constant(value) => constant(value, ty),
        }
    }

    /// A number as a real one.
    pub(super) fn real_of(&mut self, scalar: Scalar) -> Variable {
        let real = self.real();
        self.typed(scalar, real)
    }

    fn truth(&mut self, variable: Variable) -> Variable {
        if variable.elem_type() == ElemType::Bool {
            return variable;
        }
        let wide = match variable.elem_type() {
            ElemType::Float(_) => self.real(),
            _ => INTEGER,
        };
        let wide = self.code.cast(variable, wide);
        let zero = Variable::constant(ConstantValue::Int(0), wide.ty);
        self.code.compare(Comparison::NotEqual, wide, zero)
    }

    /// An infinity or NaN, which C++ has no literal for.
    pub(super) fn special(&mut self, value: f64, ty: ElemType) -> Variable {
        let (wide, name) = match ty {
            ElemType::Float(FloatKind::F64) => (ty, "double"),
            _ => (SINGLE, "float"),
        };
        let text = if value.is_nan() {
            format!("{name}(__int_as_float(0x7fffffff))")
        } else if value > 0.0 {
            format!("{name}(__int_as_float(0x7f800000))")
        } else {
            format!("-{name}(__int_as_float(0x7f800000))")
        };
        let known = self.given.iter().find(|given| given.text == text).map(|given| given.variable);
        let variable = known.unwrap_or_else(|| self.give(wide, text));
        self.code.cast(variable, ty)
    }

    /// A function of one number; `is_approximate` allows the hardware's approximations.
    pub(super) fn unary(&mut self, function: Unary, x: Scalar, is_approximate: bool) -> Scalar {
        let Scalar::Emitted(variable) = x else {
            let Scalar::Constant(value) = x else { return x };
            return Scalar::Constant(function.apply(value));
        };
        let is_real = matches!(variable.elem_type(), ElemType::Float(_));
        let made = match function {
            Unary::Not => {
                let truth = self.truth(variable);
                self.code.not(truth)
            }
            Unary::Neg | Unary::Abs => {
                let wide = if is_real { self.real() } else { INTEGER };
                let wide = self.code.cast(variable, wide);
                self.code.unary(
                    if function == Unary::Neg { Arithmetic::Neg } else { Arithmetic::Abs },
                    wide,
                )
            }
            Unary::Floor | Unary::Ceil | Unary::Round if !is_real => variable,
            _ => {
                let x = self.real_of(x);
                self.real_function(function, x, is_approximate)
            }
        };
        Scalar::Emitted(made)
    }

    fn real_function(&mut self, function: Unary, x: Variable, is_approximate: bool) -> Variable {
        let (operation, may_approximate): (fn(_) -> Arithmetic, bool) = match function {
            Unary::Exp => (Arithmetic::Exp, true),
            Unary::Log => (Arithmetic::Log, true),
            Unary::Tanh => (Arithmetic::Tanh, true),
            Unary::Sqrt => (Arithmetic::Sqrt, false),
            Unary::Rsqrt => (Arithmetic::InverseSqrt, false),
            Unary::Erf => (Arithmetic::Erf, false),
            Unary::Sin => (Arithmetic::Sin, false),
            Unary::Cos => (Arithmetic::Cos, false),
            Unary::Floor => (Arithmetic::Floor, false),
            Unary::Ceil => (Arithmetic::Ceil, false),
            Unary::Round => (Arithmetic::Round, false),
            Unary::Sigmoid => return self.sigmoid(x, is_approximate),
            Unary::Erfc => return self.complementary_error(x, is_approximate),
            Unary::Neg => (Arithmetic::Neg, false),
            Unary::Abs => (Arithmetic::Abs, false),
            Unary::Not => {
                let truth = self.truth(x);
                return self.code.not(truth);
            }
        };
        self.code.approximate(is_approximate && may_approximate);
        let made = self.code.unary(operation, x);
        self.code.approximate(false);
        made
    }

    /// 1 / (1 + exp(-x)): where the exponential overflows, the quotient is the 0 it should be.
    fn sigmoid(&mut self, x: Variable, is_approximate: bool) -> Variable {
        let one = constant(1.0, x.elem_type());
        let negative = self.code.unary(Arithmetic::Neg, x);
        self.code.approximate(is_approximate);
        let exponential = self.code.unary(Arithmetic::Exp, negative);
        let sum = self.code.binary(Arithmetic::Add, exponential, one);
        let made = self.code.binary(Arithmetic::Div, one, sum);
        self.code.approximate(false);
        made
    }

    /// A function of two numbers.
    pub(super) fn binary(
        &mut self,
        function: Binary,
        a: Scalar,
        b: Scalar,
        is_approximate: bool,
    ) -> Scalar {
        if let (Scalar::Constant(a), Scalar::Constant(b)) = (a, b) {
            return Scalar::Constant(function.apply(a, b));
        }
        let whole = is_whole(a) && is_whole(b);
        let wide = if whole { INTEGER } else { self.real() };
        let made = match function {
            Binary::And | Binary::Or => {
                let (a, b) = (self.typed(a, ElemType::Bool), self.typed(b, ElemType::Bool));
                if function == Binary::And { self.code.both(a, b) } else { self.code.either(a, b) }
            }
            Binary::Divide | Binary::Pow => return self.real_pair(function, a, b, is_approximate),
            Binary::Add => self.arithmetic(Arithmetic::Add, a, b, wide),
            Binary::Subtract => self.arithmetic(Arithmetic::Sub, a, b, wide),
            Binary::Multiply => self.arithmetic(Arithmetic::Mul, a, b, wide),
            Binary::Min => self.arithmetic(Arithmetic::Min, a, b, wide),
            Binary::Max => self.arithmetic(Arithmetic::Max, a, b, wide),
            Binary::Less => self.comparison(Comparison::Lower, a, b, wide),
            Binary::LessEqual => self.comparison(Comparison::LowerEqual, a, b, wide),
            Binary::Greater => self.comparison(Comparison::Greater, a, b, wide),
            Binary::GreaterEqual => self.comparison(Comparison::GreaterEqual, a, b, wide),
            Binary::Equal => self.comparison(Comparison::Equal, a, b, wide),
            Binary::NotEqual => self.comparison(Comparison::NotEqual, a, b, wide),
        };
        Scalar::Emitted(made)
    }

    fn arithmetic(
        &mut self,
        function: fn(cubecl_ir::BinaryOperator) -> Arithmetic,
        a: Scalar,
        b: Scalar,
        ty: ElemType,
    ) -> Variable {
        let (a, b) = (self.typed(a, ty), self.typed(b, ty));
        self.code.binary(function, a, b)
    }

    fn comparison(
        &mut self,
        function: fn(cubecl_ir::BinaryOperator) -> Comparison,
        a: Scalar,
        b: Scalar,
        ty: ElemType,
    ) -> Variable {
        let (a, b) = (self.typed(a, ty), self.typed(b, ty));
        self.code.compare(function, a, b)
    }

    fn real_pair(
        &mut self,
        function: Binary,
        a: Scalar,
        b: Scalar,
        is_approximate: bool,
    ) -> Scalar {
        let x = self.real_of(a);
        if let (Binary::Pow, Scalar::Constant(exponent)) = (function, b)
            && let Some(exponent) = small_whole(exponent)
        {
            return self.whole_power(x, exponent);
        }
        if let (Binary::Divide, Scalar::Constant(divisor)) = (function, b)
            && (is_approximate || is_power_of_two(divisor))
            && (1.0 / divisor).is_normal()
        {
            let factor = self.real_of(Scalar::Constant(1.0 / divisor));
            return Scalar::Emitted(self.code.binary(Arithmetic::Mul, x, factor));
        }
        let y = self.real_of(b);
        // The approximate power goes by the logarithm, which a base below 0 has not: it is right
        // where the exponent is known to have a fraction, and NaN is what the language says too.
        let has_fraction =
            matches!(b, Scalar::Constant(value) if value.is_finite() && value.fract().abs() > 0.0);
        let (function, may_approximate): (fn(_) -> Arithmetic, bool) = match function {
            Binary::Pow => (Arithmetic::Powf, has_fraction),
            _ => (Arithmetic::Div, true),
        };
        self.code.approximate(is_approximate && may_approximate);
        let made = self.code.binary(function, x, y);
        self.code.approximate(false);
        Scalar::Emitted(made)
    }

    /// A power with a known whole exponent, by squaring: exact about the base's sign.
    fn whole_power(&mut self, x: Variable, exponent: i32) -> Scalar {
        let mut rest = exponent.unsigned_abs();
        let (mut power, mut made) = (x, None);
        while rest > 0 {
            if rest % 2 == 1 {
                made = Some(match made {
                    None => power,
                    Some(made) => self.code.binary(Arithmetic::Mul, made, power),
                });
            }
            rest /= 2;
            if rest > 0 {
                power = self.code.binary(Arithmetic::Mul, power, power);
            }
        }
        let Some(made) = made else { return Scalar::Constant(1.0) };
        if exponent > 0 {
            return Scalar::Emitted(made);
        }
        let one = constant(1.0, made.elem_type());
        Scalar::Emitted(self.code.binary(Arithmetic::Div, one, made))
    }

    /// `then` where the condition holds, else `or_else`.
    pub(super) fn choose(&mut self, condition: Scalar, then: Scalar, or_else: Scalar) -> Scalar {
        if let Scalar::Constant(value) = condition {
            return if value.abs() > 0.0 || value.is_nan() { then } else { or_else };
        }
        let condition = self.typed(condition, ElemType::Bool);
        let ty = if is_whole(then) && is_whole(or_else) { INTEGER } else { self.real() };
        let (then, or_else) = (self.typed(then, ty), self.typed(or_else, ty));
        Scalar::Emitted(self.code.select(condition, then, or_else))
    }

    /// A number rounded to a dtype, as the language's `cast` and an output's store do.
    pub(super) fn rounded(&mut self, scalar: Scalar, dtype: Dtype) -> Scalar {
        let Scalar::Emitted(variable) = scalar else {
            let Scalar::Constant(value) = scalar else { return scalar };
            return Scalar::Constant(round_to(dtype, value));
        };
        let to = elem(dtype);
        if variable.elem_type() == to {
            return scalar;
        }
        let made = match dtype {
            Dtype::F64 | Dtype::F32 => self.code.cast(variable, to),
            // Eight bits saturate as `text` spells the conversion.
            Dtype::F16 | Dtype::Bf16 | Dtype::F8e4m3 | Dtype::F8e5m2 => {
                let real = self.real_of(scalar);
                self.code.cast(real, to)
            }
            // The conversion of CubeCL does not saturate; the language's does.
            Dtype::I16 => self.saturated(scalar, to, f64::from(i16::MIN), f64::from(i16::MAX)),
            Dtype::I8 => self.saturated(scalar, to, f64::from(i8::MIN), f64::from(i8::MAX)),
            Dtype::U8 => self.saturated(scalar, to, 0.0, f64::from(u8::MAX)),
            Dtype::U32 if is_whole(scalar) => self.saturated(scalar, to, 0.0, f64::from(u32::MAX)),
            Dtype::I32 if is_whole(scalar) => {
                self.saturated(scalar, to, f64::from(i32::MIN), f64::from(i32::MAX))
            }
            // The hardware's conversion of a real number saturates.
            Dtype::U32 | Dtype::I32 | Dtype::I64 => {
                let wide = if is_whole(scalar) { INTEGER } else { self.real() };
                let wide = self.code.cast(variable, wide);
                self.code.cast(wide, to)
            }
            Dtype::Bool => self.truth(variable),
        };
        Scalar::Emitted(made)
    }

    fn saturated(&mut self, scalar: Scalar, to: ElemType, low: f64, high: f64) -> Variable {
        let wide = if is_whole(scalar) && !matches!(to, ElemType::Float(_)) {
            INTEGER
        } else {
            self.real()
        };
        let x = self.typed(scalar, wide);
        let (low, high) = (constant(low, wide), constant(high, wide));
        let above = self.code.binary(Arithmetic::Max, x, low);
        let within = self.code.binary(Arithmetic::Min, above, high);
        self.code.cast(within, to)
    }
}

/// A constant of a type that holds it.
pub(super) fn constant(value: f64, ty: ElemType) -> Variable {
    Variable::constant(ConstantValue::Float(value), ty)
}

/// Whether a number's type holds whole numbers only.
fn is_whole(scalar: Scalar) -> bool {
    match scalar {
        Scalar::Constant(value) => value.fract().abs() <= 0.0 && value.abs() < 9.0e15,
        Scalar::Emitted(variable) => !matches!(variable.elem_type(), ElemType::Float(_)),
    }
}

/// A whole exponent whose power takes at most eight multiplications.
fn small_whole(exponent: f64) -> Option<i32> {
    (-16..=16).find(|&whole| f64::from(whole).to_bits() == exponent.to_bits())
}

fn is_power_of_two(value: f64) -> bool {
    value.is_normal() && value.to_bits().trailing_zeros() >= 52
}
