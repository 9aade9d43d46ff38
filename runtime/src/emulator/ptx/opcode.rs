//! The mnemonics of the PTX ISA, version 9.0.

use std::sync::LazyLock;

use super::module::NameId;
use super::token_table::TokenTable;

macro_rules! opcodes {
    ($($variant:ident = $text:literal,)*) => {
        /// The operation of an instruction: the mnemonic without its modifiers.
        ///
        /// Families whose second word names a different operation (`cp.async.bulk`,
        /// `mbarrier.try_wait`) are one opcode a member; elsewhere (`bar.sync`, `vote.sync.any`)
        /// the further words are modifiers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Opcode {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A mnemonic that is not in the list; its first word is the name.
            Unknown(NameId),
        }

        const OPCODES: &[Opcode] = &[$(Opcode::$variant,)*];
        const OPCODE_TEXTS: &[&str] = &[$($text,)*];

        impl Opcode {
            /// The mnemonic; `None` for an unknown one, whose text the module's name table has.
            #[must_use]
            pub fn as_str(self) -> Option<&'static str> {
                match self { $(Opcode::$variant => Some($text),)* Opcode::Unknown(_) => None }
            }
        }
    };
}

opcodes! {
    Abs = "abs", Activemask = "activemask", Add = "add", Addc = "addc", Alloca = "alloca", And = "and",
    Applypriority = "applypriority", Atom = "atom",
    Bar = "bar", BarWarp = "bar.warp", Barrier = "barrier", BarrierCluster = "barrier.cluster",
    Bfe = "bfe", Bfi = "bfi", Bfind = "bfind", Bmsk = "bmsk", Bra = "bra", Brev = "brev", Brkpt = "brkpt", Brx = "brx",
    Call = "call", Clusterlaunchcontrol = "clusterlaunchcontrol", Clz = "clz", Cnot = "cnot", Copysign = "copysign",
    Cos = "cos", CpAsync = "cp.async", CpAsyncCommitGroup = "cp.async.commit_group",
    CpAsyncWaitGroup = "cp.async.wait_group", CpAsyncWaitAll = "cp.async.wait_all",
    CpAsyncMbarrierArrive = "cp.async.mbarrier.arrive", CpAsyncBulk = "cp.async.bulk",
    CpAsyncBulkCommitGroup = "cp.async.bulk.commit_group", CpAsyncBulkWaitGroup = "cp.async.bulk.wait_group",
    CpAsyncBulkPrefetch = "cp.async.bulk.prefetch", CpAsyncBulkTensor = "cp.async.bulk.tensor",
    CpAsyncBulkPrefetchTensor = "cp.async.bulk.prefetch.tensor", CpReduceAsyncBulk = "cp.reduce.async.bulk",
    CpReduceAsyncBulkTensor = "cp.reduce.async.bulk.tensor",
    Createpolicy = "createpolicy", Cvt = "cvt", CvtPack = "cvt.pack", Cvta = "cvta",
    Discard = "discard", Div = "div", Dp2a = "dp2a", Dp4a = "dp4a",
    Elect = "elect", Ex2 = "ex2", Exit = "exit",
    Fence = "fence", Fma = "fma", Fns = "fns", Getctarank = "getctarank", Griddepcontrol = "griddepcontrol",
    Isspacep = "isspacep", Istypep = "istypep", Ld = "ld", Ldmatrix = "ldmatrix", Ldu = "ldu", Lg2 = "lg2", Lop3 = "lop3",
    Mad = "mad", Mad24 = "mad24", Madc = "madc", Mapa = "mapa", Match = "match", Max = "max",
    MbarrierArrive = "mbarrier.arrive", MbarrierArriveDrop = "mbarrier.arrive_drop",
    MbarrierCompleteTx = "mbarrier.complete_tx", MbarrierExpectTx = "mbarrier.expect_tx",
    MbarrierInit = "mbarrier.init", MbarrierInval = "mbarrier.inval",
    MbarrierPendingCount = "mbarrier.pending_count", MbarrierTestWait = "mbarrier.test_wait",
    MbarrierTryWait = "mbarrier.try_wait",
    Membar = "membar", Min = "min", Mma = "mma", Mov = "mov", Movmatrix = "movmatrix", Mul = "mul", Mul24 = "mul24",
    MultimemLdReduce = "multimem.ld_reduce", MultimemRed = "multimem.red", MultimemSt = "multimem.st",
    MultimemCpAsyncBulk = "multimem.cp.async.bulk", MultimemCpReduceAsyncBulk = "multimem.cp.reduce.async.bulk",
    Nanosleep = "nanosleep", Neg = "neg", Not = "not", Or = "or", Pmevent = "pmevent", Popc = "popc",
    Prefetch = "prefetch", Prefetchu = "prefetchu", Prmt = "prmt", Rcp = "rcp", Red = "red", RedAsync = "red.async",
    Redux = "redux", Rem = "rem", Ret = "ret", Rsqrt = "rsqrt",
    Sad = "sad", Selp = "selp", Set = "set", Setmaxnreg = "setmaxnreg", Setp = "setp", Shf = "shf", Shfl = "shfl",
    Shl = "shl", Shr = "shr", Sin = "sin", Slct = "slct", Sqrt = "sqrt", St = "st", StAsync = "st.async",
    StBulk = "st.bulk", Stackrestore = "stackrestore", Stacksave = "stacksave", Stmatrix = "stmatrix",
    Sub = "sub", Subc = "subc", Suld = "suld", Suq = "suq", Sured = "sured", Sust = "sust", Szext = "szext",
    Tanh = "tanh", Tcgen05Alloc = "tcgen05.alloc", Tcgen05Commit = "tcgen05.commit", Tcgen05Cp = "tcgen05.cp",
    Tcgen05Dealloc = "tcgen05.dealloc", Tcgen05Fence = "tcgen05.fence", Tcgen05Ld = "tcgen05.ld",
    Tcgen05Mma = "tcgen05.mma", Tcgen05RelinquishAllocPermit = "tcgen05.relinquish_alloc_permit",
    Tcgen05Shift = "tcgen05.shift", Tcgen05St = "tcgen05.st", Tcgen05Wait = "tcgen05.wait",
    TensormapCpFenceproxy = "tensormap.cp_fenceproxy", TensormapReplace = "tensormap.replace",
    Testp = "testp", Tex = "tex", Tld4 = "tld4", Trap = "trap", Txq = "txq",
    Vabsdiff = "vabsdiff", Vabsdiff2 = "vabsdiff2", Vabsdiff4 = "vabsdiff4", Vadd = "vadd", Vadd2 = "vadd2",
    Vadd4 = "vadd4", Vavrg2 = "vavrg2", Vavrg4 = "vavrg4", Vmad = "vmad", Vmax = "vmax", Vmax2 = "vmax2",
    Vmax4 = "vmax4", Vmin = "vmin", Vmin2 = "vmin2", Vmin4 = "vmin4", Vote = "vote", Vset = "vset", Vset2 = "vset2",
    Vset4 = "vset4", Vshl = "vshl", Vshr = "vshr", Vsub = "vsub", Vsub2 = "vsub2", Vsub4 = "vsub4",
    WgmmaCommitGroup = "wgmma.commit_group", WgmmaFence = "wgmma.fence", WgmmaMmaAsync = "wgmma.mma_async",
    WgmmaWaitGroup = "wgmma.wait_group", WmmaLoad = "wmma.load", WmmaMma = "wmma.mma", WmmaStore = "wmma.store",
    Xor = "xor",
}

