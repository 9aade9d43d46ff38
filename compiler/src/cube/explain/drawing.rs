//! An explanation as text, as a DOT graph and as an SVG image.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ExplainedNode, ExplainedSweep, Explanation};

/// Fill colours of what is made once a row, and then of each sweep.
const COLOURS: [&str; 6] = ["#e8e8e8", "#cfe3f5", "#fde3c4", "#d8efd3", "#f3d3e4", "#e2d9f3"];

/// Size of a node's box and the gaps around it, pixels.
const BOX: (usize, usize) = (168, 34);
const GAP: (usize, usize) = (18, 30);

impl Explanation {
    /// For people: sweeps, bytes and the graph line by line.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.kernel);
        if self.rows.is_empty() {
            push(&mut text, "one row, which blocks share\n");
        } else {
            line(&mut text, format_args!("a row for each of {}", self.rows.join(", ")));
        }
        for (number, sweep) in self.sweeps.iter().enumerate() {
            push(&mut text, &described(number, sweep));
        }
        for (number, sweep) in self.online_sweeps.iter().enumerate() {
            line(&mut text, format_args!("online {}", described(number, sweep).trim_end()));
        }
        if !self.once_a_row.is_empty() {
            line(&mut text, format_args!("once a row: reads {}", self.once_a_row.join(", ")));
        }
        if !self.row_outputs.is_empty() {
            line(&mut text, format_args!("once a row: writes {}", self.row_outputs.join(", ")));
        }
        for workload in &self.workloads {
            line(&mut text, format_args!("\n{}", workload.name));
            for (number, bytes) in workload.sweeps.iter().enumerate() {
                line(
                    &mut text,
                    format_args!(
                        "  sweep {number}: reads {} B, again {} B where nothing is held, writes {} B",
                        bytes.read, bytes.read_again, bytes.written
                    ),
                );
            }
            line(
                &mut text,
                format_args!(
                    "  in all {} B with rows held, {} B without; the least is {} B",
                    workload.held_total, workload.reread_total, workload.least
                ),
            );
        }
        push(&mut text, "\ngraph\n");
        for node in &self.nodes {
            let operands: Vec<String> = self.operands(node.id).map(|id| format!("%{id}")).collect();
            let name = node.name.as_ref().map_or_else(String::new, |name| format!("  # {name}"));
            let made =
                node.sweep.map_or_else(|| "row".to_owned(), |sweep| format!("sweep {sweep}"));
            let axes = node.axes.join(", ");
            line(
                &mut text,
                format_args!(
                    "  %{} = {} {} [{axes}] ({made}){name}",
                    node.id,
                    node.operation,
                    operands.join(" ")
                ),
            );
        }
        text
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut dot = format!("digraph \"{}\" {{\n  rankdir=TB;\n", self.kernel);
        push(&mut dot, "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\"];\n");
        for node in &self.nodes {
            let [first, second] = labels(node);
            line(
                &mut dot,
                format_args!(
                    "  n{} [label=\"{}\\n{}\", fillcolor=\"{}\"];",
                    node.id,
                    quoted(&first),
                    quoted(&second),
                    colour(node)
                ),
            );
        }
        for (from, to) in &self.edges {
            line(&mut dot, format_args!("  n{from} -> n{to};"));
        }
        push(&mut dot, "}\n");
        dot
    }

    /// An image that needs nothing else: operands above their users, a colour for each sweep.
    pub fn svg(&self) -> String {
        let places = self.places();
        let most = places.values().map(|&(x, _)| x + BOX.0 + GAP.0).max().unwrap_or(0);
        let height = places.values().map(|&(_, y)| y + BOX.1 + GAP.1).max().unwrap_or(0) + 24;
        let width = most.max(360);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"Helvetica, Arial, sans-serif\" font-size=\"11\">\n"
        );
        for (from, to) in &self.edges {
            let (Some(&(x, y)), Some(&(u, v))) = (places.get(from), places.get(to)) else {
                continue;
            };
            let (x, y, u) = (x + BOX.0 / 2, y + BOX.1, u + BOX.0 / 2);
            let middle = (y + v) / 2;
            line(
                &mut svg,
                format_args!(
                    "<path d=\"M{x} {y} C{x} {middle} {u} {middle} {u} {v}\" fill=\"none\" \
                     stroke=\"#777\"/>"
                ),
            );
        }
        for node in &self.nodes {
            let Some(&(x, y)) = places.get(&node.id) else { continue };
            let [first, second] = labels(node).map(|label| escaped(&shortened(&label)));
            let middle = x + BOX.0 / 2;
            line(
                &mut svg,
                format_args!(
                    "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" \
                     rx=\"5\" fill=\"{}\" stroke=\"#555\"/><text x=\"{middle}\" y=\"{}\" \
                     text-anchor=\"middle\">{first}</text><text x=\"{middle}\" y=\"{}\" \
                     text-anchor=\"middle\" fill=\"#555\">{second}</text></g>",
                    escaped(&node.operation),
                    BOX.0,
                    BOX.1,
                    colour(node),
                    y + 14,
                    y + 27
                ),
            );
        }
        self.legend(&mut svg, height - 10);
        push(&mut svg, "</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String, y: usize) {
        let names = std::iter::once("once a row".to_owned())
            .chain((0..self.sweeps.len()).map(|sweep| format!("sweep {sweep}")));
        for (at, name) in names.enumerate() {
            let x = GAP.0 + at * 90;
            let fill = COLOURS[at % COLOURS.len()];
            line(
                svg,
                format_args!(
                    "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{fill}\" \
                     stroke=\"#555\"/><text x=\"{}\" y=\"{y}\">{name}</text>",
                    y - 10,
                    x + 17
                ),
            );
        }
    }

    fn operands(&self, id: usize) -> impl Iterator<Item = usize> {
        self.edges.iter().filter(move |(_, to)| *to == id).map(|(from, _)| *from)
    }

    /// The upper left corner of each node: a layer below its lowest operand.
    fn places(&self) -> BTreeMap<usize, (usize, usize)> {
        let mut layers: BTreeMap<usize, usize> = BTreeMap::new();
        let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
        let mut places = BTreeMap::new();
        for node in &self.nodes {
            let above = self.operands(node.id).filter_map(|id| layers.get(&id)).max();
            let layer = above.map_or(0, |layer| layer + 1);
            layers.insert(node.id, layer);
            let column = filled.entry(layer).or_default();
            let x = GAP.0 + *column * (BOX.0 + GAP.0);
            let y = GAP.1 / 2 + layer * (BOX.1 + GAP.1);
            places.insert(node.id, (x, y));
            *column += 1;
        }
        places
    }
}

