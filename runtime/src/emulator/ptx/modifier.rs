//! The dotted words after a mnemonic.

use std::sync::LazyLock;

use super::module::NameId;
use super::token_table::TokenTable;
use super::types::{Space, Type};

macro_rules! modifiers {
    ($($variant:ident = $text:literal,)*) => {
        /// One dotted word after a mnemonic, interned.
        ///
        /// A word keeps one variant whatever it qualifies: `.lo` is [`Modifier::Lo`] in `mul.lo`
        /// and in `setp.lo`; the opcode says which is meant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Modifier {
            /// A type (`.u32`, `.e4m3x2`).
            Type(Type),
            /// A state space (`.global`, `.shared::cta`).
            Space(Space),
            /// A matrix shape (`.m16n8k16`).
            Shape(MatrixShape),
            $(#[doc = concat!("`.", $text, "`")] $variant,)*
            /// A word that is not in the list; the module's name table has its text.
            Unknown(NameId),
        }

        const MODIFIERS: &[Modifier] = &[$(Modifier::$variant,)*];
        const MODIFIER_TEXTS: &[&str] = &[$($text,)*];

        impl Modifier {
            /// The word without its dot; `None` for an unknown one.
            #[must_use]
            pub fn text(self) -> Option<String> {
                Some(match self {
                    Modifier::Type(scalar) => scalar.as_str().to_owned(),
                    Modifier::Space(space) => space.as_str().to_owned(),
                    Modifier::Shape(shape) => format!("m{}n{}k{}", shape.m(), shape.n(), shape.k()),
                    $(Modifier::$variant => $text.to_owned(),)*
                    Modifier::Unknown(_) => return None,
                })
            }
        }
    };
}

