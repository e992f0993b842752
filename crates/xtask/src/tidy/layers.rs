//! The picture of layers in a crate's lib.rs against what its files use.
//!
//! The picture is the first text block of lib.rs: highest layer first, a line for each layer,
//! module names before their description (`driver/{watch,op}  the seam`). A line that is
//! indented deeper than the first one goes on with the layer above it; `...` between braces is
//! the rest of the folder. A file uses lower layers, and its own as long as that makes no circle.
use anyhow::{Context, Result};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module path ("driver/watch") to its layer, counted from the bottom.
type Picture = BTreeMap<String, usize>;

/// Findings in the crate below `dir`.
pub(super) fn check(root: &Path, dir: &str) -> Result<Vec<String>> {
    let source = root.join(dir).join("src");
    let library = source.join("lib.rs");
    let text = fs::read_to_string(&library).with_context(|| library.display().to_string())?;
    let mut files = Vec::new();
    collect(&source, &source, &mut files)?;
    let modules: Vec<String> = files.iter().map(|path| module(path)).collect();
    let picture = picture(&text, &modules);
    let mut findings = Vec::new();
    if picture.is_empty() {
        findings.push(format!("{dir}/src/lib.rs:1: no picture of the layers"));
        return Ok(findings);
    }
    let uses = Uses::new()?;
    let mut beside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, module) in files.iter().zip(&modules) {
        let place = format!("{dir}/src/{}", path.display());
        let Some((unit, layer)) = place_of(&picture, module) else {
            findings.push(format!("{place}:1: not in the picture of lib.rs"));
            continue;
        };
        let text = fs::read_to_string(source.join(path)).with_context(|| place.clone())?;
        let found = uses.of(&text).into_iter().collect::<BTreeSet<_>>();
        for (line, used) in found {
            let Some((other, below)) = place_of(&picture, &used) else {
                continue;
            };
            if other != unit && below == layer && folder(&other) != folder(&unit) {
                beside.entry(unit.clone()).or_default().insert(other);
            } else if below > layer {
                let finding = format!("{place}:{line}: {unit} uses {other}, which is not below");
                if findings.last() != Some(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    for (unit, others) in &beside {
        for other in others.iter().filter(|other| unit < other && reaches(&beside, other, unit)) {
            findings.push(format!("{dir}/src: {unit} and {other} use each other"));
        }
    }
    Ok(findings)
}

/// Whether uses inside a layer lead from one module to another.
fn reaches(uses: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            next.extend(uses.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// Rust files below `dir` but lib.rs and tests, relative to `base`.
fn collect(base: &Path, dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".rs");
        if stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            collect(base, &path, files)?;
        } else if stem != name && (dir != base || stem != "lib") {
            files.push(path.strip_prefix(base)?.to_path_buf());
        }
    }
    files.sort();
    Ok(())
}

/// "driver/mod.rs" is module "driver".
fn module(path: &Path) -> String {
    let name = path.with_extension("").display().to_string();
    name.strip_suffix("/mod").unwrap_or(&name).to_owned()
}

fn folder(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

/// The longest entry of the picture that covers a module. A folder of which only files are
/// drawn stands as high as the highest of them.
fn place_of(picture: &Picture, module: &str) -> Option<(String, usize)> {
    let mut name = module;
    loop {
        if let Some((entry, layer)) = picture.get_key_value(name) {
            return Some((entry.clone(), *layer));
        }
        let Some((parent, _)) = name.rsplit_once('/') else {
            break;
        };
        name = parent;
    }
    let below = format!("{module}/");
    let children = picture.iter().filter(|(entry, _)| entry.starts_with(&below));
    children.map(|(_, layer)| *layer).max().map(|layer| (module.to_owned(), layer))
}

/// Reads the first text block.
fn picture(text: &str, modules: &[String]) -> Picture {
    let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
    let block: Vec<&str> = lines
        .skip_while(|line| line.trim() != "```text")
        .skip(1)
        .take_while(|line| line.trim() != "```")
        .collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let first = block.first().map_or(0, |line| indent(line));
    let mut layers: Vec<Vec<String>> = Vec::new();
    for line in block.iter().filter(|line| !line.trim().is_empty()) {
        let names = names(line, modules);
        match layers.last_mut() {
            Some(layer) if indent(line) > first => layer.extend(names),
            _ => layers.push(names),
        }
    }
    let mut picture = Picture::new();
    for (layer, names) in layers.into_iter().rev().enumerate() {
        picture.extend(names.into_iter().map(|name| (name, layer)));
    }
    picture
}

/// The module names that a line opens with.
fn names(line: &str, modules: &[String]) -> Vec<String> {
    let is_module = |name: &str| {
        let below = format!("{name}/");
        modules.iter().any(|module| module == name || module.starts_with(&below))
    };
    let mut names = Vec::new();
    for word in line.split_whitespace() {
        let expanded = expand(word.trim_end_matches(['/', ',']));
        // A module that is still to be written ends no line as long as another one is there.
        let known: Vec<String> = expanded.into_iter().filter(|name| is_module(name)).collect();
        if known.is_empty() && !word.contains('/') {
            break;
        }
        names.extend(known);
    }
    names
}

/// "a/{mod,b}" is "a" and "a/b".
fn expand(word: &str) -> Vec<String> {
    let Some((before, rest)) = word.split_once('{') else {
        return vec![word.to_owned()];
    };
    let inside = rest.trim_end_matches('}').split(',');
    inside
        .map(|name| match name {
            "mod" | "..." => before.trim_end_matches('/').to_owned(),
            _ => format!("{before}{name}"),
        })
        .collect()
}

/// Finds `crate::…` paths.
struct Uses {
    path: Regex,
}

impl Uses {
    fn new() -> Result<Self> {
        Ok(Self { path: Regex::new(r"\bcrate::((?:\w+::)*)(\w+|\{[^;]*\}|\*)")? })
    }

    /// Line and module path of everything used before the file's tests.
    fn of(&self, text: &str) -> Vec<(usize, String)> {
        let end = text.find("\nmod tests {").unwrap_or(text.len());
        let code: String = text[..end]
            .split_inclusive('\n')
            .map(|line| if line.trim_start().starts_with("//") { "\n" } else { line })
            .collect();
        let mut found = Vec::new();
        for captures in self.path.captures_iter(&code) {
            let start = captures.get(0).map_or(0, |whole| whole.start());
            let line = 1 + code[..start].matches('\n').count();
            let prefix = captures[1].replace("::", "/");
            let last = &captures[2];
            if last.starts_with('{') {
                for name in heads(last) {
                    found.push((line, format!("{prefix}{name}")));
                }
            } else {
                found.push((line, format!("{prefix}{last}")));
            }
        }
        found
    }
}

/// The paths at the outer level of "{a, b::c, d::{e, f}}", up to their first inner brace.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![String::new()];
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(String::new()),
            _ if depth == 1 && !letter.is_whitespace() => {
                if let Some(head) = heads.last_mut() {
                    head.push(letter);
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let paths = heads.iter().map(|head| head.trim_end_matches("::").replace("::", "/"));
    paths.filter(|head| !head.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_picture() {
        let text = "//! x\n//! ```text\n//!   run  top\n//!   a/{mod,b}   c\n//!      d   more of it\n\
                    //!   low   lowest\n//! ```\n";
        let modules = ["run", "a", "a/b", "c", "d", "low"].map(str::to_owned);
        let read = picture(text, &modules);
        let expected = [("a", 1), ("a/b", 1), ("c", 1), ("d", 1), ("low", 0), ("run", 2)];
        assert!(read.iter().map(|(name, layer)| (name.as_str(), *layer)).eq(expected));
        assert_eq!(place_of(&read, "a/z/y"), Some(("a".to_owned(), 1)));
        assert_eq!(place_of(&read, "Errno"), None);
    }

    #[test]
    fn finds_circles() {
        let uses = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
        let uses = uses.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
        let uses = BTreeMap::from(uses);
        assert!(reaches(&uses, "b", "a"));
        assert!(!reaches(&uses, "a", "d"));
    }

    #[test]
    fn finds_uses() {
        let text = "use crate::{mem, loop_::{self, run}};\n// crate::comment\n\
                    fn x() { crate::tcp::y() }\nmod tests {\n use crate::late;\n}\n";
        let found = Uses::new().unwrap().of(text);
        let found: Vec<(usize, &str)> = found.iter().map(|(line, name)| (*line, &**name)).collect();
        assert_eq!(found, [(1, "mem"), (1, "loop_"), (3, "tcp/y")]);
    }
}
