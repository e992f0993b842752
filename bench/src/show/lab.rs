//! The picture of the models lab: what a request costs, over the connections that are open.
use super::plots::Plot;
use crate::lab::{COLUMNS, Summary, summaries};
use crate::record::Records;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::full_palette as palette;
use std::fmt::Write;

const SIZE: (u32, u32) = (900, 480);
const COLORS: [RGBColor; 11] = [
    palette::BROWN,
    palette::PINK_500,
    palette::RED_500,
    palette::ORANGE_600,
    palette::BLUE_700,
    palette::LIGHTBLUE_400,
    palette::GREY_600,
    palette::LIGHTGREEN_600,
    palette::GREEN_800,
    palette::TEAL_400,
    palette::PURPLE_400,
];

/// The picture, if the lab was run.
pub(super) fn plot(records: &Records) -> Result<Option<Plot>> {
    let all: Vec<Summary> =
        summaries(records).into_iter().filter(|summary| summary.points.len() > 1).collect();
    if all.is_empty() {
        return Ok(None);
    }
    let svg = draw(&all).map_err(|error| anyhow!("drawing: {error}"))?;
    let title = "models: CPU time of a request in ns, over open connections of which ten are busy \
                 (both logarithmic)";
    Ok(Some(Plot { name: "models-cost".to_owned(), title: title.to_owned(), svg }))
}

fn draw(all: &[Summary]) -> Result<String, Box<dyn std::error::Error>> {
    let points = || all.iter().flat_map(|summary| summary.points.iter());
    let bounds = |pick: fn(&(f64, f64)) -> f64| {
        let values = points().map(pick);
        values.fold((f64::MAX, 1.0), |(least, most), v| (v.min(least), v.max(most)))
    };
    let ((first, last), (least, most)) = (bounds(|point| point.0), bounds(|point| point.1));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .margin_right(40)
            .set_label_area_size(LabelAreaPosition::Left, 70)
            .set_label_area_size(LabelAreaPosition::Bottom, 40)
            .build_cartesian_2d((first..last).log_scale(), (least * 0.8..most * 1.2).log_scale())?;
        chart
            .configure_mesh()
            .x_label_formatter(&|open| format!("{open:.0}"))
            .y_label_formatter(&|ns| format!("{ns:.0}"))
            .x_desc("open connections")
            .y_desc("CPU ns a request")
            .label_style(("sans-serif", 12))
            .draw()?;
        for (nth, summary) in all.iter().enumerate() {
            let color = COLORS[nth % COLORS.len()];
            let line = LineSeries::new(summary.points.iter().copied(), color.stroke_width(2));
            chart.draw_series(line.point_size(3))?.label(&summary.name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 4), (x + 10, y + 4)], color.filled())
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 12))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

/// What the figures come to, as a table of HTML; nothing if the lab was not run.
pub(super) fn table(records: &Records) -> String {
    let all = summaries(records);
    let mut html = String::new();
    if all.is_empty() {
        return html;
    }
    html.push_str(
        "<h2>Ways of waiting</h2>\n<p>One echo server for each. Memory is the process's own; what the kernel \
         holds for a socket or a thread is not in it.</p>\n<table><tr>",
    );
    for title in COLUMNS {
        // Writing into a String cannot fail.
        let _ = write!(html, "<th>{title}</th>");
    }
    html.push_str("</tr>\n");
    for summary in &all {
        html.push_str("<tr>");
        for column in summary.columns() {
            let _ = write!(html, "<td>{column}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    html
}

/// The same for BENCHMARKS.md.
pub(super) fn markdown(records: &Records) -> String {
    let all = summaries(records);
    let mut text = String::new();
    if all.is_empty() {
        return text;
    }
    let _ = write!(
        text,
        "\n## Ways of waiting\n\nOne echo server for each; ten connections are busy among those that are open. Memory is \
         the process's own, without the kernel's.\n\n| {} |\n|{}\n",
        COLUMNS.join(" | "),
        " --- |".repeat(COLUMNS.len())
    );
    for summary in &all {
        let _ = writeln!(text, "| {} |", summary.columns().join(" | "));
    }
    text
}
