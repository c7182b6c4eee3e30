//! A one-layer LSTM that makes a sequence of decisions, each by a softmax of its own size.
//!
//! Step t reads the embedding of decision t − 1 (step 0 a start vector) and gives probabilities:
//!
//! ```text
//! [i f g o] = W [x; h] + u,   c' = σ(f)·c + σ(i)·tanh(g),   h' = σ(o)·tanh(c'),
//! p_t = softmax(V_t h' + v_t),   next x = row a_t of embedding table t
//! ```
//!
//! The shape is that of the ENAS controller (Pham et al. 2018; 1 layer of 64). All parameters lie in
//! one vector, so that an optimizer and a stored state need not know their meaning.
//! [`Lstm::backward`] is the exact gradient of `−Σ_t w_t · log p_t(a_t)`; tests hold it against
//! finite differences. exp and tanh come from `libm`: equal on every processor.

use std::ops::Range;

/// Rows of W for one gate, times four.
const GATES: usize = 4;

/// Where each parameter stands in the vector.
#[derive(Debug, Clone)]
pub(super) struct Lstm {
    hidden: usize,
    /// W, then u, then the start vector.
    weights: Range<usize>,
    bias: Range<usize>,
    start: Range<usize>,
    steps: Vec<StepLayout>,
    len: usize,
}

/// Parameters of one step.
#[derive(Debug, Clone)]
struct StepLayout {
    options: usize,
    /// V_t, one row an option.
    head: Range<usize>,
    /// v_t.
    offset: Range<usize>,
    /// Embedding of this decision, one row an option.
    embedding: Range<usize>,
}

/// What one run computed, for the way back.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    steps: Vec<TraceStep>,
}

#[derive(Debug, Clone)]
struct TraceStep {
    /// [x; h before].
    input: Vec<f64>,
    /// Gates after σ and tanh: i, f, g, o, each `hidden` long.
    gates: Vec<f64>,
    cell_before: Vec<f64>,
    cell: Vec<f64>,
    output: Vec<f64>,
    probabilities: Vec<f64>,
    choice: usize,
}

impl Trace {
    /// What was decided.
    pub(super) fn choices(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.choice).collect()
    }
}

impl Lstm {
    /// A controller with `hidden` cells for decisions with these numbers of options.
    pub(super) fn new(hidden: usize, options: &[usize]) -> Self {
        let mut len = 0;
        let mut take = |count: usize| {
            let range = len..len + count;
            len += count;
            range
        };
        let weights = take(GATES * hidden * 2 * hidden);
        let bias = take(GATES * hidden);
        let start = take(hidden);
        let steps = options
            .iter()
            .map(|&options| StepLayout {
                options,
                head: take(options * hidden),
                offset: take(options),
                embedding: take(options * hidden),
            })
            .collect();
        Self {
            hidden,
            weights,
            bias,
            start,
            steps,
            len,
        }
    }

    /// Number of parameters.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Runs the sequence; `choose(t, probabilities)` makes decision t (an index in range).
    pub(super) fn run(
        &self,
        theta: &[f64],
        mut choose: impl FnMut(usize, &[f64]) -> usize,
    ) -> Trace {
        let mut trace = Trace::default();
        let mut x = self.start.clone();
        let mut h = vec![0.0; self.hidden];
        let mut c = vec![0.0; self.hidden];
        for (t, layout) in self.steps.iter().enumerate() {
            let mut step = self.cell(theta, &theta[x], &h, c);
            step.probabilities = softmax(layout, theta, &step.output);
            step.choice = choose(t, &step.probabilities).min(layout.options - 1);
            x = row(&layout.embedding, step.choice, self.hidden);
            h.clone_from(&step.output);
            c = step.cell.clone();
            trace.steps.push(step);
        }
        trace
    }

    /// One step of the recurrence.
    fn cell(&self, theta: &[f64], x: &[f64], h: &[f64], cell_before: Vec<f64>) -> TraceStep {
        let n = self.hidden;
        let input = [x, h].concat();
        let rows = theta[self.weights.clone()].chunks_exact(2 * n);
        let sums = rows.zip(&theta[self.bias.clone()]);
        let mut gates: Vec<f64> = sums.map(|(row, bias)| dot(row, &input) + bias).collect();
        for (k, gate) in gates.iter_mut().enumerate() {
            let squash = if k / n == 2 { libm::tanh } else { sigmoid };
            *gate = squash(*gate);
        }
        let cell: Vec<f64> = (0..n)
            .map(|k| gates[n + k] * cell_before[k] + gates[k] * gates[2 * n + k])
            .collect();
        let output = (0..n)
            .map(|k| gates[3 * n + k] * libm::tanh(cell[k]))
            .collect();
        TraceStep {
            input,
            gates,
            cell_before,
            cell,
            output,
            probabilities: Vec::new(),
            choice: 0,
        }
    }

