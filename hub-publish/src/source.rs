//! The files that `kernel-builder` reads: the repo is a source tree of its own.

use ridge_spec::target::Architecture;

use crate::metadata;
use crate::publication::PublishOptions;

/// `build.toml`, edition 5.
pub(crate) fn build_toml(
    name: &str,
    options: &PublishOptions,
    architectures: &[Architecture],
) -> String {
    let mut capabilities: Vec<String> =
        architectures.iter().map(|own| format!("\"{}\"", metadata::capability(*own))).collect();
    capabilities.sort();
    capabilities.dedup();
    let hub = options
        .repo_id
        .as_ref()
        .map_or_else(String::new, |id| format!("\n[general.hub]\nrepo-id = \"{id}\"\n"));
    format!(
        "[general]\nname = \"{name}\"\nversion = {}\nedition = 5\nlicense = \"{}\"\n\
         backends = [\"cuda\"]\n{hub}\n\
         [torch-noarch]\npyext = [\"py\", \"toml\", \"json\", \"ptx\", \"cubin\"]\n\
         cuda_capabilities = [{}]\n",
        options.version,
        options.license,
        capabilities.join(", ")
    )
}

/// `flake.nix`, as kernel-builder's own examples have it.
pub(crate) fn flake_nix(name: &str) -> String {
    format!(
        "{{\n  description = \"Flake for {name}\";\n\n  inputs = {{\n    \
         kernel-builder.url = \"github:huggingface/kernels\";\n  }};\n\n  \
         outputs =\n    {{ self, kernel-builder }}:\n    \
         kernel-builder.lib.genKernelFlakeOutputs {{\n      inherit self;\n      path = ./.;\n    }};\n}}\n"
    )
}
