//! One Markdown table a ring, and the same figures as CSV.
//!
//! Of several builds of one library the quickest counts in each row. The floor of an operation that
//! consists of transforms is their number times the quickest forward transform of the run.

use std::fmt::Write;

use crate::compare::{Bytes, Timing};
use crate::floor;
use crate::ops::{Op, Size};
use crate::rings::{DIGITS, Ring};

/// First line of the CSV.
pub const CSV_HEAD: &str = "peer,config,op,median_ns,min_ns,samples,bytes\n";

/// What was measured in one ring.
pub struct Measured {
    /// The ring.
    pub ring: Ring,
    /// Times.
    pub times: Vec<Timing>,
    /// Sizes.
    pub sizes: Vec<Bytes>,
}

impl Measured {
    /// The quickest median, in µs, of the libraries whose name begins so.
    fn time(&self, op: Op, peer: &str) -> Option<f64> {
        let of_op = self.times.iter().filter(|t| t.op == op);
        of_op
            .filter(|t| t.peer.starts_with(peer))
            .map(|t| t.median_ns / 1e3)
            .min_by(f64::total_cmp)
    }

    fn bytes(&self, size: Size, peer: &str) -> Option<f64> {
        let found = self
            .sizes
            .iter()
            .find(|b| b.size == size && b.peer.starts_with(peer));
        found.map(|b| b.bytes as f64)
    }

    fn floor(&self, op: Op) -> Option<f64> {
        let transforms = floor::transforms(op, &self.ring).and_then(|count| {
            let quickest = least([
                self.time(Op::Forward, "nass"),
                self.time(Op::Forward, "SEAL"),
            ])?;
            Some(quickest * count as f64)
        });
        self.time(op, "floor").or(transforms)
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.ring.title());
        out.push_str(
            "| µs | nass | SEAL + HEXL | fhe.rs | floor | best peer ÷ nass | nass ÷ floor |\n",
        );
        out.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for op in Op::ALL {
            let [ours, seal, fhe] = ["nass", "SEAL", "fhe.rs"].map(|peer| self.time(op, peer));
            if ours.or(seal).or(fhe).is_some() {
                row(
                    &mut out,
                    op.title(),
                    [ours, seal, fhe, self.floor(op)],
                    time,
                );
            }
        }
        for size in Size::ALL {
            let [ours, seal, fhe] = ["nass", "SEAL", "fhe.rs"].map(|peer| self.bytes(size, peer));
            if ours.or(seal).or(fhe).is_some() {
                let floor = self.least_bytes(size);
                row(&mut out, size.title(), [ours, seal, fhe, floor], count);
            }
        }
        out
    }

    /// The bits of the residues that must travel, and a seed of 32 bytes.
    fn least_bytes(&self, size: Size) -> Option<f64> {
        let bits = |primes: &[u64]| primes.iter().map(|&q| (q as f64).log2()).sum::<f64>();
        let (n, ring) = (self.ring.n as f64, &self.ring);
        let residues = match size {
            Size::Ciphertext => bits(&ring.q),
            Size::GaloisKey if ring.special.is_none() => DIGITS as f64 * bits(&ring.q),
            Size::GaloisKey => ring.q.len() as f64 * bits(&ring.chain()),
        };
        Some((residues * n / 8.0).ceil() + 32.0)
    }

    /// The lines of the CSV.
    pub fn csv(&self) -> String {
        let (mut out, ring) = (String::new(), self.ring.name());
        for t in &self.times {
            let (peer, op) = (t.peer.replace(',', ""), t.op.name());
            let Timing {
                median_ns,
                min_ns,
                samples,
                ..
            } = t;
            let _ = writeln!(
                out,
                "{peer},{ring},{op},{median_ns:.1},{min_ns:.1},{samples},"
            );
        }
        for b in &self.sizes {
            let (peer, size) = (b.peer.replace(',', ""), b.size.name());
            let _ = writeln!(out, "{peer},{ring},{size},,,,{}", b.bytes);
        }
        out
    }
}

fn least(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().min_by(f64::total_cmp)
}

/// A line of the table: nass, SEAL, fhe.rs, floor.
fn row(out: &mut String, title: &str, values: [Option<f64>; 4], show: fn(f64) -> String) {
    let [ours, seal, fhe, floor] = values;
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), show);
    let ratio = |x: Option<f64>, y: Option<f64>| match (x, y) {
        (Some(x), Some(y)) if y > 0.0 => format!("{:.2}", x / y),
        _ => "–".to_owned(),
    };
    let (ahead, above) = (ratio(least([seal, fhe]), ours), ratio(ours, floor));
    let [ours, seal, fhe, floor] = [ours, seal, fhe, floor].map(cell);
    let _ = writeln!(
        out,
        "| {title} | {ours} | {seal} | {fhe} | {floor} | {ahead} | {above} |"
    );
}

/// µs with three digits.
fn time(us: f64) -> String {
    match us {
        us if us < 9.995 => format!("{us:.2}"),
        us if us < 99.95 => format!("{us:.1}"),
        us => format!("{us:.0}"),
    }
}

/// A whole number, thousands separated.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
