//! The charts that break if a digest is in a tag: `charts.csv`, one key a line, each with the template
//! that was read. They compare the tag with versions, write it into a label, or have a digest of their
//! own. A configuration adds to them.

/// The text of the table, with its header.
const CHARTS: &str = include_str!("charts.csv");

/// A key of a chart that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartKey {
    /// The name of the chart; empty for every chart.
    pub chart: String,
    /// The path of the key in the values, with dots.
    pub key: String,
    /// True if it is pinned; false if it is only reported.
    pub pin: bool,
}

/// The reason why no digest is written to this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The configuration says so.
    Configured,
    /// The chart breaks, as the table says.
    Chart(&'static str),
}

/// The reason why no digest is written to this key of a chart, if there is one.
pub(super) fn reason(configured: &[ChartKey], chart: &str, key: &str) -> Option<Reason> {
    let is_meant = |of: &&ChartKey| (of.chart.is_empty() || of.chart == chart) && of.key == key;
    if let Some(of) = configured.iter().rev().find(is_meant) {
        return (!of.pin).then_some(Reason::Configured);
    }
    let mut rows = CHARTS.lines().skip(1).map(|line| line.splitn(4, ','));
    rows.find_map(|mut row| {
        let is_row = row.next() == Some(chart) && row.next() == Some(key);
        is_row.then(|| Reason::Chart(row.nth(1).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_complete_and_in_order() {
        let rows: Vec<_> = CHARTS.lines().skip(1).collect();
        assert!(rows.is_sorted(), "not in order");
        for row in rows {
            let columns: Vec<_> = row.splitn(4, ',').collect();
            let [chart, key, source, note] = columns[..] else { panic!("not a row: {row}") };
            assert!(!note.is_empty() && !note.contains(','), "{row}");
            assert!(source.contains(':') && source.contains('@'), "no source: {row}");
            assert_eq!(reason(&[], chart, key), Some(Reason::Chart(note)));
        }
    }

    #[test]
    fn a_configuration_adds_to_the_table_and_overrides_it() {
        let key =
            |chart: &str, key: &str, pin| ChartKey { chart: chart.into(), key: key.into(), pin };
        let own =
            [key("web", "image.tag", false), key("ingress-nginx", "controller.image.tag", true)];
        assert_eq!(reason(&own, "web", "image.tag"), Some(Reason::Configured));
        assert_eq!(reason(&own, "web", "other.tag"), None);
        assert_eq!(reason(&own, "db", "image.tag"), None);
        assert_eq!(reason(&own, "ingress-nginx", "controller.image.tag"), None);
        assert_eq!(reason(&[key("", "a.tag", false)], "any", "a.tag"), Some(Reason::Configured));
    }
}
