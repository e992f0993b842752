//! Declarations and comments as text: taken apart, shortened, wrapped.
use anyhow::Result;
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Structs whose tag is their type's name.
pub(super) const OWN_TAGS: &[&str] = &[
    "uv_buf_t",
    "uv_lib_t",
    "uv_rusage_t",
    "uv_stat_t",
    "uv_timespec64_t",
    "uv_timespec_t",
    "uv_timeval64_t",
    "uv_timeval_t",
];

/// The names of a function's arguments as C has them: `loop` is a word of Rust's own, and one that
/// is not used starts with an underscore there.
pub(super) fn arguments(doc: &str, code: &str) -> Result<(String, String)> {
    let unused = Regex::new(r"([ *])_(\w+[,)])")?.replace_all(code, "$1$2").into_owned();
    if !code.contains("uv_loop_t *owner") {
        return Ok((doc.to_owned(), unused));
    }
    let owner = Regex::new(r"\bowner\b")?;
    let replace = |text: &str| owner.replace_all(text, "loop").into_owned();
    Ok((replace(doc), replace(&unused)))
}

/// `struct uv_buf_t` is `uv_buf_t` wherever it is only named.
pub(super) fn own_tags(code: &str) -> String {
    let mut out = code.to_owned();
    for tag in OWN_TAGS {
        out = out.replace(&format!("struct {tag} {{"), &format!("struct\u{0}{tag} {{"));
        out = out.replace(&format!("struct {tag}"), tag);
        out = out.replace('\u{0}', " ");
    }
    out
}

/// Structs by name, but each after those it has as members.
pub(super) fn in_order<'a>(structs: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let by_name: BTreeMap<&str, &str> =
        structs.filter_map(|code| Some((code.split([' ', '\n']).nth(1)?, code))).collect();
    let mut names: Vec<&str> = Vec::new();
    for name in by_name.keys() {
        place(name, &by_name, &mut names);
    }
    names.iter().map(|name| by_name[name]).collect()
}

/// Appends `name` after its members' types, unless it stands there already. C has no struct
/// that contains itself, so this ends.
fn place<'a>(name: &'a str, by_name: &BTreeMap<&'a str, &'a str>, names: &mut Vec<&'a str>) {
    if names.contains(&name) {
        return;
    }
    for line in by_name[name].lines().skip(1) {
        let line = line.trim_start();
        let line = line.strip_prefix("struct ").or(line.strip_prefix("union ")).unwrap_or(line);
        let Some((kind, member)) = line.split_once(' ') else { continue };
        // `uv_async_t` is the name of `struct uv_async_s`.
        let tag = kind.strip_suffix("_t").map(|stem| format!("{stem}_s")).unwrap_or_default();
        let known = by_name.get_key_value(kind).or_else(|| by_name.get_key_value(tag.as_str()));
        if let Some((other, _)) = known.filter(|_| !member.starts_with('*')) {
            place(other, by_name, names);
        }
    }
    names.push(name);
}

/// Takes the comment off a chunk; of it the first paragraph stays.
pub(super) fn split_doc(chunk: &str) -> (String, String) {
    let mut doc = Vec::new();
    let mut rest = chunk.lines().peekable();
    while let Some(line) = rest.next_if(|line| line.starts_with("//")) {
        doc.push(line.trim_start_matches('/').trim());
    }
    let paragraph = doc.iter().take_while(|line| !line.is_empty() && !line.starts_with('#'));
    let doc = paragraph.copied().collect::<Vec<_>>().join(" ");
    let code = rest.map(field_comment).collect::<Vec<_>>().join("\n");
    (doc.replace("[`", "").replace("`]", "").replace('`', ""), code)
}

/// A comment that opens with the prototype of the function it stands above, without it.
pub(super) fn without_prototype(doc: &str, name: &str) -> String {
    let Some(open) = doc.find(&format!("{name}(")).map(|at| at + name.len()) else {
        return doc.to_owned();
    };
    let mut depth = 0;
    let close = doc[open..].find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let rest = close.map_or("", |at| &doc[open + at + 1..]);
    match rest.strip_prefix([':', '.']).map(str::trim_start) {
        Some(text) => {
            if text.starts_with("uv") {
                return text.to_owned();
            }
            let mut letters = text.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        }
        None => doc.to_owned(),
    }
}

