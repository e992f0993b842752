//! The HTML page: one file with everything in it.
use super::plots::{self, Plot};
use crate::absolute;
use crate::record::{Record, Records};
use crate::report::{ratio_text, short};
use crate::{bars, families};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .7em;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}figure{margin:1.5em 0}figcaption{font-weight:bold}\
svg{max-width:100%;height:auto}.missed{color:#b00020}.met{color:#1a7f37}";

/// Writes `index.html` and each picture by itself into `folder`; returns the page's path.
pub(crate) fn write(records: &Records, folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let plots = plots::all(records)?;
    for plot in &plots {
        let path = folder.join(format!("{}.svg", plot.name));
        std::fs::write(&path, &plot.svg).with_context(|| path.display().to_string())?;
    }
    let path = folder.join("index.html");
    std::fs::write(&path, page(records, &plots)?).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// Takes a picture of the beginning of the page.
pub(crate) fn picture(page: &Path, file: &Path) -> Result<()> {
    let mut option = OsString::from("--screenshot=");
    option.push(absolute(file)?);
    let mut address = OsString::from("file://");
    address.push(absolute(page)?);
    let done = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--hide-scrollbars", "--window-size=1000,1100"])
        .args([option, address])
        .output()
        .context("cannot start chromium")?;
    if !done.status.success() {
        bail!("chromium: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

fn page(records: &Records, plots: &[Plot]) -> Result<String> {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>uvring: benchmarks</title>\
         <link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head>\n<body data-plots=\"{}\">\n<h1>uvring: benchmarks</h1>\n",
        plots.len()
    );
    html.push_str(
        "<p>uvring beside libuv 1.53 and hand-written programs on the bare kernel. A ratio below 1.00 is \
         faster than libuv.</p>\n",
    );
    means(&mut html, records)?;
    for plot in plots {
        writeln!(
            html,
            "<figure id=\"{}\"><figcaption>{}</figcaption>\n{}</figure>",
            plot.name,
            escape(&plot.title),
            plot.svg
        )?;
    }
    html.push_str(&super::lab::table(records));
    verdicts(&mut html, records)?;
    machine(&mut html, records)?;
    for group in records.groups().into_iter().filter(|group| !group.is_empty()) {
        table(&mut html, records, group)?;
    }
    html.push_str(
        "<p>Criterion measures the core by itself: <code>cargo bench -p uvring-core</code> writes its \
         reports to <a href=\"../../target/criterion/report/index.html\">target/criterion</a>.</p>\n</body></html>\n",
    );
    Ok(html)
}

fn machine(html: &mut String, records: &Records) -> Result<()> {
    let Some(machine) = records.0.iter().find(|record| record.subject == "machine") else {
        return Ok(());
    };
    html.push_str("<h2>Machine</h2>\n<table>");
    for (name, value) in &machine.extra {
        let value = value.as_str().unwrap_or_default();
        write!(html, "<tr><td>{}</td><td>{}</td></tr>", name.replace('_', " "), escape(value))?;
    }
    html.push_str("</table>\n");
    Ok(())
}

fn means(html: &mut String, records: &Records) -> Result<()> {
    html.push_str("<h2>Means</h2>\n<table><tr><th>mean over</th><th>of</th><th>times as fast</th><th>bar</th><th>slowest</th></tr>");
    for mean in families::means(records) {
        write!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"{}\">{:.2}</td><td>{:.1}</td><td>{} {:.2}</td></tr>",
            escape(mean.what),
            mean.column,
            class(mean.met()),
            mean.times,
            mean.least,
            escape(&mean.worst.0),
            mean.worst.1
        )?;
    }
    html.push_str("</table>\n");
    Ok(())
}

fn verdicts(html: &mut String, records: &Records) -> Result<()> {
    html.push_str("<h2>Bars</h2>\n<table><tr><th>row</th><th>of</th><th>against</th><th>figure</th><th>ratio</th><th>bar</th></tr>");
    for bar in bars::verdicts(records) {
        write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{}\">{:.3}</td><td>{:.3}</td></tr>",
            bar.row,
            bar.column,
            bar.against,
            bar.what,
            class(bar.met()),
            bar.ratio,
            bar.most
        )?;
    }
    html.push_str("</table>\n");
    Ok(())
}

fn class(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn table(html: &mut String, records: &Records, group: &str) -> Result<()> {
    let columns = records.columns(group);
    write!(
        html,
        "<h2>{}</h2>\n<p>CPU ns / real ns per operation (ratios to libuv)</p>\n<table><tr><th>row</th>",
        escape(group)
    )?;
    for column in &columns {
        write!(html, "<th>{}</th>", escape(column))?;
    }
    html.push_str("</tr>\n");
    for row in records.rows(group) {
        write!(html, "<tr><td>{}</td>", escape(row))?;
        for column in &columns {
            let text = records.find(row, column).map_or_else(|| "–".to_owned(), figures);
            write!(html, "<td>{text}</td>")?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    Ok(())
}

/// `852 / 1040 (0.52 / 0.61)`
pub(super) fn figures(record: &Record) -> String {
    let pair = |cpu: Option<f64>, wall: Option<f64>, text: fn(f64) -> String| {
        let one = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), text);
        format!("{} / {}", one(cpu), one(wall))
    };
    let values = pair(record.cpu_ns_per_op, record.wall_ns_per_op, short);
    if record.subject == "libuv" {
        return values;
    }
    format!("{values} ({})", pair(record.ratio_cpu, record.ratio_wall, ratio_text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
