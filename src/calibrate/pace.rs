//! How fast the processor is at the moment, told by a fixed piece of work.
//!
//! A core's two hardware threads share its units. Where the other one is another tenant's, as on most rented machines,
//! the same work takes up to twice as long for as long as that tenant computes, on a clock that shows nothing of it.
//! What is measured in such a time says little about the machine; a fixed piece of work, timed directly before and
//! after, tells it apart. The work is of whole numbers in registers, eight chains at a time, which needs more than
//! half of a core's units and touches no memory: it leaves the caches as they are.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;
use std::time::Duration;

use super::clock::time;
use super::statistics::median_of_sorted;
use crate::units::Nanos;

/// Steps of the work, which take some 15 µs.
const STEPS: u64 = 7_000;
/// Times the pace of a processor of one's own from which it is disturbed. A clock that adapts itself moves by less: of the
/// paces of a calibration on a Xeon (model 167) nine in ten lay at 16.1 to 20.2 µs, a few at 13.4; on a shared Zen 3
/// those of a shared core at 1.36 to 2 times the others'. What changes by less stays in the times.
const DISTURBED: f64 = 1.33;
/// Share of all paces that are quicker than that of a processor of one's own: a clock is for moments faster than it stays.
const QUICKER: f64 = 0.1;
/// Paces of a processor of one's own, one directly after the other, that end a wait: half a millisecond of them. Beside a
/// neighbour who computes on and off a single one is chance: on a Xeon of model 207 42 and 63 % of a calibration's samples
/// met a shared core after single ones, 11 % after rows and with the pace known (`disturbed` of `nass calibrate`).
const ROW: usize = 32;
/// Paces of a row that tells how fast the clock is at the moment.
const USUAL: usize = 32;
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
    known: Option<OwnPace>,
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
            known: None,
            last: Nanos(0.0),
            stock: most,
            most,
            share,
        }
    }

    /// The same on a processor that showed `known` before: one that is shared from the first moment on is not taken for
    /// one's own.
    #[must_use]
    pub fn knowing(self, known: Option<OwnPace>) -> Self {
        Self { known, ..self }
    }

    /// The pace of a processor of one's own, by all that it has seen and known.
    pub fn own_pace(&self) -> OwnPace {
        let seen = self.seen.own();
        self.known.map_or(seen, |known| seen.quicker(known))
    }

    /// The usual pace at the moment, the middle one of a row: how fast the clock is. One that adapts itself to what its neighbours
    /// do moves by some per cent within minutes, and what is computed with it: the files of samples tell both, round by round.
    pub fn usual(&mut self) -> Nanos {
        let mut row = [(); USUAL].map(|()| pace().0);
        row.sort_by(f64::total_cmp);
        self.look(Nanos(median_of_sorted(&row).unwrap_or_default()))
    }

    /// Looks at the pace before a piece of work; how long that took.
    pub fn look_before(&mut self) -> Nanos {
        self.look(pace())
    }

    /// Waits before a piece of work; how long it did.
    pub fn wait(&mut self) -> Nanos {
        self.wait_by(pace)
    }

    /// As long as `pace` tells of a processor that is shared, and until it has told a row of others.
    fn wait_by(&mut self, mut pace: impl FnMut() -> Nanos) -> Nanos {
        let mut waited = self.look(pace());
        let mut row = if self.is_own() { ROW } else { 0 };
        while row < ROW && self.stock.0 > 0.0 {
            self.stock = self.stock - self.last;
            waited += self.look(pace());
            row = if self.is_own() { row + 1 } else { 0 };
        }
        waited
    }

    fn look(&mut self, pace: Nanos) -> Nanos {
        self.seen.add(pace);
        self.last = pace;
        pace
    }

    /// Whether the processor was this process's own when it was last looked at.
    fn is_own(&self) -> bool {
        self.own_pace().undisturbed(self.last)
    }

    /// After a piece of work that took so long: the slower of the paces before and after.
    pub fn worked(&mut self, taken: Nanos) -> Nanos {
        self.stock = Nanos((self.stock.0 + taken.0 * self.share).min(self.most.0));
        let before = self.last;
        let after = self.look(pace());
        Nanos(before.0.max(after.0))
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
        paces.into_iter().map(Self).reduce(Self::quicker)
    }

    /// The quicker one.
    #[must_use]
    pub fn quicker(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
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
        self.excess(pace) <= 1.0
    }

    /// How much longer what is computed takes at a pace than at the usual one; as long where the processor was shared, which
    /// says nothing of the clock. No clock moves by as much as a neighbour slows it.
    pub fn slowing(self, pace: Nanos, usual: Nanos) -> f64 {
        let own = self.undisturbed(pace) && self.undisturbed(usual) && usual.0 > 0.0;
        if own {
            (pace.0 / usual.0).clamp(1.0 / DISTURBED, DISTURBED)
        } else {
            1.0
        }
    }

    /// How much longer the work took than on one that is just this process's own: 1 or less on one that is.
    pub fn excess(self, pace: Nanos) -> f64 {
        pace.0 / (DISTURBED * self.0.0)
    }
}

