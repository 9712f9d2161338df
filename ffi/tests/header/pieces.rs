//! Taking a generated header apart: one piece for each item, with its comment.

const LINE: usize = 120;

pub struct Pieces {
    /// What stands before the first item.
    pub before: String,
    items: Vec<(String, String)>,
    /// What stands behind the last item.
    pub after: String,
}

impl Pieces {
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.items.iter().position(|(item, _)| item == name)?;
        Some(self.items.remove(index).1)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(name, _)| name.as_str())
    }
}

/// An item is a comment at the margin and what follows it, up to the next one.
pub fn split(header: &str) -> Pieces {
    // C++ sees the types as C's too: then their callbacks have C's calling convention, as they should.
    let (before, rest) = header.split_once("/**\n").expect("the first item has a comment");
    let (rest, _) = rest
        .rsplit_once("#ifdef __cplusplus")
        .expect("the block of C's names is closed");
    let rest = rest.replace("#ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus\n", "");
    let items = rest.split("\n/**\n").map(|body| {
        let piece = tidy(&format!("/**\n{}\n", body.trim_end()));
        (name(&piece), piece)
    });
    Pieces {
        before: format!(
            "{}\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n",
            before.trim_end()
        ),
        items: items.collect(),
        after: "#ifdef __cplusplus\n}\n#endif\n\n#endif /* SOCKLINE_H */\n".to_owned(),
    }
}

/// What a piece declares: the last name before its body, its arguments or its end.
fn name(piece: &str) -> String {
    let (_, code) = piece.split_once("*/\n").expect("every item has a comment");
    let code = code.trim();
    let word = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .next_back()
    };
    let found = if let Some(define) = code.strip_prefix("#define ") {
        define.split_whitespace().next().map(str::to_owned)
    } else if let Some((_, pointer)) = code.split_once("typedef void (*") {
        pointer.split(')').next().map(str::to_owned)
    } else if code.starts_with("typedef") {
        word(code)
    } else {
        code.split('(').next().and_then(word)
    };
    found.unwrap_or_else(|| panic!("no name is found in\n{piece}"))
}

/// Comments of one line on one line, and types by the names that their typedefs give them.
fn tidy(piece: &str) -> String {
    let code = piece.replace("const struct ", "const ");
    let mut out = String::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim() == "/**" {
            let text = lines.next().unwrap_or_default();
            if lines.peek().is_some_and(|next| next.trim() == "*/") && text.len() + 4 <= LINE {
                lines.next();
                out += &format!("{indent}/** {} */\n", text.trim().trim_start_matches("* "));
            } else {
                out += &format!("{line}\n{}\n", text.trim_end());
            }
            continue;
        }
        let plain = match line.trim_start().strip_prefix("struct ") {
            Some(rest) => format!("{indent}{rest}"),
            None => line.replace("(struct ", "(").replace(", struct ", ", "),
        };
        out += plain.trim_end();
        out += "\n";
    }
    match out.split_once("*/\n") {
        Some((comment, code)) if is_function(code) => format!("{comment}*/\n{}", signature(code)),
        _ => out,
    }
}

fn is_function(code: &str) -> bool {
    code.trim_end().ends_with(");") && !code.starts_with("typedef")
}

/// A function on one line, or else with one line for each argument.
fn signature(code: &str) -> String {
    let joined = code.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.len() <= LINE {
        return joined + "\n";
    }
    let (head, arguments) = joined.split_once('(').expect("a function has arguments");
    format!("{head}(\n    {}\n", arguments.replace(", ", ",\n    "))
}
