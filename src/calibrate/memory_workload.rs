//! Memory from the system, touched for the first time.
//!
//! One run maps pages that nobody has used, huge ones where the system has them, and writes to each: what the first use of
//! a buffer costs beyond its later ones. All that was touched is kept until the measurement ends, so that each run has
//! pages of its own: below a virtual machine those that it gave back are to be had anew, at several times the price of
//! such as it gives to one process after the other.

use memmap2::MmapMut;

use super::case::Case;
use super::workload::{Workload, WorkloadError};
use crate::units::Bytes;

/// Smallest page; touching more often than a page has no effect on the time.
const PAGE: usize = 4096;
/// Most that is touched and kept.
const MOST: usize = 1 << 30;

pub(super) fn workload(case: &Case) -> Result<Workload<'static>, WorkloadError> {
    let bytes = case.param("bytes").and_then(|bytes| bytes.parse().ok());
    let bytes = bytes.filter(|bytes| (1..=MOST).contains(bytes));
    let bytes: usize = bytes.ok_or_else(|| WorkloadError::case(case, "memory"))?;
    let mut kept = Vec::new();
    let touch = move || {
        if kept.len() >= MOST / bytes {
            kept.clear();
        }
        let mut map = MmapMut::map_anon(bytes)?;
        // As the program's allocator asks; a system without huge pages has small ones.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        map.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        kept.push(map);
        Ok(kept.len())
    };
    Ok(Workload::again(Bytes(bytes as u64), touch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Op;

    #[test]
    fn more_memory_takes_longer_and_none_is_refused() {
        let timed = |bytes| {
            let mut workload = workload(&Case::link(Op::Touch, bytes)).unwrap();
            assert_eq!(workload.bytes(), Bytes(bytes as u64));
            workload.time(3).unwrap()
        };
        assert!(timed(32 << 20) > timed(64 << 10));
        assert!(workload(&Case::link(Op::Touch, 0)).is_err());
    }
}
