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
/// Times the quickest work from which the processor is disturbed. A clock that adapts itself moves by less: the work took
/// 13.4 to 17.4 µs on a Xeon (model 167) in a quiet hour, 1.36 to 2 times its quickest on a shared Zen 3. What changes by
/// less stays in the times.
const DISTURBED: f64 = 1.33;
/// Times the fixed work is done at first, to know its quickest.
const FIRST: usize = 1000;

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
    quickest: Quickest,
    last: Nanos,
    stock: Nanos,
    most: Nanos,
    share: f64,
}

impl Watch {
    /// Learns the quickest pace, as far as this moment shows it. It will wait for `share` times as long as was worked,
    /// and for `most`, which is also all that it ever waits for without work in between.
    pub fn start(share: f64, most: Duration) -> Self {
        let most = Nanos(most.as_nanos() as f64);
        let paces = (0..FIRST).map(|_| pace());
        Self {
            quickest: Quickest::of(paces).unwrap_or_default(),
            last: Nanos(0.0),
            stock: most,
            most,
            share,
        }
    }

    /// The quickest pace that it has seen.
    pub const fn quickest(&self) -> Quickest {
        self.quickest
    }

    fn look(&mut self) -> Nanos {
        let pace = pace();
        self.quickest.0.0 = self.quickest.0.0.min(pace.0);
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
        while !self.quickest.undisturbed(self.last) && self.stock.0 > 0.0 {
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

/// The quickest of some times of the fixed work; it judges the others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quickest(Nanos);

impl Quickest {
    /// Of these; none of no times.
    pub fn of(paces: impl IntoIterator<Item = Nanos>) -> Option<Self> {
        let least = |a: Nanos, b: Nanos| if b < a { b } else { a };
        paces.into_iter().reduce(least).map(Self)
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
        assert_eq!(Quickest::of([]), None);
        let quickest = Quickest::of([12.0, 10.0, 19.0].map(Nanos)).unwrap();
        assert_eq!(quickest.time(), Nanos(10.0));
        assert!(quickest.undisturbed(Nanos(13.2)) && !quickest.undisturbed(Nanos(13.4)));
    }

    #[test]
    fn the_work_takes_time_and_a_watch_keeps_the_quickest() {
        let mut watch = Watch::start(1.0, Duration::ZERO);
        assert!(watch.quickest().time().0 > 0.0);
        let before = watch.wait();
        let slower = watch.worked(Nanos(1e6));
        assert!(before.0 > 0.0 && slower.0 >= watch.quickest().time().0);
    }

    /// Nothing is ever as quick as a nanosecond: it waits for what it has earned, and then no more.
    #[test]
    fn a_watch_waits_no_longer_than_its_stock() {
        let mut watch = Watch {
            quickest: Quickest(Nanos(1.0)),
            ..Watch::start(10.0, Duration::from_millis(2))
        };
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
