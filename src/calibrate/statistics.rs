//! The median of a sample, a 95 % confidence interval of it, and how many samples lie far out.
//!
//! The interval is the percentile bootstrap's (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
//! section 13.3) over [`RESAMPLES`] medians, drawn from a fixed seed: the same samples give the same interval. A
//! resample is not drawn value by value. Sorted, n draws with replacement are the values at floor(n·U₍₁₎), …,
//! floor(n·U₍ₙ₎) for ordered uniform numbers U, and U₍ₘ₎ has the distribution Beta(m, n + 1 − m).
//!
//! Outliers are samples whose modified z-score, 0.6745·|x − median| / MAD, is above 3.5 (Iglewicz and Hoaglin,
//! How to Detect and Handle Outliers, 1993); where half the samples are equal and MAD, the median absolute
//! deviation, is 0, the mean absolute deviation times 1.2533 stands for MAD / 0.6745. They are counted and kept:
//! a median does not mind them.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Beta, Distribution};

use crate::units::Nanos;

/// Resamples of an interval.
pub const RESAMPLES: usize = 2000;
/// Seed of the resamples.
const SEED: u64 = 1;
/// Share of the resampled medians on either side of the interval.
const TAIL: f64 = 0.025;
/// Modified z-score of an outlier.
const FAR_OUT: f64 = 3.5;
/// Median absolute deviation of a normal distribution in standard deviations.
const NORMAL_MAD: f64 = 0.6745;
/// Standard deviation of a normal distribution in mean absolute deviations, √(π/2).
const NORMAL_MEAN: f64 = 1.253_314;

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
    /// Number of outliers.
    pub outliers: u64,
    /// Distance from the median beyond which a sample is one.
    reach: Nanos,
}

impl Summary {
    /// Whether a sample lies far out.
    pub fn is_outlier(&self, time: Nanos) -> bool {
        (time.0 - self.median.0).abs() > self.reach.0
    }
}

/// Sums up `times`; `None` for an empty sample.
pub fn summarize(times: &[Nanos]) -> Option<Summary> {
    let mut sorted: Vec<f64> = times.iter().map(|t| t.0).collect();
    sorted.sort_by(f64::total_cmp);
    let median = median_of_sorted(&sorted)?;
    let medians = resampled(&sorted)?;
    let aside = (TAIL * RESAMPLES as f64) as usize;
    let reach = Nanos(reach(&sorted, median)?);
    let mut summary = Summary {
        samples: times.len() as u64,
        median: Nanos(median),
        low: Nanos(medians.get(aside)?.min(median)),
        high: Nanos(medians.get(RESAMPLES - 1 - aside)?.max(median)),
        outliers: 0,
        reach,
    };
    let outliers = times.iter().filter(|&&time| summary.is_outlier(time));
    summary.outliers = outliers.count() as u64;
    Some(summary)
}

pub(super) fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(sorted[middle - 1], upper)
    })
}

/// Medians of resamples, sorted.
fn resampled(sorted: &[f64]) -> Option<Vec<f64>> {
    let count = sorted.len();
    let middle = count.div_ceil(2);
    let above = (count - middle) as f64;
    let at = |u: f64| sorted[((u * count as f64) as usize).min(count - 1)];
    let lower = Beta::new(middle as f64, above + 1.0).ok()?;
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut draw = || {
        let u = lower.sample(&mut rng);
        if count % 2 == 1 {
            return at(u);
        }
        // The next one up is the least of those above, which are uniform there.
        let next = 1.0 - (1.0 - u) * rng.random::<f64>().powf(1.0 / above);
        f64::midpoint(at(u), at(next))
    };
    let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
    medians.sort_by(f64::total_cmp);
    Some(medians)
}

/// Distance from the median beyond which a sample is an outlier.
fn reach(sorted: &[f64], middle: f64) -> Option<f64> {
    let mut deviations: Vec<f64> = sorted.iter().map(|x| (x - middle).abs()).collect();
    deviations.sort_by(f64::total_cmp);
    let mad = median_of_sorted(&deviations)?;
    let deviation = if mad > 0.0 {
        mad / NORMAL_MAD
    } else {
        NORMAL_MEAN * deviations.iter().sum::<f64>() / deviations.len() as f64
    };
    Some(FAR_OUT * deviation)
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

    fn nanos(values: impl IntoIterator<Item = u32>) -> Vec<Nanos> {
        let times = values.into_iter().map(|value| Nanos(f64::from(value)));
        times.collect()
    }

    #[test]
    fn median_and_interval_of_a_hundred() {
        let summary = summarize(&nanos((1..=100).rev())).unwrap();
        assert_eq!(summary.median, Nanos(50.5));
        assert!((38.0..44.0).contains(&summary.low.0), "{summary:?}");
        assert!((57.0..63.0).contains(&summary.high.0), "{summary:?}");
        assert_eq!(summary.outliers, 0);
        assert_eq!(summarize(&nanos((1..=100).rev())), Some(summary));
        assert_eq!(summarize(&[]), None);
    }

    /// Against resamples drawn value by value: the shares of medians up to each sample agree.
    #[test]
    fn medians_are_distributed_as_those_of_resamples_drawn_one_by_one() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        for count in [1, 2, 3, 8, 21, 50] {
            let sorted: Vec<f64> = (0..count).map(|i| f64::from(i * i)).collect();
            let slow = (0..20_000).map(|_| {
                let drawn = (0..count).map(|_| sorted[rng.random_range(0..count as usize)]);
                let mut drawn: Vec<f64> = drawn.collect();
                drawn.sort_by(f64::total_cmp);
                median_of_sorted(&drawn).unwrap()
            });
            let (slow, fast) = (slow.collect::<Vec<_>>(), resampled(&sorted).unwrap());
            for &limit in &sorted {
                let share = |medians: &[f64]| {
                    medians.iter().filter(|&&m| m <= limit).count() as f64 / medians.len() as f64
                };
                let (slow, fast) = (share(&slow), share(&fast));
                assert!((slow - fast).abs() < 0.04, "{count}: {slow} {fast}");
            }
        }
    }

    #[test]
    fn outliers_are_counted_and_move_nothing_much() {
        let mut times = nanos(90..111);
        times.push(Nanos(1e9));
        let summary = summarize(&times).unwrap();
        assert_eq!((summary.outliers, summary.median), (1, Nanos(100.5)));
        assert!(summary.is_outlier(Nanos(1e9)) && !summary.is_outlier(Nanos(90.0)));
        assert!(summary.high.0 <= 108.0, "{summary:?}");
        // MAD = 5.5: 0.6745·d / 5.5 > 3.5 from d = 28.54 on.
        assert!(
            !summary.is_outlier(Nanos(100.5 + 28.0)) && summary.is_outlier(Nanos(100.5 + 29.0))
        );
        let mut equal = nanos([10; 20]);
        assert_eq!(summarize(&equal).unwrap().outliers, 0);
        equal.push(Nanos(1e9));
        let summary = summarize(&equal).unwrap();
        assert_eq!((summary.outliers, summary.high), (1, Nanos(10.0)));
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
