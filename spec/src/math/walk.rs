//! Walking several strided arrays in step.

/// Where an array is read: its elements, the place of the first one, and a stride for each
/// dimension of the walk; 0 repeats.
#[derive(Clone)]
pub(super) struct View<'a> {
    pub(super) data: &'a [f64],
    pub(super) start: usize,
    pub(super) strides: Vec<usize>,
}

/// Calls `inner` with the places of `N` arrays for each run along the innermost dimension:
/// (place of each, stride of each, length). Runs come in row-major order.
///
/// Dimensions of extent 1 vanish and neighbours that are contiguous in every array merge, so runs
/// are as long as they can be.
pub(super) fn runs<const N: usize>(
    lengths: &[usize],
    starts: [usize; N],
    strides: [&[usize]; N],
    mut inner: impl FnMut([usize; N], [usize; N], usize),
) {
    if lengths.contains(&0) {
        return;
    }
    let mut dims: Vec<(usize, [usize; N])> = Vec::with_capacity(lengths.len());
    for (i, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 1) {
        let own: [usize; N] = std::array::from_fn(|k| strides[k][i]);
        match dims.last_mut() {
            Some((outer, outer_strides)) if (0..N).all(|k| outer_strides[k] == own[k] * length) => {
                *outer *= length;
                *outer_strides = own;
            }
            _ => dims.push((length, own)),
        }
    }
    let (length, inner_strides) = dims.pop().unwrap_or((1, [0; N]));
    let mut places = starts;
    let mut counts = vec![0_usize; dims.len()];
    loop {
        inner(places, inner_strides, length);
        let mut d = dims.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            let (extent, steps) = &dims[d];
            counts[d] += 1;
            if counts[d] < *extent {
                for k in 0..N {
                    places[k] += steps[k];
                }
                break;
            }
            counts[d] = 0;
            for k in 0..N {
                places[k] -= steps[k] * (extent - 1);
            }
        }
    }
}

/// Fills `out`, row major over `lengths`, with `f` of one array.
pub(super) fn map1(out: &mut [f64], lengths: &[usize], a: &View<'_>, f: impl Fn(f64) -> f64) {
    let mut at = 0;
    runs(lengths, [a.start], [&a.strides], |[a_at], [a_step], length| {
        let out = &mut out[at..at + length];
        at += length;
        match a_step {
            0 => out.fill(f(a.data[a_at])),
            1 => {
                for (out, &a) in out.iter_mut().zip(&a.data[a_at..]) {
                    *out = f(a);
                }
            }
            _ => {
                for (out, &a) in out.iter_mut().zip(a.data[a_at..].iter().step_by(a_step)) {
                    *out = f(a);
                }
            }
        }
    });
}

/// Fills `out`, row major over `lengths`, with `f` of two arrays.
pub(super) fn map2(
    out: &mut [f64],
    lengths: &[usize],
    a: &View<'_>,
    b: &View<'_>,
    f: impl Fn(f64, f64) -> f64,
) {
    let mut at = 0;
    runs(
        lengths,
        [a.start, b.start],
        [&a.strides, &b.strides],
        |[a_at, b_at], [a_step, b_step], length| {
            let out = &mut out[at..at + length];
            at += length;
            let (a, b) = (&a.data[a_at..], &b.data[b_at..]);
            match (a_step, b_step) {
                (1, 1) => {
                    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                        *out = f(a, b);
                    }
                }
                (1, 0) => {
                    for (out, &a) in out.iter_mut().zip(a) {
                        *out = f(a, b[0]);
                    }
                }
                (0, 1) => {
                    for (out, &b) in out.iter_mut().zip(b) {
                        *out = f(a[0], b);
                    }
                }
                _ => {
                    for (i, out) in out.iter_mut().enumerate() {
                        *out = f(a[i * a_step], b[i * b_step]);
                    }
                }
            }
        },
    );
}

/// Fills `out`, row major over `lengths`, with `f` of three arrays.
pub(super) fn map3(
    out: &mut [f64],
    lengths: &[usize],
    [a, b, c]: [&View<'_>; 3],
    f: impl Fn(f64, f64, f64) -> f64,
) {
    let mut at = 0;
    runs(
        lengths,
        [a.start, b.start, c.start],
        [&a.strides, &b.strides, &c.strides],
        |[a_at, b_at, c_at], [a_step, b_step, c_step], length| {
            let (a, b, c) = (&a.data[a_at..], &b.data[b_at..], &c.data[c_at..]);
            for (i, out) in out[at..at + length].iter_mut().enumerate() {
                *out = f(a[i * a_step], b[i * b_step], c[i * c_step]);
            }
            at += length;
        },
    );
}

/// Copies `from` to `out`, starting at `start`, with its own strides.
pub(super) fn copy(
    out: &mut [f64],
    start: usize,
    strides: &[usize],
    lengths: &[usize],
    from: &View<'_>,
) {
    runs(
        lengths,
        [start, from.start],
        [strides, &from.strides],
        |[out_at, from_at], [out_step, from_step], length| {
            if (out_step, from_step) == (1, 1) {
                out[out_at..out_at + length].copy_from_slice(&from.data[from_at..from_at + length]);
            } else {
                for i in 0..length {
                    out[out_at + i * out_step] = from.data[from_at + i * from_step];
                }
            }
        },
    );
}
