//! The flags of every command that chooses parameters or prices work, and what they mean.

use std::path::PathBuf;

use super::calibration;
use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::calibrate::Known;
use crate::params::{Limits, MAX_WINDOWS, Objective, PlaintextBound, Request};
use crate::predict::{HeReport, PriceList, Setting};
use crate::protocol::{Link, ProtocolSettings};
use crate::security::{Attack, Requirement, SecretKind, Table};

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    /// Gazelle: BFV online, garbled circuits made offline.
    Gazelle,
}

/// The link to another machine that the profile measured.
const MEASURED: &str = "measured";

/// How large p must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Bound {
    /// The layer's own worst case.
    Exact,
    /// The formula printed in the paper; may be too small for the layer.
    Paper,
}

/// Who says what is secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SecurityTable {
    /// The guidelines of 2024.
    #[value(name = "2024")]
    Guidelines2024,
    /// The standard of 2018, which the papers used.
    #[value(name = "2018")]
    Standard2018,
    /// An estimate by fhegen's formula.
    Estimate,
}

/// The attacker's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AttackModel {
    /// A classical computer.
    Classical,
    /// A quantum computer.
    Quantum,
}

/// How secret keys are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Secret {
    /// Uniform in -1, 0, 1.
    Ternary,
    /// Like the error.
    Error,
    /// Uniform modulo q.
    Uniform,
}

impl From<SecurityTable> for Table {
    fn from(table: SecurityTable) -> Self {
        match table {
            SecurityTable::Guidelines2024 => Self::Guidelines2024,
            SecurityTable::Standard2018 => Self::Standard2018,
            SecurityTable::Estimate => Self::Estimate,
        }
    }
}

impl From<AttackModel> for Attack {
    fn from(attack: AttackModel) -> Self {
        match attack {
            AttackModel::Classical => Self::Classical,
            AttackModel::Quantum => Self::Quantum,
        }
    }
}

impl From<Secret> for SecretKind {
    fn from(secret: Secret) -> Self {
        match secret {
            Secret::Ternary => Self::Ternary,
            Secret::Error => Self::Error,
            Secret::Uniform => Self::Uniform,
        }
    }
}

/// What was typed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SettingArgs {
    /// Profile of the machine [default: this host's, else the reference machine's]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// `loopback` or, between machines, `measured`, as the profile measured them; `lan`, `wan`, or `mbit=…,rtt_ms=…`
    #[arg(long, value_name = "LINK", default_value = "loopback")]
    link: String,
    /// Protocol between the parties
    #[arg(long, value_enum, default_value = "gazelle")]
    protocol: Protocol,
    /// Security level in bits
    #[arg(long, value_name = "BITS", default_value_t = 128)]
    security: u32,
    /// Who says what is secure; `estimate` is no table but a fitted formula, for 80 to 256 bits
    #[arg(long, value_enum, default_value = "2024")]
    security_table: SecurityTable,
    /// Attacks that the security level holds against
    #[arg(long, value_enum, default_value = "classical")]
    attack: AttackModel,
    /// How secret keys are drawn; keys are ternary, so that any other is refused
    #[arg(long, value_enum, default_value = "ternary")]
    secret: Secret,
    /// Probability that an inference decrypts wrongly: `2^-40` or `0.001`
    #[arg(long, value_name = "PROBABILITY", default_value = "2^-40", value_parser = log2_probability)]
    failure: f64,
    /// Statistical bits by which replies hide the weights; 0 leaks them, as the papers do
    #[arg(long, value_name = "BITS", default_value_t = 40)]
    flooding: u32,
    /// Size of the plaintext modulus
    #[arg(long, value_enum, default_value = "exact")]
    p_bound: Bound,
    /// What the parameters are to save: `time`, `bytes`, or `weighted:X`, time plus X seconds a megabyte
    #[arg(long, value_name = "GOAL", default_value = "time", value_parser = objective)]
    objective: Objective,
    /// Encode weights in this many plaintext windows (digits), 1 to 4, 1 being none [default: what is best]
    #[arg(long, value_name = "V", value_parser = windows)]
    windows: Option<usize>,
}

/// What it means; owns what [`Setting`] borrows.
#[derive(Debug)]
pub(super) struct OwnedSetting {
    /// The link that sendings imitate.
    pub(super) shaped: Option<Link>,
    /// What the profile's machine showed at its best, where it is this one.
    pub(super) known: Known,
    /// How the profile's machine differs from this one.
    elsewhere: Option<String>,
    request: Request,
    protocol: ProtocolSettings,
    prices: PriceList,
    calibration: String,
    link: Link,
}

impl SettingArgs {
    /// The request for parameters.
    pub(super) fn request(&self) -> Request {
        let requirement = Requirement {
            table: self.security_table.into(),
            attack: self.attack.into(),
            secret: self.secret.into(),
            level: self.security,
        };
        let p_bound = match self.p_bound {
            Bound::Exact => PlaintextBound::Exact,
            Bound::Paper => PlaintextBound::Paper,
        };
        let (failure_log2, flooding_bits) = (self.failure, self.flooding);
        let limits = Limits {
            windows: self.windows,
            ..Limits::default()
        };
        Request {
            requirement,
            failure_log2,
            flooding_bits,
            p_bound,
            objective: self.objective,
            limits,
        }
    }

    /// Whether parties on two machines have the link that is priced, and need not imitate it.
    pub(super) fn link_is_there(&self) -> bool {
        self.link == MEASURED
    }

