//! What a profile says of its machine: processor, features, frequency governor, memory and its pages, versions,
//! date; and how far another description differs.
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

/// Describes this machine, for a profile measured with up to `threads` threads.
pub fn environment(threads: usize) -> BTreeMap<String, String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let flags = field(&cpu, "flags").unwrap_or_default();
    let has = |feature: &&str| flags.split(' ').any(|flag| flag == *feature);
    let features: Vec<_> = FEATURES.into_iter().filter(has).collect();
    let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
    let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let pages = line("/sys/kernel/mm/transparent_hugepage/enabled");
    let pages = pages.ok().and_then(|modes| chosen(&modes));
    let kernel = line("/proc/sys/kernel/osrelease");
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
        ("huge_pages", pages.unwrap_or_else(unknown)),
        ("kernel", kernel.unwrap_or_else(|_| unknown())),
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

/// What times depend on.
const DECISIVE: [&str; 9] = [
    "processor",
    "cores",
    "features",
    "governor",
    "memory",
    "huge_pages",
    "kernel",
    "nass",
    "rustc",
];

/// Relative difference of memory sizes that means nothing: a kernel keeps a little more or less for itself.
const SAME_MEMORY: f64 = 0.05;

/// What `then` and `now` both say and say differently, of what times depend on: `key: then, now`.
pub(super) fn differences(
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let differs = |key: &&str| {
        let (then, now) = (then.get(*key)?, now.get(*key)?);
        let same = then == now || (*key == "memory" && similar(then, now));
        (!same).then(|| format!("{key}: {then}, now {now}"))
    };
    DECISIVE.iter().filter_map(differs).collect()
}

/// Whether two sizes in the same unit are nearly equal.
fn similar(a: &str, b: &str) -> bool {
    let size = |text: &str| text.strip_suffix(" kB")?.parse::<f64>().ok();
    let Some((a, b)) = size(a).zip(size(b)) else {
        return false;
    };
    (a - b).abs() <= SAME_MEMORY * a.max(b)
}

/// The mode in brackets of a line like `always [madvise] never`.
fn chosen(modes: &str) -> Option<String> {
    let mode = modes.split_once('[')?.1.split_once(']')?.0;
    Some(mode.to_owned())
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
        assert!(DECISIVE.iter().all(|key| environment.contains_key(*key)));
    }

    #[test]
    fn modes_read() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("always"), None);
    }

    #[test]
    fn what_differs_is_named_and_what_is_not_known_is_passed_over() {
        let of = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            list.iter().map(owned).collect()
        };
        let now = of(&[
            ("memory", "24684084 kB"),
            ("huge_pages", "madvise"),
            ("governor", "performance"),
            ("date", "2026-01-01"),
        ]);
        assert!(differences(&now, &now).is_empty());
        let then = of(&[("memory", "24500000 kB"), ("date", "2025-01-01")]);
        assert!(differences(&then, &now).is_empty(), "nearly as much memory");
        let then = of(&[("memory", "16000000 kB"), ("governor", "powersave")]);
        let told = [
            "governor: powersave, now performance",
            "memory: 16000000 kB, now 24684084 kB",
        ];
        assert_eq!(differences(&then, &now), told);
        let then = of(&[("memory", "unknown"), ("huge_pages", "always")]);
        let told = [
            "memory: unknown, now 24684084 kB",
            "huge_pages: always, now madvise",
        ];
        assert_eq!(differences(&then, &now), told);
    }
}
