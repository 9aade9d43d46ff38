//! The complementary error function, which CubeCL lacks: exp(-x² + p) t with t = 2 / (2 + |x|) and a
//! fit p of t, mirrored for negative x (Press et al., Numerical Recipes: in C, 2nd edition, section
//! 6.2, `erfcc`; 3rd edition, section 6.2.2, `erfccheb`).

use cubecl_ir::{Arithmetic, Comparison, ElemType, FloatKind, Variable};

use super::kernel::Kernel;
use super::operators::constant;

/// A polynomial of t, from the highest power down to the constant term: within 1.2e-7 of the value
/// everywhere.
const SINGLE_FIT: [f64; 10] = [
    0.170_872_77,
    -0.822_152_23,
    1.488_515_87,
    -1.135_203_98,
    0.278_868_07,
    -0.186_288_06,
    0.096_784_18,
    0.374_091_96,
    1.000_023_68,
    -1.265_512_23,
];

/// Chebyshev coefficients over 4 t - 2, from the highest order down to the first: within 2e-13 of the
/// value everywhere, and within 1e-14 for arguments below 6.
const DOUBLE_FIT: [f64; 27] = [
    -2.8e-17,
    1.21e-16,
    -9.4e-17,
    -1.523e-15,
    7.106e-15,
    3.81e-16,
    -1.127_08e-13,
    3.130_92e-13,
    8.944_87e-13,
    -6.886_027e-12,
    2.394_038e-12,
    9.646_791_1e-11,
    -2.273_651_22e-10,
    -9.913_641_56e-10,
    5.059_343_495e-9,
    6.529_054_439e-9,
    -8.523_809_591_5e-8,
    1.562_644_172_2e-8,
    1.303_655_835_58e-6,
    -1.624_290_004_647e-6,
    -2.027_857_811_253_4e-5,
    4.252_332_480_690_7e-5,
    3.668_394_978_527_61e-4,
    -9.465_953_444_820_36e-4,
    -9.561_514_786_808_63e-3,
    1.947_647_320_418_583_6e-2,
    6.419_697_923_564_902e-1,
];

/// The coefficient of order 0.
const DOUBLE_FIT_FIRST: f64 = -1.302_653_719_781_709_4;

impl Kernel<'_> {
    /// `erfc(x)`.
    pub(super) fn complementary_error(&mut self, x: Variable, is_approximate: bool) -> Variable {
        let ty = x.elem_type();
        let one = constant(1.0, ty);
        let z = self.code.unary(Arithmetic::Abs, x);
        let half = self.code.binary(Arithmetic::Mul, z, constant(0.5, ty));
        let below = self.code.binary(Arithmetic::Add, half, one);
        let t = self.code.binary(Arithmetic::Div, one, below);
        let fit = if ty == ElemType::Float(FloatKind::F64) {
            self.double_fit(t)
        } else {
            let mut fit = constant(SINGLE_FIT[0], ty);
            for &term in &SINGLE_FIT[1..] {
                let product = self.code.binary(Arithmetic::Mul, fit, t);
                fit = self.code.binary(Arithmetic::Add, product, constant(term, ty));
            }
            fit
        };
        let square = self.code.binary(Arithmetic::Mul, z, z);
        let exponent = self.code.binary(Arithmetic::Sub, fit, square);
        self.code.approximate(is_approximate);
        let exponential = self.code.unary(Arithmetic::Exp, exponent);
        self.code.approximate(false);
        let right = self.code.binary(Arithmetic::Mul, t, exponential);
        let left = self.code.binary(Arithmetic::Sub, constant(2.0, ty), right);
        let is_left = self.code.compare(Comparison::Lower, x, constant(0.0, ty));
        self.code.select(is_left, left, right)
    }

    /// The fit for binary64 by Clenshaw's recurrence.
    fn double_fit(&mut self, t: Variable) -> Variable {
        let ty = t.elem_type();
        let four = self.code.binary(Arithmetic::Mul, t, constant(4.0, ty));
        let at = self.code.binary(Arithmetic::Sub, four, constant(2.0, ty));
        let (mut now, mut before) = (constant(0.0, ty), constant(0.0, ty));
        for &term in &DOUBLE_FIT {
            let product = self.code.binary(Arithmetic::Mul, at, now);
            let difference = self.code.binary(Arithmetic::Sub, product, before);
            before = now;
            now = self.code.binary(Arithmetic::Add, difference, constant(term, ty));
        }
        let product = self.code.binary(Arithmetic::Mul, at, now);
        let first = constant(DOUBLE_FIT_FIRST, ty);
        let sum = self.code.binary(Arithmetic::Add, product, first);
        let half = self.code.binary(Arithmetic::Mul, sum, constant(0.5, ty));
        self.code.binary(Arithmetic::Sub, half, before)
    }
}
