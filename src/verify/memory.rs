//! The most memory that this process has had.
//!
//! `VmHWM` of Linux's `/proc/self/status`: the peak of what was resident.

use std::fs;

/// Bytes; 0 where the system does not tell.
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    peak(&status).unwrap_or(0)
}

fn peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read() {
        assert_eq!(
            peak("Name: x\nVmHWM:\t  2000 kB\nVmRSS: 1 kB\n"),
            Some(2_048_000)
        );
        assert_eq!(peak("VmHWM: many kB\n"), None);
        assert_eq!(peak(""), None);
        let full = vec![1u8; 32 << 20];
        let known = peak_memory();
        assert!(known == 0 || known > full.len() as u64);
    }
}
