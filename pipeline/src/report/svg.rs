//! Just enough SVG: a plot area with scales, axes and marks.

use std::fmt::Write as _;

/// How a quantity is laid along an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
    start: f64,
    end: f64,
}

impl Scale {
    /// A linear scale of `from..to` onto pixels `start..end`.
    pub(crate) fn linear(from: f64, to: f64, start: f64, end: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self { from, to, logarithmic: false, start, end }
    }

    /// A logarithmic one; both ends are taken above zero.
    pub(crate) fn logarithmic(from: f64, to: f64, start: f64, end: f64) -> Self {
        let from = from.max(1e-12);
        let to = if to > from { to } else { from * 10.0 };
        Self { from, to, logarithmic: true, start, end }
    }

    /// The pixel of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(1e-12) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start + share * (self.end - self.start)
    }

    /// Values worth a tick: round numbers, four to eight of them.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        // Within a decade there are too few powers of ten.
        if self.logarithmic && self.to / self.from > 10.0 {
            return self.logarithmic_ticks();
        }
        let raw = (self.to - self.from) / 6.0;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= raw)
            .unwrap_or(raw);
        let mut ticks = Vec::new();
        let mut value = (self.from / step).ceil() * step;
        while value <= self.to + step * 1e-9 && ticks.len() < 20 {
            ticks.push(value);
            value += step;
        }
        ticks
    }

    fn logarithmic_ticks(&self) -> Vec<f64> {
        let wide = (self.to / self.from).log10() > 4.0;
        let factors: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut ticks = Vec::new();
        let mut decade = 10f64.powf(self.from.log10().floor());
        while decade <= self.to && ticks.len() < 30 {
            ticks.extend(
                factors
                    .iter()
                    .map(|factor| factor * decade)
                    .filter(|value| self.from <= *value && *value <= self.to),
            );
            decade *= 10.0;
        }
        ticks
    }
}

/// Text safe inside HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A plot under construction.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    body: String,
    width: f64,
    height: f64,
}

impl Plot {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ok = self.body.write_fmt(element);
        self.body.push('\n');
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        ));
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    pub(crate) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ok = write!(path, "{}{x:.1} {y:.1} ", if i == 0 { "M" } else { "L" });
        }
        self.add(format_args!(r#"<path d="{}" class="{class}"/>"#, path.trim_end()));
    }

    pub(crate) fn dot(&mut self, x: f64, y: f64, class: &str, title: &str) {
        let title = escape(title);
        self.add(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" class="{class}"><title>{title}</title></circle>"#
        ));
    }

    pub(crate) fn bar(&mut self, corner: (f64, f64), size: (f64, f64), class: &str, title: &str) {
        let ((x, y), (width, height), title) = (corner, size, escape(title));
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" class="{class}"><title>{title}</title></rect>"#,
            width.max(0.5),
            height.max(0.5)
        ));
    }

    /// A horizontal axis at `y` with ticks and its name.
    pub(crate) fn axis_x(
        &mut self,
        scale: &Scale,
        y: f64,
        name: &str,
        show: impl Fn(f64) -> String,
    ) {
        self.line((scale.start, y), (scale.end, y), "axis");
        for tick in scale.ticks() {
            let x = scale.at(tick);
            self.line((x, y), (x, y + 4.0), "axis");
            self.text(x, y + 16.0, "middle", "tick", &show(tick));
        }
        self.text((scale.start + scale.end) / 2.0, y + 34.0, "middle", "name", name);
    }

    /// A vertical axis at `x` with ticks, grid lines to `to`, and its name above.
    pub(crate) fn axis_y(
        &mut self,
        scale: &Scale,
        x: f64,
        to: f64,
        name: &str,
        show: impl Fn(f64) -> String,
    ) {
        self.line((x, scale.start), (x, scale.end), "axis");
        for tick in scale.ticks() {
            let y = scale.at(tick);
            self.line((x, y), (to, y), "grid");
            self.text(x - 6.0, y + 4.0, "end", "tick", &show(tick));
        }
        self.text(x, scale.end - 8.0, "start", "name", name);
    }

    /// The finished figure.
    pub(crate) fn finish(self, description: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            self.width,
            self.height,
            escape(description),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let linear = Scale::linear(0.0, 137.0, 0.0, 100.0);
        assert_eq!(linear.ticks(), [0.0, 50.0, 100.0]);
        let logarithmic = Scale::logarithmic(3.0, 120.0, 0.0, 100.0);
        assert_eq!(logarithmic.ticks(), [5.0, 10.0, 20.0, 50.0, 100.0]);
        let narrow = Scale::logarithmic(13.0, 41.0, 0.0, 100.0);
        assert_eq!(narrow.ticks(), [15.0, 20.0, 25.0, 30.0, 35.0, 40.0]);
    }

    #[test]
    fn an_empty_range_still_has_a_scale() {
        assert!(Scale::linear(5.0, 5.0, 0.0, 10.0).at(5.0).is_finite());
        assert!(Scale::logarithmic(0.0, 0.0, 0.0, 10.0).at(0.0).is_finite());
    }
}
