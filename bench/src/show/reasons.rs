//! What people wrote about single rows: why uvring is slower there than promised.
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// Row, or the beginning of a row's name, and the reason.
pub(crate) struct Reasons(BTreeMap<String, String>);

impl Reasons {
    /// Reads `bench/reasons.toml`.
    pub(crate) fn read() -> Result<Self> {
        toml::from_str(include_str!("../../reasons.toml")).map(Self).context("reasons.toml")
    }

    /// The reason with the longest beginning of the name.
    pub(crate) fn of(&self, row: &str) -> Option<&str> {
        let fitting = self.0.iter().filter(|(start, _)| row.starts_with(start.as_str()));
        fitting.max_by_key(|(start, _)| start.len()).map(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_the_longest_beginning_wins() {
        Reasons::read().unwrap();
        let pair = |row: &str, why: &str| (row.to_owned(), why.to_owned());
        let reasons = Reasons(BTreeMap::from([pair("echo", "a"), pair("echo-64B", "b")]));
        assert_eq!(reasons.of("echo-64B-1c-1f"), Some("b"));
        assert_eq!(reasons.of("echo-4KiB-1c-1f"), Some("a"));
        assert_eq!(reasons.of("churn"), None);
    }
}
