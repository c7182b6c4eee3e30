//! How fast the processor is at the moment, told by a fixed piece of work.
//!
//! A core's two hardware threads share its units. Where the other one is another tenant's, as on most rented machines,
//! the same work takes up to twice as long for as long as that tenant computes, on a clock that shows nothing of it.
//! What is measured in such a time says little about the machine; a fixed piece of work, timed directly before and
//! after, tells it apart. The work is of whole numbers in registers, eight chains at a time, which needs more than
//! half of a core's units and touches no memory: it leaves the caches as they are.

use std::hint::black_box;
use std::time::Duration;

use super::clock::time;
use crate::units::Nanos;

/// Steps of the work, which take some 15 µs.
const STEPS: u64 = 7_000;
/// Times the pace of a processor of one's own from which it is disturbed. A clock that adapts itself moves by less: of the
/// paces of a calibration on a Xeon (model 167) nine in ten lay at 16.1 to 20.2 µs, a few at 13.4; on a shared Zen 3
/// those of a shared core at 1.36 to 2 times the others'. What changes by less stays in the times.
const DISTURBED: f64 = 1.33;
/// Share of all paces that are quicker than that of a processor of one's own: a clock is for moments faster than it stays.
const QUICKER: f64 = 0.1;
/// Times the fixed work is done at first, to know the pace.
const FIRST: usize = 300;
/// Ratio of a pace and the next one that is counted apart.
const STEP: f64 = 1.01;
/// Paces counted apart, from a nanosecond to a second.
const COUNTED: usize = 2084;

/// Time of the fixed work at this moment.
fn pace() -> Nanos {
    let work = || {
        let mut lanes = black_box([1u64, 2, 3, 4, 5, 6, 7, 8]);
        for step in 0..STEPS {
            for lane in &mut lanes {
                *lane = (*lane ^ step).rotate_left(7).wrapping_add(step);
            }
        }
        black_box(lanes);
    };
    time(work).1
}

/// Watches the processor's pace around pieces of work, and waits for a processor of one's own before them, for a
/// limited share of the time that was worked.
#[derive(Debug)]
pub struct Watch {
    seen: Seen,
    last: Nanos,
    stock: Nanos,
    most: Nanos,
    share: f64,
}

impl Watch {
    /// Learns the pace, as far as this moment shows it. It will wait for `share` times as long as was worked,
    /// and for `most`, which is also all that it ever waits for without work in between.
    pub fn start(share: f64, most: Duration) -> Self {
        let most = Nanos(most.as_nanos() as f64);
        let mut seen = Seen::default();
        (0..FIRST).for_each(|_| seen.add(pace()));
        Self {
            seen,
            last: Nanos(0.0),
            stock: most,
            most,
            share,
        }
    }

    /// The pace of a processor of one's own, by all that it has seen.
    pub fn own_pace(&self) -> OwnPace {
        self.seen.own()
    }

    fn look(&mut self) -> Nanos {
        let pace = pace();
        self.seen.add(pace);
        pace
    }

    /// Looks at the pace before a piece of work; how long that took.
    pub fn look_before(&mut self) -> Nanos {
        self.last = self.look();
        self.last
    }

    /// Waits before a piece of work; how long it did.
    pub fn wait(&mut self) -> Nanos {
        let mut waited = self.look_before();
        while !self.own_pace().undisturbed(self.last) && self.stock.0 > 0.0 {
            self.stock = self.stock - self.last;
            waited += self.look_before();
        }
        waited
    }

    /// After a piece of work that took so long: the slower of the paces before and after.
    pub fn worked(&mut self, taken: Nanos) -> Nanos {
        self.stock = Nanos((self.stock.0 + taken.0 * self.share).min(self.most.0));
        let after = self.look();
        Nanos(self.last.0.max(after.0))
    }
}

/// How often each pace was seen, in steps of [`STEP`].
#[derive(Debug)]
struct Seen(Vec<u32>);

impl Default for Seen {
    fn default() -> Self {
        Self(vec![0; COUNTED])
    }
}

