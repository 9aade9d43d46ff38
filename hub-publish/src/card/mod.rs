//! `CARD.md`: what a person reads before using the kernel. Every number is from the records.

mod table;
mod words;

use ridge_spec::kernel::{KernelSpec, Reference};
use ridge_spec::matrix::EntryTime;

use crate::interface::{function_name, python_name};
use crate::publication::Publication;

/// The card's text.
pub(crate) fn write(publication: &Publication<'_>, universal: bool) -> String {
    let spec = publication.spec;
    let sections = [
        front_matter(publication),
        title(spec),
        predicted(publication),
        computes(spec),
        usage(publication),
        table::measured(publication),
        words::verified(publication),
        dispatch(spec),
        situations(publication),
        reproduce(publication),
        compatibility(publication, universal),
        limits(publication, universal),
    ];
    let text: Vec<String> = sections.into_iter().filter(|text| !text.is_empty()).collect();
    text.join("\n")
}

/// What the Hub reads.
fn front_matter(publication: &Publication<'_>) -> String {
    let mut tags: Vec<String> = ["kernel", "cuda", "ridge"].map(str::to_owned).to_vec();
    tags.extend(publication.spec.tags.iter().cloned());
    let mut text = format!(
        "---\nlibrary_name: kernels\nlicense: {}\ntags:\n",
        publication.options.license.to_lowercase()
    );
    for tag in tags {
        // A colon would make it a mapping.
        text.push_str(&format!("- \"{}\"\n", tag.replace(['"', '\\'], "")));
    }
    text.push_str("---\n");
    text
}

fn title(spec: &KernelSpec) -> String {
    let description = if spec.description.is_empty() { "" } else { &spec.description };
    format!("# {}\n\n{description}\n", spec.name).replace("\n\n\n", "\n\n")
}

/// A warning where a time is not a measurement.
fn predicted(publication: &Publication<'_>) -> String {
    let entries = publication.matrix.entries();
    let count =
        entries.iter().filter(|entry| matches!(entry.time, EntryTime::Predicted { .. })).count();
    match count {
        0 => String::new(),
        count => format!(
            "> **Predicted, not measured.** {count} of {} entries were chosen by a cost model from \
             what the compiled kernel does in an emulator. They compute the right thing; how fast \
             they are on a GPU, nobody has seen.\n",
            entries.len()
        ),
    }
}

fn computes(spec: &KernelSpec) -> String {
    let mut text = "## What it computes\n\n".to_owned();
    match &spec.reference {
        Reference::Math(program) => {
            text.push_str(&format!("```text\n{}\n```\n\n", program.to_string().trim_end()));
            text.push_str("Reductions are over the named axes; other axes broadcast by name.\n\n");
        }
        Reference::Python { path, function } => {
            text.push_str(&format!("What `{function}` in `kernel/{path}` computes.\n\n"));
        }
        Reference::Golden { path } => {
            text.push_str(&format!("What `kernel/{path}` has recorded.\n\n"));
        }
    }
    text.push_str("| argument | shape | type |\n| --- | --- | --- |\n");
    let arguments = spec.inputs.iter().map(|(name, own)| (python_name(name), own));
    let outputs = spec.outputs.iter().map(|(name, own)| (format!("→ {name}"), own));
    for (name, own) in arguments.chain(outputs) {
        let shape = match &own.shape {
            Some(axes) => format!("[{}]", axes.join(", ")),
            None => "scalar".to_owned(),
        };
        let default = own.default.map_or_else(String::new, |value| format!(", default {value:?}"));
        let dtypes = crate::python::dtype_words(spec, &own.dtype);
        text.push_str(&format!("| `{name}` | {shape} | {dtypes}{default} |\n"));
    }
    text
}

fn usage(publication: &Publication<'_>) -> String {
    let spec = publication.spec;
    let function = function_name(spec);
    let repo = publication.options.repo_id.clone();
    let repo = repo.unwrap_or_else(|| format!("ORG/{}", spec.name));
    let required = spec.inputs.iter().filter(|(_, own)| own.default.is_none());
    let arguments: Vec<String> = required.map(|(name, _)| python_name(name)).collect();
    let arguments = arguments.join(", ");
    let outputs: Vec<&str> = spec.outputs.keys().map(String::as_str).collect();
    format!(
        "## Use\n\n```python\nfrom kernels import get_kernel\n\n\
         {function} = get_kernel(\"{repo}\", version={}, trust_remote_code=True)\n\
         {} = {function}.{function}({arguments})\n\
         print({function}.why({arguments}))  # which kernel that was, and by which rule\n```\n\n\
         `trust_remote_code=True` is for namespaces that are no trusted publisher. From a local copy: \
         `get_local_kernel(Path(\"…\"))`. Works under `torch.compile` and inside CUDA graphs.\n",
        publication.options.version,
        outputs.join(", ")
    )
}