    /// Adds to `gradient` that of `−Σ_t w_t · log p_t(a_t)` along a trace made with `theta`.
    pub(super) fn backward(
        &self,
        theta: &[f64],
        trace: &Trace,
        step_weights: &[f64],
        gradient: &mut [f64],
    ) {
        let n = self.hidden;
        let mut d_h = vec![0.0; n];
        let mut d_c = vec![0.0; n];
        for (t, (layout, step)) in self.steps.iter().zip(&trace.steps).enumerate().rev() {
            for (option, &p) in step.probabilities.iter().enumerate() {
                let hit = if option == step.choice { 1.0 } else { 0.0 };
                let d_logit = step_weights[t] * (p - hit);
                let head = row(&layout.head, option, n);
                add_scaled(&mut d_h, &theta[head.clone()], d_logit);
                add_scaled(&mut gradient[head], &step.output, d_logit);
                gradient[layout.offset.start + option] += d_logit;
            }
            let d_input = self.cell_backward(theta, step, (&d_h, &mut d_c), gradient);
            let x = match t.checked_sub(1) {
                Some(before) => {
                    let choice = trace.steps[before].choice;
                    row(&self.steps[before].embedding, choice, n)
                }
                None => self.start.clone(),
            };
            add_scaled(&mut gradient[x], &d_input[..n], 1.0);
            d_h.copy_from_slice(&d_input[n..]);
        }
    }

    /// Through one step of the recurrence: the gradient of [x; h before]; that of the cell is
    /// replaced by that of the cell before.
    fn cell_backward(
        &self,
        theta: &[f64],
        step: &TraceStep,
        (d_h, d_c): (&[f64], &mut [f64]),
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let n = self.hidden;
        let mut d_gates = vec![0.0; GATES * n];
        for k in 0..n {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| step.gates[gate * n + k]);
            let tanh = libm::tanh(step.cell[k]);
            let d_cell = d_c[k] + d_h[k] * o * (1.0 - tanh * tanh);
            d_gates[k] = d_cell * g * i * (1.0 - i);
            d_gates[n + k] = d_cell * step.cell_before[k] * f * (1.0 - f);
            d_gates[2 * n + k] = d_cell * i * (1.0 - g * g);
            d_gates[3 * n + k] = d_h[k] * tanh * o * (1.0 - o);
            d_c[k] = d_cell * f;
        }
        let mut d_input = vec![0.0; 2 * n];
        for (k, &d) in d_gates.iter().enumerate() {
            let weights = row(&self.weights, k, 2 * n);
            add_scaled(&mut d_input, &theta[weights.clone()], d);
            add_scaled(&mut gradient[weights], &step.input, d);
            gradient[self.bias.start + k] += d;
        }
        d_input
    }
}

/// Row `index` of a matrix with rows of this width.
const fn row(matrix: &Range<usize>, index: usize, width: usize) -> Range<usize> {
    let from = matrix.start + index * width;
    from..from + width
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn add_scaled(sum: &mut [f64], term: &[f64], factor: f64) {
    for (s, t) in sum.iter_mut().zip(term) {
        *s += factor * t;
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn softmax(layout: &StepLayout, theta: &[f64], output: &[f64]) -> Vec<f64> {
    let rows = theta[layout.head.clone()].chunks_exact(output.len());
    let sums = rows.zip(&theta[layout.offset.clone()]);
    let logits: Vec<f64> = sums.map(|(row, v)| dot(row, output) + v).collect();
    let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|l| libm::exp(l - greatest)).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    const OPTIONS: [usize; 4] = [2, 3, 1, 4];
    const CHOICES: [usize; 4] = [1, 2, 0, 3];

    fn setting() -> (Lstm, Vec<f64>) {
        let lstm = Lstm::new(3, &OPTIONS);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let theta = (0..lstm.len())
            .map(|_| rng.random_range(-0.8..0.8))
            .collect();
        (lstm, theta)
    }

    fn loss(lstm: &Lstm, theta: &[f64], weights: &[f64]) -> f64 {
        let trace = lstm.run(theta, |t, _| CHOICES[t]);
        let terms = trace.steps.iter().zip(weights);
        terms
            .map(|(step, w)| -w * step.probabilities[step.choice].ln())
            .sum()
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        let (lstm, theta) = setting();
        let weights = [0.7, -1.3, 2.0, 0.0];
        let mut gradient = vec![0.0; lstm.len()];
        let trace = lstm.run(&theta, |t, _| CHOICES[t]);
        lstm.backward(&theta, &trace, &weights, &mut gradient);
        let step = 1e-6;
        for (k, &exact) in gradient.iter().enumerate() {
            let at = |shift: f64| {
                let mut moved = theta.clone();
                moved[k] += shift;
                loss(&lstm, &moved, &weights)
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            assert!((slope - exact).abs() < 1e-8, "{k}: {slope} {exact}");
        }
        assert!(gradient.iter().filter(|g| g.abs() > 1e-6).count() > lstm.len() / 2);
    }

    #[test]
    fn gradient_adds_to_what_is_there() {
        let (lstm, theta) = setting();
        let trace = lstm.run(&theta, |t, _| CHOICES[t]);
        let mut once = vec![0.0; lstm.len()];
        lstm.backward(&theta, &trace, &[1.0; 4], &mut once);
        let mut twice = once.clone();
        lstm.backward(&theta, &trace, &[1.0; 4], &mut twice);
        assert!(
            once.iter()
                .zip(&twice)
                .all(|(a, b)| (2.0 * a - b).abs() < 1e-12)
        );
    }

    #[test]
    fn probabilities_sum_to_one_and_depend_on_the_choices_before() {
        let (lstm, theta) = setting();
        let one = lstm.run(&theta, |t, _| CHOICES[t]);
        let other = lstm.run(&theta, |_, _| 0);
        assert_eq!(one.choices(), CHOICES);
        for step in &one.steps {
            assert!((step.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(one.steps[0].probabilities, other.steps[0].probabilities);
        assert_ne!(one.steps[1].probabilities, other.steps[1].probabilities);
    }
}
