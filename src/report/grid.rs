//! A table as data: a title, columns, rows of text, perhaps a foot. Terminal and page draw the same.
//!
//! Invariant: every row has one cell a column; [`Grid::row`] pads short rows and cuts long ones.

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column: its heading and its side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub heading: &'static str,
    /// Side on which cells stand.
    pub align: Align,
}

/// A titled table of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    title: &'static str,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    foot: Option<Vec<String>>,
}

impl Grid {
    /// An empty grid with these columns.
    pub fn new(title: &'static str, columns: &[(&'static str, Align)]) -> Self {
        let columns = columns
            .iter()
            .map(|&(heading, align)| Column { heading, align })
            .collect();
        Self {
            title,
            columns,
            rows: Vec::new(),
            foot: None,
        }
    }

    /// Adds a row; missing cells stay empty, cells beyond the last column are dropped.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let row = self.fitted(cells);
        self.rows.push(row);
    }

    /// Sets the last row, set apart from the others (totals).
    pub fn foot<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.foot = Some(self.fitted(cells));
    }

    fn fitted<C: Into<String>>(&self, cells: impl IntoIterator<Item = C>) -> Vec<String> {
        let mut row: Vec<String> = cells
            .into_iter()
            .take(self.columns.len())
            .map(Into::into)
            .collect();
        row.resize(self.columns.len(), String::new());
        row
    }

    /// Title.
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// Columns, left to right.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Rows, top to bottom, without the foot.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The row of totals, if there is one.
    pub fn totals(&self) -> Option<&[String]> {
        self.foot.as_deref()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_always_fit_the_columns() {
        let mut grid = Grid::new("t", &[("a", Align::Left), ("b", Align::Right)]);
        assert!(grid.is_empty());
        grid.row(["1"]);
        grid.row(["1", "2", "3"]);
        assert_eq!(grid.rows(), [["1", ""], ["1", "2"]]);
        assert_eq!(grid.totals(), None);
    }
}
