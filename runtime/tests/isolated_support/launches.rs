//! A small kernel, and the stage it runs on.

use ridge_runtime::measure::{Image, Layout, StageRequest, TensorLayout, TimingPlan};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

/// Elements of each tensor.
pub(crate) const N: u32 = 64;

/// `out[t] = in[t] + 1`, with a comment.
pub(crate) fn kernel(comment: &str) -> Artifact {
    let body = "
  .reg .b32 t, v; .reg .b64 p, q;
  ld.param.u64 p, [in]; ld.param.u64 q, [out];
  mov.u32 t, %tid.x;
  mad.wide.u32 p, t, 4, p; mad.wide.u32 q, t, 4, q;
  ld.global.u32 v, [p]; add.u32 v, v, 1; st.global.u32 [q], v;
  ret;";
    artifact(&format!("// {comment}\n"), body)
}

pub(crate) fn artifact(comment: &str, body: &str) -> Artifact {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "k".to_owned(),
        target: Architecture::parse("sm_90").unwrap(),
        toolkit: "test".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let head = ".version 7.8\n.target sm_90\n.address_size 64\n";
    let entry = ".visible .entry k(.param .u64 in, .param .u64 out)";
    Artifact::new(manifest, format!("{head}{comment}{entry}\n{{{body}\n}}\n"), Vec::new())
}

pub(crate) fn arguments() -> [Argument; 2] {
    ["in", "out"].map(|name| Argument::Tensor { name: name.to_owned() })
}

pub(crate) fn config() -> LaunchConfig {
    let (grid, block) = ([1; 3], [N, 1, 1]);
    LaunchConfig { grid, block, shared_memory_bytes: 0, cluster: None, programmatic: false }
}

pub(crate) fn words(from: u32) -> Vec<u8> {
    (from..from + N).flat_map(u32::to_le_bytes).collect()
}

/// Sets with two contents in turn.
pub(crate) fn request() -> StageRequest {
    let size_bytes = u64::from(N) * 4;
    let tensor = |name: &str, is_output| TensorLayout {
        name: name.to_owned(),
        dtype: Dtype::U32,
        size_bytes,
        is_output,
    };
    StageRequest {
        tensors: vec![tensor("in", false), tensor("out", true)],
        contents: vec![vec![words(1000).into()], vec![words(5000).into()]],
        rotation_bytes: 3 * 2 * size_bytes,
        flush_bytes: 0,
    }
}

pub(crate) fn plan() -> TimingPlan {
    TimingPlan {
        warm_up_rounds: 0,
        rounds_min: 1,
        rounds_max: 3,
        relative_error: f64::INFINITY,
        lost_above_ns: None,
        replay_ns: 1000,
        difference: false,
        companions: false,
        images_after: 2,
        seed: 7,
        time_limit_ns: 500_000_000,
    }
}

pub(crate) fn tensor<'a>(layout: &Layout, image: &'a Image, name: &str) -> &'a [u8] {
    let (offset, tensor) = layout.find(name).unwrap();
    &image.bytes[offset as usize..(offset + tensor.size_bytes) as usize]
}

/// The images show the inputs as staged, and the kernel's outputs.
#[track_caller]
pub(crate) fn check_images<'a>(layout: &Layout, images: impl IntoIterator<Item = &'a Image>) {
    for image in images {
        let from = [1000, 5000][image.set as usize % 2];
        assert!(tensor(layout, image, "in") == words(from), "inputs of set {}", image.set);
        assert!(tensor(layout, image, "out") == words(from + 1), "outputs of set {}", image.set);
    }
}
