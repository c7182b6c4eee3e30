//! A machine's profile: what each benchmark case took, as a CSV file.
//!
//! Comment lines `# key: value` describe the machine, then one row a case. A reader refuses what it
//! does not understand, by line number. Times are medians in nanoseconds for one operation, with a
//! 95 % confidence interval of the median. Rows of several threads hold the time of one operation of a batch.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::case::{Case, Op, WorkingSet};
use super::environment::differences;
use super::known::Known;
use crate::units::{Bytes, Nanos};

/// The columns, in order.
pub const COLUMNS: [&str; 13] = [
    "op",
    "n",
    "limbs",
    "q_bits",
    "p_bits",
    "param",
    "threads",
    "working_set",
    "samples",
    "median_ns",
    "ci_low_ns",
    "ci_high_ns",
    "bytes",
];

/// One measured case.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was measured.
    pub case: Case,
    /// Number of samples.
    pub samples: u64,
    /// Median time of one operation.
    pub median: Nanos,
    /// Lower end of the median's 95 % confidence interval.
    pub low: Nanos,
    /// Upper end.
    pub high: Nanos,
    /// Bytes that the operation sends or stores, where it does.
    pub bytes: Bytes,
}

/// A machine and its measurements.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// What the comment lines say, by key.
    pub environment: BTreeMap<String, String>,
    /// The measurements.
    pub records: Vec<Record>,
}

/// Why a profile was refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// The column line is missing or differs.
    #[error("line {line}: expected the column names `{}`", COLUMNS.join(","))]
    Columns {
        /// Line number from 1.
        line: u64,
    },
    /// A row has too few or too many fields.
    #[error("line {line}: {found} fields where {} were expected", COLUMNS.len())]
    Fields {
        /// Line number from 1.
        line: u64,
        /// Number of fields found.
        found: usize,
    },
    /// A field does not read.
    #[error("line {line}, column {column}: `{value}` is not {expected}")]
    Value {
        /// Line number from 1.
        line: u64,
        /// Column name.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The interval does not hold the median.
    #[error("line {line}: the interval must hold the median, and times must be positive")]
    Interval {
        /// Line number from 1.
        line: u64,
    },
    /// The same case twice.
    #[error("line {line}: the case `{case}` stands here for the second time")]
    Repeated {
        /// Line number from 1.
        line: u64,
        /// The case.
        case: String,
    },
    /// The file ends within a line, or holds no measurement.
    #[error("line {line}: the file ends here, cut off: {expected}")]
    Truncated {
        /// Line number from 1.
        line: u64,
        /// What was expected.
        expected: &'static str,
    },
    /// Not readable as CSV.
    #[error("line {line}: {reason}")]
    Csv {
        /// Line number from 1.
        line: u64,
        /// The reader's reason.
        reason: String,
    },
}

/// How far two profiles agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Cases that both measured.
    pub cases: usize,
    /// Median of the relative differences of their medians, without signs.
    pub median: f64,
    /// Share of the cases that differ by 3 % at most.
    pub within_3: f64,
    /// Share of the cases that differ by 10 % at most.
    pub within_10: f64,
    /// The case that differs most, and by how much.
    pub worst: Option<(Case, f64)>,
}

impl Profile {
    /// How far the times of `other` agree with this profile's.
    pub fn agreement(&self, other: &Self) -> Agreement {
        let mut differences: Vec<(&Case, f64)> = Vec::new();
        for record in &self.records {
            let same = other.records.iter().find(|o| o.case == record.case);
            differences.extend(same.map(|o| (&record.case, o.median.0 / record.median.0 - 1.0)));
        }
        differences.sort_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let cases = differences.len();
        let share = |most: f64| {
            differences.iter().filter(|d| d.1.abs() <= most).count() as f64 / cases.max(1) as f64
        };
        Agreement {
            cases,
            median: differences.get(cases / 2).map_or(0.0, |d| d.1.abs()),
            within_3: share(0.03),
            within_10: share(0.1),
            worst: differences.last().map(|&(case, by)| (case.clone(), by)),
        }
    }

    /// What the environment says otherwise than `here`, of what times depend on: `key: then, now`.
    pub fn differs_from(&self, here: &BTreeMap<String, String>) -> Vec<String> {
        differences(&self.environment, here)
    }

    /// What this machine has shown at its best, as far as the environment says it.
    pub fn known(&self) -> Known {
        Known::read(&self.environment)
    }