impl fmt::Display for OwnPace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ns", self.0.0)
    }
}

impl FromStr for OwnPace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let nanos = text.strip_suffix(" ns").and_then(|text| text.parse().ok());
        let nanos = nanos.filter(|nanos: &f64| nanos.is_finite() && *nanos > 0.0);
        let own = nanos.map(|nanos| Self(Nanos(nanos)));
        own.ok_or_else(|| "expected a time of the fixed work, as `16700 ns`".to_owned())
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

    /// One that was told of a quicker pace than it has seen judges by it; by a slower one it does not.
    #[test]
    fn what_is_known_judges_where_all_that_is_seen_is_slower() {
        let seeing = |pace: f64, known: &str| {
            let watch = Watch::start(0.0, Duration::ZERO).knowing(known.parse().ok());
            let seen = Seen::default();
            let mut watch = Watch { seen, ..watch };
            (0..100).for_each(|_| watch.seen.add(Nanos(pace)));
            watch.own_pace().undisturbed(Nanos(pace))
        };
        assert!(seeing(3e4, "none") && seeing(3e4, "30000 ns") && seeing(3e4, "60000 ns"));
        assert!(!seeing(3e4, "15000 ns"));
    }

    /// A shared processor, a moment of its own, shared again, then its own for good.
    #[test]
    fn a_wait_ends_with_a_row_of_own_paces() {
        let known = OwnPace::of([Nanos(1e4)]);
        let most = Duration::from_secs(1);
        let paces = [(3, 2e4), (ROW - 1, 1e4), (1, 2e4), (10 * ROW, 1e4)];
        let told = paces.map(|(count, pace)| vec![Nanos(pace); count]).concat();
        let mut told = told.into_iter();
        let mut watch = Watch::start(1.0, most).knowing(known);
        let waited = watch.wait_by(|| told.next().unwrap());
        assert_eq!(told.len(), 9 * ROW);
        assert_eq!(waited, Nanos(4.0 * 2e4 + (2 * ROW - 1) as f64 * 1e4));
        assert_eq!(
            watch.wait_by(|| told.next().unwrap()),
            Nanos(1e4),
            "none is needed"
        );
    }

    #[test]
    fn a_clock_slows_within_reason() {
        let own = OwnPace::of([Nanos(10.0)]).unwrap();
        let slowing = |pace, usual| own.slowing(Nanos(pace), Nanos(usual));
        assert_eq!(
            [slowing(11.0, 10.0), slowing(10.0, 11.0)],
            [1.1, 10.0 / 11.0]
        );
        assert_eq!(
            [slowing(14.0, 10.0), slowing(10.0, 14.0)],
            [1.0; 2],
            "shared"
        );
        for nothing in [0.0, f64::NAN] {
            assert_eq!(slowing(10.0, nothing), 1.0);
        }
        assert_eq!(
            [slowing(5e-324, 10.0), slowing(10.0, 5e-324)],
            [1.0 / DISTURBED, DISTURBED]
        );
    }

    #[test]
    fn a_pace_reads_as_it_is_written() {
        let own: OwnPace = "16735 ns".parse().unwrap();
        assert_eq!(
            (own.time(), own.to_string().as_str()),
            (Nanos(16_735.0), "16735 ns")
        );
        for bad in ["", "16735", "0 ns", "-1 ns", "inf ns", "nan ns", "fast"] {
            assert!(bad.parse::<OwnPace>().is_err(), "{bad}");
        }
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
