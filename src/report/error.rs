//! Why a result could not be written down.

/// Why a result could not be written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A value that JSON cannot hold.
    #[error("cannot write as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A row that the CSV writer refuses.
    #[error("cannot write as CSV: {0}")]
    Csv(#[from] ::csv::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_with_keys_that_are_no_text_is_no_json() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = serde_json::to_string(&map).map_err(ReportError::from);
        assert!(matches!(error, Err(ReportError::Json(_))));
    }

    #[test]
    fn rows_of_different_length_are_no_csv() {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        let error = writer.write_record(["a"]).map_err(ReportError::from);
        assert!(matches!(error, Err(ReportError::Csv(_))));
    }
}
