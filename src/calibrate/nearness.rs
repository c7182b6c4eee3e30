//! How near the cores of two parties are to each other, told by probes.
//!
//! A hypervisor places the cores of a virtual machine on those of its own and moves them about. Where two of them share no
//! cache, what one has written reaches the other late: on a Zen 5 a cache line went there and back in 80 ns or in 370, a
//! byte through the loopback in 6.5 µs or in 10, and the link took 38 or 50 of the 317 ms of an inference of
//! `nass-cifar-acc`. Cores that compute on and on stay as they are; one that slept is placed anew when it wakes.
//!
//! A probe is a few round trips of a byte. Of a few probes in a row the quickest counts: the first ones find a core that
//! has just woken.

use std::fmt;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use super::clock::{now, time};
use super::pace::OwnPace;
use crate::units::Nanos;

/// Round trips of a probe.
pub const TRIPS: usize = 20;
/// Probes of a group, of which the quickest counts.
pub const PROBES: usize = 3;
/// Times the round trip between near cores from which they are far.
const FAR: f64 = 1.25;
/// Sleep between two groups.
const NAP: Duration = Duration::from_micros(100);
/// Groups after which the quickest is taken for near, where nothing else is known.
const FIRST: usize = 200;

/// The time of a round trip between near cores: one of its quicker times, which judges the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near(OwnPace);

impl Near {
    /// Of cores that showed these times; none of no times.
    pub fn among(round_trips: impl IntoIterator<Item = Nanos>) -> Option<Self> {
        OwnPace::among(round_trips).map(Self)
    }

    /// How much longer a round trip took than between cores that are just near: 1 or less between near ones.
    pub fn excess(self, round_trip: Nanos) -> f64 {
        round_trip.0 / (FAR * self.0.time().0)
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Near {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse().map(Self);
        time.map_err(|_| "expected the time of a round trip, as `6500 ns`".to_owned())
    }
}

/// Sends groups of probes and naps between them until the cores are near, or `most` is over; the last group's time, as
/// `group` tells it of each ([`quickest`]). Where it isn't `known` what near is, the first ones tell it.
///
/// # Errors
/// That of the first group that failed.
pub fn wait_for_near<E>(
    known: Option<Near>,
    most: Duration,
    mut group: impl FnMut() -> Result<Nanos, E>,
) -> Result<Nanos, E> {
    let end = now() + most;
    let mut seen = Vec::new();
    loop {
        let time = group()?;
        let near = match known {
            None => {
                seen.push(time);
                let enough = seen.len() >= FIRST;
                enough.then(|| Near::among(seen.iter().copied())).flatten()
            }
            known => known,
        };
        if near.is_some_and(|near| near.excess(time) <= 1.0) || now() >= end {
            return Ok(time);
        }
        thread::sleep(NAP);
    }
}

/// The time of a round trip in a group of probes, of the quickest one.
///
/// # Errors
/// That of the first round trip that failed.
pub fn quickest<E>(mut round_trip: impl FnMut() -> Result<(), E>) -> Result<Nanos, E> {
    let mut quickest = Nanos(f64::INFINITY);
    for _ in 0..PROBES {
        let (made, taken) = time(|| (0..TRIPS).try_for_each(|_| round_trip()));
        made?;
        quickest = Nanos(quickest.0.min(taken.0 / TRIPS as f64));
    }
    Ok(quickest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(2);
    const GROUP: usize = PROBES * TRIPS;

    /// How many round trips it takes where each lasts as long as `lasting` says of its number.
    fn trips(known: Option<Near>, most: Duration, lasting: impl Fn(usize) -> Duration) -> usize {
        let mut made = 0;
        let mut round_trip = || {
            made += 1;
            let end = now() + lasting(made);
            while now() < end {}
            Ok::<_, ()>(())
        };
        let waited = wait_for_near(known, most, || quickest(&mut round_trip));
        assert!(waited.unwrap().0 > 0.0);
        made
    }

    #[test]
    fn it_waits_for_near_cores_but_not_for_ever() {
        let micros = Duration::from_micros;
        let known = "40000 ns".parse().ok();
        let (near, far) = (micros(2), micros(200));
        assert_eq!(trips(known, MOST, |_| near), GROUP);
        let after = |number| if number <= 2 * GROUP { far } else { near };
        assert_eq!(trips(known, MOST, after), 3 * GROUP);
        let (short, began) = (MOST / 20, now());
        assert!(trips(known, short, |_| far) >= GROUP);
        assert!(began.elapsed() >= short);
    }

    #[test]
    fn of_unknown_cores_the_quicker_ones_are_near() {
        let quick = |_| Duration::from_nanos(100);
        let (most, began) = (Duration::from_secs(600), now());
        assert!(trips(None, most, quick) >= GROUP * FIRST);
        assert!(began.elapsed() < most);
        let failing = wait_for_near(None, MOST, || Err(7));
        assert_eq!(failing, Err(7));
    }

    #[test]
    fn a_round_trip_is_judged_by_near_ones() {
        assert_eq!(Near::among([]), None);
        let near = Near::among((0..20).map(|_| Nanos(6500.0))).unwrap();
        assert!(near.excess(Nanos(7000.0)) < 1.0 && near.excess(Nanos(9400.0)) > 1.0);
        let told: Near = near.to_string().parse().unwrap();
        assert!((told.0.time().0 / 6500.0 - 1.0).abs() < 0.01, "{near}");
        assert!("6500".parse::<Near>().is_err());
    }
}