    /// The profile as text.
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.environment {
            let _ = writeln!(text, "# {key}: {value}");
        }
        let _ = writeln!(text, "{}", COLUMNS.join(","));
        for record in &self.records {
            let _ = writeln!(
                text,
                "{},{},{:.2},{:.2},{:.2},{}",
                record.case.key(),
                record.samples,
                record.median.0,
                record.low.0,
                record.high.0,
                record.bytes.0,
            );
        }
        text
    }

    /// Reads a profile; the first thing that does not fit is refused by its line.
    pub fn from_csv(text: &str) -> Result<Self, ProfileError> {
        let lines = text.lines().count() as u64;
        let environment = text
            .lines()
            .filter_map(|line| line.strip_prefix('#')?.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        if !text.ends_with('\n') {
            let expected = "a complete row and a line end";
            return Err(ProfileError::Truncated {
                line: lines.max(1),
                expected,
            });
        }
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut rows = reader.records();
        let first = rows.next().transpose().map_err(|e| csv_error(&e))?;
        if !first.is_some_and(|row| row.iter().eq(COLUMNS)) {
            let comments = text
                .lines()
                .take_while(|line| line.starts_with('#'))
                .count() as u64;
            return Err(ProfileError::Columns {
                line: lines.max(1).min(comments + 1),
            });
        }
        let mut profile = Self {
            environment,
            records: Vec::new(),
        };
        let mut seen = std::collections::HashSet::new();
        for row in rows {
            let row = row.map_err(|e| csv_error(&e))?;
            let record = Row::new(&row)?.record()?;
            if !seen.insert(record.case.clone()) {
                let case = record.case.to_string();
                return Err(ProfileError::Repeated {
                    line: line_of(&row),
                    case,
                });
            }
            profile.records.push(record);
        }
        if profile.records.is_empty() {
            let expected = "at least one measurement";
            return Err(ProfileError::Truncated {
                line: lines,
                expected,
            });
        }
        Ok(profile)
    }
}

