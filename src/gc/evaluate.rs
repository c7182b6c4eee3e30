//! Evaluation: one active label a wire, one row of tables an AND.
//!
//! Zahur, Rosulek, Evans (Eurocrypt 2015): with active labels A, B and their lowest bits s_a, s_b,
//! `W_G = H(A, j) ⊕ s_a T_G`, `W_E = H(B, j') ⊕ s_b (T_E ⊕ A)`, label out `W_G ⊕ W_E`.
//! An output bit is the lowest bit of its label, corrected by the garbler's decode bit. Tables that were
//! tampered with give wrong outputs (semi-honest security); wrong lengths are refused.

use super::circuits::ShareCircuit;
use super::error::{GcError, expect_len};
use super::hash::Ciphers;
use super::kernels::{And, Backend, Cipher, LANES, Table};
use super::labels::EvaluatorLabels;
use super::lanes::{Rows, Run, Shape};
use super::messages::{GarbledTables, GarblerLabels, unpack};
use super::program::{Program, Step};
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

    let program = Program::new(&shape);
    let mut rows = Rows::new(program.slots);
    let mut ciphers = Ciphers::new(&tables.keys);
    let mut rest = tables.rows.as_slice();
    let mut outputs = Vec::with_capacity(batch);
    for run in shape.runs() {
        rows.load(0, garbler, shape.garbler_bits, &run);
        rows.load(shape.garbler_bits, evaluator, shape.evaluator_bits, &run);
        let (tables, later) = rest.split_at(run.lanes * shape.ands);
        rest = later;
        evaluate_run(&mut rows, &program, &run, ciphers.of(&run), tables);
        let decode = &decode[run.first * shape.output_bits..];
        for (lane, decode) in decode.chunks(shape.output_bits).take(run.lanes).enumerate() {
            let bits = program.outputs.iter().zip(decode);
            outputs.push(join(bits.map(|(&slot, &d)| {
                let label = rows.0[slot][lane / 4].0[lane % 4];
                (label & 1 == 1) ^ d
            })));
        }
    }
    Ok(outputs)
}

/// A row holds the active labels of a wire.
fn evaluate_run(
    rows: &mut Rows,
    program: &Program,
    run: &Run,
    cipher: &Cipher,
    mut tables: &[Table],
) {
    let backend = Backend::fastest();
    let mut padded = [Table::default(); LANES];
    let mut first = run.tweak;
    for step in &program.steps {
        match step {
            &Step::Constant { to, .. } => rows.fill(to, 0),
            &Step::Not { x, to } => rows.0[to] = rows.0[x],
            Step::Xors(gates) => backend.xor(&mut rows.0, gates),
            &Step::And(gate) => {
                let (own, later) = tables.split_at(run.lanes);
                tables = later;
                let own = own.first_chunk().unwrap_or_else(|| {
                    padded[..run.lanes].copy_from_slice(own);
                    &padded
                });
                cipher.evaluate_and(&mut rows.0, And { gate, first }, own);
                first += run.lanes;
            }
        }
    }
}
