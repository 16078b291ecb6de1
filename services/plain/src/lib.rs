//! The text of others, printed as text: names and values of traces, answers of labs, file names.
//!
//! Such a text may hold what a terminal takes for a command, what breaks a line or a table, and what changes the
//! direction of writing or is not seen at all. [`Plain`] prints all of it as escapes, in the way of Rust's
//! `{:?}`: `\n`, `\t`, `\u{1b}`. A backslash stays as it is, so an escape is for the eye alone; the exact text is
//! in the JSON output. [`Markdown`] prints for a Markdown document, where further characters have a meaning.
//! [`Message`] prints a whole message, whose line breaks are its own.
//!
//! Every command prints what is not its own through this crate, and a text without such characters is not copied.
//! The crate must not know what it prints: it takes any text.
//!
//! ```
//! use plain::Plain;
//!
//! assert_eq!(Plain("red \u{1b}[31m\nname").to_string(), r"red \u{1b}[31m\nname");
//! assert_eq!(Plain("POST /checkout, 注文, café").to_string(), "POST /checkout, 注文, café");
//! ```

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
    sync::LazyLock,
};

use regex::Regex;

/// What is escaped: control characters (C0, DEL, C1), line and paragraph separators, and format characters, which
/// are the direction marks and what has no width. The format characters that are seen, such as the Arabic sign of a
/// year, stay. (Unicode Standard, section 4.5: General Category.)
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{Cc}\p{Zl}\p{Zp}[\p{Cf}--\p{Prepended_Concatenation_Mark}]]")
        .expect("the expression is constant, and a test uses it")
});

/// A value of others that is printed in one line, with escapes for everything that is no visible text.
///
/// Width and precision of a format count the escapes.
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>(pub T);

/// A value of others that is printed within a line of Markdown: as [`Plain`] does, and with a backslash before
/// what Markdown would interpret.
#[derive(Clone, Copy, Debug)]
pub struct Markdown<T>(pub T);

/// A message of several lines, printed with escapes for everything else that is no visible text; tabs stay, too.
///
/// It is the last guard of an output: parts of the message that are not its own must be [`Plain`] already, or they
/// could add lines.
#[derive(Clone, Copy, Debug)]
pub struct Message<T>(pub T);

/// The text as [`Plain`] prints it; borrowed if nothing in it is escaped.
pub fn plain(text: &str) -> Cow<'_, str> {
    match is_plain(text) {
        true => Cow::Borrowed(text),
        false => {
            let mut escaped = String::with_capacity(2 * text.len());
            Escaping(&mut escaped)
                .write_str(text)
                .expect("memory can be written to");
            Cow::Owned(escaped)
        }
    }
}

/// Whether nothing in the text is escaped.
pub fn is_plain(text: &str) -> bool {
    next_hidden(text).is_none()
}

/// The text for XML 1.0, which has no place for control characters: each is replaced by U+FFFD, and a tab by a space. What
/// is escaped by a writer of XML is left to it.
pub fn xml(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            '\t' => ' ',
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The text as [`Plain`] prints it, for an element or a quoted attribute of HTML.
pub fn html(text: &str) -> String {
    let plain = plain(text);
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

// === impl Plain ===

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() || f.precision().is_some() {
            return f.pad(&plain(&self.0.to_string()));
        }
        write!(Escaping(f), "{}", self.0)
    }
}

// === impl Markdown ===

impl<T: Display> Display for Markdown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoting = Quoting {
            out: f,
            at_start: true,
        };
        write!(Escaping(quoting), "{}", self.0)
    }
}

// === impl Message ===

impl<T: Display> Display for Message<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0.to_string();
        for part in message.split_inclusive(['\n', '\t']) {
            let text = part.trim_end_matches(['\n', '\t']);
            Escaping(&mut *f).write_str(text)?;
            f.write_str(&part[text.len()..])?;
        }
        Ok(())
    }
}

/// Writes escapes in the place of hidden characters.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, hidden)) = next_hidden(rest) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", hidden.escape_debug())?;
            rest = &rest[at + hidden.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// The first hidden character of a text, with its place.
fn next_hidden(text: &str) -> Option<(usize, char)> {
    // Nearly every text is this, and needs no search.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let at = HIDDEN.find(text)?.start();
    Some((at, text[at..].chars().next()?))
}

/// Writes a backslash before what Markdown interprets. Any ASCII punctuation may have one (CommonMark 0.31, section
/// 2.4).
struct Quoting<W> {
    out: W,
    /// Whether nothing was written yet: a heading, a list or a quotation begins only there.
    at_start: bool,
}

impl<W: Write> Write for Quoting<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let means_something = match c {
                '\\' | '`' | '*' | '_' | '[' | '<' | '|' | '~' | '&' | '$' => true,
                '#' | '>' | '+' | '-' | '=' => self.at_start,
                _ => false,
            };
            if means_something {
                self.out.write_char('\\')?;
            }
            self.out.write_char(c)?;
            self.at_start = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_what_is_seen_is_not() {
        let hidden = [
            ("a\u{1b}[31mb", r"a\u{1b}[31mb"),
            ("a\0\t\r\nb", r"a\0\t\r\nb"),
            ("\u{7f}\u{9b}\u{85}", r"\u{7f}\u{9b}\u{85}"),
            (
                "\u{202e}\u{2066}\u{200f}\u{61c}",
                r"\u{202e}\u{2066}\u{200f}\u{61c}",
            ),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (
                "\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
                r"\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
            ),
            ("\u{e0041}", r"\u{e0041}"),
        ];
        for (text, escaped) in hidden {
            assert_eq!(Plain(text).to_string(), escaped);
            assert_eq!(plain(text), escaped);
            assert!(!is_plain(text) && is_plain(escaped), "{escaped}");
        }
        for text in [
            "",
            r#"C:\new 'a' "b""#,
            "注文　確定",
            "café, cafe\u{301}",
            "🕯\u{fe0f}",
            "\u{600}١٢",
            "a\u{a0}b",
        ] {
            assert!(matches!(plain(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(Plain(text).to_string(), text);
        }
    }

    #[test]
    fn columns_count_the_escapes() {
        assert_eq!(format!("{:<6}|", Plain("a\n")), "a\\n   |");
        assert_eq!(format!("{:>6}|", Plain("a")), "     a|");
    }

    #[test]
    fn markdown_interprets_nothing_of_it() {
        let written = [
            (
                "a|b <img> *c* `d` [e](f) _g_ ~h~ &lt; $i$ \\",
                r"a\|b \<img> \*c\* \`d\` \[e](f) \_g\_ \~h\~ \&lt; \$i\$ \\",
            ),
            ("# no heading", r"\# no heading"),
            ("- no list - nor here", r"\- no list - nor here"),
            ("two\nlines\u{1b}", r"two\\nlines\\u{1b}"),
        ];
        for (text, markdown) in written {
            assert_eq!(Markdown(text).to_string(), markdown);
        }
    }

    #[test]
    fn a_message_keeps_its_lines_and_nothing_else() {
        assert_eq!(
            Message("a\n\tb\r\u{1b}[2J\n").to_string(),
            "a\n\tb\\r\\u{1b}[2J\n"
        );
    }
}
