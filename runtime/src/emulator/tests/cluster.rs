//! Launches in clusters: what is refused, which blocks run, and what the instructions compute.

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

use super::words;
use crate::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution, ExecutionReport,
};
use crate::emulator::Emulator;

/// A launch of a kernel `k(out)` of one thread a block, which has a 64-bit word of `out`.
struct Launch<'a> {
    target: &'a str,
    directives: &'a str,
    body: &'a str,
    grid: [u32; 3],
    cluster: Option<[u32; 3]>,
    blocks: BlockSelection,
}

const LAUNCH: Launch<'_> = Launch {
    target: "sm_90a",
    directives: "",
    body: "mov.u32 a, %clusterid.x;",
    grid: [8, 1, 1],
    cluster: Some([2, 1, 1]),
    blocks: BlockSelection::All,
};

impl Launch<'_> {
    /// Runs it. The body leaves its result in the 32-bit `a`; it may use `b`, `c` and `s`, the
    /// 64-bit `A` and `B`, the predicate `p` and the array `smem`, whose address is in `s`.
    fn run(&self) -> Result<ExecutionReport, DeviceError> {
        let ptx = format!(
            ".version 8.6\n.target {}\n.address_size 64\n\
             .visible .entry k(.param .u64 out)\n{}\n{{\n\
             .reg .pred p;\n.reg .b32 a, b, c, s, x, y, z;\n.reg .b64 A, B, OUT;\n\
             .shared .align 8 .b8 smem[64];\nmov.u32 s, smem;\nld.param.u64 OUT, [out];\n\
             {}\n\
             mov.u32 x, %ctaid.z; mov.u32 y, %nctaid.y; mov.u32 z, %ctaid.y;\n\
             mad.lo.u32 x, x, y, z; mov.u32 y, %nctaid.x; mov.u32 z, %ctaid.x;\n\
             mad.lo.u32 x, x, y, z; mad.wide.u32 OUT, x, 8, OUT;\n\
             cvt.u64.u32 A, a; st.global.u64 [OUT], A;\nret;\n}}\n",
            self.target, self.directives, self.body
        );
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA,
            entry_symbol: "k".to_owned(),
            target: Architecture::parse(self.target).unwrap(),
            toolkit: "none".to_owned(),
            options: Vec::new(),
            resources: Resources::default(),
            parameters: Vec::new(),
            compile_time_ns: 0,
        };
        let artifact = Artifact::new(manifest, ptx, Vec::new());
        let n_blocks: u32 = self.grid.iter().product();
        let content = BufferContent::InOut(vec![0xff; n_blocks as usize * 8].into());
        Emulator::new().execute(&Execution {
            artifact: &artifact,
            launch: LaunchConfig {
                grid: self.grid,
                block: [1; 3],
                shared_memory_bytes: 0,
                cluster: self.cluster,
                programmatic: false,
            },
            arguments: &[Argument::Tensor { name: "out".to_owned() }],
            buffers: &[Buffer {
                name: "out".to_owned(),
                dtype: Dtype::I64,
                content,
                constant: false,
            }],
            blocks: self.blocks,
            instructions_per_block: 1 << 12,
        })
    }

    #[track_caller]
    fn check(&self, expected: &[u64]) {
        let report = self.run().unwrap();
        let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}: {findings:#?}", self.body);
        assert_eq!(words(&report), expected, "{}", self.body);
    }

    #[track_caller]
    fn refused(&self, expected: &str) {
        match self.run() {
            Err(DeviceError::InvalidExecution { reason, .. }) => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_launch_that_contradicts_the_kernel_or_the_target_is_invalid() {
    Launch { cluster: Some([3, 1, 1]), ..LAUNCH }
        .refused("clusters of [3, 1, 1] do not divide a grid of [8, 1, 1]");
    Launch { cluster: Some([0, 1, 1]), ..LAUNCH }.refused("a cluster extent is 0");
    Launch { cluster: Some([32, 1, 1]), grid: [32, 1, 1], ..LAUNCH }
        .refused("a cluster of 32 blocks is larger than 16");
    Launch { target: "sm_80", body: "mov.u32 a, 0;", ..LAUNCH }.refused("`sm_80` has no clusters");
    Launch { target: "sm_80", body: "mov.u32 a, 7;", cluster: Some([1; 3]), ..LAUNCH }
        .check(&[7; 8]);
    let required = ".explicitcluster\n.reqnctapercluster 4, 1, 1";
    Launch { directives: required, ..LAUNCH }
        .refused("the kernel requires clusters of [4, 1, 1], not [2, 1, 1]");
    Launch { directives: ".explicitcluster", cluster: None, ..LAUNCH }
        .refused("the kernel requires a launch with clusters");
    Launch { directives: ".maxclusterrank 2", cluster: Some([4, 1, 1]), ..LAUNCH }
        .refused("a cluster of 4 blocks where the kernel allows 2");
}

#[test]
fn a_kernel_that_requires_clusters_gets_them() {
    let required = ".explicitcluster\n.reqnctapercluster 4, 1, 1";
    let launch = Launch { directives: required, cluster: None, ..LAUNCH };
    launch.check(&[0, 0, 0, 0, 1, 1, 1, 1]);
    Launch { body: "mov.u32 a, %cluster_ctarank;", ..launch }.check(&[0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn sixteen_blocks_and_one_are_clusters_too() {
    let rank = "mov.u32 a, %cluster_ctarank; barrier.cluster.arrive; barrier.cluster.wait;";
    let expected: Vec<u64> = (0..16).collect();
    Launch { body: rank, cluster: Some([16, 1, 1]), grid: [16, 1, 1], ..LAUNCH }.check(&expected);
    Launch { body: rank, cluster: Some([1; 3]), grid: [2, 1, 1], ..LAUNCH }.check(&[0, 0]);
    Launch { body: rank, cluster: None, grid: [2, 1, 1], ..LAUNCH }.check(&[0, 0]);
}

#[test]
fn a_sample_is_one_of_whole_clusters() {
    let kept = u64::MAX;
    for body in
        [LAUNCH.body, "barrier.cluster.arrive; barrier.cluster.wait; mov.u32 a, %clusterid.x;"]
    {
        let launch = Launch { body, blocks: BlockSelection::Sampled(3), ..LAUNCH };
        let report = launch.run().unwrap();
        assert_eq!(report.blocks_run, 4);
        assert_eq!(words(&report), [0, 0, kept, kept, kept, kept, 3, 3]);
    }
}

/// A value by the block's x, y and z.
type OfBlock = fn(u64, u64, u64) -> u64;

#[test]
fn special_registers_place_a_block_in_its_cluster() {
    let launch = Launch { grid: [4, 2, 2], cluster: Some([2, 1, 2]), ..LAUNCH };
    let of = |register: &str| format!("mov.b32 a, %{register};");
    let each =
        |f: OfBlock| -> Vec<u64> { (0..16).map(|at| f(at % 4, at / 4 % 2, at / 8)).collect() };
    let table: [(&str, OfBlock); 10] = [
        ("clusterid.x", |x, _, _| x / 2),
        ("clusterid.y", |_, y, _| y),
        ("clusterid.z", |_, _, _| 0),
        ("nclusterid.x", |_, _, _| 2),
        ("nclusterid.z", |_, _, _| 1),
        ("cluster_ctaid.x", |x, _, _| x % 2),
        ("cluster_ctaid.z", |_, _, z| z),
        ("cluster_nctaid.z", |_, _, _| 2),
        ("cluster_ctarank", |x, _, z| x % 2 + 2 * z),
        ("cluster_nctarank", |_, _, _| 4),
    ];
    for (register, expected) in table {
        Launch { body: &of(register), ..launch }.check(&each(expected));
    }
    let explicit = "mov.pred p, %is_explicit_cluster; selp.u32 a, 1, 0, p;";
    Launch { body: explicit, ..launch }.check(&[1; 16]);
    Launch { body: explicit, cluster: None, ..launch }.check(&[0; 16]);
}

#[test]
fn addresses_name_the_block_they_are_of() {
    let check = |body: &str, expected: [u64; 4]| {
        Launch { body, grid: [4, 1, 1], ..LAUNCH }.check(&expected);
    };
    check("mapa.shared::cluster.u32 b, s, 1; getctarank.shared::cluster.u32 a, b;", [1; 4]);
    check("getctarank.shared::cluster.u32 a, s;", [0, 1, 0, 1]);
    check(
        "cvt.u64.u32 A, s; mapa.shared::cluster.u64 B, A, 1; getctarank.shared::cluster.u64 a, B;",
        [1; 4],
    );
    check("cvta.shared.u64 A, smem; mapa.u64 B, A, 1; getctarank.u64 a, B;", [1; 4]);
    check("cvta.shared.u64 A, smem; getctarank.u64 a, A;", [0, 1, 0, 1]);
    check(
        "cvta.shared.u64 A, smem; mapa.u64 B, A, 1; isspacep.shared::cta p, B; selp.u32 a, 1, 0, p;",
        [0, 1, 0, 1],
    );
    check(
        "cvta.shared.u64 A, smem; mapa.u64 B, A, 1; isspacep.shared::cluster p, B; selp.u32 a, 1, 0, p;",
        [1; 4],
    );
    check(
        "cvta.shared::cluster.u64 A, A; cvta.to.shared::cluster.u64 A, A; cvt.u32.u64 a, A;",
        [0; 4],
    );
}

#[test]
fn every_access_reaches_another_block() {
    let sync = "barrier.cluster.arrive.release; barrier.cluster.wait.acquire;";
    let around = |access: &str| {
        format!(
            "mov.u32 a, %cluster_ctarank; add.u32 a, a, 5; st.shared.u32 [s], a;\n\
             mov.u32 c, %cluster_ctarank; xor.b32 c, c, 1;\n\
             mapa.shared::cluster.u32 b, s, c; {sync} {access} {sync}"
        )
    };
    let check = |access: &str, expected: [u64; 2]| {
        Launch { body: &around(access), grid: [2, 1, 1], ..LAUNCH }.check(&expected);
    };
    check("ld.shared::cluster.u32 a, [b];", [6, 5]);
    check("ld.relaxed.cluster.shared::cluster.u32 a, [b];", [6, 5]);
    check("ld.shared::cluster.u8 a, [b];", [6, 5]);
    check(&format!("st.shared::cluster.u32 [b], 9; {sync} ld.shared.u32 a, [s];"), [9, 9]);
    check(
        &format!(
            "atom.shared::cluster.add.u32 c, [b], 10; {sync} ld.shared.u32 a, [s]; add.u32 a, a, c;"
        ),
        [21, 21],
    );
    check(
        &format!(
            "red.relaxed.cluster.shared::cluster.add.u32 [b], 10; {sync} ld.shared.u32 a, [s];"
        ),
        [15, 16],
    );
    check(&format!("red.shared::cluster.max.u32 [b], 6; {sync} ld.shared.u32 a, [s];"), [6, 6]);
    check("cvt.u64.u32 A, b; cvta.shared::cluster.u64 A, A; ld.u32 a, [A];", [6, 5]);
}
