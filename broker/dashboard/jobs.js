// SPDX-License-Identifier: BSD-2-Clause
// What the broker does by itself: when, how it went, what waits.
import { get } from "/assets/api.js";
import { part, runJob } from "/assets/actions.js";
import { h } from "/assets/dom.js";
import { ago, bytes, count, plural, relative, span, when } from "/assets/format.js";
import { badge, button, mono, page, panel, table } from "/assets/parts.js";
import { can, setUi, stale, state } from "/assets/state.js";

const WORDS = {
	expiry: "ends leases whose time is over", quarantine: "lets rested addresses be leased again", retention: "forgets history that is old enough",
	backup: "copies the database", upkeep: "keeps the database small and quick", samples: "notes how full pools are",
};

async function load(route, { ui }) {
	const [jobs, runs, backups] = await Promise.all([
		get("/v1/jobs"), ui.job ? get(`/v1/jobs/${part(ui.job)}/runs`, { limit: 20 }) : null,
		can("admin:read") ? get("/v1/backup").catch((e) => (e.code === "not-configured" ? null : Promise.reject(e))) : null,
	]);
	return { jobs: jobs.items, runs: runs?.items ?? null, backups: backups?.items ?? null };
}

const took = (r) => (r.ended_at ? span((Date.parse(r.ended_at) - Date.parse(r.started_at)) / 1000) : "–");

function runsOf(d) {
	if (!state.ui.job || !d.runs)
		return null;
	return panel(`Runs of ${state.ui.job}`, {}, table("Runs", [["Began"], ["Took"], ["Result"], ["Rows", "n"], ["What it says"]],
		d.runs.map((r) => [r.id, when(r.started_at), took(r), badge(r.result), count(r.items), r.detail || "–"]), "It has not run yet."));
}

function render(d) {
	return page("Jobs", null,
		h("div", { class: "panel" }, table("Jobs", [["Job"], ["State"], ["Every"], ["Next"], ["Last"], ["Waiting", "n"], ["Lag"], ["Failed", "n"], ["", "do"]], d.jobs.map((j) => [
			j.name, [h("strong", {}, j.name), h("small", { class: "dim block" }, WORDS[j.name] ?? "")],
			j.running ? badge("running") : badge(j.healthy ? "healthy" : j.last?.result === "failed" ? "failed" : "late", j.healthy ? "good" : "bad"),
			j.every_s ? span(j.every_s) : "as due", j.next_at ? when(j.next_at, relative) : "–", j.last ? [ago(j.last.started_at), j.last.result === "failed" ? h("small", { class: "block bad" }, j.last.detail) : null] : "never",
			count(j.backlog), j.lag_s ? span(j.lag_s) : "none", `${count(j.failures)} of ${count(j.runs)}`,
			h("div", { class: "buttons" }, h("button", { type: "button", "aria-pressed": String(state.ui.job === j.name), onclick: () => (setUi({ job: state.ui.job === j.name ? null : j.name }), stale()) }, "Runs"),
				button("Run now", "admin:write", () => runJob(j), { off: j.running ? "It is running." : null }))]), "The broker has no jobs.")),
		runsOf(d),
		d.backups ? panel("Backups", { note: plural(d.backups.length, "whole copy", "whole copies") }, table("Backups", [["File"], ["Made"], ["Size", "n"], ["Schema", "n"], ["SHA-256"]],
			d.backups.map((b) => [b.name, mono(b.name), when(b.created_at), bytes(b.octets), String(b.schema), h("span", { class: "mono dim", title: b.sha256 }, `${b.sha256.slice(0, 12)}…`)]), "There is none yet. Run the job backup.")) : null);
}

export const jobs = { title: "Jobs", scope: "pools:read", every: 5, load, render };