fn described(number: usize, sweep: &ExplainedSweep) -> String {
    let mut text = format!("sweep {number} along {}", sweep.along.join(", "));
    let parts = [
        ("reads", &sweep.reads),
        ("holds or reads again", &sweep.holds),
        ("reduces", &sweep.reduces),
        ("writes", &sweep.writes),
    ];
    for (what, names) in parts.into_iter().filter(|(_, names)| !names.is_empty()) {
        push(&mut text, &format!("; {what} {}", names.join(", ")));
    }
    text.push('\n');
    text
}

fn labels(node: &ExplainedNode) -> [String; 2] {
    let first = match &node.name {
        Some(name) => format!("{name} = {}", node.operation),
        None => node.operation.clone(),
    };
    [first, format!("[{}]", node.axes.join(", "))]
}

fn colour(node: &ExplainedNode) -> &'static str {
    COLOURS[node.sweep.map_or(0, |sweep| sweep + 1) % COLOURS.len()]
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= 28 {
        return label.to_owned();
    }
    let kept: String = label.chars().take(27).collect();
    format!("{kept}…")
}

fn quoted(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"")
}

fn escaped(label: &str) -> String {
    label.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn push(text: &mut String, more: &str) {
    text.push_str(more);
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _written = writeln!(text, "{arguments}");
}
