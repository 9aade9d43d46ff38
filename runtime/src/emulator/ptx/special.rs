//! The predefined, read-only registers.

use std::sync::LazyLock;

use super::token_table::TokenTable;
use super::types::Type;

macro_rules! specials {
    ($($variant:ident = $text:literal, $type:ident;)*) => {
        /// A special register (PTX ISA, "Special Registers"), one variant a component.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SpecialRegister {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// `%envreg0` to `%envreg31`
            Envreg(u8),
            /// `%pm0` to `%pm7`
            Pm(u8),
            /// `%pm0_64` to `%pm7_64`
            Pm64(u8),
        }

        const SPECIALS: &[SpecialRegister] = &[$(SpecialRegister::$variant,)*];
        const SPECIAL_TEXTS: &[&str] = &[$($text,)*];

        impl SpecialRegister {
            /// The type the register is read as.
            #[must_use]
            pub fn register_type(self) -> Type {
                match self {
                    $(SpecialRegister::$variant => Type::$type,)*
                    SpecialRegister::Envreg(_) => Type::B32,
                    SpecialRegister::Pm(_) => Type::U32,
                    SpecialRegister::Pm64(_) => Type::U64,
                }
            }

            /// The register's text, its `%` included.
            #[must_use]
            pub fn text(self) -> String {
                match self {
                    $(SpecialRegister::$variant => $text.to_owned(),)*
                    SpecialRegister::Envreg(index) => format!("%envreg{index}"),
                    SpecialRegister::Pm(index) => format!("%pm{index}"),
                    SpecialRegister::Pm64(index) => format!("%pm{index}_64"),
                }
            }
        }
    };
}

specials! {
    TidX = "%tid.x", U32; TidY = "%tid.y", U32; TidZ = "%tid.z", U32; TidW = "%tid.w", U32;
    NtidX = "%ntid.x", U32; NtidY = "%ntid.y", U32; NtidZ = "%ntid.z", U32; NtidW = "%ntid.w", U32;
    CtaidX = "%ctaid.x", U32; CtaidY = "%ctaid.y", U32; CtaidZ = "%ctaid.z", U32; CtaidW = "%ctaid.w", U32;
    NctaidX = "%nctaid.x", U32; NctaidY = "%nctaid.y", U32; NctaidZ = "%nctaid.z", U32; NctaidW = "%nctaid.w", U32;
    ClusteridX = "%clusterid.x", U32; ClusteridY = "%clusterid.y", U32;
    ClusteridZ = "%clusterid.z", U32; ClusteridW = "%clusterid.w", U32;
    NclusteridX = "%nclusterid.x", U32; NclusteridY = "%nclusterid.y", U32;
    NclusteridZ = "%nclusterid.z", U32; NclusteridW = "%nclusterid.w", U32;
    ClusterCtaidX = "%cluster_ctaid.x", U32; ClusterCtaidY = "%cluster_ctaid.y", U32;
    ClusterCtaidZ = "%cluster_ctaid.z", U32; ClusterCtaidW = "%cluster_ctaid.w", U32;
    ClusterNctaidX = "%cluster_nctaid.x", U32; ClusterNctaidY = "%cluster_nctaid.y", U32;
    ClusterNctaidZ = "%cluster_nctaid.z", U32; ClusterNctaidW = "%cluster_nctaid.w", U32;
    ClusterCtarank = "%cluster_ctarank", U32; ClusterNctarank = "%cluster_nctarank", U32;
    IsExplicitCluster = "%is_explicit_cluster", Pred;
    Laneid = "%laneid", U32; Warpid = "%warpid", U32; Nwarpid = "%nwarpid", U32;
    Smid = "%smid", U32; Nsmid = "%nsmid", U32; Gridid = "%gridid", U64;
    LanemaskEq = "%lanemask_eq", U32; LanemaskLe = "%lanemask_le", U32; LanemaskLt = "%lanemask_lt", U32;
    LanemaskGe = "%lanemask_ge", U32; LanemaskGt = "%lanemask_gt", U32;
    Clock = "%clock", U32; ClockHi = "%clock_hi", U32; Clock64 = "%clock64", U64;
    Globaltimer = "%globaltimer", U64; GlobaltimerLo = "%globaltimer_lo", U32; GlobaltimerHi = "%globaltimer_hi", U32;
    ReservedSmemOffsetBegin = "%reserved_smem_offset_begin", B32;
    ReservedSmemOffsetEnd = "%reserved_smem_offset_end", B32;
    ReservedSmemOffsetCap = "%reserved_smem_offset_cap", B32;
    ReservedSmemOffset0 = "%reserved_smem_offset_0", B32; ReservedSmemOffset1 = "%reserved_smem_offset_1", B32;
    TotalSmemSize = "%total_smem_size", U32; AggrSmemSize = "%aggr_smem_size", U32;
    DynamicSmemSize = "%dynamic_smem_size", U32; CurrentGraphExec = "%current_graph_exec", U64;
}

impl SpecialRegister {
    /// The register spelt `text`, its `%` included.
    #[must_use]
    pub fn from_text(text: &str) -> Option<SpecialRegister> {
        static TABLE: LazyLock<TokenTable> = LazyLock::new(|| TokenTable::new(SPECIAL_TEXTS));
        if let Some(index) = TABLE.find(text) {
            return Some(SPECIALS[index]);
        }
        let numbered = |digits: &str, count: u8| {
            let canonical = digits == "0" || !digits.starts_with(['0', '+']);
            digits.parse::<u8>().ok().filter(|index| canonical && *index < count)
        };
        if let Some(digits) = text.strip_prefix("%envreg") {
            return numbered(digits, 32).map(SpecialRegister::Envreg);
        }
        let digits = text.strip_prefix("%pm")?;
        match digits.strip_suffix("_64") {
            Some(digits) => numbered(digits, 8).map(SpecialRegister::Pm64),
            None => numbered(digits, 8).map(SpecialRegister::Pm),
        }
    }

    /// The component `x`, `y`, `z`, `w` (0 to 3) of a vector register spelt without a suffix
    /// (`%tid`).
    pub(super) fn component(base: &str, component: usize) -> Option<SpecialRegister> {
        let suffix = ["x", "y", "z", "w"].get(component)?;
        SpecialRegister::from_text(&format!("{base}.{suffix}"))
    }
}
