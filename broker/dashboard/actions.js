// SPDX-License-Identifier: BSD-2-Clause
// What changes something: asks first where it cannot be undone, says what became of it, and has the view loaded again.
import { call, change } from "/assets/api.js";
import { ask, toast } from "/assets/dialog.js";
import { stale } from "/assets/state.js";

export const part = encodeURIComponent;

// Without a question.
export async function act(done, submit) {
	try {
		const result = await submit();
		toast(typeof done === "function" ? done(result) : done);
		return result ?? null;
	} catch (e) {
		toast(e.message, true);
		return undefined;
	} finally {
		stale();
	}
}

// With one. done: what to say when it worked.
export async function askAndAct(question, done) {
	const result = await ask(question);
	if (result !== undefined) {
		if (done)
			toast(typeof done === "function" ? done(result) : done);
		stale();
	}
	return result;
}

export const revoke = (lease) => askAndAct({
	title: `Revoke ${lease.address}?`,
	text: [`${lease.owner} holds it. Forwarding stops before this is answered, the client is told, and the address rests before somebody else gets it.`],
	verb: "Revoke", danger: true,
	submit: () => call("DELETE", `/v1/leases/${lease.id}`),
}, `${lease.address} is revoked.`);

export const extend = (lease) => askAndAct({
	title: `Extend ${lease.address}`,
	text: "From now on; the bounds of the pool hold.",
	fields: [{ name: "s", label: "Seconds", type: "number", min: 1, value: String(lease.lifetime_s), required: true }],
	verb: "Extend",
	submit: ({ s }) => call("PATCH", `/v1/leases/${lease.id}`, { body: { lifetime_s: Number(s) } }),
}, `${lease.address} is extended.`);

const POOL_WORDS = {
	active: ["Let it lease again", "It gives new leases.", false],
	draining: ["Drain", "It gives no new leases; those it has are renewed until their clients let go.", false],
	disabled: ["Disable", "It gives no new leases and renews none: all its clients lose theirs as they run out.", true],
};
export const setPoolState = (pool, state) => askAndAct({
	title: `${POOL_WORDS[state][0]}: pool ${pool.name}?`, text: POOL_WORDS[state][1],
	verb: POOL_WORDS[state][0], danger: POOL_WORDS[state][2],
	submit: () => change("PATCH", `/v1/pools/${pool.id}`, { state }),
}, `Pool ${pool.name} is ${state}.`);

export const addTo = (pool, kind) => askAndAct({
	title: `${kind === "ranges" ? "Add addresses to" : "Exclude addresses of"} ${pool.name}`,
	fields: [{ name: "range", label: "Addresses", required: true, placeholder: "192.0.2.0/28",
		hint: "ADDRESS/LENGTH, FIRST-LAST or one ADDRESS" }],
	verb: kind === "ranges" ? "Add" : "Exclude",
	submit: (body) => call("POST", `/v1/pools/${pool.id}/${kind}`, { body }),
}, (r) => `${r.first} to ${r.last} ${kind === "ranges" ? "are added" : "are excluded"}.`);

export const removeFrom = (pool, kind, row) => askAndAct({
	title: `${kind === "ranges" ? "Take away" : "No longer exclude"} ${row.first} to ${row.last}?`,
	text: kind === "ranges" ? "Refused while somebody holds one of these addresses." : "These addresses will be leased.",
	verb: "Remove", danger: true,
	submit: () => change("DELETE", `/v1/pools/${pool.id}/${kind}/${row.id}`),
}, `${row.first} to ${row.last} ${kind === "ranges" ? "are taken away" : "may be leased again"}.`);

export const reserve = (pool) => askAndAct({
	title: `Reserve an address of ${pool.name}`,
	fields: [
		{ name: "address", label: "Address", required: true },
		...(pool.port_set ? [{ name: "psid", label: "Port set", type: "number", min: 0, hint: "Its number; empty: all of the address" }] : []),
		{ name: "owner", label: "For", required: true, placeholder: "user:alice", hint: "KIND:NAME, kinds are user, ip6, duid and rest" },
	],
	verb: "Reserve",
	submit: ({ address, psid, owner }) => call("POST", "/v1/reservations",
		{ body: { pool: pool.name, address, owner, ...(psid ? { psid: Number(psid) } : {}) } }),
}, "Reserved.");

export const unreserve = (row) => askAndAct({
	title: `Take away the reservation of ${row.address}?`, text: `${row.owner} keeps a lease it has, and is not sure to get it again.`,
	verb: "Remove", danger: true,
	submit: () => change("DELETE", `/v1/reservations/${row.id}`),
}, "The reservation is gone.");

export const resync = (tep) => act(`${tep.name} is compared and repaired.`, () => call("POST", `/v1/teps/${tep.id}:resync`));

export const drainTep = (tep) => askAndAct({
	title: `${tep.draining ? "Undrain" : "Drain"} ${tep.name}?`,
	text: tep.draining ? "Its pools give leases again." : "Its pools give no new leases; those there are go on.",
	verb: tep.draining ? "Undrain" : "Drain",
	submit: () => call("POST", `/v1/teps/${tep.id}:${tep.draining ? "undrain" : "drain"}`),
}, tep.draining ? `${tep.name} takes leases again.` : `${tep.name} is draining.`);

export const disconnect = (session) => askAndAct({
	title: `Close the connection of ${session.owner ?? session.peer}?`, text: "Its leases stay; the client may come back at once.",
	verb: "Close", danger: true,
	submit: () => call("DELETE", `/v1/sessions/${session.id}`),
}, "The connection is closed.");

export const runJob = (job) => act(`${job.name} has been started.`, () => call("POST", `/v1/jobs/${job.name}:run`));
