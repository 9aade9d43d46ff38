//! The values that instructions compute with, and how they lie in register rows.

use super::registers::{Long, Slot, Word};
use crate::emulator::ptx::Type;

/// A lane's value of one PTX type.
pub(crate) trait Scalar: Copy + Send + Sync + 'static {
    /// The kind of row that holds it.
    type Slot: Slot;
    /// The type as which constants are read.
    const TYPE: Type;

    /// The value in a lane.
    fn read(lane: <Self::Slot as Slot>::Lane) -> Self;

    /// The lane that holds the value.
    fn lane(self) -> <Self::Slot as Slot>::Lane;
}

/// The NaN that single-precision arithmetic writes.
const NAN_F32: u32 = 0x7fff_ffff;
/// The NaN that double-precision arithmetic writes where no operand was one.
const NAN_F64: u64 = 0x7ff8_0000_0000_0000;
/// The NaN that x86 writes there.
const NAN_F64_HOST: u64 = 0xfff8_0000_0000_0000;

macro_rules! integer_scalar {
    ($($type:ty, $unsigned:ty, $slot:ty, $lane:ty, $ptx:ident;)*) => {
        $(impl Scalar for $type {
            type Slot = $slot;
            const TYPE: Type = Type::$ptx;

            #[inline(always)]
            fn read(lane: $lane) -> Self {
                lane as Self
            }

            #[inline(always)]
            fn lane(self) -> $lane {
                <$lane>::from(self as $unsigned)
            }
        })*
    };
}

integer_scalar! {
    u8, u8, Word, u32, U8;
    i8, u8, Word, u32, S8;
    u16, u16, Word, u32, U16;
    i16, u16, Word, u32, S16;
    u32, u32, Word, u32, U32;
    i32, u32, Word, u32, S32;
    u64, u64, Long, u64, U64;
    i64, u64, Long, u64, S64;
}

impl Scalar for f32 {
    type Slot = Word;
    const TYPE: Type = Type::F32;

    #[inline(always)]
    fn read(lane: u32) -> Self {
        Self::from_bits(lane)
    }

    #[inline(always)]
    fn lane(self) -> u32 {
        if self.is_nan() { NAN_F32 } else { self.to_bits() }
    }
}

impl Scalar for f64 {
    type Slot = Long;
    const TYPE: Type = Type::F64;

    #[inline(always)]
    fn read(lane: u64) -> Self {
        Self::from_bits(lane)
    }

    #[inline(always)]
    fn lane(self) -> u64 {
        let bits = self.to_bits();
        if bits == NAN_F64_HOST { NAN_F64 } else { bits }
    }
}

/// Two 16-bit values in one register; the low half is element 0.
#[derive(Clone, Copy)]
pub(crate) struct Pair(pub(crate) u16, pub(crate) u16);

impl Scalar for Pair {
    type Slot = Word;
    const TYPE: Type = Type::B32;

    #[inline(always)]
    fn read(lane: u32) -> Self {
        Self(lane as u16, (lane >> 16) as u16)
    }

    #[inline(always)]
    fn lane(self) -> u32 {
        u32::from(self.0) | u32::from(self.1) << 16
    }
}

impl Pair {
    /// Applies `f` to both elements.
    #[inline(always)]
    pub(crate) fn map(self, f: impl Fn(u16) -> u16) -> Self {
        Self(f(self.0), f(self.1))
    }

    /// Applies `f` to the elements of two pairs.
    #[inline(always)]
    pub(crate) fn map2(self, other: Self, f: impl Fn(u16, u16) -> u16) -> Self {
        Self(f(self.0, other.0), f(self.1, other.1))
    }

    /// Applies `f` to the elements of three pairs.
    #[inline(always)]
    pub(crate) fn map3(self, b: Self, c: Self, f: impl Fn(u16, u16, u16) -> u16) -> Self {
        Self(f(self.0, b.0, c.0), f(self.1, b.1, c.1))
    }
}

/// Runs `$body` with `$t` naming the integer type of a PTX type; `None` for any other.
macro_rules! with_integer {
    ($type:expr, $t:ident => $body:expr) => {
        match $type {
            $crate::emulator::ptx::Type::U16 | $crate::emulator::ptx::Type::B16 => {
                type $t = u16;
                Some($body)
            }
            $crate::emulator::ptx::Type::S16 => {
                type $t = i16;
                Some($body)
            }
            $crate::emulator::ptx::Type::U32 | $crate::emulator::ptx::Type::B32 => {
                type $t = u32;
                Some($body)
            }
            $crate::emulator::ptx::Type::S32 => {
                type $t = i32;
                Some($body)
            }
            $crate::emulator::ptx::Type::U64 | $crate::emulator::ptx::Type::B64 => {
                type $t = u64;
                Some($body)
            }
            $crate::emulator::ptx::Type::S64 => {
                type $t = i64;
                Some($body)
            }
            _ => None,
        }
    };
}
pub(crate) use with_integer;
