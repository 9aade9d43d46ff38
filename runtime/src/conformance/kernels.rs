//! The kernels of the promises, and how they are launched.

use std::sync::Arc;

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

use crate::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution, ExecutionReport,
};

/// `out[global thread] = block * 1000 + thread`, over a grid and block of three extents.
pub(super) const INDICES: &str = "
.visible .entry k(.param .u64 out)
{
  .reg .b32 b, t, n, i, x, y;
  .reg .b64 p;
  ld.param.u64 p, [out];
  mov.u32 b, %ctaid.z; mov.u32 n, %nctaid.y; mov.u32 x, %ctaid.y; mad.lo.u32 b, b, n, x;
  mov.u32 n, %nctaid.x; mov.u32 x, %ctaid.x; mad.lo.u32 b, b, n, x;
  mov.u32 t, %tid.z; mov.u32 n, %ntid.y; mov.u32 x, %tid.y; mad.lo.u32 t, t, n, x;
  mov.u32 n, %ntid.x; mov.u32 x, %tid.x; mad.lo.u32 t, t, n, x;
  mov.u32 y, %ntid.y; mul.lo.u32 n, n, y; mov.u32 y, %ntid.z; mul.lo.u32 n, n, y;
  mad.lo.u32 i, b, n, t;
  mad.wide.u32 p, i, 4, p;
  mad.lo.u32 x, b, 1000, t;
  st.global.u32 [p], x;
  ret;
}";

/// `out[thread] = in[block's last thread - thread]` through shared memory.
pub(super) const REVERSE: &str = "
.visible .entry k(.param .u64 in, .param .u64 out)
{
  .reg .b32 t, n, s, v, m;
  .reg .b64 p, q;
  .shared .align 4 .b8 tile[4096];
  ld.param.u64 p, [in];
  ld.param.u64 q, [out];
  mov.u32 t, %tid.x; mov.u32 n, %ntid.x; sub.u32 n, n, 1;
  mad.wide.u32 p, t, 4, p;
  ld.global.u32 v, [p];
  mov.u32 s, tile; mad.lo.u32 m, t, 4, s;
  st.shared.u32 [m], v;
  bar.sync 0;
  sub.u32 n, n, t; mad.lo.u32 m, n, 4, s;
  ld.shared.u32 v, [m];
  mad.wide.u32 q, t, 4, q;
  st.global.u32 [q], v;
  ret;
}";

/// `out = { a, b, c }` of an f32, a 32-bit and a 64-bit integer, as bits.
pub(super) const SCALARS: &str = "
.visible .entry k(.param .u64 out, .param .f32 a, .param .u32 b, .param .u64 c)
{
  .reg .b32 x, y;
  .reg .b64 p, z;
  ld.param.u64 p, [out];
  ld.param.u32 x, [a];
  ld.param.u32 y, [b];
  ld.param.u64 z, [c];
  st.global.u32 [p], x;
  st.global.u32 [p+4], y;
  st.global.u64 [p+8], z;
  ret;
}";

/// Adds 1 to `total[0]` from every thread, and to `total[1]` from every block's first.
pub(super) const COUNT: &str = "
.visible .entry k(.param .u64 total)
{
  .reg .pred p;
  .reg .b32 t;
  .reg .b64 a;
  ld.param.u64 a, [total];
  red.global.add.u32 [a], 1;
  mov.u32 t, %tid.x;
  setp.eq.u32 p, t, 0;
  @p red.global.add.u32 [a+4], 1;
  ret;
}";

/// `first[t] = t`, `second[t] = 2 t`.
pub(super) const TWO_OUTPUTS: &str = "
.visible .entry k(.param .u64 second, .param .u64 first)
{
  .reg .b32 t, u;
  .reg .b64 a, b;
  ld.param.u64 a, [first];
  ld.param.u64 b, [second];
  mov.u32 t, %tid.x;
  mad.wide.u32 a, t, 4, a;
  mad.wide.u32 b, t, 4, b;
  shl.b32 u, t, 1;
  st.global.u32 [a], t;
  st.global.u32 [b], u;
  ret;
}";

