//! Evaluation: one active label a wire, one row of tables an AND.
//!
//! Zahur, Rosulek, Evans (Eurocrypt 2015): with active labels A, B and their lowest bits s_a, s_b,
//! `W_G = H(A, j) ⊕ s_a T_G`, `W_E = H(B, j') ⊕ s_b (T_E ⊕ A)`, label out `W_G ⊕ W_E`.
//! An output bit is the lowest bit of its label, corrected by the garbler's decode bit. Tables that were
//! tampered with give wrong outputs (semi-honest security); wrong lengths are refused.

use zeroize::Zeroize;

use super::circuits::ShareCircuit;
use super::error::{GcError, expect_len};
use super::gates::Gates;
use super::hash::Tmmo;
use super::labels::{EvaluatorLabels, mask};
use super::lanes::{Row, Rows, Shape};
use super::messages::{GarbledTables, GarblerLabels, unpack};
use super::shares::join;

/// The evaluator's output shares, one an instance. Uses up the tables and labels.
///
/// # Errors
/// As [`ShareCircuit::check`]; also where a message does not have the batch's length.
pub fn evaluate(
    circuit: &ShareCircuit,
    batch: usize,
    tables: GarbledTables,
    garbler_labels: GarblerLabels,
    evaluator_labels: EvaluatorLabels,
) -> Result<Vec<u64>, GcError> {
    let shape = Shape::new(circuit, batch)?;
    expect_len("hash keys", tables.keys.len(), shape.keys())?;
    expect_len("table rows", tables.rows.len(), shape.tables())?;
    let (garbler, evaluator) = (&garbler_labels.labels, &evaluator_labels.0);
    expect_len(
        "garbler's labels",
        garbler.len(),
        batch * shape.garbler_bits,
    )?;
    expect_len(
        "evaluator's labels",
        evaluator.len(),
        batch * shape.evaluator_bits,
    )?;
    let decode = unpack("decode bits", &tables.decode, batch * shape.output_bits)?;

    let mut g = Evaluator {
        tables: &tables.rows,
        rows: Rows::with_capacity(shape.rows),
        hash: Tmmo::new(&[0; 16]),
        tweak: 0,
        inputs: Vec::new(),
    };
    let mut outputs = Vec::with_capacity(batch);
    for run in shape.runs() {
        if run.tweak == 0 {
            g.hash = Tmmo::new(&tables.keys[run.key]);
        }
        g.tweak = run.tweak;
        g.rows.restart(run.lanes);
        let garbler = g.rows.push_inputs(garbler, shape.garbler_bits, &run);
        let evaluator = g.rows.push_inputs(evaluator, shape.evaluator_bits, &run);
        let wires = shape.circuit.build(&mut g, &garbler, &evaluator);
        for lane in 0..run.lanes {
            let decode = &decode[(run.first + lane) * shape.output_bits..];
            let bits = wires.iter().zip(decode);
            outputs.push(join(
                bits.map(|(&w, &d)| (g.rows.row(w)[lane] & 1 == 1) ^ d),
            ));
        }
    }
    Ok(outputs)
}

/// The evaluating reader of circuits: a wire is a row of active labels.
struct Evaluator<'a> {
    /// The rows of tables still to come.
    tables: &'a [[u128; 2]],
    rows: Rows,
    hash: Tmmo,
    tweak: usize,
    inputs: Vec<u128>,
}

impl Drop for Evaluator<'_> {
    fn drop(&mut self) {
        self.inputs.zeroize();
    }
}

impl Gates for Evaluator<'_> {
    type Wire = Row;

    fn constant(&mut self, _bit: bool) -> Row {
        self.rows.push([])
    }

    fn xor(&mut self, x: Row, y: Row) -> Row {
        self.rows.zip(x, y, |x, y| x ^ y)
    }

    fn not(&mut self, x: Row) -> Row {
        x
    }

    fn and(&mut self, x: Row, y: Row) -> Row {
        let (lanes, first) = (self.rows.lanes(), self.tweak);
        let (tables, rest) = self.tables.split_at(lanes);
        self.tables = rest;
        let (h, rows) = (&mut self.inputs, &mut self.rows);
        h.clear();
        h.extend(rows.row(x));
        h.extend(rows.row(y));
        self.hash.hash(h, first, [0, 1]);
        for (i, (&[t_g, t_e], (&a, &b))) in tables
            .iter()
            .zip(rows.row(x).iter().zip(rows.row(y)))
            .enumerate()
        {
            let w_g = h[i] ^ (mask(a) & t_g);
            let w_e = h[lanes + i] ^ (mask(b) & (t_e ^ a));
            h[i] = w_g ^ w_e;
        }
        self.tweak += lanes;
        rows.push(h[..lanes].iter().copied())
    }
}
