//! Binary floating-point formats up to binary64, and rounding into them.

/// Direction of rounding, named as PTX names its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// `.rn`: to nearest, ties to even.
    NearestEven,
    /// `.rna`: to nearest, ties away from zero.
    NearestAway,
    /// `.rz`: towards zero.
    Zero,
    /// `.rm`: towards negative infinity.
    Down,
    /// `.rp`: towards positive infinity.
    Up,
}

/// What a value too large for the format becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// As IEEE 754 has it: infinity or the largest finite value, by the rounding direction; NaN
    /// where the format has no infinity.
    Ieee,
    /// `.satfinite`: the largest finite value of that sign, for infinities too.
    Saturate,
}

/// A binary format of sign, exponent and mantissa that fits in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatFormat {
    /// Width of the stored exponent, bits.
    pub exponent_bits: u32,
    /// Width of the stored mantissa, bits.
    pub mantissa_bits: u32,
    /// Pattern of the largest finite magnitude.
    pub max_finite: u64,
    /// Pattern of positive infinity, where the format has one.
    pub infinity: Option<u64>,
    /// The NaN that the hardware writes.
    pub nan: u64,
}

impl FloatFormat {
    /// IEEE binary64.
    pub const F64: Self = Self::ieee(11, 52, 0x7fff_ffff_ffff_ffff);
    /// IEEE binary32.
    pub const F32: Self = Self::ieee(8, 23, 0x7fff_ffff);
    /// TensorFloat-32 as its upper 19 bits: a binary32 with 10 mantissa bits.
    pub const TF32: Self = Self::ieee(8, 10, 0x3_ffff);
    /// IEEE binary16.
    pub const F16: Self = Self::ieee(5, 10, 0x7fff);
    /// bfloat16.
    pub const BF16: Self = Self::ieee(8, 7, 0x7fff);
    /// FP8 E5M2.
    pub const E5M2: Self = Self::ieee(5, 2, 0x7f);
    /// FP8 E4M3 (OCP "FN"): no infinity, one NaN pattern for each sign.
    pub const E4M3: Self =
        Self { exponent_bits: 4, mantissa_bits: 3, max_finite: 0x7e, infinity: None, nan: 0x7f };

    const fn ieee(exponent_bits: u32, mantissa_bits: u32, nan: u64) -> Self {
        let infinity = ((1 << exponent_bits) - 1) << mantissa_bits;
        Self {
            exponent_bits,
            mantissa_bits,
            max_finite: infinity - 1,
            infinity: Some(infinity),
            nan,
        }
    }

    /// Bias of the stored exponent.
    pub const fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    /// The sign's bit.
    pub const fn sign_bit(self) -> u64 {
        1 << (self.exponent_bits + self.mantissa_bits)
    }

    /// Rounds `±significand × 2^exponent`. The lowest bit of `significand` may stand for "and
    /// something below", as long as the significand has two bits more than the format.
    #[inline]
    pub const fn round(
        self,
        negative: bool,
        significand: u64,
        exponent: i32,
        rounding: Rounding,
        overflow: Overflow,
    ) -> u64 {
        let sign = if negative { self.sign_bit() } else { 0 };
        if significand == 0 {
            return sign;
        }
        // Normalised to bit 63, the value is `1.f × 2^top`.
        let zeros = significand.leading_zeros();
        let significand = significand << zeros;
        let top = exponent + 63 - zeros as i32;
        let least = 1 - self.bias();
        let (base, extra) = if top < least { (0, (least - top) as u32) } else { (top - least, 0) };
        let shift = 63 - self.mantissa_bits + extra;
        let (kept, rest, half) = match shift {
            0 => (significand, 0, 0),
            1..=63 => (significand >> shift, significand & ((1 << shift) - 1), 1 << (shift - 1)),
            64 => (0, significand, 1 << 63),
            // Less than half of the smallest subnormal.
            _ => (0, 1, 2),
        };
        let up = match rounding {
            Rounding::NearestEven => rest > half || (rest == half && rest != 0 && kept & 1 == 1),
            Rounding::NearestAway => rest >= half && rest != 0,
            Rounding::Zero => false,
            Rounding::Down => negative && rest != 0,
            Rounding::Up => !negative && rest != 0,
        };
        // A carry out of the mantissa lands in the exponent, which is where it belongs. The
        // exponent is bounded first so that its shift cannot leave 64 bits.
        let base = if base > 4096 { 4096 } else { base as u64 };
        let code = if base >= (1 << self.exponent_bits) {
            u64::MAX
        } else {
            (base << self.mantissa_bits) + kept + up as u64
        };
        if code <= self.max_finite {
            sign | code
        } else {
            sign | self.too_large(negative, rounding, overflow)
        }
    }

    const fn too_large(self, negative: bool, rounding: Rounding, overflow: Overflow) -> u64 {
        let stays_finite = match rounding {
            Rounding::NearestEven | Rounding::NearestAway => false,
            Rounding::Zero => true,
            Rounding::Down => !negative,
            Rounding::Up => negative,
        };
        match (overflow, self.infinity) {
            (Overflow::Saturate, _) => self.max_finite,
            (Overflow::Ieee, _) if stays_finite => self.max_finite,
            (Overflow::Ieee, Some(infinity)) => infinity,
            (Overflow::Ieee, None) => self.nan,
        }
    }

    /// Rounds an `f64` (and so, exactly, any `f32`). Every NaN becomes [`FloatFormat::nan`].
    #[inline]
    pub const fn round_f64(self, value: f64, rounding: Rounding, overflow: Overflow) -> u64 {
        let bits = value.to_bits();
        let magnitude = bits & (u64::MAX >> 1);
        let negative = bits >> 63 == 1;
        if magnitude >= 0x7ff0_0000_0000_0000 {
            if magnitude > 0x7ff0_0000_0000_0000 {
                return self.nan;
            }
            let sign = if negative { self.sign_bit() } else { 0 };
            return match (overflow, self.infinity) {
                (Overflow::Saturate, _) => sign | self.max_finite,
                (Overflow::Ieee, Some(infinity)) => sign | infinity,
                (Overflow::Ieee, None) => sign | self.nan,
            };
        }
        let (significand, exponent) = split_f64(magnitude);
        self.round(negative, significand, exponent, rounding, overflow)
    }

    /// The value of a pattern; exact for every format here.
    #[inline]
    pub const fn to_f64(self, bits: u64) -> f64 {
        let negative = bits & self.sign_bit() != 0;
        let magnitude = bits & (self.sign_bit() - 1);
        if let Some(infinity) = self.infinity
            && magnitude == infinity
        {
            return if negative { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        if magnitude > self.max_finite {
            return f64::NAN;
        }
        let field = (magnitude >> self.mantissa_bits) as i32;
        let fraction = magnitude & ((1 << self.mantissa_bits) - 1);
        let (significand, exponent) = if field == 0 {
            (fraction, 1 - self.bias() - self.mantissa_bits as i32)
        } else {
            (fraction | (1 << self.mantissa_bits), field - self.bias() - self.mantissa_bits as i32)
        };
        let code =
            Self::F64.round(negative, significand, exponent, Rounding::NearestEven, Overflow::Ieee);
        f64::from_bits(code)
    }
}

/// Significand and exponent of a finite, non-negative binary64: `significand × 2^exponent`.
#[inline]
pub(crate) const fn split_f64(magnitude: u64) -> (u64, i32) {
    let field = (magnitude >> 52) as i32;
    let fraction = magnitude & ((1 << 52) - 1);
    if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) }
}
