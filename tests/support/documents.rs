//! Paths in Markdown: the text of backticks and the targets of links that look like a path.

/// Endings by which a name without a slash is taken for a file.
const ENDINGS: [&str; 4] = [".rs", ".md", ".toml", ".csv"];

/// The paths that a line names, without an anchor (`#…`) or a trailing slash.
pub(crate) fn paths(line: &str) -> Vec<String> {
    let quoted = line.split('`').skip(1).step_by(2);
    let linked = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    quoted
        .chain(linked)
        .filter(|name| !name.contains("://"))
        .map(|name| name.split('#').next().unwrap_or(name))
        .filter(|name| looks_like_a_path(name))
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect()
}

fn looks_like_a_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.')
        && name.chars().all(plain)
        && (name.contains('/') || ENDINGS.iter().any(|ending| name.ends_with(ending)))
}
