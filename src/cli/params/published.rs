//! `--mode gazelle`: what Gazelle published for each layer, which no security table grants.

use serde::Serialize;

use crate::network::{ResolvedNetwork, StepKind};
use crate::params::{GazellePublished, gazelle_published};
use crate::report::{Align, Grid, Present, ReportError};
use crate::security::Requirement;

use Align::{Left, Right};

/// The name says it.
pub(super) const MODE: &str = "gazelle (insecure: below 128 bits)";

#[derive(Serialize)]
struct Row {
    layer: String,
    bound: u64,
    /// Absent where 21 bits of p are too few.
    published: Option<GazellePublished>,
}

#[derive(Serialize)]
pub(super) struct Published {
    network: String,
    mode: &'static str,
    layers: Vec<Row>,
}

impl Published {
    pub(super) fn new(network: &ResolvedNetwork, requirement: &Requirement) -> Self {
        let linear = network
            .steps
            .iter()
            .filter(|step| matches!(step.kind, StepKind::Linear(_)));
        let layers = linear.map(|step| {
            let bound = network
                .domains
                .get(step.domain)
                .map_or(0, |domain| domain.bound);
            Row {
                layer: step.name.clone(),
                bound,
                published: gazelle_published(bound, requirement),
            }
        });
        Self {
            network: network.name.clone(),
            mode: MODE,
            layers: layers.collect(),
        }
    }

    fn grid(&self) -> Grid {
        let columns = [
            ("layer", Left),
            ("n", Right),
            ("p", Right),
            ("q", Right),
            ("q mod p", Right),
            ("", Left),
        ];
        let mut grid = Grid::new("", &columns);
        for row in &self.layers {
            let Some(published) = &row.published else {
                let told = format!("values up to {} need more than 21 bits of p", row.bound);
                let blank = String::new;
                grid.row([row.layer.clone(), blank(), blank(), blank(), blank(), told]);
                continue;
            };
            grid.row([
                row.layer.clone(),
                published.n.to_string(),
                published.p.to_string(),
                published.q.to_string(),
                published.remainder.to_string(),
                format!("insecure: {:.1} bits too many", published.short_bits),
            ]);
        }
        grid
    }
}

impl Present for Published {
    fn table(&self) -> String {
        format!("mode {}\n{}", self.mode, self.grid().to_text())
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid().to_csv()
    }
}
