//! Fits of operations over ring degree and limbs, and how far the measured rows lie from them.

use std::collections::BTreeMap;

use super::price_list::HeKey;
use crate::bfv::HeOp;
use crate::calibrate::{WorkingSet, fit_plane};
use crate::protocol::RingSize;
use crate::units::Nanos;

/// t = e^c₀ · n^c₁ · limbs^c₂ through an operation's rows with one special prime, by least squares of the logarithms.
#[derive(Debug, Clone, PartialEq)]
pub struct HeFit {
    /// Which operation.
    pub op: HeOp,
    /// Where its operands come from.
    pub working_set: WorkingSet,
    /// c₀, c₁, c₂ for t in nanoseconds.
    pub coefficients: [f64; 3],
    /// The rows.
    pub points: Vec<FitPoint>,
}

/// A row that a fit goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitPoint {
    /// Ring degree.
    pub n: usize,
    /// Primes in q.
    pub limbs: usize,
    /// As measured.
    pub time: Nanos,
    /// How much longer that is than the fit says, as a share of what it says.
    pub residual: f64,
}

impl HeFit {
    fn new((op, working_set): (HeOp, WorkingSet), rows: &[(RingSize, Nanos)]) -> Option<Self> {
        let logs = |&(ring, time): &(RingSize, Nanos)| {
            let at = [(ring.n as f64).ln(), (ring.limbs as f64).ln()];
            (at, time.0.ln())
        };
        let coefficients = fit_plane(&rows.iter().map(logs).collect::<Vec<_>>())?;
        let point = |&(RingSize { n, limbs, .. }, time): &(RingSize, Nanos)| FitPoint {
            n,
            limbs,
            time,
            residual: time.0 / value(coefficients, n, limbs).0 - 1.0,
        };
        Some(Self {
            op,
            working_set,
            coefficients,
            points: rows.iter().map(point).collect(),
        })
    }

    /// What the fit says of a ring with one special prime, within the degrees and the limbs of the rows; nothing
    /// beyond.
    pub fn at(&self, ring: RingSize) -> Option<Nanos> {
        let spans = |of: fn(&FitPoint) -> usize, x: usize| {
            let (least, most) = (
                self.points.iter().map(of).min(),
                self.points.iter().map(of).max(),
            );
            least
                .zip(most)
                .is_some_and(|(least, most)| (least..=most).contains(&x))
        };
        let within = spans(|point| point.n, ring.n) && spans(|point| point.limbs, ring.limbs);
        (ring.special == 1 && within).then(|| value(self.coefficients, ring.n, ring.limbs))
    }

    /// Median of the residuals without signs.
    pub fn median_residual(&self) -> f64 {
        let mut residuals: Vec<f64> = self.points.iter().map(|p| p.residual.abs()).collect();
        residuals.sort_by(f64::total_cmp);
        residuals
            .get(residuals.len() / 2)
            .copied()
            .unwrap_or_default()
    }

    /// The row that lies farthest from the fit.
    pub fn worst(&self) -> Option<FitPoint> {
        let farther = |a: &&FitPoint, b: &&FitPoint| a.residual.abs().total_cmp(&b.residual.abs());
        self.points.iter().max_by(farther).copied()
    }
}

fn value([c0, c1, c2]: [f64; 3], n: usize, limbs: usize) -> Nanos {
    Nanos((c0 + c1 * (n as f64).ln() + c2 * (limbs as f64).ln()).exp())
}

/// The fit of each operation that has rows enough.
pub(super) fn he_fits(exact: &BTreeMap<HeKey, Nanos>) -> BTreeMap<(HeOp, WorkingSet), HeFit> {
    let mut rows: BTreeMap<(HeOp, WorkingSet), Vec<(RingSize, Nanos)>> = BTreeMap::new();
    for (&(op, ring, set), &time) in exact.iter().filter(|((_, ring, _), _)| ring.special == 1) {
        rows.entry((op, set)).or_default().push((ring, time));
    }
    let fit = |(key, rows): (_, Vec<_>)| Some((key, HeFit::new(key, &rows)?));
    rows.into_iter().filter_map(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(n: usize, limbs: usize) -> RingSize {
        RingSize {
            n,
            limbs,
            special: 1,
            digits: 0,
        }
    }

    /// A power law is found again, and a row beside it keeps its distance.
    #[test]
    fn residuals_tell_how_far_rows_lie_from_their_fit() {
        let law = |n: usize, limbs: usize| 3.0 * n as f64 * (limbs as f64).powi(2);
        let sizes = [(2048, 1), (4096, 1), (4096, 2), (8192, 2), (8192, 4)];
        let rows = sizes.map(|(n, limbs)| (ring(n, limbs), Nanos(law(n, limbs))));
        let key = (HeOp::Rotate, WorkingSet::Hot);
        let fit = HeFit::new(key, &rows).unwrap();
        assert!(
            (fit.coefficients[1] - 1.0).abs() < 1e-9 && (fit.coefficients[2] - 2.0).abs() < 1e-9
        );
        assert!(fit.median_residual() < 1e-9);
        let between = fit.at(ring(4096, 3)).unwrap();
        assert!((between.0 / law(4096, 3) - 1.0).abs() < 1e-9);
        for beyond in [ring(16_384, 2), ring(1024, 1), ring(4096, 5)] {
            assert_eq!(fit.at(beyond), None);
        }
        assert_eq!(
            fit.at(RingSize {
                special: 2,
                ..ring(4096, 2)
            }),
            None
        );
        let mut rows = rows.to_vec();
        rows.extend(sizes.map(|(n, limbs)| (ring(n, limbs), Nanos(law(n, limbs)))));
        rows.push((ring(4096, 4), Nanos(1.5 * law(4096, 4))));
        let worst = HeFit::new(key, &rows).unwrap().worst().unwrap();
        assert_eq!((worst.n, worst.limbs), (4096, 4));
        assert!((0.2..0.5).contains(&worst.residual), "{worst:?}");
    }
}
