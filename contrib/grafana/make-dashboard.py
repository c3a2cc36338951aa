#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes causeway.json, the Grafana dashboard, to standard output: panels from one list instead of 700 lines by hand."""
import json

PANELS = [  # title, unit, width, [(expression, legend)]
    ("Addresses in use", "percentunit", 12,
     [('1 - causeway_pool_addresses{instance=~"$instance",state="available"} / ignoring(state) '
       '(causeway_pool_addresses{instance=~"$instance",state="total"} > 0)', "{{pool}}")]),
    ("Addresses by state", "short", 12, [('sum by (state) (causeway_pool_addresses{instance=~"$instance",state!="total"})', "{{state}}")]),
    ("Leases per second", "ops", 12, [('sum by (event) (rate(causeway_leases_total{instance=~"$instance"}[$__rate_interval]))', "{{event}}")]),
    ("Refused per second", "ops", 12, [('sum by (reason) (rate(causeway_alloc_failures_total{instance=~"$instance"}[$__rate_interval]))', "{{reason}}")]),
    ("Allocation time", "s", 12,
     [(f'histogram_quantile({q}, sum by (le) (rate(causeway_alloc_duration_seconds_bucket{{instance=~"$instance"}}[$__rate_interval])))', f"p{int(q * 100)}")
      for q in (0.5, 0.99)]),
    ("Commit time", "s", 12,
     [(f'histogram_quantile({q}, sum by (le) (rate(causeway_commit_duration_seconds_bucket{{instance=~"$instance"}}[$__rate_interval])))', f"p{int(q * 100)}")
      for q in (0.5, 0.99)]),
    ("TEPs up", "short", 6, [('causeway_tep_up{instance=~"$instance"}', "{{tep}}")]),
    ("TEP drift", "short", 6, [('causeway_tep_drift{instance=~"$instance"}', "{{tep}}")]),
    ("Expiry lag", "s", 6, [('causeway_expiry_lag_seconds{instance=~"$instance"}', "{{instance}}")]),
    ("Jobs healthy", "short", 6, [('causeway_job_healthy{instance=~"$instance"}', "{{job}}")]),
    ("Sessions", "short", 6, [('causeway_sessions{instance=~"$instance"}', "{{access}}")]),
    ("Failed logins per second", "ops", 6, [('sum by (mech) (rate(causeway_auth_failures_total{instance=~"$instance"}[$__rate_interval]))', "{{mech}}")]),
    ("API requests per second", "ops", 6, [('sum by (code) (rate(causeway_http_requests_total{instance=~"$instance"}[$__rate_interval]))', "{{code}}")]),
    ("Main loop busy", "percentunit", 6, [('rate(causeway_loop_busy_seconds_total{instance=~"$instance"}[$__rate_interval])', "{{instance}}")]),
    ("Database", "bytes", 12, [('causeway_db_size_bytes{instance=~"$instance"}', "database"), ('causeway_wal_size_bytes{instance=~"$instance"}', "WAL")]),
    ("Operations per commit", "short", 12,
     [('rate(causeway_commit_batch_leases_sum{instance=~"$instance"}[$__rate_interval]) / '
       'rate(causeway_commit_batch_leases_count{instance=~"$instance"}[$__rate_interval])', "{{instance}}")]),
]


def panels():
    x = y = 0
    for number, (title, unit, width, targets) in enumerate(PANELS, 1):
        if x + width > 24:
            x, y = 0, y + 8
        yield {
            "id": number, "type": "timeseries", "title": title, "gridPos": {"x": x, "y": y, "w": width, "h": 8},
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "lineWidth": 1}}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
            "targets": [{"refId": chr(65 + i), "expr": e, "legendFormat": legend,
                         "datasource": {"type": "prometheus", "uid": "${datasource}"}} for i, (e, legend) in enumerate(targets)],
        }
        x += width


print(json.dumps({
    "uid": "causeway", "title": "Causeway", "tags": ["causeway"], "schemaVersion": 38, "version": 1, "editable": True,
    "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "browser",
    "templating": {"list": [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        {"name": "instance", "type": "query", "label": "Broker", "query": "label_values(causeway_build_info, instance)", "refresh": 2, "multi": True,
         "includeAll": True, "datasource": {"type": "prometheus", "uid": "${datasource}"}},
    ]},
    "panels": list(panels()),
}, indent=1, sort_keys=True))
