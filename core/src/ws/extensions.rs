//! The Sec-WebSocket-Extensions header (RFC 6455 §9.1): its grammar, without knowing any extension.

use std::borrow::Cow;

use crate::http::is_token;

/// One element of the header: an extension that is offered or chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    /// In the order in which they were written; a name can occur twice, which is for the extension to judge.
    pub(super) parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The extensions of all lines of the header, in their order. The error says what breaks the grammar.
pub(super) fn parse<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Extension<'a>>, &'static str> {
    let mut found = Vec::new();
    for line in lines {
        let text = std::str::from_utf8(line).map_err(|_| "it is not ASCII")?;
        let mut rest = Rest(text);
        loop {
            // RFC 9110 §5.6.1: a list may have empty elements.
            while rest.skip(',') {}
            if rest.is_empty() {
                break;
            }
            found.push(rest.extension()?);
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("an extension or parameter is followed by something else than , or ;");
            }
        }
    }
    Ok(found)
}

/// What is still to be read; white space between its parts means nothing.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn extension(&mut self) -> Result<Extension<'a>, &'static str> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.skip(';') {
            let name = self.token()?;
            let value = if self.skip('=') { Some(self.value()?) } else { None };
            parameters.push((name, value));
        }
        Ok(Extension { name, parameters })
    }

    fn token(&mut self) -> Result<&'a str, &'static str> {
        let text = self.trimmed();
        let end = text
            .find(|letter: char| !letter.is_ascii() || !is_token(&[letter as u8]))
            .unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        if token.is_empty() {
            return Err("a name or value is missing");
        }
        self.0 = rest;
        Ok(token)
    }

    /// §9.1: "when using the quoted-string syntax variant, the value after quoted-string unescaping MUST conform to
    /// the 'token' ABNF".
    fn value(&mut self) -> Result<Cow<'a, str>, &'static str> {
        if !self.skip('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut letters = self.0.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.0 = self.0.get(at + 1..).unwrap_or_default();
                    let is_good = is_token(value.as_bytes());
                    return if is_good {
                        Ok(value.into())
                    } else {
                        Err("a quoted value is not a token")
                    };
                }
                '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
                _ => value.push(letter),
            }
        }
        Err("a quoted value does not end")
    }

    fn skip(&mut self, letter: char) -> bool {
        let rest = self.trimmed().strip_prefix(letter);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn starts_with(&self, letter: char) -> bool {
        self.trimmed().starts_with(letter)
    }

    fn is_empty(&self) -> bool {
        self.trimmed().is_empty()
    }

    fn trimmed(&self) -> &'a str {
        self.0.trim_start_matches([' ', '\t'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The extensions written briefly: `name;parameter=value`.
    fn read(lines: &[&str]) -> Result<Vec<String>, &'static str> {
        let found = parse(lines.iter().map(|line| line.as_bytes()))?;
        Ok(found.iter().map(brief).collect())
    }

    fn brief(extension: &Extension<'_>) -> String {
        let mut text = extension.name.to_owned();
        for (name, value) in &extension.parameters {
            text += &format!(";{name}");
            text += &value
                .as_ref()
                .map(|value| format!("={value}"))
                .unwrap_or_default();
        }
        text
    }

    #[test]
    fn takes_lists_and_lines() {
        assert_eq!(read(&[""]), Ok(vec![]));
        assert_eq!(read(&["a"]), Ok(vec!["a".to_owned()]));
        let expected = ["a", "b;c", "a;d=1;e=two;d"].map(str::to_owned).to_vec();
        assert_eq!(read(&["a,b;c,a;d=1;e=two;d"]), Ok(expected.clone()));
        assert_eq!(read(&["\ta , ,b ; c,", ",a;d = 1 ;e=\"two\"; d "]), Ok(expected));
    }

    #[test]
    fn unquotes() {
        assert_eq!(read(&[r#"a;b="1\5""#]), Ok(vec!["a;b=15".to_owned()]));
        for bad in [
            r#"a;b="1"#,
            r#"a;b="""#,
            r#"a;b="1 5""#,
            r#"a;b="1,5""#,
            r#"a;b="1\"#,
            r#"a;b="1"2"#,
        ] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_what_the_grammar_does_not_know() {
        for bad in [
            "a b", "a;", "a;=1", "a;b=", "a;b=1=2", ";a", "a;b c", "\"a\"", "a;é", "a;b=ß", "=", "a;;b",
        ] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(parse([b"a;\xff".as_slice()]).is_err());
    }
}
