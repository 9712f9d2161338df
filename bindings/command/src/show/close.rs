//! Close codes (RFC 6455 §7.4.1, and IANA's registry).

/// A code with its name and the reason.
pub(crate) fn ending(code: u16, reason: &str) -> String {
    let name = name(code);
    let reason = match reason {
        "" => String::new(),
        reason => format!(": {}", super::text(reason)),
    };
    format!("{code} ({name}){reason}")
}

fn name(code: u16) -> &'static str {
    match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no code",
        1006 => "lost without a close frame",
        1007 => "invalid data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "extension needed",
        1011 => "internal error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        3000 => "unauthorized",
        3003 => "forbidden",
        3008 => "timeout",
        code if (3000..4000).contains(&code) => "registered",
        4000..=4999 => "the application's own",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_and_reasons_are_shown() {
        assert_eq!(ending(1000, ""), "1000 (normal closure)");
        assert_eq!(
            ending(4001, "bye\x1b[2J"),
            "4001 (the application's own): bye␛[2J"
        );
    }
}
