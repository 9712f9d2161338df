//! Topics: who gets what is published. MQTT 3.1.1 §4.7 says what topics and filters are, and what matches what.
//!
//! The filters of all subscribers are one tree, a level of theirs for each step. `+` and `#` are steps like others:
//! no topic holds them, so a lookup of these words finds wildcards only. No step is taken twice for one topic, so a
//! publication never costs more than the tree has nodes, whatever the filters are. Nothing here is recursive: a
//! filter can have 65,535 levels.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, ErrorCode, Result};

/// Who subscribes: a number that the caller chooses.
pub(crate) type Subscriber = u32;

/// MQTT 3.1.1 §4.7.3: topics and filters are strings of at most so many bytes.
const MAX_LENGTH: usize = 65_535;
const ROOT: u32 = 0;

/// The filters of any number of subscribers.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    /// The first is the root; empty while there is no filter.
    nodes: Vec<Node>,
    vacant: Vec<u32>,
    /// Where each subscriber's filters end.
    filters: HashMap<Subscriber, BTreeSet<u32>>,
}

#[derive(Debug, Default)]
struct Node {
    parent: u32,
    level: Box<str>,
    children: HashMap<Box<str>, u32>,
    /// Those whose filter ends here; ordered, as the connections that they stand for lie in memory.
    subscribers: BTreeSet<Subscriber>,
}

