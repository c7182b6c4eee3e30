//! What a profile says of its machine: processor, features, memory, date, versions.
//!
//! Read from `/proc` and `/sys`; what cannot be read is called `unknown`.

#![expect(clippy::disallowed_methods, reason = "a profile carries its date")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Processor features that kernels are chosen by.
const FEATURES: [&str; 8] = [
    "avx2",
    "aes",
    "avx512f",
    "avx512dq",
    "avx512ifma",
    "vaes",
    "vpclmulqdq",
    "sha_ni",
];

/// Describes this machine, for a profile measured with `threads` threads.
pub fn environment(threads: usize) -> BTreeMap<String, String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let flags = field(&cpu, "flags").unwrap_or_default();
    let has = |feature: &&str| flags.split(' ').any(|flag| flag == *feature);
    let features: Vec<_> = FEATURES.into_iter().filter(has).collect();
    let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
    let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let unknown = || "unknown".to_owned();
    [
        (
            "processor",
            field(&cpu, "model name").unwrap_or_else(unknown),
        ),
        (
            "cores",
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .to_string(),
        ),
        ("features", features.join(" ")),
        ("memory", field(&memory, "MemTotal").unwrap_or_else(unknown)),
        ("governor", line(governor).unwrap_or_else(|_| unknown())),
        ("clock", line(clock).unwrap_or_else(|_| unknown())),
        ("date", today()),
        (
            "build",
            if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        ),
        ("nass", env!("CARGO_PKG_VERSION").to_owned()),
        ("rustc", env!("NASS_RUSTC").to_owned()),
        ("threads", threads.to_string()),
        ("source", "measured by `nass calibrate`".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// This machine's name, as profiles are named after it.
pub fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let name: String = name.trim().chars().filter(|&c| plain(c)).collect();
    if name.is_empty() {
        "host".to_owned()
    } else {
        name
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// Today in UTC, as `yyyy-mm-dd`.
fn today() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let (year, month, day) = civil(since.as_secs() / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01 (Gregorian).
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }

    #[test]
    fn the_machine_is_described() {
        let environment = environment(2);
        assert_eq!(environment["threads"], "2");
        assert!(!environment["processor"].is_empty());
        assert!(environment["rustc"].starts_with("rustc "));
    }
}