/// First words that begin a mnemonic of several words.
const COMPOUND_HEADS: &[&str] = &[
    "bar",
    "barrier",
    "cp",
    "cvt",
    "mbarrier",
    "multimem",
    "red",
    "st",
    "tcgen05",
    "tensormap",
    "wgmma",
    "wmma",
];

/// Words in the longest mnemonic of the list.
const WORDS_MAX: usize = 5;

impl Opcode {
    /// Every opcode of the list, in order.
    #[must_use]
    pub fn all() -> &'static [Opcode] {
        OPCODES
    }

    /// Splits `text` (`cp.async.ca.shared.global`) into its longest known mnemonic and the rest
    /// (`.ca.shared.global`, with its dot, or nothing).
    pub(super) fn split(text: &str) -> Option<(Opcode, &str)> {
        static TABLE: LazyLock<TokenTable> = LazyLock::new(|| TokenTable::new(OPCODE_TEXTS));
        let head = text.find('.').unwrap_or(text.len());
        if COMPOUND_HEADS.contains(&&text[..head]) {
            let mut ends = [head; WORDS_MAX];
            let mut n_words = 1;
            while n_words < WORDS_MAX && ends[n_words - 1] < text.len() {
                let start = ends[n_words - 1] + 1;
                ends[n_words] = text[start..].find('.').map_or(text.len(), |at| start + at);
                n_words += 1;
            }
            for end in ends[1..n_words].iter().rev() {
                if let Some(index) = TABLE.find(&text[..*end]) {
                    return Some((OPCODES[index], &text[*end..]));
                }
            }
        }
        TABLE.find(&text[..head]).map(|index| (OPCODES[index], &text[head..]))
    }
}