fn line_of(row: &csv::StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn csv_error(error: &csv::Error) -> ProfileError {
    let line = error.position().map_or(0, csv::Position::line);
    ProfileError::Csv {
        line,
        reason: error.to_string(),
    }
}

struct Row<'a> {
    fields: [&'a str; COLUMNS.len()],
    line: u64,
}

impl<'a> Row<'a> {
    fn new(row: &'a csv::StringRecord) -> Result<Self, ProfileError> {
        let line = line_of(row);
        let fields: Vec<&str> = row.iter().collect();
        let found = fields.len();
        let fields = fields
            .try_into()
            .map_err(|_| ProfileError::Fields { line, found })?;
        Ok(Self { fields, line })
    }

    fn number<T: std::str::FromStr>(
        &self,
        column: usize,
        expected: &'static str,
    ) -> Result<T, ProfileError> {
        self.fields[column]
            .parse()
            .map_err(|_| self.refused(column, expected))
    }

    fn refused(&self, column: usize, expected: &'static str) -> ProfileError {
        ProfileError::Value {
            line: self.line,
            column: COLUMNS[column],
            value: self.fields[column].to_owned(),
            expected,
        }
    }

    fn record(&self) -> Result<Record, ProfileError> {
        let whole = "a whole number";
        let time = "a time in nanoseconds";
        let op = Op::from_name(self.fields[0])
            .ok_or_else(|| self.refused(0, "an operation that this version measures"))?;
        let working_set = match self.fields[7] {
            "hot" => WorkingSet::Hot,
            "cold" => WorkingSet::Cold,
            "shared" => WorkingSet::Shared,
            "near" => WorkingSet::Near,
            "middle" => WorkingSet::Middle,
            "far" => WorkingSet::Far,
            "outside" => WorkingSet::Outside,
            "alone" => WorkingSet::Alone,
            _ => {
                return Err(self.refused(
                    7,
                    "`hot`, `cold`, `shared`, `near`, `middle`, `far`, `outside` or `alone`",
                ));
            }
        };
        let record = Record {
            case: Case {
                op,
                n: self.number(1, whole)?,
                limbs: self.number(2, whole)?,
                q_bits: self.number(3, whole)?,
                p_bits: self.number(4, whole)?,
                param: self.fields[5].to_owned(),
                threads: self.number(6, whole)?,
                working_set,
            },
            samples: self.number(8, whole)?,
            median: Nanos(self.number(9, time)?),
            low: Nanos(self.number(10, time)?),
            high: Nanos(self.number(11, time)?),
            bytes: Bytes(self.number(12, whole)?),
        };
        let case = &record.case;
        if matches!(case.op, Op::He(_)) && (case.n < 2 || case.limbs == 0) {
            return Err(self.refused(1, "a ring degree with at least one limb"));
        }
        if !matches!(case.op, Op::He(_)) && case.size().is_none() {
            return Err(self.refused(5, "the sizes that this operation is priced by"));
        }
        let (low, median, high) = (record.low.0, record.median.0, record.high.0);
        if 0.0 < low && low <= median && median <= high && high.is_finite() {
            Ok(record)
        } else {
            Err(ProfileError::Interval { line: self.line })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfv::HeOp;

    fn profile() -> Profile {
        let case = Case {
            op: Op::He(HeOp::Add),
            n: 4096,
            limbs: 2,
            q_bits: 100,
            p_bits: 20,
            param: "special=50".to_owned(),
            threads: 1,
            working_set: WorkingSet::Hot,
        };
        let record = Record {
            case,
            samples: 50,
            median: Nanos(1500.25),
            low: Nanos(1490.0),
            high: Nanos(1510.0),
            bytes: Bytes(0),
        };
        let environment = [("processor".to_owned(), "a: named one".to_owned())].into();
        Profile {
            environment,
            records: vec![record],
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let profile = profile();
        assert_eq!(Profile::from_csv(&profile.to_csv()), Ok(profile));
    }

    #[test]
    fn names_the_line_and_column_of_what_it_refuses() {
        let text = profile().to_csv();
        let refused = |text: &str| Profile::from_csv(text).unwrap_err();
        assert!(matches!(
            refused(&text.replace("4096", "many")),
            ProfileError::Value {
                line: 3,
                column: "n",
                ..
            }
        ));
        assert!(matches!(
            refused(&text.replace("add", "fly")),
            ProfileError::Value { column: "op", .. }
        ));
        assert!(matches!(
            refused(&text.replace("hot", "warm")),
            ProfileError::Value { .. }
        ));
        assert!(matches!(
            refused(&text.replace("1490.00", "1600.00")),
            ProfileError::Interval { line: 3 }
        ));
        assert!(matches!(
            refused(&text.replace(",hot", "")),
            ProfileError::Fields { line: 3, found: 12 }
        ));
        assert!(matches!(
            refused("# date: x\nop,n\n"),
            ProfileError::Columns { line: 2 }
        ));
        let row = text.lines().last().unwrap();
        assert!(matches!(
            refused(&format!("{text}{row}\n")),
            ProfileError::Repeated { line: 4, .. }
        ));
        assert!(matches!(
            refused(text.trim_end()),
            ProfileError::Truncated { line: 3, .. }
        ));
        let head: String = text.lines().take(2).map(|l| format!("{l}\n")).collect();
        assert!(matches!(
            refused(&head),
            ProfileError::Truncated { line: 2, .. }
        ));
        assert!(
            refused("")
                .to_string()
                .starts_with("line 1: the file ends here")
        );
    }

    #[test]
    fn profiles_agree_with_themselves_and_differ_by_what_was_changed() {
        let record = |ns: f64, bytes| Record {
            case: Case::link(Op::Send, bytes),
            samples: 1,
            median: Nanos(ns),
            low: Nanos(ns),
            high: Nanos(ns),
            bytes: Bytes(1),
        };
        let here = BTreeMap::from([("processor".to_owned(), "A".to_owned())]);
        let profile = Profile {
            environment: here.clone(),
            records: vec![record(100.0, 1), record(100.0, 2), record(100.0, 3)],
        };
        let other = Profile {
            records: vec![
                record(100.0, 1),
                record(102.0, 2),
                record(50.0, 3),
                record(1.0, 4),
            ],
            ..Profile::default()
        };
        assert_eq!(profile.agreement(&profile).within_3, 1.0);
        let Agreement {
            cases,
            median,
            within_3,
            worst,
            ..
        } = profile.agreement(&other);
        assert_eq!((cases, worst), (3, Some((Case::link(Op::Send, 3), -0.5))));
        assert!((median - 0.02).abs() < 1e-9 && (within_3 - 2.0 / 3.0).abs() < 1e-9);
        assert!(profile.differs_from(&here).is_empty());
        let now = BTreeMap::from([("processor".to_owned(), "B".to_owned())]);
        assert_eq!(profile.differs_from(&now), ["processor: A, now B"]);
    }
}
