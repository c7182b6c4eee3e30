//! The rounds: one sample of every library in turn, many times; medians and least values.
//!
//! A sample is a run of calls of at least [`SAMPLE`] after a warm-up of [`WARM_UP`], so that neither
//! the clock nor the library before it counts. The order of the libraries turns with the rounds: what
//! the machine does meanwhile falls on all alike.

use std::time::Duration;

use anyhow::Result;

use crate::ops::{Op, Peer, Size};

/// Least time of a sample.
const SAMPLE: Duration = Duration::from_micros(200);
/// Least time before a sample.
const WARM_UP: Duration = Duration::from_micros(50);

/// What one library takes for one operation.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The operation.
    pub op: Op,
    /// The library's name.
    pub peer: String,
    /// Median of a call.
    pub median_ns: f64,
    /// Least of a call.
    pub min_ns: f64,
    /// Number of samples.
    pub samples: usize,
}

/// The size of one library's object.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// The object.
    pub size: Size,
    /// The library's name.
    pub peer: String,
    /// Its bytes.
    pub bytes: usize,
}

/// All operations in all libraries that have them, over `rounds` rounds each.
pub fn times(peers: &mut [Box<dyn Peer>], rounds: usize) -> Result<Vec<Timing>> {
    let mut all = Vec::new();
    for op in Op::ALL {
        let mut plans = Vec::new();
        for (index, peer) in peers.iter_mut().enumerate() {
            if let Some(call) = one_call(peer.as_mut(), op)? {
                plans.push((index, call, Vec::with_capacity(rounds)));
            }
        }
        for round in 0..rounds {
            let first = round % plans.len().max(1);
            for turn in 0..plans.len() {
                let at = (first + turn) % plans.len();
                let (index, call, samples) = &mut plans[at];
                samples.push(sample(peers[*index].as_mut(), op, *call)?);
            }
        }
        for (index, _, samples) in plans {
            all.push(summary(op, peers[index].name(), samples));
        }
    }
    Ok(all)
}

/// The sizes of all objects.
pub fn sizes(peers: &[Box<dyn Peer>]) -> Vec<Bytes> {
    let of = |size: Size| {
        peers.iter().filter_map(move |peer| {
            let peer_name = peer.name().to_owned();
            let bytes = peer.bytes(size)?;
            Some(Bytes {
                size,
                peer: peer_name,
                bytes,
            })
        })
    };
    Size::ALL.into_iter().flat_map(of).collect()
}

/// Roughly the time of one call, in nanoseconds; `None` if there is no such operation.
fn one_call(peer: &mut dyn Peer, op: Op) -> Result<Option<f64>> {
    let mut calls = 1;
    loop {
        let Some(time) = peer.time(op, calls)? else {
            return Ok(None);
        };
        if time >= WARM_UP {
            return Ok(Some(time.as_nanos() as f64 / f64::from(calls)));
        }
        calls *= 2;
    }
}

fn sample(peer: &mut dyn Peer, op: Op, call_ns: f64) -> Result<f64> {
    let calls = |time: Duration| (time.as_nanos() as f64 / call_ns).ceil() as u32;
    peer.time(op, calls(WARM_UP))?;
    let calls = calls(SAMPLE);
    let time = peer.time(op, calls)?.unwrap_or_default();
    Ok(time.as_nanos() as f64 / f64::from(calls))
}

fn summary(op: Op, peer: &str, mut samples: Vec<f64>) -> Timing {
    samples.sort_by(f64::total_cmp);
    Timing {
        op,
        peer: peer.to_owned(),
        median_ns: samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN),
        min_ns: samples.first().copied().unwrap_or(f64::NAN),
        samples: samples.len(),
    }
}