    /// Reads the profile and settles the link.
    pub(super) fn resolve(&self, globals: &Globals) -> Result<OwnedSetting, Failure> {
        if self.flooding == 0 {
            output::warn(
                globals,
                "--flooding 0: replies show the weights to the client",
            );
        }
        if self.security_table == SecurityTable::Estimate {
            let source = Table::Estimate.source();
            output::warn(globals, &format!("--security-table estimate: {source}"));
        }
        if globals.threads.is_some_and(|threads| threads.get() != 1) {
            return Err(Failure::unusable(
                "--threads: times are predicted for 1 thread a party; expected 1",
            ));
        }
        let calibration = calibration::load(self.calibration.as_deref(), globals)?;
        let elsewhere = calibration.elsewhere();
        let prices = PriceList::new(&calibration.profile);
        let link = link(&self.link, &prices)?;
        Ok(OwnedSetting {
            known: match elsewhere {
                None => calibration.profile.known(),
                Some(_) => Known::default(),
            },
            elsewhere,
            shaped: (self.link != "loopback").then_some(link),
            request: self.request(),
            protocol: ProtocolSettings::default(),
            prices,
            calibration: calibration.name,
            link,
        })
    }
}

/// `loopback` or `measured` as the profile measured them, `lan`, `wan`, or `mbit=…,rtt_ms=…`.
pub(super) fn link(text: &str, prices: &PriceList) -> Result<Link, Failure> {
    let link = match text {
        "loopback" => prices.loopback().map_err(Failure::input)?,
        MEASURED => prices.distant().map_err(Failure::input)?,
        "lan" => Link::LAN,
        "wan" => Link::WAN,
        other => Link::parse(other).map_err(Failure::input)?,
    };
    Ok(link.handing_over(prices.hand_over()))
}

impl OwnedSetting {
    /// The same with the protocol carried out in another way.
    pub(super) fn carried_out(self, protocol: ProtocolSettings) -> Self {
        Self { protocol, ..self }
    }

    /// As the library takes it.
    pub(super) fn setting(&self) -> Setting<'_> {
        Setting {
            request: self.request,
            protocol: self.protocol,
            prices: &self.prices,
            calibration: self.calibration.clone(),
            link: self.link,
        }
    }

    /// Warns of a p that its layer's values do not fit in, and of what was priced by a fit.
    pub(super) fn warn<'a>(
        &self,
        layers: impl IntoIterator<Item = (&'a str, &'a HeReport)>,
        globals: &Globals,
    ) {
        for (layer, he) in layers {
            if !he.p_holds_all_values {
                let p = he.p_bits;
                let told = format!("layer `{layer}`: its p of {p} bits cannot hold all its values");
                output::warn(globals, &told);
            }
        }
        self.warn_of_fits(globals);
    }

    fn warn_of_fits(&self, globals: &Globals) {
        if let Some(told) = &self.elsewhere {
            output::warn(globals, told);
        }
        let fitted = self.prices.fitted();
        if !fitted.is_empty() {
            let list = fitted.join("; ");
            output::warn(
                globals,
                &format!("priced by a fit, not by a measurement: {list}"),
            );
        }
    }
}

/// log2 of a probability: `2^-40`, `1e-3`, `0.001`.
fn log2_probability(text: &str) -> Result<f64, String> {
    let log2 = match text.strip_prefix("2^") {
        Some(exponent) => exponent.parse::<f64>().ok(),
        None => text.parse::<f64>().ok().map(f64::log2),
    };
    match log2 {
        Some(log2) if log2.is_finite() && log2 < 0.0 => Ok(log2),
        _ => Err("expected a probability between 0 and 1, as `2^-40` or `0.001`".to_owned()),
    }
}

/// A number of plaintext windows.
fn windows(text: &str) -> Result<usize, String> {
    let count = text.parse().ok();
    let count = count.filter(|count| (1..=MAX_WINDOWS).contains(count));
    count.ok_or_else(|| format!("expected a number from 1 to {MAX_WINDOWS}"))
}

/// `time`, `bytes`, `weighted:0.2`.
fn objective(text: &str) -> Result<Objective, String> {
    let weight = text
        .strip_prefix("weighted:")
        .and_then(|weight| weight.parse::<f64>().ok())
        .filter(|weight| weight.is_finite() && *weight >= 0.0);
    match (text, weight) {
        ("time", _) => Ok(Objective::Time),
        ("bytes", _) => Ok(Objective::Bytes),
        (_, Some(weight)) => Ok(Objective::Weighted(weight)),
        (_, None) => {
            Err("expected `time`, `bytes` or `weighted:X`, X seconds a megabyte".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_read() {
        assert_eq!(objective("time"), Ok(Objective::Time));
        assert_eq!(objective("bytes"), Ok(Objective::Bytes));
        assert_eq!(objective("weighted:0.25"), Ok(Objective::Weighted(0.25)));
        for bad in ["", "weighted", "weighted:-1", "weighted:inf", "speed"] {
            assert!(objective(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows_read() {
        assert_eq!(windows("1"), Ok(1));
        assert_eq!(windows("4"), Ok(4));
        for bad in ["", "0", "5", "-1", "two", "99999999999999999999"] {
            assert!(windows(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn probabilities_read_both_ways() {
        assert_eq!(log2_probability("2^-40"), Ok(-40.0));
        assert_eq!(log2_probability("0.125"), Ok(-3.0));
        for bad in ["1", "0", "-1", "2^40", "x", "2^", "nan"] {
            assert!(log2_probability(bad).is_err(), "{bad}");
        }
    }
}