modifiers! {
    // Execution and form.
    Uni = "uni", Sync = "sync", Aligned = "aligned", To = "to", Wide = "wide", Lo = "lo", Hi = "hi", Full = "full",
    Approx = "approx", Ftz = "ftz", Sat = "sat", Satfinite = "satfinite", Relu = "relu", Oob = "oob", Cc = "cc",
    Abs = "abs", XorsignAbs = "xorsign", PropagateNan = "NaN", Idx = "idx", Pack = "pack",
    // Rounding.
    Rn = "rn", Rz = "rz", Rm = "rm", Rp = "rp", Rna = "rna", Rni = "rni", Rzi = "rzi", Rmi = "rmi", Rpi = "rpi",
    Rs = "rs",
    // Comparison and number classes.
    Eq = "eq", Ne = "ne", Lt = "lt", Le = "le", Gt = "gt", Ge = "ge", Ls = "ls", Hs = "hs", Equ = "equ", Neu = "neu",
    Ltu = "ltu", Leu = "leu", Gtu = "gtu", Geu = "geu", Num = "num", Nan = "nan",
    Finite = "finite", Infinite = "infinite", Number = "number", Notanumber = "notanumber", Normal = "normal",
    Subnormal = "subnormal",
    // Boolean, atomic and reduction operations.
    And = "and", Or = "or", Xor = "xor", Not = "not", Cas = "cas", Exch = "exch", Add = "add", Sub = "sub", Inc = "inc", Dec = "dec",
    Min = "min", Max = "max", Popc = "popc", Noftz = "noftz", SafeAdd = "safeadd",
    // Memory order, scope, caching.
    Volatile = "volatile", Weak = "weak", Relaxed = "relaxed", Acquire = "acquire", Release = "release",
    AcqRel = "acq_rel", Sc = "sc", Mmio = "mmio", Nc = "nc",
    Cta = "cta", Cluster = "cluster", Gpu = "gpu", Sys = "sys", Gl = "gl",
    Ca = "ca", Cg = "cg", Cs = "cs", Lu = "lu", Cv = "cv", Wb = "wb", Wt = "wt",
    L1 = "L1", L2 = "L2", L1EvictNormal = "L1::evict_normal", L1EvictUnchanged = "L1::evict_unchanged",
    L1EvictFirst = "L1::evict_first", L1EvictLast = "L1::evict_last", L1NoAllocate = "L1::no_allocate",
    L2EvictNormal = "L2::evict_normal", L2EvictUnchanged = "L2::evict_unchanged", L2EvictFirst = "L2::evict_first",
    L2EvictLast = "L2::evict_last", L2CacheHint = "L2::cache_hint", L2Prefetch64B = "L2::64B", L2Prefetch128B = "L2::128B",
    L2Prefetch256B = "L2::256B", Unified = "unified", Fractional = "fractional", Range = "range",
    V2 = "v2", V4 = "v4", V8 = "v8",
    // Permutes, shifts, shuffles, votes.
    F4e = "f4e", B4e = "b4e", Rc8 = "rc8", Ecl = "ecl", Ecr = "ecr", Rc16 = "rc16",
    L = "l", R = "r", Left = "left", Right = "right", Wrap = "wrap", Clamp = "clamp", Shiftamt = "shiftamt",
    Up = "up", Down = "down", Bfly = "bfly", All = "all", Any = "any", Ballot = "ballot",
    // Barriers, fences, asynchronous copies.
    Arrive = "arrive", Wait = "wait", Red = "red", Noinc = "noinc", NoComplete = "noComplete", Parity = "parity",
    ExpectTx = "expect_tx", CompleteTx = "complete_tx", MbarrierCompleteTxBytes = "mbarrier::complete_tx::bytes",
    MbarrierArriveOne = "mbarrier::arrive::one", MulticastCluster = "multicast::cluster", BulkGroup = "bulk_group",
    Read = "read", Bulk = "bulk", Tensor = "tensor", Async = "async", Proxy = "proxy", Alias = "alias", Generic = "generic",
    TensormapGeneric = "tensormap::generic", AsyncGeneric = "async::generic",
    MbarrierInit = "mbarrier_init", Tensormap = "tensormap",
    SyncRestrictSharedCta = "sync_restrict::shared::cta", SyncRestrictSharedCluster = "sync_restrict::shared::cluster",
    LaunchDependents = "launch_dependents", CpMask = "cp_mask", IgnoreOob = "ignore_oob",
    Dim1 = "1d", Dim2 = "2d", Dim3 = "3d", Dim4 = "4d", Dim5 = "5d", Tile = "tile", TileGather4 = "tile::gather4",
    TileScatter4 = "tile::scatter4", Im2col = "im2col", Im2colW = "im2col::w", Im2colW128 = "im2col::w::128",
    Im2colNoOffs = "im2col_no_offs", CtaGroup1 = "cta_group::1", CtaGroup2 = "cta_group::2",
    TryCancel = "try_cancel", QueryCancel = "query_cancel", IsCanceled = "is_canceled",
    // Matrices.
    Row = "row", Col = "col", Trans = "trans", X1 = "x1", X2 = "x2", X4 = "x4", X8 = "x8", X16 = "x16", X32 = "x32",
    X64 = "x64", X128 = "x128", M8n8 = "m8n8", M16n8 = "m16n8", M16n16 = "m16n16", M8n16 = "m8n16",
    A = "a", B = "b", C = "c", D = "d", Sp = "sp", SpOrderedMetadata = "sp::ordered_metadata",
    KindF16 = "kind::f16", KindTf32 = "kind::tf32", KindF8f6f4 = "kind::f8f6f4", KindI8 = "kind::i8",
    KindMxf8f6f4 = "kind::mxf8f6f4", KindMxf4 = "kind::mxf4", KindMxf4nvf4 = "kind::mxf4nvf4",
    BlockScale = "block_scale", ScaleVec1x = "scale_vec::1X", ScaleVec2x = "scale_vec::2X",
    ScaleVec4x = "scale_vec::4X", Block16 = "block16", Block32 = "block32", Ws = "ws",
    BeforeThreadSync = "before_thread_sync", AfterThreadSync = "after_thread_sync", Ld = "ld", St = "st",
    Pack16b = "pack::16b", Unpack16b = "unpack::16b", Tmem16x64b = "16x64b", Tmem16x128b = "16x128b",
    Tmem16x256b = "16x256b", Tmem32x32b = "32x32b", Tmem16x32bx2 = "16x32bx2", Tmem128x256b = "128x256b",
    Tmem4x256b = "4x256b", Tmem128x128b = "128x128b", Tmem64x128b = "64x128b", Tmem32x128b = "32x128b",
    Warpx2Lo = "warpx2::02_13", Warpx2Hi = "warpx2::01_23", Warpx4 = "warpx4",
    // Conversions.
    Cvt = "cvt",
}

