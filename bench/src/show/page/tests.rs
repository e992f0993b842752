//! The page in a real browser.
use super::*;
use serde_json::json;
use std::process::{Command, Stdio};

/// Figures of every kind that has a picture.
fn sample() -> Records {
    let mut records = Vec::new();
    for (group, row) in [
        ("echo", "echo-64B-256c-1f"),
        ("libuv", "libuv-async1"),
        ("scale", "idle-100"),
        ("scale", "idle-10000"),
        ("hold", "hold"),
    ] {
        for (subject, ns) in [("libuv", 1000.0), ("uvring-epoll", 600.0)] {
            let mut record = Record {
                row: row.to_owned(),
                group: group.to_owned(),
                subject: subject.to_owned(),
                rounds: 1,
                wall_ns_per_op: Some(ns),
                cpu_ns_per_op: Some(ns),
                ratio_wall: Some(ns / 1000.0),
                ratio_cpu: Some(ns / 1000.0),
                ..Record::default()
            };
            record.extra.insert(crate::run::IDLE_BYTES.to_owned(), json!(300.0));
            record.extra.insert("rss_kib".to_owned(), json!([2000, 2010, 2005]));
            record.extra.insert("slice_us".to_owned(), json!([[1, 2, 3], [1, 2, 4], [1, 2, 3.5]]));
            records.push(record);
        }
    }
    Records(records)
}

/// What the browser makes of a file: the page after its scripts ran, and what it complains of.
/// None, with the reason printed, if there is no browser.
fn open(path: &Path) -> Option<(String, Vec<String>)> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there = |name: &&&str| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let Some(browser) = names.iter().find(there) else {
        println!("skipped: no Chromium on this machine (Debian's package is chromium)");
        return None;
    };
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["120", browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = String::from_utf8_lossy(&output.stderr);
    let complaints = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), complaints.collect()))
}

/// Counts in the browser: pictures that take room, and that have something drawn inside.
const COUNT: &str = "<script>document.body.dataset.seen=[...document.querySelectorAll('figure svg')]\
.filter(s=>s.getBoundingClientRect().width>300&&s.getBoundingClientRect().height>50\
&&s.querySelectorAll('rect,polyline,text').length>5).length</script></body>";

#[test]
fn every_picture_is_seen_and_nothing_is_complained_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&sample(), folder.path()).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.contains("data-plots=\"7\""), "two ratios and scale, two idle, two hold");
    assert!(!html.contains("src="), "nothing is fetched");
    std::fs::write(&path, html.replace("</body>", COUNT)).unwrap();
    let Some((dom, complaints)) = open(&path) else { return };
    assert!(dom.contains("data-seen=\"7\""), "{}", &dom[..dom.len().min(2000)]);
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn an_error_of_a_page_would_be_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.html");
    std::fs::write(&path, "<body><script>throw new Error('on purpose')</script></body>").unwrap();
    let Some((_, complaints)) = open(&path) else { return };
    assert!(complaints.iter().any(|line| line.contains("on purpose")), "{complaints:?}");
}

#[test]
fn markup_in_names_is_harmless() {
    assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
}
