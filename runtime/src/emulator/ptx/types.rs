//! Scalar types and state spaces: the words PTX gives to data and to where it lives.

use std::sync::LazyLock;

use super::token_table::TokenTable;

macro_rules! types {
    ($($variant:ident = $text:literal, $bits:literal;)*) => {
        /// A PTX fundamental or alternate type, packed types included (PTX ISA, "Types").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Type { $(#[doc = concat!("`.", $text, "`, ", stringify!($bits), " bits")] $variant,)* }

        const TYPES: &[Type] = &[$(Type::$variant,)*];
        const TYPE_TEXTS: &[&str] = &[$($text,)*];

        impl Type {
            /// Width in bits of one value (a packed type counts all its elements); a predicate has 1,
            /// the opaque texture, sampler and surface handles have 64.
            #[must_use]
            pub fn bits(self) -> u32 {
                match self { $(Type::$variant => $bits,)* }
            }

            /// The type's text without its dot.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Type::$variant => $text,)* }
            }
        }
    };
}

types! {
    Pred = "pred", 1; B1 = "b1", 1;
    B8 = "b8", 8; B16 = "b16", 16; B32 = "b32", 32; B64 = "b64", 64; B128 = "b128", 128; B1024 = "b1024", 1024;
    U4 = "u4", 4; U8 = "u8", 8; U16 = "u16", 16; U32 = "u32", 32; U64 = "u64", 64;
    S4 = "s4", 4; S8 = "s8", 8; S16 = "s16", 16; S32 = "s32", 32; S64 = "s64", 64;
    U8x4 = "u8x4", 32; S8x4 = "s8x4", 32; U16x2 = "u16x2", 32; S16x2 = "s16x2", 32;
    F16 = "f16", 16; F16x2 = "f16x2", 32; Bf16 = "bf16", 16; Bf16x2 = "bf16x2", 32;
    Tf32 = "tf32", 32; F32 = "f32", 32; F32x2 = "f32x2", 64; F64 = "f64", 64;
    E4m3 = "e4m3", 8; E5m2 = "e5m2", 8; E4m3x2 = "e4m3x2", 16; E5m2x2 = "e5m2x2", 16;
    E4m3x4 = "e4m3x4", 32; E5m2x4 = "e5m2x4", 32;
    E2m1 = "e2m1", 4; E2m1x2 = "e2m1x2", 8; E2m1x4 = "e2m1x4", 16;
    E2m3 = "e2m3", 6; E3m2 = "e3m2", 6; E2m3x2 = "e2m3x2", 16; E3m2x2 = "e3m2x2", 16;
    E2m3x4 = "e2m3x4", 32; E3m2x4 = "e3m2x4", 32;
    Ue8m0 = "ue8m0", 8; Ue8m0x2 = "ue8m0x2", 16; Ue4m3 = "ue4m3", 8;
    B4x16 = "b4x16", 64; B4x16P64 = "b4x16_p64", 128; B6x16P32 = "b6x16_p32", 128; B6p2x16 = "b6p2x16", 128;
    Texref = "texref", 64; Samplerref = "samplerref", 64; Surfref = "surfref", 64;
}

impl Type {
    /// The type spelt `text` (no dot).
    #[must_use]
    pub fn from_text(text: &str) -> Option<Type> {
        static TABLE: LazyLock<TokenTable> = LazyLock::new(|| TokenTable::new(TYPE_TEXTS));
        TABLE.find(text).map(|index| TYPES[index])
    }

    /// Width in whole bytes: what a load, a store or a variable of the type takes in memory.
    #[must_use]
    pub fn bytes(self) -> u32 {
        self.bits().div_ceil(8)
    }

    /// Two's complement integers.
    #[must_use]
    pub fn is_signed(self) -> bool {
        matches!(
            self,
            Type::S4 | Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::S8x4 | Type::S16x2
        )
    }

    /// Every floating format, alternate and packed ones too.
    #[must_use]
    pub fn is_float(self) -> bool {
        Type::F16 <= self && self <= Type::Ue4m3
    }

    /// Untyped bits.
    #[must_use]
    pub fn is_bits(self) -> bool {
        matches!(
            self,
            Type::B1 | Type::B8 | Type::B16 | Type::B32 | Type::B64 | Type::B128 | Type::B1024
        )
    }
}

/// A state space, with the sub-qualifier where one is written (PTX ISA, "State Spaces").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// `.const`
    Const,
    /// `.global`
    Global,
    /// `.local`
    Local,
    /// `.param`, of a kernel or of a call
    Param,
    /// `.param::entry`
    ParamEntry,
    /// `.param::func`
    ParamFunc,
    /// `.shared`
    Shared,
    /// `.shared::cta`
    SharedCta,
    /// `.shared::cluster`
    SharedCluster,
    /// `.tex`
    Tex,
}

impl Space {
    /// The space spelt `text` (no dot).
    #[must_use]
    pub fn from_text(text: &str) -> Option<Space> {
        Some(match text {
            "const" => Space::Const,
            "global" => Space::Global,
            "local" => Space::Local,
            "param" => Space::Param,
            "param::entry" => Space::ParamEntry,
            "param::func" => Space::ParamFunc,
            "shared" => Space::Shared,
            "shared::cta" => Space::SharedCta,
            "shared::cluster" => Space::SharedCluster,
            "tex" => Space::Tex,
            _ => return None,
        })
    }

    /// The space's text without its dot.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Space::Const => "const",
            Space::Global => "global",
            Space::Local => "local",
            Space::Param => "param",
            Space::ParamEntry => "param::entry",
            Space::ParamFunc => "param::func",
            Space::Shared => "shared",
            Space::SharedCta => "shared::cta",
            Space::SharedCluster => "shared::cluster",
            Space::Tex => "tex",
        }
    }
}
