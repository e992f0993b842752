//! The pictures: bars of ratios, and lines.
use crate::record::Records;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::error::Error;

/// A picture.
pub(crate) struct Plot {
    /// File name without its ending, and id in the page.
    pub(crate) name: String,
    /// What stands above it.
    pub(crate) title: String,
    /// SVG.
    pub(crate) svg: String,
}

/// One line of a picture: its name and points.
type Line = (String, Vec<(f64, f64)>);

const WIDTH: u32 = 900;
/// Names of columns in a line above a picture, and the room for each line.
const NAMES: usize = 5;
const LEGEND: u32 = 18;
/// Narrower and wider bars than these end at the edge.
const RATIOS: std::ops::Range<f64> = 0.01..4.0;
const COLORS: [RGBColor; 12] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 92, 30),
    RGBColor(150, 150, 150),
    RGBColor(190, 190, 190),
    RGBColor(44, 140, 60),
    RGBColor(130, 80, 170),
    RGBColor(200, 60, 120),
    RGBColor(180, 150, 20),
    RGBColor(20, 150, 160),
    RGBColor(110, 70, 40),
    RGBColor(230, 130, 160),
    RGBColor(90, 110, 140),
];

/// Every picture that has figures.
pub(crate) fn all(records: &Records) -> Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for group in records.groups().into_iter().filter(|group| !matches!(*group, "" | "hold")) {
        let cpu = group != "libuv";
        let what = if cpu { "CPU time" } else { "real time" };
        let title =
            format!("{group}: {what}, part of libuv's (logarithmic; left of the line is less)");
        plots.extend(ratios(records, group, &title, cpu)?);
    }
    plots.extend(super::lab::plot(records)?);
    let idle = |pick: fn(&crate::record::Record) -> Option<f64>| -> Vec<Line> {
        let points = |column: &String| {
            let of = records.of("scale").filter(|r| r.is_there() && r.column() == *column);
            of.filter_map(|r| Some((r.row.strip_prefix("idle-")?.parse().ok()?, pick(r)?)))
                .collect()
        };
        records.columns("scale").iter().map(|column| (column.clone(), points(column))).collect()
    };
    let title = "CPU time of a request in ns, over idle connections beside 100 active ones";
    plots.extend(lines("idle-cpu", title, &idle(|r| r.cpu_ns_per_op))?);
    let title = "bytes of memory for an idle connection, over idle connections";
    let bytes = idle(|r| r.number(crate::run::IDLE_BYTES).filter(|bytes| *bytes > 0.0));
    plots.extend(lines("idle-memory", title, &bytes)?);
    let title = "hold: resident memory in KiB, over parts of the time";
    plots.extend(lines("hold-memory", title, &series(records, "rss_kib", None))?);
    let title = "hold: p99.9 of the latency in µs, over parts of the time";
    plots.extend(lines("hold-latency", title, &series(records, "slice_us", Some(2)))?);
    Ok(plots)
}

/// A list that the hold load left: of numbers, or of lists of which `index` is taken.
fn series(records: &Records, name: &str, index: Option<usize>) -> Vec<Line> {
    let line = |record: &crate::record::Record| {
        let values = record.extra.get(name)?.as_array()?.iter();
        let value = |value: &serde_json::Value| {
            index.map_or_else(|| value.as_f64(), |index| value.get(index)?.as_f64())
        };
        let points = values.enumerate().filter_map(|(at, v)| Some((at as f64 + 1.0, value(v)?)));
        Some((record.column(), points.collect()))
    };
    records.of("hold").filter_map(line).collect()
}

fn drawn<E: Error + Send + Sync + 'static>(
    result: Result<(), DrawingAreaErrorKind<E>>,
) -> Result<()> {
    result.map_err(|error| anyhow!("drawing: {error}"))
}

