//! Parts of arrays that are known to be well-formed.

use super::is_space;

/// What is between an array's brackets.
pub(crate) fn within_brackets(array: &str) -> &str {
    let text = array.trim_matches(is_space);
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    inner.trim_matches(is_space)
}

/// What is behind the first element, with what [`check_event`](super::check_event) says of that place: elements with commas
/// between them.
pub(crate) fn args_behind(array: &str, behind: usize) -> &str {
    let rest = array.get(behind..).unwrap_or_default().trim_matches(is_space);
    let rest = rest.strip_suffix(']').unwrap_or(rest).trim_matches(is_space);
    rest.strip_prefix(',').unwrap_or(rest).trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::super::check_event;
    use super::*;

    #[test]
    fn brackets_are_taken_off() {
        for (array, args) in [
            ("[]", ""),
            ("[1,[2]]", "1,[2]"),
            (" [ \"]\" ] ", "\"]\""),
            ("[ ]", ""),
        ] {
            assert_eq!(within_brackets(array), args);
        }
    }

    #[test]
    fn arguments_are_behind_the_name() {
        for (array, args) in [
            (r#"["a"]"#, ""),
            (r#" [ "a\"]" , 1 , [2] ] "#, "1 , [2]"),
            (r#"[1,"]"]"#, "\"]\""),
        ] {
            let (_, behind) = check_event(array).unwrap();
            assert_eq!(args_behind(array, behind), args);
        }
    }
}
