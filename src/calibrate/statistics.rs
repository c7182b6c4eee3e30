//! The median of a sample and a 95 % confidence interval of it.
//!
//! The interval is distribution-free: with k the normal approximation of the binomial quantile,
//! the order statistics at n/2 ± 0.98 √n bracket the median (Conover, Practical Nonparametric
//! Statistics, section 3.2). Outliers need no rule of their own: they move neither.

use crate::units::Nanos;

/// A sample summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub samples: u64,
    /// Median.
    pub median: Nanos,
    /// Lower end of its 95 % interval.
    pub low: Nanos,
    /// Upper end.
    pub high: Nanos,
}

/// Sums up `times`; `None` for an empty sample.
pub fn summarize(times: &[Nanos]) -> Option<Summary> {
    let mut sorted: Vec<f64> = times.iter().map(|t| t.0).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let reach = 0.98 * (count as f64).sqrt();
    let centre = count as f64 / 2.0;
    let low = (centre - reach).floor().max(0.0) as usize;
    let high = ((centre + reach).ceil() as usize).min(count.saturating_sub(1));
    let median = match count {
        0 => return None,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    };
    Some(Summary {
        samples: count as u64,
        median: Nanos(median),
        low: Nanos(sorted[low]),
        high: Nanos(sorted[high]),
    })
}

/// Least-squares line through `points` weighted by 1/y² (relative errors): slope and intercept.
///
/// `None` where fewer than two different x are given.
pub fn fit_line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(x, y) in points {
        let weight = 1.0 / (y * y);
        w += weight;
        wx += weight * x;
        wy += weight * y;
        wxx += weight * x * x;
        wxy += weight * x * y;
    }
    let determinant = w * wxx - wx * wx;
    let slope = (w * wxy - wx * wy) / determinant;
    let determined = determinant.abs() > 1e-12 * w * wxx;
    determined.then(|| (slope, (wy - slope * wx) / w))
}

/// Least-squares plane z = c₀ + c₁·x + c₂·y through `points` `([x, y], z)`.
///
/// `None` where the points do not determine it.
pub fn fit_plane(points: &[([f64; 2], f64)]) -> Option<[f64; 3]> {
    let mut a = [[0.0f64; 4]; 3];
    for &([x, y], z) in points {
        let row = [1.0, x, y, z];
        for (i, line) in a.iter_mut().enumerate() {
            for (j, cell) in line.iter_mut().enumerate() {
                *cell += row[i] * row[j];
            }
        }
    }
    for pivot in 0..3 {
        let scale = a[pivot][pivot];
        if scale.abs() < 1e-9 {
            return None;
        }
        a[pivot] = a[pivot].map(|cell| cell / scale);
        let line = a[pivot];
        for (_, other) in a.iter_mut().enumerate().filter(|(row, _)| *row != pivot) {
            let factor = other[pivot];
            for (cell, from) in other.iter_mut().zip(line) {
                *cell -= factor * from;
            }
        }
    }
    Some([a[0][3], a[1][3], a[2][3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_interval_of_a_hundred() {
        let times: Vec<Nanos> = (1..=100).rev().map(|i| Nanos(f64::from(i))).collect();
        let summary = summarize(&times).unwrap();
        assert_eq!(summary.median, Nanos(50.5));
        assert_eq!((summary.low, summary.high), (Nanos(41.0), Nanos(61.0)));
        assert_eq!(summarize(&[]), None);
    }

    #[test]
    fn one_outlier_moves_nothing_much() {
        let mut times = vec![Nanos(10.0); 20];
        times.push(Nanos(1e9));
        assert_eq!(summarize(&times).unwrap().high, Nanos(10.0));
    }

    #[test]
    fn a_line_is_found_again() {
        let points: Vec<_> = (1..6)
            .map(|x| (f64::from(x), 3.0 * f64::from(x) + 2.0))
            .collect();
        let (slope, intercept) = fit_line(&points).unwrap();
        assert!((slope - 3.0).abs() < 1e-9 && (intercept - 2.0).abs() < 1e-9);
        assert_eq!(fit_line(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn a_plane_is_found_again() {
        let at = |x: f64, y: f64| ([x, y], 1.0 + 2.0 * x - 3.0 * y);
        let plane = fit_plane(&[at(0.0, 0.0), at(1.0, 0.0), at(0.0, 1.0), at(2.0, 5.0)]).unwrap();
        for (found, expected) in plane.into_iter().zip([1.0, 2.0, -3.0]) {
            assert!((found - expected).abs() < 1e-9);
        }
        assert_eq!(fit_plane(&[at(0.0, 0.0), at(1.0, 0.0)]), None);
    }
}