impl Seen {
    fn add(&mut self, pace: Nanos) {
        let at = (pace.0.max(1.0).ln() / STEP.ln()) as usize;
        let at = at.min(self.0.len().saturating_sub(1));
        if let Some(count) = self.0.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    /// The pace that [`QUICKER`] of all are quicker than, by the middle of its step.
    fn own(&self) -> OwnPace {
        let all: u64 = self.0.iter().map(|&count| u64::from(count)).sum();
        let mut left = (all as f64 * QUICKER) as u64;
        let reached = self.0.iter().position(|&count| {
            let reached = u64::from(count) > left;
            left = left.saturating_sub(u64::from(count));
            reached
        });
        let middle = reached.map_or(0.0, |at| STEP.powf(at as f64 + 0.5));
        OwnPace(Nanos(middle))
    }
}

/// The pace of a processor of one's own: one of its quicker ones, which judges the others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OwnPace(Nanos);

impl OwnPace {
    /// The quickest of these; none of no times.
    pub fn of(paces: impl IntoIterator<Item = Nanos>) -> Option<Self> {
        let least = |a: Nanos, b: Nanos| if b < a { b } else { a };
        paces.into_iter().reduce(least).map(Self)
    }

    /// That of a processor which showed these; none of no times.
    pub fn among(paces: impl IntoIterator<Item = Nanos>) -> Option<Self> {
        let mut seen = Seen::default();
        paces.into_iter().for_each(|pace| seen.add(pace));
        Some(seen.own()).filter(|own| own.0.0 > 0.0)
    }

    /// The time itself.
    pub const fn time(self) -> Nanos {
        self.0
    }

    /// Whether the processor was this process's own when the work took so long.
    pub fn undisturbed(self, pace: Nanos) -> bool {
        pace.0 <= DISTURBED * self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_judges_the_others() {
        assert_eq!(OwnPace::of([]), None);
        let own = OwnPace::of([12.0, 10.0, 19.0].map(Nanos)).unwrap();
        assert_eq!(own.time(), Nanos(10.0));
        assert!(own.undisturbed(Nanos(13.2)) && !own.undisturbed(Nanos(13.4)));
    }

    /// Among a hundred paces from 10 to 20 µs the eleventh, whatever a single one was.
    #[test]
    fn a_few_that_were_quicker_do_not_judge() {
        let mut seen = Seen::default();
        seen.add(Nanos(5e3));
        (0..99).for_each(|i| seen.add(Nanos(1e4 + 1e2 * f64::from(i))));
        let own = seen.own().time().0;
        assert!((own / 1.09e4 - 1.0).abs() < 0.011, "{own}");
        assert_eq!(OwnPace::among([]), None);
        for unheard_of in [0.0, f64::NAN, f64::INFINITY] {
            seen.add(Nanos(unheard_of));
        }
        assert_eq!(Seen::default().own().time(), Nanos(0.0));
    }

    #[test]
    fn the_work_takes_time_and_a_watch_knows_it() {
        let mut watch = Watch::start(1.0, Duration::ZERO);
        assert!(watch.own_pace().time().0 > 0.0);
        let before = watch.wait();
        let slower = watch.worked(Nanos(1e6));
        assert!(before.0 > 0.0 && slower.0 >= watch.last.0);
    }

    /// No pace is as quick as most that it has seen: it waits for what it has earned, and then no more.
    #[test]
    fn a_watch_waits_no_longer_than_its_stock() {
        let mut watch = Watch::start(10.0, Duration::from_millis(2));
        watch.seen = Seen::default();
        (0..10_000).for_each(|_| watch.seen.add(Nanos(1.0)));
        let waited = watch.wait();
        assert!(waited.0 >= 2e6, "{waited}");
        assert!(watch.stock.0 <= 0.0);
        let looked_once = watch.wait();
        assert_eq!(looked_once, watch.last);
        let earned = watch.stock + Nanos(1e5);
        assert!(watch.worked(Nanos(1e4)).0 >= watch.last.0);
        assert_eq!(watch.stock, earned);
        watch.worked(Nanos(1e9));
        assert_eq!(watch.stock, watch.most, "however much was worked");
    }
}
