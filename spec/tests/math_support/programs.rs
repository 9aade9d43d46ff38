//! Programs that people write: name, extents, inputs, outputs, text.

/// Programs that people write, with axes large enough to be split into boxes and small enough for
/// the slow interpreter.
pub(crate) const PROGRAMS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "rmsnorm",
        "rows=70 cols=300",
        "x: rows cols, weight: cols, eps: scalar",
        "y: rows cols",
        "mean_square = mean(x * x, cols)\ny = x * rsqrt(mean_square + eps) * weight",
    ),
    (
        "softmax",
        "rows=3 cols=9000",
        "x: rows cols",
        "y: rows cols",
        "m = max(x, cols); e = exp(x - m); y = e / sum(e, cols)",
    ),
    (
        "column softmax, transposed",
        "rows=90 cols=120",
        "x: rows cols",
        "y: cols rows",
        "m = max(x, rows); e = exp(x - m); y = e / sum(e, rows)",
    ),
    (
        "softmax over everything",
        "rows=90 cols=120",
        "x: rows cols",
        "y: rows cols",
        "e = exp(x - max(x, rows, cols)); y = e / sum(e, rows, cols)",
    ),
    (
        "silu-mul",
        "rows=100 cols=101",
        "gate: rows cols, up: rows cols",
        "y: rows cols",
        "y = gate * sigmoid(gate) * up",
    ),
    (
        "layer norm with its statistics",
        "rows=40 cols=300",
        "x: rows cols, weight: cols, bias: cols",
        "y: rows cols, mu: rows, rstd: rows",
        "mu = mean(x, cols)
         centred = x - mu
         rstd = rsqrt(mean(centred * centred, cols) + 1e-5)
         y = centred * rstd * weight + bias",
    ),
    (
        "log-sum-exp",
        "rows=50 cols=300",
        "x: rows cols",
        "y: rows",
        "m = max(x, cols)\ny = m + log(sum(exp(x - m), cols))",
    ),
    (
        "gelu",
        "n=20000",
        "x: n",
        "y: n",
        "y = 0.5 * x * (1 + erf(x / sqrt(2)))",
    ),
    (
        "rope by halves",
        "tokens=30 heads=5 dim=64 half=32",
        "x: tokens heads dim, angle: tokens half",
        "y: tokens heads dim",
        "low = x[dim: 0 .. half as half]
         high = x[dim: half .. dim as half]
         y = concat(low * cos(angle) - high * sin(angle),
                    high * cos(angle) + low * sin(angle), half as dim)",
    ),
    (
        "rms norm to fp8 with a scale for each row",
        "rows=40 cols=300",
        "x: rows cols, weight: cols",
        "q: rows cols = f8e4m3, scale: rows",
        "normed = x * rsqrt(mean(x * x, cols) + 1e-6) * weight
         scale = max(max(abs(normed), cols), 1e-12) / 448
         q = cast(normed / scale, f8e4m3)",
    ),
    (
        "cross entropy",
        "rows=40 vocab=300",
        "logits: rows vocab, target: rows = i64",
        "loss: rows, total: scalar",
        "m = max(logits, vocab)
         loss = m + log(sum(exp(logits - m), vocab)) - take(logits, target, vocab)
         total = mean(loss, rows)",
    ),
    (
        "adamw",
        "n=20000",
        "p: n, g: n, m: n, v: n, lr: scalar, step: scalar",
        "p_out: n, m_out: n, v_out: n",
        "m_out = 0.9 * m + 0.1 * g
         v_out = 0.999 * abs(v) + 0.001 * g * g
         m_hat = m_out / (1 - pow(0.9, abs(step) + 1))
         v_hat = v_out / (1 - pow(0.999, abs(step) + 1))
         p_out = p - lr * (m_hat / (sqrt(v_hat) + 1e-8) + 0.01 * p)",
    ),
    (
        "matrix product",
        "m=30 n=40 k=50",
        "a: m k, b: k n",
        "c: m n",
        "c = sum(a * b, k)",
    ),
    (
        "causal attention",
        "heads=2 tokens=24 dim=16",
        "q: heads tokens dim, k: heads tokens dim, v: heads tokens dim",
        "o: heads tokens dim",
        "kk = k[tokens as keys]; vv = v[tokens as keys]
         s = sum(q * kk, dim) / sqrt(dim)
         s_masked = where(index(keys) <= index(tokens), s, -inf)
         e = exp(s_masked - max(s_masked, keys))
         o = sum(e * vv, keys)",
    ),
    (
        "embedding",
        "vocab=60 dim=200 tokens=70",
        "table: vocab dim, ids: tokens = i32",
        "y: tokens dim",
        "y = take(table, ids, vocab)",
    ),
    (
        "gather within rows",
        "rows=60 cols=200",
        "x: rows cols, order: rows cols = i32",
        "y: rows cols",
        "y = take(2 * x, order, cols)",
    ),
    (
        "reductions of every shape",
        "a=20 b=30 c=40",
        "x: a b c",
        "y: b, z: a c, s: scalar, w: c b a",
        "y = max(x, a, c)
         z = min(x * 2, 0.5, b)
         s = sum(x, a, b, c)
         w = x - mean(x, b)",
    ),
    (
        "shifts and pieces",
        "n=12000",
        "x: n",
        "y: n, first: scalar, around: n",
        "d = x[n: 1 .. n as inner] - x[n: 0 .. n - 1 as inner]
         y = concat(d, x[n: 0 .. 1 as one], inner, one as n)
         first = (exp(x))[n: 0] + x[n: n - 1]
         squares = x * x
         around = concat(squares[n: n / 2 .. n as back], squares[n: 0 .. n / 2 as front], back, front as n)",
    ),
    (
        "broadcast outputs",
        "rows=100 cols=120",
        "x: rows cols",
        "y: rows cols, z: cols rows",
        "y = broadcast(sum(x, cols), cols)\nz = broadcast(rows / cols, rows, cols)",
    ),
];
