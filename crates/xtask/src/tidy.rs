//! `cargo xtask tidy`: rules of the house that rustfmt and clippy do not know.
//!
//! ```text
//!   tidy           which files, and every rule on every file
//!   tidy/layers    the picture in lib.rs against what files use
//! ```
mod layers;

use crate::dirs;
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::path::Path;
use std::process::Command;

/// A file answers one question.
const MAX_LINES: usize = 600;
/// What is written by hand and read by people.
const SOURCES: &[&str] = &["rs", "c", "h", "cc", "cpp", "sh", "py", "cmake"];
/// Written by a program.
const GENERATED: &[&str] = &["include/uv.h", "include/uvring.h"];
/// Crates whose lib.rs opens with the picture of their layers.
const LAYERED: &[&str] = &["crates/core", "crates/ffi"];
/// Lints that are switched off nowhere.
const ALWAYS: &[&str] = &["undocumented_unsafe_blocks", "missing_safety_doc", "too_many_lines"];

/// Checks every tracked or new file; prints each finding with its place.
pub(crate) fn run() -> Result<()> {
    let root = dirs::root();
    let rules = Rules::new()?;
    let mut findings = Vec::new();
    let mut count = 0;
    for name in files(&root)? {
        let path = root.join(&name);
        // A file that git lists may just be moved, and some are not text.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        count += 1;
        rules.check(&name, &text, &mut findings);
    }
    for dir in LAYERED {
        findings.extend(layers::check(&root, dir)?);
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {count} files", findings.len());
    }
    println!("tidy: {count} files");
    Ok(())
}

/// Files that git knows or would add.
fn files(root: &Path) -> Result<Vec<String>> {
    let list = dirs::output(
        Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root),
    )
    .context("tidy asks git for the list of files")?;
    Ok(list.lines().map(str::to_owned).collect())
}

struct Rules {
    unfinished: Regex,
    machine: Regex,
    condition: Regex,
    module: Regex,
    allowed: Regex,
}

impl Rules {
    fn new() -> Result<Self> {
        // Put together here, so that this file does not find itself.
        let unfinished = ["to", "fix", "xx", "ha"].iter().zip(["do", "me", "x", "ck"]);
        let unfinished: Vec<String> = unfinished.map(|(a, b)| format!("{a}{b}")).collect();
        let words = unfinished.join("|").to_uppercase();
        let macros = format!("{}!|un{}!", unfinished[0], "implemented");
        let folders = ["work", "root", "home/[a-z]+", "tmp"].map(|dir| format!("/{dir}/"));
        Ok(Self {
            unfinished: Regex::new(&format!(r"\b({words})\b|\b({macros})"))?,
            machine: Regex::new(&format!(r#"(^|[\s"'(=:,`]){}"#, group(&folders)))?,
            condition: Regex::new(r"^\s*#!?\[cfg(_attr)?\(|\bcfg!\(")?,
            module: Regex::new(r"^\s*(pub(\([^)]*\))?\s+)?(mod\s|extern crate\s|use self::)")?,
            allowed: Regex::new(&format!(r"\b(allow|expect)\([^)]*{}", group(ALWAYS)))?,
        })
    }

    fn check(&self, name: &str, text: &str, findings: &mut Vec<String>) {
        let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
        if GENERATED.contains(&name) || name.ends_with(".lock") || extension == "json" {
            return;
        }
        let mut report = |line: usize, what: &str| findings.push(format!("{name}:{line}: {what}"));
        let lines: Vec<&str> = text.lines().collect();
        if SOURCES.contains(&&*extension) && lines.len() > MAX_LINES {
            report(lines.len(), &format!("longer than {MAX_LINES} lines"));
        }
        for (index, line) in lines.iter().enumerate() {
            if self.unfinished.is_match(line) {
                report(index + 1, "a word that marks unfinished work");
            }
            if self.machine.is_match(line) {
                report(index + 1, "a path of one machine");
            }
            if extension != "rs" {
                continue;
            }
            if self.allowed.is_match(line) {
                report(index + 1, "switches off a lint that holds everywhere");
            }
            if self.condition.is_match(line) && !self.stands_at_module(name, &lines, index) {
                report(index + 1, "cfg stands at module declarations only");
            }
        }
    }

    /// Whether the attribute at `index` belongs to a module, to what is handed on from one, or
    /// to the crate itself.
    fn stands_at_module(&self, name: &str, lines: &[&str], index: usize) -> bool {
        let line = lines[index].trim_start();
        if line.starts_with("#![") {
            return name.ends_with("/lib.rs") || name.ends_with("/main.rs");
        }
        let rest = lines[index + 1..].iter().map(|line| line.trim_start());
        let mut declared = rest.skip_while(|line| line.starts_with('#') || line.starts_with("//"));
        line.starts_with("#[") && declared.next().is_some_and(|line| self.module.is_match(line))
    }
}

fn group<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    format!("({})", words.join("|"))
}

#[cfg(test)]
mod tests {
    use super::Rules;

    fn findings(name: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        Rules::new().unwrap().check(name, text, &mut found);
        found
    }

    #[test]
    fn finds_what_the_rules_forbid() {
        let word = format!("// {}{}: later\n", "FIX", "ME");
        assert_eq!(findings("a.rs", &word).len(), 1);
        let path = format!("let x = \"/{}/me/x\";\n", "root");
        assert_eq!(findings("a.rs", &path).len(), 1);
        assert_eq!(findings("a.rs", "#[cfg(unix)]\nfn x() {}\n").len(), 1);
        assert_eq!(findings("a.rs", &format!("if {}!(unix) {{}}\n", "cfg")).len(), 1);
        assert_eq!(findings("a.rs", &format!("#[allow({})]\n", super::ALWAYS[0])).len(), 1);
        assert_eq!(findings("a.rs", &"\n".repeat(601)).len(), 1);
    }

    #[test]
    fn leaves_the_rest_alone() {
        assert_eq!(
            findings("a.rs", "#[cfg(test)]\n#[path = \"x\"]\npub(crate) mod tests;\n"),
            [""; 0]
        );
        assert_eq!(findings("a/lib.rs", "#![cfg_attr(not(test), no_std)]\n"), [""; 0]);
        assert_eq!(findings("a.c", "#include <sys/tmp/x.h> // see http://x/root/y\n"), [""; 0]);
        assert_eq!(findings("include/uv.h", &"\n".repeat(700)), [""; 0]);
    }
}