impl Topics {
    /// Adds a filter, which [`check_filter`] has agreed to; twice is the same as once.
    pub(crate) fn subscribe(&mut self, who: Subscriber, filter: &str) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut node = ROOT;
        for level in filter.split('/') {
            node = match self.child(node, level) {
                Some(child) => child,
                None => self.grow(node, level),
            };
        }
        self.nodes[node as usize].subscribers.insert(who);
        self.filters.entry(who).or_default().insert(node);
    }

    /// Takes a filter back, as it was given; without effect if `who` does not have it.
    pub(crate) fn unsubscribe(&mut self, who: Subscriber, filter: &str) {
        let found = filter
            .split('/')
            .try_fold(ROOT, |node, level| self.child(node, level));
        let (Some(node), Some(filters)) = (found, self.filters.get_mut(&who)) else {
            return;
        };
        filters.remove(&node);
        if filters.is_empty() {
            self.filters.remove(&who);
        }
        self.leave(node, who);
        self.release_if_empty();
    }

    /// Takes all filters of a subscriber back.
    pub(crate) fn forget(&mut self, who: Subscriber) {
        for node in self.filters.remove(&who).unwrap_or_default() {
            self.leave(node, who);
        }
        self.release_if_empty();
    }

    /// All who have a filter that matches the topic, each once, in the order of their numbers.
    pub(crate) fn matching(&self, topic: &str) -> Vec<Subscriber> {
        let mut found = Vec::new();
        let mut sources = 0;
        // Nodes to look at, with what is left of the topic there: None behind its last level.
        let mut open = vec![(ROOT, Some(topic))];
        while let Some((at, rest)) = open.pop() {
            let Some(node) = self.nodes.get(at as usize) else {
                break; // there is no filter at all
            };
            let mut take = |end: &Node| {
                sources += usize::from(!end.subscribers.is_empty());
                found.extend(end.subscribers.iter().copied());
            };
            // §4.7.2: a filter that begins with a wildcard does not match a topic that begins with $.
            let wild = at != ROOT || !topic.starts_with('$');
            // §4.7.1.2: # stands for any number of levels, so it matches the level above it too.
            if wild && let Some(all) = node.children.get("#") {
                take(&self.nodes[*all as usize]);
            }
            let Some(rest) = rest else {
                take(node);
                continue;
            };
            let (level, below) = rest
                .split_once('/')
                .map_or((rest, None), |(level, below)| (level, Some(below)));
            let literal = node.children.get(level);
            let single = node.children.get("+").filter(|_| wild);
            open.extend([literal, single].into_iter().flatten().map(|next| (*next, below)));
        }
        if sources > 1 {
            found.sort_unstable();
            found.dedup();
        }
        found
    }

    fn child(&self, node: u32, level: &str) -> Option<u32> {
        self.nodes.get(node as usize)?.children.get(level).copied()
    }

    fn grow(&mut self, parent: u32, level: &str) -> u32 {
        let node = Node {
            parent,
            level: level.into(),
            ..Node::default()
        };
        let index = match self.vacant.pop() {
            Some(index) => {
                self.nodes[index as usize] = node;
                index
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.nodes[parent as usize].children.insert(level.into(), index);
        index
    }

    /// Ends a subscription at a node, and cuts off what is of no more use.
    fn leave(&mut self, node: u32, who: Subscriber) {
        self.nodes[node as usize].subscribers.remove(&who);
        let mut at = node;
        while at != ROOT && self.nodes[at as usize].is_bare() {
            let Node { parent, level, .. } = std::mem::take(&mut self.nodes[at as usize]);
            self.nodes[parent as usize].children.remove(&level);
            self.vacant.push(at);
            at = parent;
        }
    }

    fn release_if_empty(&mut self) {
        if self.filters.is_empty() {
            *self = Topics::default();
        }
    }
}

impl Node {
    fn is_bare(&self) -> bool {
        self.subscribers.is_empty() && self.children.is_empty()
    }
}

/// MQTT 3.1.1 §4.7: what may be published to. There are no wildcards in it.
pub(crate) fn check_topic(topic: &str) -> Result<()> {
    check_text("topic", topic)?;
    match topic.find(['+', '#']) {
        Some(_) => Err(invalid(
            "topic",
            topic,
            "wildcards (+ and #) are for subscriptions only",
        )),
        None => Ok(()),
    }
}

/// MQTT 3.1.1 §4.7.1: what may be subscribed to.
pub(crate) fn check_filter(filter: &str) -> Result<()> {
    check_text("topic filter", filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let why = match level {
            "#" if levels.peek().is_some() => "# must be the last level",
            "#" | "+" => continue,
            _ if level.contains('#') => "# must be a level of its own",
            _ if level.contains('+') => "+ must be a level of its own",
            _ => continue,
        };
        return Err(invalid("topic filter", filter, why));
    }
    Ok(())
}

/// MQTT 3.1.1 §4.7.3.
fn check_text(what: &str, text: &str) -> Result<()> {
    let why = match text.len() {
        0 => "it must have at least one character",
        length if length > MAX_LENGTH => "it must have at most 65,535 bytes",
        _ if text.contains('\0') => "it must not contain NUL",
        _ => return Ok(()),
    };
    Err(invalid(what, text, why))
}

fn invalid(what: &str, text: &str, why: &str) -> Error {
    const SHOWN: usize = 100;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Error::new(ErrorCode::Topic, format!("invalid {what} {shown:?}{more}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MQTT 3.1.1 §4.7 says, level by level and without any index.
    fn matches(filter: &str, topic: &str) -> bool {
        fn levels(filter: &[&str], topic: &[&str]) -> bool {
            match (filter, topic) {
                (["#"], _) | ([], []) => true,
                (["+", filter @ ..], [_, topic @ ..]) => levels(filter, topic),
                ([one, filter @ ..], [other, topic @ ..]) => one == other && levels(filter, topic),
                _ => false,
            }
        }
        let wild = filter.starts_with(['+', '#']);
        !(wild && topic.starts_with('$'))
            && levels(
                &filter.split('/').collect::<Vec<_>>(),
                &topic.split('/').collect::<Vec<_>>(),
            )
    }

    fn one(filter: &str, topic: &str) -> bool {
        check_filter(filter).unwrap();
        check_topic(topic).unwrap();
        let mut topics = Topics::default();
        topics.subscribe(7, filter);
        let found = topics.matching(topic) == [7];
        assert_eq!(found, matches(filter, topic), "{filter} {topic}");
        found
    }

    #[test]
    fn the_examples_of_the_standard_hold() {
        // §4.7.1.2
        for topic in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(one("sport/tennis/player1/#", topic));
        }
        assert!(one("sport/#", "sport"));
        assert!(one("#", "a/b/c"));
        // §4.7.1.3
        assert!(one("sport/tennis/+", "sport/tennis/player1"));
        assert!(!one("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!one("sport/+", "sport"));
        assert!(one("sport/+", "sport/"));
        assert!(one("+/+", "/finance"));
        assert!(one("/+", "/finance"));
        assert!(!one("+", "/finance"));
        assert!(one("+/tennis/#", "sport/tennis/player1"));
        // §4.7.2
        assert!(!one("#", "$SYS/monitor"));
        assert!(!one("+/monitor/Clients", "$SYS/monitor/Clients"));
        assert!(one("$SYS/#", "$SYS/monitor"));
        assert!(one("$SYS/monitor/+", "$SYS/monitor/Clients"));
        // §4.7.3
        assert!(!one("ACCOUNTS", "Accounts"));
        assert!(one("Accounts payable", "Accounts payable"));
        assert!(!one("finance", "/finance"));
    }

    #[test]
    fn what_is_no_filter_or_topic_is_refused_with_the_reason() {
        for filter in [
            "",
            "a\0b",
            "sport+",
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "#/",
            "++",
            "a/+b",
        ] {
            let error = check_filter(filter).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Topic, "{filter}");
            assert!(error.text().starts_with("invalid topic filter"), "{error}");
        }
        for topic in ["", "a\0b", "sport/+", "#", "a#"] {
            assert_eq!(
                check_topic(topic).unwrap_err().code(),
                ErrorCode::Topic,
                "{topic}"
            );
        }
        let long = "é".repeat(MAX_LENGTH / 2);
        assert!(check_topic(&long).is_ok() && check_filter(&long).is_ok());
        let error = check_topic(&format!("{long}xy")).unwrap_err();
        assert!(error.text().len() < 400, "a long topic is not repeated whole");
    }

    #[test]
    fn the_deepest_filter_is_no_deep_recursion() {
        let deep = "/".repeat(MAX_LENGTH);
        let mut topics = Topics::default();
        topics.subscribe(1, &deep);
        assert_eq!(topics.matching(&deep), [1]);
        topics.forget(1);
        assert!(topics.nodes.is_empty());
    }

    /// Random subscriptions, compared with a list of them that is searched from end to end.
    #[test]
    fn the_tree_agrees_with_a_list() {
        let mut random = Random(1);
        let mut topics = Topics::default();
        let mut list: Vec<(Subscriber, String)> = Vec::new();
        for _ in 0..20_000 {
            let who = random.below(20) as Subscriber;
            match random.below(10) {
                0..4 => {
                    let filter = random.filter();
                    topics.subscribe(who, &filter);
                    if !list.contains(&(who, filter.clone())) {
                        list.push((who, filter));
                    }
                }
                4..7 if !list.is_empty() => {
                    // Mostly somebody else's filter, which must stay.
                    let filter = list[random.below(list.len())].1.clone();
                    topics.unsubscribe(who, &filter);
                    list.retain(|entry| *entry != (who, filter.clone()));
                }
                7 => {
                    topics.forget(who);
                    list.retain(|(other, _)| *other != who);
                }
                _ => {}
            }
            let topic = random.topic();
            let mut expected: Vec<Subscriber> = list
                .iter()
                .filter(|(_, filter)| matches(filter, &topic))
                .map(|(who, _)| *who)
                .collect();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(topics.matching(&topic), expected, "{topic} in {list:?}");
            assert_eq!(
                topics.filters.values().map(BTreeSet::len).sum::<usize>(),
                list.len()
            );
        }
        (0..20).for_each(|who| topics.forget(who));
        assert!(topics.nodes.is_empty() && topics.vacant.is_empty());
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % bound
        }

        fn topic(&mut self) -> String {
            let depth = 1 + self.below(3);
            let levels: Vec<&str> = (0..depth).map(|_| ["", "a", "b", "$a"][self.below(4)]).collect();
            match levels.join("/") {
                empty if empty.is_empty() => "a".to_owned(),
                topic => topic,
            }
        }

        fn filter(&mut self) -> String {
            let mut levels: Vec<String> = self.topic().split('/').map(str::to_owned).collect();
            for level in &mut levels {
                if self.below(3) == 0 {
                    "+".clone_into(level);
                }
            }
            if self.below(3) == 0 {
                levels.push("#".to_owned());
            }
            if self.below(20) == 0 {
                return "#".to_owned();
            }
            levels.join("/")
        }
    }
}
