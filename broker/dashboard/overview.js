// SPDX-License-Identifier: BSD-2-Clause
// The first screen: what is wrong, then how full, how fast, and what happens.
import { get, getText, now, pages, Problem } from "/assets/api.js";
import { spark, usageChart } from "/assets/chart.js";
import { h } from "/assets/dom.js";
import { compact, count, metrics, percentUsed, plural, relative, span } from "/assets/format.js";
import { badge, eventRow, href, link, liveBadge, page, panel, usageBar } from "/assets/parts.js";
import { can, set } from "/assets/state.js";

const CHARTS = 6;
const RATES = 60;

// What the rest of the screen can do without: null, and a word about it.
async function or(faults, what, asked) {
	try {
		return await asked;
	} catch (e) {
		if (!(e instanceof Problem) || e.status === 401)
			throw e;
		faults.push([what, e.message]);
		return null;
	}
}

// 503 is an answer here: the checks that fail.
async function readiness() {
	try {
		return (await get("/readyz")).checks.filter((c) => !c.ok);
	} catch (e) {
		if (e instanceof Problem && e.code === "not-ready")
			return e.errors.length ? e.errors.map((x) => ({ name: x.pointer.replace(/^\//, ""), detail: x.detail })) : [{ name: "broker", detail: e.message }];
		throw e;
	}
}

const sum = (m, name, which = {}) => (m.get(name) ?? []).filter((x) => Object.entries(which).every(([k, v]) => x.labels[k] === v))
	.reduce((total, x) => total + x.value, 0);

function remember(rates, m) {
	const reading = { at: Date.now(), grants: sum(m, "causeway_leases_total", { event: "grant" }),
		ends: sum(m, "causeway_leases_total", { event: "release" }) + sum(m, "causeway_leases_total", { event: "expire" })
			+ sum(m, "causeway_leases_total", { event: "revoke" }) };
	// Smaller than before: the broker was started again.
	const kept = rates.length && rates.at(-1).grants > reading.grants ? [] : rates;
	return [...kept, reading].slice(-RATES);
}

async function load(route, state) {
	const faults = [];
	const [checks, pools, usage, teps, jobs, text] = await Promise.all([
		or(faults, "Readiness", readiness()), pages("/v1/pools", {}, 1000), pages("/v1/usage", {}, 1000),
		can("teps:read") ? or(faults, "TEPs", pages("/v1/teps", {}, 1000)) : null, or(faults, "Jobs", get("/v1/jobs")),
		or(faults, "Metrics", getText("/metrics", "application/openmetrics-text")),
	]);
	const m = metrics(text ?? "");
	set({ rates: remember(state.rates, m) });
	const byName = new Map(usage.items.map((u) => [u.pool, u]));
	const rows = pools.items.map((pool) => ({ pool, usage: byName.get(pool.name) })).filter((r) => r.usage)
		.sort((a, b) => percentUsed(b.usage) - percentUsed(a.usage) || a.pool.name.localeCompare(b.pool.name));
	await Promise.all(rows.slice(0, CHARTS).map(async (r) => {
		r.samples = await or(faults, `Samples of ${r.pool.name}`, get(`/v1/pools/${r.pool.id}/samples`));
	}));
	return { faults, checks: checks ?? [], rows, teps: teps?.items ?? null, jobs: jobs?.items ?? [], m };
}

// [tone, title, detail, href], worst first.
function problems(d) {
	const found = [];
	const told = new Set(); // checks of the readiness that are told here in better words
	for (const { pool, usage, samples } of d.rows) {
		const at = href(`pools/${pool.name}`);
		if (usage.level === "full")
			found.push(["bad", `Pool ${pool.name} is full`, "New clients are refused.", at]);
		else if (usage.level === "low")
			found.push(["warn", `Pool ${pool.name} is ${Math.floor(percentUsed(usage))} % used`, `${plural(usage.available, "lease")} left.`, at]);
		if (usage.level !== "full" && samples?.full_at && Date.parse(samples.full_at) < now() + 86400e3)
			found.push(["warn", `Pool ${pool.name} will be full ${relative(samples.full_at)}`, "If it goes on as in the last day.", at]);
		if (usage.total === 0)
			found.push(["warn", `Pool ${pool.name} has no addresses`, "Add a range.", at]);
	}
	for (const t of d.teps ?? []) {
		if (t.state === "down" || t.state === "syncing") {
			told.add(`tep:${t.name}`);
			found.push([t.state === "down" ? "bad" : "warn", `TEP ${t.name} is ${t.state}`, t.last_error ?? `${plural(t.waiting, "change")} not confirmed.`, href("teps")]);
		} else if (t.drift) {
			found.push(["warn", `TEP ${t.name} differed in ${plural(t.drift, "binding")}`, "That was put right. Does anything else change them? Resync compares again.", href("teps")]);
		}
	}
	for (const j of d.jobs)
		if (!j.healthy) {
			told.add("jobs");
			found.push(["bad", `Job ${j.name} ${j.last?.result === "failed" ? "fails" : "is late"}`, j.last?.result === "failed" ? j.last.detail : `${count(j.backlog)} wait, since ${span(j.lag_s)}.`, href("jobs")]);
		}
	for (const c of d.checks)
		if (!told.has(c.name))
			found.push(["bad", `Not ready: ${c.name}`, c.detail, null]);
	for (const [what, why] of d.faults)
		found.push(["bad", `${what} cannot be read`, why, null]);
	return found.sort((a, b) => (a[0] === "bad" ? 0 : 1) - (b[0] === "bad" ? 0 : 1));
}

function problemList(d) {
	const found = problems(d);
	if (!found.length)
		return h("div", { class: "problem good", role: "status" }, h("strong", {}, "Everything is in order. "),
			d.rows.length ? `${plural(d.rows.length, "pool")}${d.teps ? `, ${plural(d.teps.length, "tunnel end point")}` : ""}.` : "There is no pool yet.");
	return h("ul", { class: "problems", "aria-label": "Problems" }, found.map(([tone, title, detail, to]) =>
		h("li", { class: `problem ${tone}` }, to ? h("a", { href: to }, title) : h("strong", {}, title), " ", h("span", {}, detail))));
}

// Per second over the readings of the last minute and a half.
function rate(rates, field) {
	const recent = rates.filter((r) => r.at > Date.now() - 90000);
	const [a, b] = [recent[0], recent.at(-1)];
	return recent.length > 1 && b.at > a.at ? ((b[field] - a[field]) * 1000) / (b.at - a.at) : null;
}

const steps = (rates, field) => rates.slice(1).map((r, i) => Math.max(0, ((r[field] - rates[i][field]) * 1000) / (r.at - rates[i].at)));

function tile(title, value, note, drawing, tone) {
	return h("div", { class: tone ? `tile ${tone}` : "tile" }, h("h2", {}, title), h("p", { class: "value" }, value), h("p", { class: "note" }, note), drawing ?? null);
}

const perSecond = (r) => (r === null ? "…" : r >= 10 ? compact(Math.round(r)) : r.toFixed(r && r < 1 ? 2 : 1));

function tiles(d, state) {
	const active = d.rows.reduce((n, r) => n + r.usage.active, 0);
	const lag = Math.max(sum(d.m, "causeway_expiry_lag_seconds"), ...d.jobs.filter((j) => j.name === "expiry").map((j) => j.lag_s));
	const backlog = sum(d.m, "causeway_expiry_backlog");
	const grants = steps(state.rates, "grants");
	return h("div", { class: "tiles" },
		tile("Leases", compact(active), `in ${plural(d.rows.length, "pool")}`),
		tile("New leases per second", perSecond(rate(state.rates, "grants")), "while this page is open", spark(grants, "New leases per second, the last minutes")),
		tile("Ended per second", perSecond(rate(state.rates, "ends")), "released, expired, revoked", spark(steps(state.rates, "ends"), "Ended leases per second, the last minutes")),
		tile("Expiry lag", lag < 1 ? "none" : span(lag), backlog ? `${plural(backlog, "lease")} due and not ended` : "nothing is overdue", null, lag > 30 ? "bad" : null));
}

function poolCard({ pool, usage, samples }) {
	const used = percentUsed(usage);
	const full = samples?.full_at;
	return h("article", { class: `panel pool ${usage.level}`, "data-key": pool.id },
		h("header", {}, h("h3", {}, link(`pools/${pool.name}`, pool.name)),
			usage.level === "ok" ? null : badge(usage.level), pool.state === "active" ? null : badge(pool.state),
			h("strong", { class: "percent" }, `${used < 10 && used > 0 ? used.toFixed(1) : Math.floor(used)} %`)),
		samples ? usageChart(samples, usage.total, { low: pool.low_percent, name: pool.name }) : usageBar(usage),
		h("p", { class: "note" }, `${count(usage.available)} of ${plural(usage.total, usage.unit === "address" ? "address" : "port set", usage.unit === "address" ? "addresses" : "port sets")} available`,
			h("span", { class: "fill" }, usage.level === "full" ? "full" : full ? `full ${relative(full)}` : "not growing")));
}

function failures(d) {
	const byReason = new Map();
	for (const { labels, value } of d.m.get("causeway_alloc_failures_total") ?? [])
		if (value > 0)
			byReason.set(`${labels.reason} ${labels.pool ?? ""}`, { ...labels, value });
	const rows = [...byReason.values()].sort((a, b) => b.value - a.value).slice(0, 8);
	if (!rows.length)
		return h("p", { class: "empty small" }, "Nobody was refused since the broker started.");
	const max = rows[0].value;
	return h("ul", { class: "reasons" }, rows.map((r) => h("li", {}, h("span", {}, r.reason, r.pool ? h("span", { class: "dim" }, ` ${r.pool}`) : null),
		h("meter", { min: 0, max, value: r.value, "aria-label": `${r.reason} ${r.pool ?? ""}` }), h("strong", {}, compact(r.value)))));
}

function lights(teps) {
	if (!teps)
		return h("p", { class: "empty small" }, "Your token does not show TEPs.");
	if (!teps.length)
		return h("p", { class: "empty small" }, "There is no tunnel end point yet.");
	return h("ul", { class: "lights" }, teps.map((t) => h("li", {}, link("teps", t.name), t.draining ? badge("draining") : null, badge(t.state),
		h("span", { class: "dim" }, t.drift ? `drift ${count(t.drift)}` : plural(t.bindings, "binding")))));
}

function render(d, state) {
	const shown = d.rows.slice(0, CHARTS);
	const rest = d.rows.slice(CHARTS);
	return page("Overview", null, problemList(d), tiles(d, state),
		h("h2", { class: "between" }, "Pools, the fullest first"),
		shown.length ? h("div", { class: "cards" }, shown.map(poolCard))
			: h("p", { class: "empty" }, "There is no pool yet. Make one with ", h("code", {}, "causewayctl pool create"), " or ", h("code", {}, "causewayctl apply"), "."),
		rest.length ? h("p", { class: "note more" }, link("pools", `${plural(rest.length, "pool")} more, less full`)) : null,
		h("div", { class: "columns" },
			panel("Tunnel end points", {}, lights(d.teps)),
			panel("Refused, by reason", { note: "since the start" }, failures(d))),
		panel("What happens", { actions: liveBadge() },
			h("ol", { class: "events", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "The last events" }, state.live.events.slice(0, 20).map(eventRow)),
			state.live.events.length ? null : h("p", { class: "empty small" }, can("leases:read") ? "Nothing yet." : "Your token does not show events.")));
}

export const overview = { title: "Overview", scope: "pools:read", every: 5, load, render };
