//! The `name[]` filter: the same samples from both sides.

use super::{OPENMETRICS, Row, TEXT, compare};
use crate::client::{exchange, get};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for query in [
        "name[]=demo_requests_total",
        "name%5B%5D=demo_requests_total",
        "name%5b%5d=demo%5Frequests%5ftotal",
        "name[]=demo_requests_total&name[]=demo_size_bytes_sum",
        "name[]=demo_requests_total&name[]=demo_requests_total",
        "x=y&name[]=demo_replies_total&z",
        "name[]=demo_temperature_celsius",
        "name[]=demo_latency_seconds_bucket",
        "name[]=demo_latency_seconds_count&name[]=demo_latency_seconds_sum",
        "name[]=demo_phase_seconds_bucket&name[]=demo_build_info&name[]=demo_state",
        "name[]=demo_sent_bytes_count",
        "name[]=demo_size_bytes_created",
        "name[]=demo_build_info",
        "name[]=demo_state",
        "name[]=demo_label_values",
        "name[]=demo_numbers",
        "name[]=demo_unknown",
        "name[]=demo_sampled_volts",
        "name[]=demo_queue_seconds_gcount",
        "name[]=demo_queue_seconds_bucket&name[]=demo_queue_seconds_gsum",
        "name[]=demo.board.requests_total",
        "name[]=demo.gr%C3%B6%C3%9Fe",
        "name[]=nothing",
        "name[]=",
        "name[]",
        "name[]=&name[]=",
        "name[]=&name[]=demo_requests_total",
        "name=demo_requests_total",
        "NAME[]=demo_requests_total",
        "name[0]=demo_requests_total",
        "name[]=demo_requests_total,demo_size_bytes_sum",
        "name[]=demo_requests_total;name[]=demo_size_bytes_sum",
        "name[]=demo+requests",
        "name[]=%zz",
        "name[]=%",
        "name[]=%ff",
        "name[]=demo_requests_tota",
        "name[]=demo_requests_total_created",
        "name[]=DEMO_REQUESTS_TOTAL",
        "name[]=demo_board_requests_total",
        "name[]==demo_requests_total",
        "&&&name[]=demo_requests_total&&&",
        "+name[]=demo_requests_total",
        "collect[]=cpu",
    ] {
        rows.push(Row::new(format!("filter {query}"), get(&format!("/metrics?{query}"), "")));
    }
    let om = "Accept: application/openmetrics-text\r\n";
    for query in [
        "name[]=demo_requests_total",
        "name[]=demo_requests_created",
        "name[]=demo_latency_seconds_bucket",
        "name[]=demo_build_info",
        "name[]=nothing",
        "name[]=",
    ] {
        rows.push(Row::new(format!("filter {query} in OpenMetrics"), get(&format!("/?{query}"), om)));
    }
    rows.extend([
        Row::new("filter on any path", get("/a/b?name[]=demo_requests_total", "")),
        Row::new("filter in the absolute form", get("http://device/metrics?name[]=demo_requests_total", "")),
        Row::new("filter before a fragment", get("/metrics?name[]=demo_requests_total#x", "")),
        Row::new("filter not on the favicon", get("/favicon.ico?name[]=demo_requests_total", "")),
        Row::new("filter of OPTIONS", "OPTIONS /?name[]=nothing HTTP/1.1\r\nHost: device\r\n\r\n"),
        Row::new("many names", get(&format!("/?{}", "name[]=demo_requests_total&".repeat(200)), "")),
        // A family's name asks for the family.
        Row::new("filter by a counter's family", get("/?name[]=demo_requests", ""))
            .mended("200 text/plain; version=0.0.4; charset=utf-8 | empty", TEXT),
        Row::new("filter by a family without samples", get("/?name[]=demo_empty", ""))
            .mended("200 text/plain; version=0.0.4; charset=utf-8 | empty", TEXT),
        Row::new("filter by a histogram's family", get("/?name[]=demo_latency_seconds", om))
            .mended(OPENMETRICS, OPENMETRICS),
        Row::new("filter by an info's family", get("/?name[]=demo_build", ""))
            .mended("200 text/plain; version=0.0.4; charset=utf-8 | empty", TEXT),
    ]);
    rows
}

#[test]
fn filters() {
    compare(&rows(), true);
}

#[test]
fn a_filtered_page_keeps_its_order_and_its_unit() {
    let ours = crate::process::Served::every_kind(&[]);
    let target = "/?name[]=demo_size_bytes_sum&name[]=demo_temperature_celsius&name[]=demo_requests_total";
    let page = exchange(ours.address, &get(target, "Accept: application/openmetrics-text\r\n")).text();
    assert!(page.contains("# UNIT demo_temperature_celsius celsius\n"), "{page}");
    let families: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        families,
        ["demo_requests counter", "demo_temperature_celsius gauge", "demo_size_bytes summary"]
    );
}
