// SPDX-License-Identifier: BSD-2-Clause
// All pools.
import { pages } from "/assets/api.js";
import { h } from "/assets/dom.js";
import { count, percentUsed, span } from "/assets/format.js";
import { badge, link, page, table, usageBar } from "/assets/parts.js";

async function load() {
	const [pools, usage] = await Promise.all([pages("/v1/pools", {}, 5000), pages("/v1/usage", {}, 5000)]);
	const byName = new Map(usage.items.map((u) => [u.pool, u]));
	return { rows: pools.items.map((pool) => ({ pool, usage: byName.get(pool.name) })), more: pools.more };
}

export const kindOf = (pool) => (pool.port_set ? `shared by ${2 ** pool.port_set.length}` : "whole addresses");

function render(d) {
	return page("Pools", null,
		table("Pools", [["Pool", "nw"], ["State"], ["Use", "wide"], ["Used", "n"], ["Active", "n"], ["Available", "n"], ["TEP", "nw"], ["Kind"], ["Lifetime"], ["Order", "n"]],
			d.rows.map(({ pool, usage: u }) => [pool.id, h("strong", {}, link(`pools/${pool.name}`, pool.name)),
				[badge(pool.state), u && u.level !== "ok" ? [" ", badge(u.level)] : null],
				u ? usageBar(u) : "–", u ? `${Math.floor(percentUsed(u))} %` : "–", u ? count(u.active) : "–", u ? count(u.available) : "–",
				pool.tep, kindOf(pool), span(pool.lifetime_s), String(pool.order)]),
			["There is no pool yet. ", h("code", {}, "causewayctl apply"), " makes them from a file."]),
		d.more ? h("p", { class: "note" }, "Only the first 5000 are shown.") : null);
}

export const pools = { title: "Pools", scope: "pools:read", every: 10, load, render };