fn dispatch(spec: &KernelSpec) -> String {
    let fixed: Vec<String> = spec
        .axes
        .keys()
        .filter(|axis| spec.is_specialized(axis))
        .map(|axis| format!("`{axis}`"))
        .collect();
    let fixed = match fixed.as_slice() {
        [] => "types".to_owned(),
        axes => format!("types and {}", axes.join(", ")),
    };
    format!(
        "## Which kernel a call takes\n\n\
         1. the one tuned on this device for this shape;\n\
         2. the one tuned on this device for the nearest shape, among those of the same {fixed};\n\
         3. the one tuned on another device of the same compute capability;\n\
         4. the default kernel, compiled for the same {fixed};\n\
         5. the mathematics in torch, with one warning.\n\n\
         `why(…)` answers which, and why the ones before were passed over.\n"
    )
}

/// What a second kernel is for; nothing where no shape has one.
fn situations(publication: &Publication<'_>) -> String {
    let entries = publication.matrix.entries();
    let count = entries.iter().filter(|entry| entry.alone.is_some()).count();
    if count == 0 {
        return String::new();
    }
    let function = function_name(publication.spec);
    format!(
        "## Called alone, or in a chain\n\n\
         {count} of {} tuned shapes have two kernels. One was fastest in launches back to back, where the \
         kernel before may let the next one start early; the other is surely faster behind a kernel that \
         lets nothing start, such as torch's. A call takes the second unless it is told that it is in a \
         chain:\n\n\
         ```python\nwith {function}.chain():\n    …  # calls behind kernels that trigger early\n```\n\n\
         Both were verified alike; their results may differ in the last bits. The context holds for its \
         thread and task, in functions that are compiled and called in it, and while a CUDA graph is \
         captured.\n",
        entries.len()
    )
}

fn reproduce(publication: &Publication<'_>) -> String {
    let entries = publication.matrix.entries();
    let mut devices: Vec<&str> = entries.iter().map(|entry| entry.device.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    let measured = entries.iter().any(|entry| matches!(entry.time, EntryTime::Measured { .. }));
    let tune = if measured {
        format!("ridge tune kernel --device cuda:0        # on one of: {}", devices.join(", "))
    } else {
        let profile = publication.records.first().map_or("", |record| &record.environment.profile);
        format!("ridge tune kernel --target {profile}")
    };
    format!(
        "## Reproduce\n\n```console\n\
         ridge verify-repo .                      # digests, and every kernel against the reference, without a GPU\n\
         ridge verify-repo . --device cuda:0      # the same on a GPU\n\
         {tune}\n```\n\n\
         `kernel/` has the spec and the source; `kernel/records.jsonl` the records behind the table, \
         with every sample; `configs/tuned.toml` in the variant the matrix. Spec digest `{}`.\n",
        publication.digest
    )
}

fn compatibility(publication: &Publication<'_>, universal: bool) -> String {
    let needs = publication.matrix.compatibility();
    let mut text = "## Compatibility\n\n".to_owned();
    let general = publication.artifacts.iter().any(|own| !own.manifest.target.is_specific());
    text.push_str(&format!(
        "- compute capability {}{}\n",
        needs.compute_capabilities.join(", "),
        if general {
            ", and newer ones through PTX"
        } else {
            "; the binaries run there and nowhere else"
        }
    ));
    if !needs.driver_minimum.is_empty() {
        text.push_str(&format!(
            "- driver {} or newer (CUDA {}); no CUDA toolkit\n",
            needs.driver_minimum, needs.cuda_minimum
        ));
    }
    text.push_str("- any version of torch that the driver runs; Python 3.10 or newer\n");
    if universal {
        text.push_str(
            "- `torch-universal`: the same function in plain torch, for everything else\n",
        );
    }
    text
}

fn limits(publication: &Publication<'_>, universal: bool) -> String {
    let mut text = "## Limits\n\n\
        - no backward: inputs that require gradients are refused while gradients are recorded\n\
        - tensors that are not contiguous or not aligned are copied first\n"
        .to_owned();
    let fixed: Vec<String> = publication
        .spec
        .axes
        .keys()
        .filter(|axis| publication.spec.is_specialized(axis))
        .map(|axis| format!("`{axis}`"))
        .collect();
    if !fixed.is_empty() {
        text.push_str(&format!(
            "- a kernel is compiled for one extent of {}: other extents than the table's run in torch\n",
            fixed.join(", ")
        ));
    }
    if !universal {
        text.push_str(
            "- there is no fallback in torch: where no kernel fits, the call is refused\n",
        );
    }
    text
}