/// The comment above a member.
fn field_comment(line: &str) -> String {
    match line.trim_start().strip_prefix("//") {
        Some(text) => {
            let text = text.trim().replace("[`", "").replace("`]", "").replace('`', "");
            let indent = " ".repeat(line.len() - line.trim_start().len());
            format!("{indent}/* {text} */")
        }
        None => line.to_owned(),
    }
}

/// A comment in lines of at most 96 columns.
pub(super) fn comment(text: &str) -> Result<String> {
    let mut out = String::from("/*");
    let mut column = 2;
    for word in text.replace("*/", "* /").split_whitespace() {
        if column + 1 + word.len() > 93 {
            out.push_str("\n *");
            column = 2;
        }
        write!(out, " {word}")?;
        column += 1 + word.len();
    }
    out.push_str(" */\n");
    Ok(out)
}

/// A declaration with its arguments in lines of at most 96 columns; a struct stays as it is.
pub(super) fn wrapped(code: &str) -> String {
    if code.contains('\n') || code.len() <= 96 {
        return format!("{code}\n");
    }
    let mut out = String::new();
    let mut column = 0;
    for piece in code.split_inclusive(", ") {
        if column > 0 && column + piece.trim_end().len() > 96 {
            out.truncate(out.trim_end().len());
            out.push_str("\n    ");
            column = 4;
        }
        out.push_str(piece);
        column += piece.len();
    }
    out.push('\n');
    out
}

/// The line above a group.
pub(super) fn heading(out: &mut String, title: &str) -> Result<()> {
    writeln!(out, "\n/* ---- {title} {} */\n", "-".repeat(86_usize.saturating_sub(title.len())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_its_first_paragraph() {
        let (doc, code) = split_doc("// Sends [`uv_buf_t`]s\n// at once.\n//\n// # Safety\nint a;");
        assert_eq!(doc, "Sends uv_buf_ts at once.");
        assert_eq!(code, "int a;");
        assert_eq!(comment(&doc).unwrap(), "/* Sends uv_buf_ts at once. */\n");
    }

    #[test]
    fn members_come_before_what_contains_them() {
        let all = [
            "struct uv_a_s {\n  uv_c_t by_value;\n  uv_d_t *by_pointer;\n};",
            "struct uv_d_t {\n  union uv_e u;\n};",
            "union uv_e {\n  int i;\n};",
            "struct uv_c_s {\n  int i;\n};",
        ];
        let order = in_order(all.into_iter());
        assert_eq!(order, [all[3], all[0], all[2], all[1]]);
    }

    #[test]
    fn a_prototype_is_not_said_twice() {
        let doc = "void uv_once(uv_once_t*, void (*)(void)): calls callback once.";
        assert_eq!(without_prototype(doc, "uv_once"), "Calls callback once.");
        assert_eq!(without_prototype("int uv_now(void).", "uv_now"), "");
        let doc = "void uv_stop(uv_loop_t*): uv_run returns.";
        assert_eq!(without_prototype(doc, "uv_stop"), "uv_run returns.");
        let doc = "As uv_now(loop) says.";
        assert_eq!(without_prototype(doc, "uv_now"), doc);
        assert_eq!(without_prototype("uv_now(", "uv_now"), "uv_now(");
    }

    #[test]
    fn long_declarations_are_wrapped() {
        let code = format!("UV_EXTERN int f({});", ["unsigned int argument"; 9].join(", "));
        let text = wrapped(&code);
        assert!(text.lines().all(|line| line.len() <= 96), "{text}");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), code);
    }

    #[test]
    fn own_tags_stay_where_they_are_defined() {
        let code = "struct uv_buf_t { struct uv_timespec_t at; }";
        assert_eq!(own_tags(code), "struct uv_buf_t { uv_timespec_t at; }");
    }
}
