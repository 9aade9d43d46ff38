//! Fusion choices as data and as drawings.

use ridge_compiler::cube::{Explanation, explain};

use super::support::{bind, library, load};

fn explained(kernel: &str) -> Explanation {
    let folder = library().into_iter().find(|folder| folder.ends_with(kernel)).unwrap();
    let spec = load(&folder);
    let tuned = spec.workloads[0].name.clone();
    explain(&spec, &[bind(&spec, &tuned)]).unwrap()
}

#[test]
fn softmax_is_three_sweeps_or_two() {
    insta::assert_snapshot!(explained("softmax").text());
}

#[test]
fn cross_entropy_is_two_sweeps_or_one() {
    insta::assert_snapshot!(explained("cross-entropy").text());
}

#[test]
fn a_held_row_moves_the_least_bytes() {
    for kernel in ["rmsnorm", "softmax", "layernorm", "add-rmsnorm", "silu-mul", "rope"] {
        let explained = explained(kernel);
        let workload = &explained.workloads[0];
        assert_eq!(workload.held_total, workload.least, "{kernel}");
    }
}

#[test]
fn drawings_hold_every_node() {
    for folder in library() {
        let spec = load(&folder);
        let explained = explain(&spec, &[]).unwrap();
        let (dot, svg) = (explained.dot(), explained.svg());
        assert_eq!(dot.matches("label=").count(), explained.nodes.len(), "{}", spec.name);
        assert_eq!(svg.matches("<title>").count(), explained.nodes.len(), "{}", spec.name);
        assert_eq!(svg.matches("<path").count(), explained.edges.len(), "{}", spec.name);
    }
}

#[test]
fn the_drawing_is_stable() {
    let explained = explained("rmsnorm");
    insta::assert_snapshot!("rmsnorm-dot", explained.dot());
    insta::assert_snapshot!("rmsnorm-svg", explained.svg());
}
