//! Rust text without comments, strings and test items: enough of a lexer to look for names.

/// Code whose comments and literals are blanked out, line by line as before.
pub(crate) struct Code(String);

/// Lines of a file that are not `#[cfg(test)]` items.
pub(crate) fn lines_without_tests(text: &str) -> usize {
    let code = blank(text);
    let removed: usize = test_items(&code)
        .map(|(from, to)| code[from..to].lines().count())
        .sum();
    text.lines().count() - removed
}

impl Code {
    /// The code of a file outside `#[cfg(test)]` items.
    pub(crate) fn without_tests(text: &str) -> Self {
        let mut code = blank(text);
        let items: Vec<(usize, usize)> = test_items(&code).collect();
        for (from, to) in items.into_iter().rev() {
            code.replace_range(from..to, "");
        }
        Self(code)
    }

    /// Whether `word` occurs and does not continue another name.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        let mut before = self.0.match_indices(word).map(|(at, _)| &self.0[..at]);
        before.any(|text| !text.ends_with(is_name))
    }

    /// The first names after `crate::`, and after chains of `super::` that may leave the room.
    pub(crate) fn crate_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for start in ["crate::", "super::super::"] {
            for (at, _) in self.0.match_indices(start) {
                let rest = &self.0[at + start.len()..];
                match rest.strip_prefix('{') {
                    Some(group) => names.extend(group_names(group)),
                    None => names.push(leading_name(rest)),
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn leading_name(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|&c| is_name(c))
        .collect()
}

/// The first names of the members of a group whose opening brace was passed.
fn group_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0usize;
    let mut member = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(leading_name(&group[member..at]));
                member = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// From where to where the items marked `#[cfg(test)]` reach, in blanked code.
fn test_items(code: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut passed = 0;
    code.match_indices("#[cfg(test)]")
        .filter_map(move |(from, mark)| {
            if from < passed {
                return None;
            }
            passed = from + mark.len() + item_length(&code[from + mark.len()..]);
            Some((from, passed))
        })
}

/// Length of the item that a text starts with: to its `;`, or to the brace that closes its first.
fn item_length(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The text with comments and the insides of literals replaced by spaces; line feeds stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).max(at + 1);
        let skipped = end > at + 1;
        for &c in chars.iter().take(end).skip(at) {
            out.push(if skipped && c != '\n' { ' ' } else { c });
        }
        at = end;
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` if none starts there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or(' ');
    let after_name = at > 0 && chars.get(at - 1).is_some_and(|&c| is_name(c));
    match next(0) {
        '/' if next(1) == '/' => find(chars, at, &['\n']),
        '/' if next(1) == '*' => find(chars, at + 2, &['*', '/']) + 2,
        '"' => string_end(chars, at + 1),
        'r' if !after_name && (next(1) == '"' || (next(1) == '#' && "\"#".contains(next(2)))) => {
            raw_end(chars, at + 1)
        }
        '\'' if next(1) == '\\' => find(chars, at + 3, &['\'']) + 1,
        '\'' if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while let Some(&c) = chars.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_end(chars: &[char], from: usize) -> usize {
    let marks = chars.iter().skip(from).take_while(|&&c| c == '#').count();
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', marks));
    find(chars, from + marks + 1, &close) + close.len()
}

/// Where `wanted` starts at or after `from`; the end of the text if it does not occur.
fn find(chars: &[char], from: usize, wanted: &[char]) -> usize {
    let rest = chars.get(from..).unwrap_or_default();
    let found = rest
        .windows(wanted.len())
        .position(|window| window == wanted);
    found.map_or(chars.len(), |offset| from + offset)
}
