// SPDX-License-Identifier: BSD-2-Clause
// HTTP and nothing else: one function per manner of asking. Errors are Problem (the broker said no) or Unreachable (nobody
// said anything).
export class Problem extends Error {
	constructor(status, body) {
		super(body.detail || body.title || `HTTP ${status}`);
		this.status = status;
		this.code = body.code ?? "";
		this.title = body.title ?? `HTTP ${status}`;
		this.errors = body.errors ?? [];
		this.scope = body.scope ?? null;
	}
}

export class Unreachable extends Error {
	constructor() {
		super("The broker does not answer.");
	}
}

const PATIENCE_MS = 20000;
let csrf = null;
let skewMs = 0; // what the broker's clock is ahead of ours; both cut to seconds

// The broker's time: "in 5 min" is right also where this machine's clock is not.
export const now = () => Date.now() + skewMs;

function learnTime(answer) {
	const ahead = Date.parse(answer.headers.get("Date") ?? "") - Date.now();
	if (Number.isFinite(ahead))
		skewMs = Math.abs(ahead) > 2000 ? ahead : 0;
}

export function useCsrf(token) {
	csrf = token;
}

export function query(params) {
	const q = new URLSearchParams();
	for (const [name, value] of Object.entries(params ?? {})) {
		if (Array.isArray(value))
			value.forEach((v) => q.append(name, v));
		else if (value !== null && value !== undefined && value !== "")
			q.append(name, value);
	}
	const text = q.toString();
	return text ? `?${text}` : "";
}

async function send(method, path, { body, headers, signal, accept, patience = PATIENCE_MS } = {}) {
	const all = { Accept: accept ?? "application/json", ...headers };
	if (body !== undefined)
		all["Content-Type"] = "application/json";
	if (csrf && method !== "GET")
		all["X-CSRF-Token"] = csrf;
	const limits = [signal, patience ? AbortSignal.timeout(patience) : null].filter(Boolean);
	try {
		const answer = await fetch(path, {
			method, headers: all, credentials: "same-origin", cache: "no-store", redirect: "error",
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: limits.length ? AbortSignal.any(limits) : undefined,
		});
		learnTime(answer);
		return answer;
	} catch (e) {
		if (signal?.aborted)
			throw e;
		throw new Unreachable();
	}
}

async function refuse(answer) {
	let body = {};
	try {
		body = await answer.json();
	} catch {
		// Not one of ours: a proxy in between, say.
	}
	throw new Problem(answer.status, body);
}

async function read(answer, as) {
	try {
		return await answer[as]();
	} catch {
		throw new Unreachable();
	}
}

export async function get(path, params, options) {
	const answer = await send("GET", path + query(params), options);
	if (!answer.ok)
		await refuse(answer);
	return read(answer, "json");
}

export async function getText(path, accept) {
	const answer = await send("GET", path, { accept });
	if (!answer.ok)
		await refuse(answer);
	return read(answer, "text");
}

// What can be changed comes with its tag: {value, etag}.
async function getTagged(path) {
	const answer = await send("GET", path);
	if (!answer.ok)
		await refuse(answer);
	return { value: await read(answer, "json"), etag: answer.headers.get("ETag") };
}

export async function call(method, path, { body, etag, key } = {}) {
	const headers = {};
	if (etag)
		headers["If-Match"] = etag;
	if (key)
		headers["Idempotency-Key"] = key;
	const answer = await send(method, path, { body, headers });
	if (!answer.ok)
		await refuse(answer);
	return answer.status === 204 ? null : read(answer, "json");
}

// A PATCH or DELETE of the version that is there now.
export async function change(method, path, body) {
	const { etag } = await getTagged(path);
	return call(method, path, { body, etag });
}

// Server-sent events as they come. EventSource would want every type named beforehand; more may come.
export async function* stream(path, { lastId, signal }) {
	const headers = lastId ? { "Last-Event-ID": String(lastId) } : {};
	const answer = await send("GET", path, { headers, signal, accept: "text/event-stream", patience: 0 });
	if (!answer.ok)
		await refuse(answer);
	yield { type: "open" };
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	let event = {};
	for (;;) {
		const { value, done } = await reader.read();
		if (done)
			return;
		text += value;
		let end;
		while ((end = text.indexOf("\n")) >= 0) {
			const line = text.slice(0, end).replace(/\r$/, "");
			text = text.slice(end + 1);
			if (line === "") {
				if (event.event || event.data)
					yield { type: event.event ?? "message", id: event.id, data: event.data ?? "" };
				event = {};
			} else if (!line.startsWith(":")) {
				const [, name, data] = line.match(/^([^:]*):? ?(.*)$/);
				event[name] = name === "data" && event.data !== undefined ? `${event.data}\n${data}` : data;
			}
		}
	}
}

// Every page of a list, up to max rows: {items, more}.
export async function pages(path, params, max) {
	const items = [];
	let cursor = null;
	do {
		const page = await get(path, { ...params, limit: Math.min(1000, max - items.length), cursor });
		items.push(...page.items);
		cursor = page.next;
	} while (cursor && items.length < max);
	return { items, more: Boolean(cursor) };
}

export const stamp = (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

// The newest n rows of what happened, or those behind a cursor.
export async function newest(path, params, n, cursor) {
	const { items, next } = await get(path, { ...params, sort: "desc", limit: n, ...(cursor ? { cursor } : {}) });
	return { items, next };
}
