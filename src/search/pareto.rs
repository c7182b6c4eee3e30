//! The Pareto front of accuracy (more is better) against seconds and bytes (less is better).
//!
//! An episode is dominated if another is at least as good in all three and better in one; of
//! episodes equal in all three only the first stays. A sweep in falling accuracy keeps the staircase
//! of (seconds, bytes) seen so far: m episodes take O(m log m) comparisons plus the staircase's moves.

use super::episode::Episode;
use super::models::Cost;

/// Indices of the episodes that nothing dominates, best accuracy first. Networks that can't be run
/// never belong.
pub fn pareto_front(episodes: &[Episode]) -> Vec<usize> {
    let points: Vec<_> = episodes.iter().map(Episode::scores).collect();
    front(&points)
}

/// [`pareto_front`] of bare points.
fn front(points: &[Option<(f64, Cost)>]) -> Vec<usize> {
    let scored = points.iter().enumerate();
    let mut order: Vec<(usize, f64, Cost)> = scored
        .filter_map(|(index, point)| point.map(|(accuracy, cost)| (index, accuracy, cost)))
        .collect();
    order.sort_by(|(i, a, c), (j, b, d)| {
        let accuracy = b.total_cmp(a);
        let seconds = c.seconds.total_cmp(&d.seconds);
        accuracy
            .then(seconds)
            .then(c.bytes.cmp(&d.bytes))
            .then(i.cmp(j))
    });
    let mut stairs: Vec<Cost> = Vec::new();
    let mut kept = Vec::new();
    for (index, _, cost) in order {
        // Seconds rise and bytes fall along the stairs: the last step that isn't slower has the
        // fewest bytes of all that aren't.
        let after = stairs.partition_point(|step| step.seconds <= cost.seconds);
        if after > 0 && stairs[after - 1].bytes <= cost.bytes {
            continue;
        }
        let from = stairs.partition_point(|step| step.seconds < cost.seconds);
        let covered = stairs[from..]
            .iter()
            .take_while(|s| s.bytes >= cost.bytes)
            .count();
        stairs.splice(from..from + covered, [cost]);
        kept.push(index);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Point = Option<(f64, Cost)>;

    fn dominates(p: (f64, Cost), q: (f64, Cost)) -> bool {
        let no_worse = p.0 >= q.0 && p.1.seconds <= q.1.seconds && p.1.bytes <= q.1.bytes;
        no_worse && p != q
    }

    fn exhaustive(points: &[Point]) -> Vec<usize> {
        let belongs = |&i: &usize| {
            points[i].is_some_and(|q| {
                let beaten = points.iter().flatten().any(|&p| dominates(p, q));
                let repeated = points[..i].contains(&points[i]);
                !beaten && !repeated
            })
        };
        (0..points.len()).filter(belongs).collect()
    }

    fn point(accuracy: f64, seconds: f64, bytes: u64) -> Point {
        Some((accuracy, Cost { seconds, bytes }))
    }

    #[test]
    fn keeps_trade_offs_and_drops_the_rest() {
        let points = [
            point(0.8, 1.0, 10),
            point(0.9, 2.0, 20),
            point(0.7, 2.0, 20),
            point(0.8, 1.0, 10),
            None,
            point(0.8, 2.0, 5),
            point(0.8, 1.0, 11),
        ];
        assert_eq!(front(&points), [1, 0, 5]);
        assert!(front(&[]).is_empty());
    }

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let coordinate = || 0u8..6;
        let one = proptest::option::weighted(0.9, (coordinate(), coordinate(), coordinate()));
        let read = |(a, s, b): (u8, u8, u8)| {
            let (accuracy, seconds, bytes) = (f64::from(a) / 5.0, f64::from(s), u64::from(b));
            (accuracy, Cost { seconds, bytes })
        };
        proptest::collection::vec(one.prop_map(move |p| p.map(read)), 0..40)
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_all_pairs(points in points()) {
            let mut fast = front(&points);
            fast.sort_unstable();
            prop_assert_eq!(fast, exhaustive(&points));
        }
    }
}
