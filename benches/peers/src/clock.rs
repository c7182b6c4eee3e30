//! The clock of every sample: monotonic time of one thread.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The time of `calls` calls of `op`.
#[expect(clippy::disallowed_methods, reason = "this program measures")]
pub fn repeat(calls: u32, mut op: impl FnMut() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..calls {
        op()?;
    }
    Ok(start.elapsed())
}