/// `out[thread] = 1000 * rank + thread` of the next block of its cluster, through its shared memory.
pub(super) const NEXT_OF_CLUSTER: &str = "
.visible .entry k(.param .u64 out)
{
  .reg .b32 t, r, n, s, a, v, i;
  .reg .b64 p;
  .shared .align 4 .b8 tile[128];
  ld.param.u64 p, [out];
  mov.u32 t, %tid.x;
  mov.u32 r, %cluster_ctarank;
  mov.u32 n, %cluster_nctarank;
  mov.u32 s, tile; mad.lo.u32 s, t, 4, s;
  mad.lo.u32 v, r, 1000, t;
  st.shared.u32 [s], v;
  barrier.cluster.arrive; barrier.cluster.wait;
  add.u32 r, r, 1; rem.u32 r, r, n;
  mapa.shared::cluster.u32 a, s, r;
  ld.shared::cluster.u32 v, [a];
  barrier.cluster.arrive; barrier.cluster.wait;
  mov.u32 i, %ctaid.x; mov.u32 n, %ntid.x; mad.lo.u32 i, i, n, t;
  mad.wide.u32 p, i, 4, p;
  st.global.u32 [p], v;
  ret;
}";

/// Stops itself.
pub(super) const TRAP: &str = "
.visible .entry k(.param .u64 out)
{
  trap;
}";

/// A kernel as an artifact.
pub(super) fn artifact(body: &str) -> Artifact {
    let target = Architecture::parse("sm_90").unwrap_or_else(|| unreachable!("a valid name"));
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "k".to_owned(),
        target,
        toolkit: "conformance".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let ptx = format!(".version 7.8\n.target sm_90\n.address_size 64\n{body}\n");
    Artifact::new(manifest, ptx, Vec::new())
}

/// An input of 32-bit words.
pub(super) fn input(name: &str, words: &[u32]) -> Buffer {
    buffer(name, BufferContent::Input(bytes(words)))
}

/// A buffer of 32-bit words that is read and written.
pub(super) fn in_out(name: &str, words: &[u32]) -> Buffer {
    buffer(name, BufferContent::InOut(bytes(words)))
}

/// An output of that many 32-bit words.
pub(super) fn output(name: &str, n_words: u64) -> Buffer {
    buffer(name, BufferContent::Output { size_bytes: n_words * 4 })
}

fn buffer(name: &str, content: BufferContent) -> Buffer {
    Buffer { name: name.to_owned(), dtype: Dtype::U32, content, constant: false }
}

fn bytes(words: &[u32]) -> Arc<[u8]> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A tensor argument.
pub(super) fn tensor(name: &str) -> Argument {
    Argument::Tensor { name: name.to_owned() }
}

/// What a promise launches.
pub(super) struct Launch<'a> {
    pub(super) kernel: &'a str,
    pub(super) grid: [u32; 3],
    pub(super) block: [u32; 3],
    pub(super) arguments: &'a [Argument],
    pub(super) buffers: &'a [Buffer],
    pub(super) blocks: BlockSelection,
}

impl Launch<'_> {
    /// Runs it.
    pub(super) fn run(&self, device: &dyn Device) -> Result<ExecutionReport, DeviceError> {
        self.run_in_clusters(device, None)
    }

    /// Runs it, in clusters of that many blocks.
    pub(super) fn run_in_clusters(
        &self,
        device: &dyn Device,
        cluster: Option<[u32; 3]>,
    ) -> Result<ExecutionReport, DeviceError> {
        let artifact = artifact(self.kernel);
        device.execute(&Execution {
            artifact: &artifact,
            launch: LaunchConfig {
                grid: self.grid,
                block: self.block,
                shared_memory_bytes: 0,
                cluster,
                programmatic: false,
            },
            arguments: self.arguments,
            buffers: self.buffers,
            blocks: self.blocks,
            instructions_per_block: 1 << 20,
        })
    }

    /// Runs it and expects an answer without findings.
    #[track_caller]
    pub(super) fn clean(&self, device: &dyn Device) -> ExecutionReport {
        match self.run(device) {
            Ok(report) => {
                assert!(report.findings.is_empty(), "findings: {:#?}", report.findings);
                assert!(report.refused.is_none(), "refused: {:#?}", report.refused);
                report
            }
            Err(error) => unreachable!("the device did not answer: {error}"),
        }
    }
}

/// The 32-bit words of an output.
#[track_caller]
pub(super) fn words(report: &ExecutionReport, name: &str) -> Vec<u32> {
    let output = report.outputs.iter().find(|output| output.name == name);
    assert!(output.is_some(), "there is no output `{name}`");
    let (words, _) = output.map_or(&[][..], |output| &output.bytes).as_chunks::<4>();
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
