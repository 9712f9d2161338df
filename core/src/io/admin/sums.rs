//! What has happened in each second, until it is shown.

use std::collections::HashMap;

use super::quoted;

/// What is summed up; of the end of sessions for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sum {
    RawConnection,
    RawDisconnection(&'static str),
    PacketsIn,
    PacketsOut,
    BytesIn,
    BytesOut,
}

impl Sum {
    fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Sum::RawConnection => ("rawConnection", None),
            Sum::RawDisconnection(reason) => ("rawDisconnection", Some(reason)),
            Sum::PacketsIn => ("packetsIn", None),
            Sum::PacketsOut => ("packetsOut", None),
            Sum::BytesIn => ("bytesIn", None),
            Sum::BytesOut => ("bytesOut", None),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Sums(HashMap<(u64, Sum), u64>);

impl Sums {
    /// Adds to what has happened in this second since 1970.
    pub(super) fn add(&mut self, second: u64, sum: Sum, count: u64) {
        if count > 0 {
            *self.0.entry((second, sum)).or_default() += count;
        }
    }

    /// All sums as JSON objects with commas between them; they begin anew.
    pub(super) fn take(&mut self) -> String {
        let mut sums: Vec<_> = std::mem::take(&mut self.0).into_iter().collect();
        sums.sort_by_key(|((second, sum), _)| (*second, sum.names()));
        let json: Vec<String> = sums
            .into_iter()
            .map(|((second, sum), count)| {
                let (name, detail) = sum.names();
                let detail = detail.map(|detail| format!(",\"subType\":{}", quoted(detail)));
                let (timestamp, detail) = (second * 1000, detail.unwrap_or_default());
                format!("{{\"timestamp\":{timestamp},\"type\":\"{name}\"{detail},\"count\":{count}}}")
            })
            .collect();
        json.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_in_a_second_is_summed_up_once() {
        let mut sums = Sums::default();
        sums.add(5, Sum::BytesIn, 2);
        sums.add(5, Sum::BytesIn, 3);
        sums.add(6, Sum::RawDisconnection("ping timeout"), 1);
        sums.add(6, Sum::PacketsOut, 0);
        assert_eq!(
            sums.take(),
            r#"{"timestamp":5000,"type":"bytesIn","count":5},{"timestamp":6000,"type":"rawDisconnection","subType":"ping timeout","count":1}"#
        );
        assert_eq!(sums.take(), "");
    }
}
