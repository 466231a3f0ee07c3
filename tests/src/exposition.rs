//! Prometheus' text format 0.0.4, read strictly: what a lenient scraper would pass over fails here.

use std::collections::BTreeMap;

/// What a scrape brought: each series by its name and labels as they are written, such as `up{job="a"}`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    series: BTreeMap<String, f64>,
}

/// A family that has been announced.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    has_help: bool,
}

impl Exposition {
    /// Reads a whole scrape.
    ///
    /// # Panics
    /// Where anything in it is not in order.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut read = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let mut family = Family::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("help without a text: {line}"));
                assert!(!help.is_empty() && !seen.contains(&name.to_owned()), "twice, or empty: {line}");
                seen.push(name.to_owned());
                family = Family { name: name.to_owned(), kind: String::new(), has_help: true };
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("a type without a name: {line}"));
                assert!(family.has_help && family.name == name && family.kind.is_empty(), "out of place: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "no such type: {line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "counters end in _total: {line}");
                family.kind = kind.to_owned();
            } else {
                read.sample(line, &family);
            }
        }
        read.check_histograms();
        read
    }

    /// A series' value; 0 where there is none yet.
    #[must_use]
    pub fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or(0.0)
    }

    /// The names of all metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.series.keys().filter_map(|series| series.split('{').next());
        names.map(|name| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name))
    }

    /// The series of one name.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let all = self.series.iter().map(|(series, value)| (series.as_str(), *value));
        all.filter(move |(series, _)| series.split('{').next() == Some(name))
    }

    fn sample(&mut self, line: &str, family: &Family) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let name = series.split('{').next().unwrap_or_default();
        let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        let is_of_family = suffixes.iter().any(|suffix| *name == format!("{}{suffix}", family.name));
        assert!(is_of_family, "not of the family {}: {line}", family.name);
        assert!(is_name(name), "not a name: {line}");
        check_labels(&series[name.len()..], line);
        let value = if value == "+Inf" { Some(f64::INFINITY) } else { value.parse().ok() };
        let value = value.unwrap_or_else(|| panic!("not a number: {line}"));
        assert!(family.kind != "counter" || value >= 0.0, "a counter below zero: {line}");
        assert_eq!(self.series.insert(series.to_owned(), value), None, "a series twice: {line}");
    }

    /// Buckets are cumulative and end in all there were.
    fn check_histograms(&self) {
        let buckets = self.series.iter().filter(|(series, _)| series.contains("_bucket{"));
        let mut by_series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, count) in buckets {
            let (before, after) = series.split_once("le=\"").unwrap_or_else(|| panic!("no bound: {series}"));
            let (bound, rest) = after.split_once('"').expect("a quote that closes");
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound") };
            let labels =
                format!("{}{rest}", before.replacen("_bucket", "_count", 1)).replace(",}", "}").replace("{}", "");
            by_series.entry(labels).or_default().push((bound, *count));
        }
        for (series, mut buckets) in by_series {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, next| one.1 <= next.1), "not cumulative: {series}");
            let (bound, all) = buckets.last().expect("a bucket");
            assert!(bound.is_infinite(), "no last bucket: {series}");
            assert!((self.value(&series) - all).abs() < f64::EPSILON, "another count: {series}");
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || letter == ':';
    name.starts_with(is_letter) && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit())
}

/// `{name="text",…}`, with nothing but `\\`, `\"` and `\n` behind a backslash.
fn check_labels(labels: &str, line: &str) {
    if labels.is_empty() {
        return;
    }
    let inner = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("labels that do not close: {line}"));
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a label without a text: {line}"));
        assert!(is_name(name) && !name.contains(':'), "not a label: {line}");
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next() {
                Some((_, '\\')) => {
                    let escaped = letters.next().map(|(_, letter)| letter);
                    assert!(matches!(escaped, Some('\\' | '"' | 'n')), "not an escape: {line}");
                }
                Some((end, '"')) => break end,
                Some(_) => {}
                None => panic!("a text that does not close: {line}"),
            }
        };
        rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_in_order() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\\n\"} 2\n\
                    # HELP b B.\n# TYPE b histogram\nb_bucket{le=\"1\"} 1\nb_bucket{le=\"+Inf\"} 3\nb_sum 4.5\nb_count 3\n";

        let read = Exposition::parse(text);

        assert_eq!((read.value("a_total{x=\"1\\n\"}"), read.value("b_count"), read.value("none")), (2.0, 3.0, 0.0));
    }

    #[test]
    fn refuses_what_is_not() {
        for text in [
            "# HELP a_total A.\n# TYPE a_total counter\na_total 1\na_total 1\n",
            "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1} 1\n",
            "# HELP a_total A.\n# TYPE a_total counter\na_total x\n",
            "# HELP a A.\n# TYPE a counter\na 1\n",
            "a_total 1\n",
            "# HELP b B.\n# TYPE b histogram\nb_bucket{le=\"1\"} 4\nb_bucket{le=\"+Inf\"} 3\nb_sum 4.5\nb_count 3\n",
            "# HELP b B.\n# TYPE b histogram\nb_bucket{le=\"1\"} 1\nb_bucket{le=\"+Inf\"} 3\nb_sum 4.5\nb_count 2\n",
        ] {
            assert!(std::panic::catch_unwind(|| Exposition::parse(text)).is_err(), "{text}");
        }
    }
}