/// A matrix shape `m`, `n`, `k` in elements: multiples of 1, 8 and 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatrixShape {
    m: u8,
    n_eighths: u8,
    k_quarters: u8,
}

impl MatrixShape {
    /// Rows of A and of D.
    #[must_use]
    pub fn m(self) -> u16 {
        u16::from(self.m)
    }

    /// Columns of B and of D.
    #[must_use]
    pub fn n(self) -> u16 {
        u16::from(self.n_eighths) * 8
    }

    /// Columns of A, rows of B.
    #[must_use]
    pub fn k(self) -> u16 {
        u16::from(self.k_quarters) * 4
    }

    fn from_text(text: &str) -> Option<MatrixShape> {
        let (m, rest) = text.strip_prefix('m')?.split_once('n')?;
        let (n, k) = rest.split_once('k')?;
        let number = |digits: &str, unit: u16| -> Option<u8> {
            let canonical = !digits.starts_with(['0', '+']);
            let value: u16 = digits.parse().ok().filter(|value| canonical && value % unit == 0)?;
            u8::try_from(value / unit).ok()
        };
        Some(MatrixShape { m: number(m, 1)?, n_eighths: number(n, 8)?, k_quarters: number(k, 4)? })
    }
}

impl Modifier {
    /// The modifier spelt `text` (no dot), when it is known.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Modifier> {
        static TABLE: LazyLock<TokenTable> = LazyLock::new(|| TokenTable::new(MODIFIER_TEXTS));
        if let Some(scalar) = Type::from_text(text) {
            return Some(Modifier::Type(scalar));
        }
        if let Some(index) = TABLE.find(text) {
            return Some(MODIFIERS[index]);
        }
        Space::from_text(text)
            .map(Modifier::Space)
            .or_else(|| MatrixShape::from_text(text).map(Modifier::Shape))
    }
}

/// Most modifiers an instruction may carry; the longest form of the ISA has 13.
pub const MODIFIERS_MAX: usize = 15;

/// The modifiers of one instruction, in the order written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Modifiers {
    len: u8,
    words: [Modifier; MODIFIERS_MAX],
}

impl Default for Modifiers {
    fn default() -> Self {
        Modifiers { len: 0, words: [Modifier::Uni; MODIFIERS_MAX] }
    }
}

impl std::fmt::Debug for Modifiers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.as_slice()).finish()
    }
}

impl Modifiers {
    /// The words in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Modifier] {
        &self.words[..usize::from(self.len)]
    }

    /// Whether `word` is among them.
    #[must_use]
    pub fn contains(&self, word: Modifier) -> bool {
        self.as_slice().contains(&word)
    }

    /// The types in order: the destination's first, where the form has several.
    pub fn types(&self) -> impl Iterator<Item = Type> + '_ {
        self.as_slice().iter().filter_map(|word| match word {
            Modifier::Type(scalar) => Some(*scalar),
            _ => None,
        })
    }

    /// The spaces in order: the destination's first, where a copy has two.
    pub fn spaces(&self) -> impl Iterator<Item = Space> + '_ {
        self.as_slice().iter().filter_map(|word| match word {
            Modifier::Space(space) => Some(*space),
            _ => None,
        })
    }

    /// The matrix shape.
    #[must_use]
    pub fn shape(&self) -> Option<MatrixShape> {
        self.as_slice().iter().find_map(|word| match word {
            Modifier::Shape(shape) => Some(*shape),
            _ => None,
        })
    }

    /// Elements a vector form moves: 1 without `.v2`, `.v4` or `.v8`.
    #[must_use]
    pub fn vector_width(&self) -> u32 {
        self.as_slice()
            .iter()
            .find_map(|word| match word {
                Modifier::V2 => Some(2),
                Modifier::V4 => Some(4),
                Modifier::V8 => Some(8),
                _ => None,
            })
            .unwrap_or(1)
    }

    /// The first word nobody knows.
    #[must_use]
    pub fn unknown(&self) -> Option<NameId> {
        self.as_slice().iter().find_map(|word| match word {
            Modifier::Unknown(name) => Some(*name),
            _ => None,
        })
    }

    /// Appends a word; `false` when there are [`MODIFIERS_MAX`] already.
    pub(super) fn push(&mut self, word: Modifier) -> bool {
        match self.words.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = word;
                self.len += 1;
                true
            }
            None => false,
        }
    }
}
