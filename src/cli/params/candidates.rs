//! What was tried for each layer, as a table: the cheapest few, and what ruled the others out.

use super::cells::{For, shown};
use crate::params::{Candidate, CandidateVerdict, KeySwitching, LayerCost, Widths};
use crate::report::{Align, Grid};

use Align::{Left, Right};

/// Candidates that a table shows for a layer: the nearest to winning, then the nearest with each number of
/// plaintext windows, then for each ring the nearest of those that don't work.
const SHOWN: usize = 6;

/// A grid of the candidates of these layers, by name.
pub(super) fn grid<'a>(layers: impl Iterator<Item = (&'a str, &'a [Candidate])>) -> Grid {
    let columns = [
        ("layer", Left),
        ("n", Right),
        ("schedule", Left),
        ("limbs of q", Left),
        ("keys", Left),
        ("windows", Right),
        ("total_bits", Right),
        ("time", Right),
        ("bytes", Right),
        ("", Left),
    ];
    let mut grid = Grid::new("candidates", &columns);
    for (layer, candidates) in layers {
        let chosen = candidates.first().and_then(|first| first.cost);
        for candidate in told(candidates) {
            let [time, bytes] = For::Table.cost(candidate.cost);
            grid.row([
                layer.to_owned(),
                candidate.n.to_string(),
                candidate.schedule.clone(),
                match candidate.widths {
                    Some(widths) => widths_text(&widths),
                    None => {
                        shown((candidate.limbs > 0).then(|| format!("{} limbs", candidate.limbs)))
                    }
                },
                switching_text(candidate.switching),
                candidate.windows.to_string(),
                candidate.total_bits.to_string(),
                time,
                bytes,
                verdict(candidate, chosen),
            ]);
        }
    }
    grid
}

/// The cheapest few and of each number of windows, then the nearest refusal of each ring.
fn told(candidates: &[Candidate]) -> impl Iterator<Item = &Candidate> {
    let (mut rings, mut windows) = (Vec::new(), Vec::new());
    let all = candidates.iter().enumerate();
    all.filter_map(move |(index, candidate)| {
        let works = works(candidate);
        let (seen, kind) = if works {
            (&mut windows, candidate.windows)
        } else {
            (&mut rings, candidate.n)
        };
        let first = !seen.contains(&kind);
        seen.push(kind);
        (first || (works && index < SHOWN)).then_some(candidate)
    })
}

const fn works(candidate: &Candidate) -> bool {
    matches!(
        candidate.verdict,
        CandidateVerdict::Chosen | CandidateVerdict::Dearer
    )
}

fn widths_text(widths: &Widths) -> String {
    let of = |count: usize, bits: u32| format!("{count}x{bits}");
    let kept = of(widths.kept, widths.kept_bits);
    match widths.dropped {
        0 => kept,
        dropped => format!("{kept} + {}", of(dropped, widths.dropped_bits)),
    }
}

fn switching_text(switching: KeySwitching) -> String {
    match switching {
        KeySwitching::Special(count) => format!("{count} special"),
        KeySwitching::Digits(count) => format!("{count} digits"),
    }
}

/// How much more the first is than the second.
pub(super) fn percent(more: f64, than: f64) -> String {
    format!("{:+.1} %", 100.0 * (more / than - 1.0))
}

fn verdict(candidate: &Candidate, chosen: Option<LayerCost>) -> String {
    match candidate.verdict {
        CandidateVerdict::Chosen => "chosen".to_owned(),
        CandidateVerdict::Dearer => match candidate.cost.zip(chosen) {
            Some((cost, chosen)) => format!(
                "time {}, bytes {}",
                percent(cost.time.0, chosen.time.0),
                percent(cost.bytes.0 as f64, chosen.bytes.0 as f64)
            ),
            None => "dearer".to_owned(),
        },
        CandidateVerdict::NoPrice => "works, but the calibration has no price".to_owned(),
        CandidateVerdict::SecurityShort(bits) => format!("security short by {bits:.1} bits"),
        CandidateVerdict::NoiseShort(bits) => format!("noise margin short by {bits:.1} bits"),
        CandidateVerdict::BeyondLimits(limit) => limit.to_string(),
        CandidateVerdict::NoPlaintextModulus => "no plaintext modulus".to_owned(),
        CandidateVerdict::NoPlan => "the layer does not fit in the slots".to_owned(),
    }
}