/// A bar for every row and column: the part of libuv's time.
fn ratios(records: &Records, group: &str, title: &str, cpu: bool) -> Result<Option<Plot>> {
    let columns: Vec<String> =
        records.columns(group).into_iter().filter(|column| column != "libuv").collect();
    let value = |row: &str, column: &str| {
        let record = records.find(row, column)?;
        if cpu { record.ratio_cpu } else { record.ratio_wall }
    };
    let rows: Vec<&str> = records.rows(group);
    let rows: Vec<&str> = rows
        .into_iter()
        .filter(|row| columns.iter().any(|column| value(row, column).is_some()))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let each = columns.len() as f64 + 1.0;
    let total = each * rows.len() as f64;
    let height = (total * 9.0) as u32 + 90;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        drawn(area.fill(&WHITE))?;
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .margin_top(room(columns.len()))
            .set_label_area_size(LabelAreaPosition::Left, 210)
            .set_label_area_size(LabelAreaPosition::Bottom, 30)
            .build_cartesian_2d(RATIOS.log_scale(), total..0.0)
            .map_err(|error| anyhow!("drawing: {error}"))?;
        drawn(
            chart
                .configure_mesh()
                .disable_y_mesh()
                .disable_y_axis()
                .x_label_style(("sans-serif", 12))
                .draw(),
        )?;
        for (place, row) in rows.iter().enumerate() {
            let top = place as f64 * each;
            for (nth, column) in columns.iter().enumerate() {
                let Some(ratio) = value(row, column) else { continue };
                let y = top + nth as f64 + 0.5;
                let end = ratio.clamp(RATIOS.start, RATIOS.end);
                let bar = Rectangle::new([(RATIOS.start, y), (end, y + 0.9)], color(nth).filled());
                drawn(chart.draw_series(std::iter::once(bar)).map(|_| ()))?;
            }
            let (_, y) = chart.backend_coord(&(1.0, top + each / 2.0));
            drawn(area.draw(&Text::new((*row).to_owned(), (12, y - 6), ("sans-serif", 12))))?;
        }
        let one = PathElement::new([(1.0, 0.0), (1.0, total)], BLACK.stroke_width(1));
        drawn(chart.draw_series(std::iter::once(one)).map(|_| ()))?;
        legend(&area, &columns)?;
        drawn(area.present())?;
    }
    Ok(Some(Plot { name: format!("ratio-{group}"), title: title.to_owned(), svg }))
}

/// A line for every column; none if there are less than two points anywhere.
fn lines(name: &str, title: &str, lines: &[Line]) -> Result<Option<Plot>> {
    let lines: Vec<&Line> = lines.iter().filter(|(_, points)| points.len() > 1).collect();
    let points = || lines.iter().flat_map(|(_, points)| points.iter());
    let most = points().map(|(_, y)| *y).fold(0.0, f64::max) * 1.1;
    let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
    if lines.is_empty() || most <= 0.0 {
        return Ok(None);
    }
    let first = points().map(|(x, _)| *x).fold(last, f64::min);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 360)).into_drawing_area();
        drawn(area.fill(&WHITE))?;
        let mut builder = ChartBuilder::on(&area);
        builder
            .margin(12)
            .margin_top(room(lines.len()))
            .set_label_area_size(LabelAreaPosition::Left, 70)
            .set_label_area_size(LabelAreaPosition::Bottom, 30);
        // Numbers of connections span decades, parts of the time do not.
        if last / first > 100.0 {
            let chart = builder.build_cartesian_2d((first..last).log_scale(), 0.0..most);
            let mut chart = chart.map_err(|error| anyhow!("drawing: {error}"))?;
            drawn(chart.configure_mesh().draw())?;
            for (nth, (_, points)) in lines.iter().enumerate() {
                let line = LineSeries::new(points.iter().copied(), color(nth).stroke_width(2));
                drawn(chart.draw_series(line).map(|_| ()))?;
            }
        } else {
            let chart = builder.build_cartesian_2d(first..last, 0.0..most);
            let mut chart = chart.map_err(|error| anyhow!("drawing: {error}"))?;
            drawn(chart.configure_mesh().draw())?;
            for (nth, (_, points)) in lines.iter().enumerate() {
                let line = LineSeries::new(points.iter().copied(), color(nth).stroke_width(2));
                drawn(chart.draw_series(line).map(|_| ()))?;
            }
        }
        let names: Vec<String> = lines.iter().map(|(name, _)| name.clone()).collect();
        legend(&area, &names)?;
        drawn(area.present())?;
    }
    Ok(Some(Plot { name: name.to_owned(), title: title.to_owned(), svg }))
}

/// Height that the names of so many columns take.
fn room(names: usize) -> u32 {
    12 + LEGEND * names.div_ceil(NAMES) as u32
}

fn legend<D: DrawingBackend>(
    area: &DrawingArea<D, plotters::coord::Shift>,
    names: &[String],
) -> Result<()>
where
    D::ErrorType: 'static,
{
    for (nth, name) in names.iter().enumerate() {
        let x = 12 + (nth % NAMES) as i32 * 170;
        let y = 8 + (nth / NAMES) as i32 * LEGEND as i32;
        drawn(area.draw(&Rectangle::new([(x, y), (x + 10, y + 10)], color(nth).filled())))?;
        drawn(area.draw(&Text::new(name.clone(), (x + 15, y - 1), ("sans-serif", 12))))?;
    }
    Ok(())
}

fn color(nth: usize) -> RGBColor {
    COLORS[nth % COLORS.len()]
}
