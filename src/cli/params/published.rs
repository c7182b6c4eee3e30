//! `--mode gazelle`: what Gazelle published for each layer, which no security table grants: its cost and noise.

use serde::Serialize;

use super::candidates;
use super::cells::For;
use crate::network::{ResolvedNetwork, StepKind};
use crate::params::{Candidate, GazelleLayer, ParamsError, Prices, Selector};
use crate::report::{Align, Grid, Present, ReportError, security_sources};
use crate::security::Requirement;

use Align::{Left, Right};

/// The name says it.
pub(super) const MODE: &str = "gazelle (insecure: below 128 bits)";

/// What its cost is a price of.
const PRICED: &str =
    "priced as a limb of at most 50 bits, the widest measured: its 60 bits cost at least that";

#[derive(Serialize)]
struct Row {
    layer: String,
    bound: u64,
    /// Absent where 21 bits of p are too few.
    gazelle: Option<GazelleLayer>,
}

/// What choices are held against, and where that is written.
#[derive(Serialize)]
pub(super) struct Security {
    #[serde(flatten)]
    pub(super) requirement: Requirement,
    pub(super) date: &'static str,
    pub(super) source: &'static str,
}

impl Security {
    pub(super) fn new(requirement: Requirement) -> Self {
        Self {
            requirement,
            date: requirement.table.date(),
            source: requirement.table.source(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Published {
    network: String,
    mode: &'static str,
    priced: &'static str,
    security: Security,
    layers: Vec<Row>,
}

impl Published {
    /// What `selector`'s prices and failure probability make of it; candidates are kept if they are explained.
    pub(super) fn new<P: Prices>(
        network: &ResolvedNetwork,
        selector: &Selector<P>,
        explain: Explain,
    ) -> Result<Self, ParamsError> {
        let requirement = selector.request().requirement;
        let steps = network.steps.iter().enumerate();
        let linear = steps.filter(|(_, step)| matches!(step.kind, StepKind::Linear(_)));
        let layers = linear.map(|(index, step)| {
            let domain = network.domains.get(step.domain);
            let mut gazelle = selector.gazelle(network, index)?;
            if let (Explain::No, Some(gazelle)) = (explain, &mut gazelle) {
                gazelle.candidates.truncate(1);
            }
            Ok(Row {
                layer: step.name.clone(),
                bound: domain.map_or(0, |domain| domain.bound),
                gazelle,
            })
        });
        Ok(Self {
            network: network.name.clone(),
            mode: MODE,
            priced: PRICED,
            security: Security::new(requirement),
            layers: layers.collect::<Result<_, ParamsError>>()?,
        })
    }

    fn grid(&self, to: For) -> Grid {
        let columns = [
            ("layer", Left),
            ("schedule", Left),
            ("n", Right),
            ("p", Right),
            ("q", Right),
            ("q mod p", Right),
            ("failure", Right),
            ("margin_bits", Right),
            ("time", Right),
            ("bytes", Right),
            ("", Left),
        ];
        let mut grid = Grid::new("", &to.columns(&columns));
        for row in &self.layers {
            let mut cells = vec![row.layer.clone()];
            let Some(gazelle) = &row.gazelle else {
                cells.resize(columns.len() - 1, String::new());
                cells.push(format!(
                    "values up to {} need more than 21 bits of p",
                    row.bound
                ));
                cells.extend(to.sources(self.security_cells()));
                grid.row(cells);
                continue;
            };
            let (published, first) = (&gazelle.published, gazelle.candidates.first());
            cells.extend([
                first.map_or_else(String::new, |first| first.schedule.clone()),
                published.n.to_string(),
                published.p.to_string(),
                published.q.to_string(),
                published.remainder.to_string(),
                to.probability(gazelle.failure_log2),
                to.number(Some(gazelle.margin_bits), 1),
            ]);
            cells.extend(to.cost(first.and_then(|first| first.cost)));
            cells.push(self.told(gazelle));
            cells.extend(to.sources(self.security_cells()));
            grid.row(cells);
        }
        grid
    }

    /// By how much it is insecure, and does not decrypt.
    fn told(&self, gazelle: &GazelleLayer) -> String {
        let Requirement { table, level, .. } = self.security.requirement;
        let short = gazelle.published.short_bits;
        let mut told = format!(
            "insecure: {short:.1} bits too many for {level}-bit security ({})",
            table.name()
        );
        if gazelle.margin_bits < 0.0 {
            told += &format!("; does not decrypt: {:.1} bits short", -gazelle.margin_bits);
        }
        told
    }

    fn security_cells(&self) -> [&str; 5] {
        let Requirement {
            table,
            attack,
            secret,
            ..
        } = self.security.requirement;
        [
            table.name(),
            attack.name(),
            secret.name(),
            self.security.date,
            self.security.source,
        ]
    }
}

/// Whether candidates are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explain {
    /// They are.
    Yes,
    /// They are not.
    No,
}

impl Present for Published {
    fn table(&self) -> String {
        let candidates = self.layers.iter().filter_map(|row| {
            let candidates: &[Candidate] = &row.gazelle.as_ref()?.candidates;
            (candidates.len() > 1).then_some((row.layer.as_str(), candidates))
        });
        let grids = [
            candidates::grid(candidates),
            security_sources([self.security_cells()]),
        ];
        let told = grids.iter().filter(|grid| !grid.is_empty());
        format!(
            "mode {}\n{}{}\n{}",
            self.mode,
            self.grid(For::Table).to_text(),
            self.priced,
            told.map(Grid::to_text).collect::<String>()
        )
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(For::Csv).to_csv()
    }
}
