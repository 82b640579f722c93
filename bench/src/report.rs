//! The table that a benchmark prints.

/// Rows of: what was measured, its figure, its limit or goal, and how it compares to that.
#[derive(Debug, Default)]
pub struct Report(Vec<[String; 4]>);

impl Report {
    /// Adds a row.
    pub fn line(
        &mut self,
        what: &str,
        figure: impl Into<String>,
        beside: impl Into<String>,
        verdict: impl Into<String>,
    ) {
        self.0.push([what.to_owned(), figure.into(), beside.into(), verdict.into()]);
    }

    /// Prints the table as Markdown, as `bench/README.md` has it.
    pub fn print(&self) {
        println!("\n| what | measured | beside | |\n|---|---:|---:|---|");
        for [what, figure, beside, verdict] in &self.0 {
            println!("| {what} | {figure} | {beside} | {verdict} |");
        }
    }
}
