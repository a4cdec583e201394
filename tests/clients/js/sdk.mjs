// The JavaScript SDK against a served host. Prints one JSON line a check: {"name", "ok", "error"}, then {"missing"}.
// Usage: node sdk.mjs PACKAGE URL GATES
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [sdk, apiUrl, gates] = process.argv.slice(2);
const { Client } = await import(sdk);

// No route of LangGraph's own server either: PATCH of a state. `ui` serves components of a graph, not data.
const LEFT_OUT = new Set(["threads.patchState"]);
const RESOURCES = ["assistants", "threads", "runs", "crons", "store"];

const called = new Set();
const client = recorded(new Client({ apiUrl, callerOptions: { maxRetries: 0 } }));
const checks = [];

function recorded(client) {
  for (const resource of RESOURCES) {
    client[resource] = new Proxy(client[resource], {
      get(target, name) {
        const found = Reflect.get(target, name, target);
        if (typeof found !== "function") return found;
        return (...args) => {
          called.add(`${resource}.${String(name)}`);
          return found.apply(target, args);
        };
      },
    });
  }
  return client;
}

function missing() {
  const found = [];
  for (const resource of RESOURCES) {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(client[resource]))) {
      const method = `${resource}.${name}`;
      if (name !== "constructor" && !name.startsWith("_") && !called.has(method) && !LEFT_OUT.has(method)) found.push(method);
    }
  }
  return found;
}

function check(name, body) {
  checks.push([name, body]);
}

function has(resource, name) {
  return name in Object.getPrototypeOf(client[resource]);
}

function gate() {
  const name = `gate-${randomUUID()}`;
  return { name, open: () => writeFileSync(join(gates, name), "") };
}

async function newThread() {
  return (await client.threads.create()).thread_id;
}

async function parts(stream) {
  const found = [];
  for await (const part of stream) found.push(part);
  return found;
}

function said(content) {
  return { messages: [{ role: "human", content }] };
}

function tokens(parts) {
  return parts.filter((part) => part.event === "messages").map((part) => part.data[0].content).join("");
}

async function refused(status, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status ?? error.response?.status, status, String(error));
    return true;
  });
}

check("assistants are created, read, changed, found and deleted", async () => {
  const metadata = { mark: randomUUID() };
  const made = await client.assistants.create({ graphId: "tell", name: "Reader", metadata, context: { language: "fr" } });
  const id = made.assistant_id;
  assert.equal(made.version, 1);
  assert.deepEqual(await client.assistants.get(id), made);
  const changed = await client.assistants.update(id, { name: "Writer", metadata: { more: 1 } });
  assert.deepEqual([changed.name, changed.version, changed.metadata], ["Writer", 2, { ...metadata, more: 1 }]);
  assert.deepEqual((await client.assistants.getVersions(id)).map((version) => version.version), [2, 1]);
  assert.equal((await client.assistants.setLatest(id, 1)).name, "Reader");
  assert.deepEqual((await client.assistants.search({ metadata })).map((found) => found.assistant_id), [id]);
  const page = await client.assistants.search({ metadata, limit: 1, includePagination: true });
  assert.deepEqual([page.assistants.length, page.next], [1, null]);
  assert.equal(await client.assistants.count({ metadata }), 1);
  await client.assistants.delete(id);
  await refused(404, client.assistants.get(id));
});

check("an assistant shows its graph, its schemas and its subgraphs", async () => {
  const [{ assistant_id: id }] = await client.assistants.search({ graphId: "nested" });
  const graph = await client.assistants.getGraph(id, { xray: true });
  assert.ok(graph.nodes.some((node) => node.id === "child:inner"));
  assert.equal((await client.assistants.getSchemas(id)).graph_id, "nested");
  assert.deepEqual(Object.keys(await client.assistants.getSubgraphs(id)), ["child"]);
});

check("threads are created, changed, found, copied and deleted", async () => {
  const metadata = { mark: randomUUID() };
  const thread = await client.threads.create({ metadata });
  const id = thread.thread_id;
  assert.equal((await client.threads.get(id)).status, "idle");
  await client.threads.update(id, { metadata: { more: 1 } });
  assert.deepEqual((await client.threads.get(id)).metadata, { ...metadata, more: 1 });
  assert.deepEqual(await client.runs.wait(id, "count", { input: { x: 1 } }), { x: 2 });
  const copy = await client.threads.copy(id);
  assert.notEqual(copy.thread_id, id);
  assert.deepEqual((await client.threads.getState(copy.thread_id)).values, { x: 2 });
  const found = await client.threads.search({ metadata, values: { x: 2 }, sortBy: "created_at", sortOrder: "asc" });
  assert.deepEqual(found.map((thread) => thread.thread_id), [id, copy.thread_id]);
  assert.equal(await client.threads.count({ metadata }), 2);
  if (has("threads", "prune")) assert.equal((await client.threads.prune([copy.thread_id])).pruned_count, 1);
  await client.threads.delete(id);
  await refused(404, client.threads.get(id));
});

check("a state is read, changed and looked up in the past", async () => {
  const id = await newThread();
  await client.runs.wait(id, "count", { input: { x: 1 } });
  const before = await client.threads.getState(id);
  assert.deepEqual(before.values, { x: 2 });
  await client.threads.updateState(id, { values: { x: 40 }, asNode: "add" });
  assert.deepEqual((await client.threads.getState(id)).values, { x: 40 });
  assert.deepEqual((await client.threads.getState(id, before.checkpoint)).values, { x: 2 });
  assert.deepEqual((await client.threads.getState(id, before.checkpoint.checkpoint_id)).values, { x: 2 });
  assert.deepEqual((await client.threads.getHistory(id)).map((state) => state.values.x), [40, 2, 1, undefined]);
  const older = await client.threads.getHistory(id, { before: { configurable: before.checkpoint } });
  assert.deepEqual(older.map((state) => state.values.x), [1, undefined]);
});

check("a run is created, joined, listed and deleted", async () => {
  const id = await newThread();
  let created;
  const run = await client.runs.create(id, "count", { input: { x: 1 }, onRunCreated: (told) => (created = told) });
  assert.deepEqual(created, { run_id: run.run_id, thread_id: id });
  assert.deepEqual(await client.runs.join(id, run.run_id), { x: 2 });
  assert.equal((await client.runs.get(id, run.run_id)).status, "success");
  assert.deepEqual((await client.runs.list(id)).map((run) => run.run_id), [run.run_id]);
  assert.deepEqual(await client.runs.list(id, { select: ["run_id"] }), [{ run_id: run.run_id }]);
  await client.runs.delete(id, run.run_id);
  await refused(404, client.runs.get(id, run.run_id));
  assert.equal((await client.runs.createBatch([{ assistantId: "count", input: {} }, { assistantId: "count" }])).length, 2);
});

check("wait answers with the values, and an error is thrown", async () => {
  assert.deepEqual(await client.runs.wait(null, "count", { input: { x: 5 } }), { x: 6 });
  await assert.rejects(client.runs.wait(null, "fail", { input: { x: 1 } }), /ValueError: boom/);
  const told = await client.runs.wait(null, "fail", { input: { x: 1 }, raiseError: false });
  assert.deepEqual(told.__error__, { error: "ValueError", message: "boom" });
  assert.equal((await client.runs.wait(null, "tell", { input: {}, context: { language: "de" } })).language, "de");
});

check("a stream brings words, updates and values", async () => {
  let created;
  const streamMode = ["messages-tuple", "updates", "values"];
  const found = await parts(
    client.runs.stream(await newThread(), "chat", { input: said("one two"), streamMode, onRunCreated: (told) => (created = told) }),
  );
  assert.equal(found[0].event, "metadata");
  assert.equal(found[0].data.run_id, created.run_id);
  assert.equal(tokens(found), "one two ");
  assert.equal(found.at(-1).data.messages.at(-1).content, "one two ");
  const subgraphs = await parts(
    client.runs.stream(null, "nested", { input: { value: "v" }, streamMode: "updates", streamSubgraphs: true }),
  );
  assert.deepEqual(subgraphs.map((part) => part.event.split(":")[0]), ["metadata", "updates", "updates|child", "updates"]);
});

check("who joins hears the whole of a resumable run, or what comes after an event", async () => {
  const id = await newThread();
  const door = gate();
  const options = { input: said(`one @${door.name} three`), streamMode: ["messages-tuple", "values"], streamResumable: true };
  const { run_id: runId } = await client.runs.create(id, "chat", options);
  const heard = [];
  for await (const part of client.runs.joinStream(id, runId, { lastEventId: "-1" })) {
    heard.push(part);
    if (part.event === "messages" && part.data[0].content === "one ") door.open();
  }
  assert.equal(tokens(heard), `one @${door.name} three `);
  const rest = await parts(client.runs.joinStream(id, runId, { lastEventId: heard[3].id }));
  assert.deepEqual(rest, heard.slice(4));
  const values = await parts(client.runs.joinStream(id, runId, { lastEventId: "-1", streamMode: ["values"] }));
  assert.deepEqual([...new Set(values.map((part) => part.event))], ["values"]);
});

check("a run is cancelled", async () => {
  const id = await newThread();
  const run = await client.runs.create(id, "nested", { input: { value: "v", gate: gate().name } });
  await client.runs.cancel(id, run.run_id, true);
  assert.equal((await client.runs.get(id, run.run_id)).status, "interrupted");
  await refused(404, client.runs.cancel(id, run.run_id));
  if (has("runs", "cancelMany")) {
    const again = await client.runs.create(id, "nested", { input: { value: "v", gate: gate().name } });
    await client.runs.cancelMany({ threadId: id, runIds: [again.run_id] });
    await client.runs.join(id, again.run_id);
    assert.equal((await client.runs.get(id, again.run_id)).status, "interrupted");
  }
});

check("a stream that is left behind cancels its run", async () => {
  const id = await newThread();
  const leave = new AbortController();
  const options = { input: { value: "v", gate: gate().name }, streamMode: "custom", onDisconnect: "cancel", signal: leave.signal };
  let created;
  const stream = client.runs.stream(id, "nested", { ...options, onRunCreated: (told) => (created = told) });
  for await (const part of stream) if (part.event === "custom") leave.abort();
  await client.runs.join(id, created.run_id);
  assert.equal((await client.runs.get(id, created.run_id)).status, "interrupted");
});

check("an interrupt is asked and answered", async () => {
  const id = await newThread();
  const asked = await parts(client.runs.stream(id, "ask", { input: { topic: "tea" }, streamMode: "updates" }));
  assert.deepEqual(asked.at(-1).data.__interrupt__[0].value, { question: "tea" });
  assert.equal((await client.threads.get(id)).status, "interrupted");
  const done = await client.runs.wait(id, "ask", { command: { resume: "green" } });
  assert.deepEqual([done.answer, done.log], ["green", ["prepared", "asked", "finished"]]);
});

check("a whole thread is listened to", async () => {
  const id = await newThread();
  const leave = new AbortController();
  const stream = client.threads.joinStream(id, { signal: leave.signal, streamMode: ["run_modes"] });
  const first = stream.next();
  const run = await heardRun(id, first);
  const events = [(await first).value];
  for await (const part of stream) {
    events.push(part);
    if (part.event === "metadata" && part.data.status === "run_done" && part.data.run_id === run) leave.abort();
  }
  assert.deepEqual(events.filter((part) => part.event === "values").at(-1).data, { x: 2 });
});

// A listener hears only what comes after it: runs are started until one of them is heard.
async function heardRun(id, first) {
  const heard = first.then(() => true);
  heard.catch(() => {});
  for (;;) {
    const { run_id: run } = await client.runs.create(id, "count", { input: { x: 1 }, streamMode: "values" });
    await client.runs.join(id, run);
    if (await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 100, false))])) return run;
  }
}

check("a cron is created, changed, found and deleted", async () => {
  const metadata = { mark: randomUUID() };
  const cron = await client.crons.create("count", { schedule: "0 0 1 1 *", input: { x: 1 }, metadata });
  const thread = await newThread();
  const bound = await client.crons.createForThread(thread, "count", { schedule: "0 0 1 1 *", metadata });
  assert.equal(bound.thread_id, thread);
  const changed = await client.crons.update(cron.cron_id, { schedule: "30 6 * * *", enabled: false });
  assert.deepEqual([changed.schedule, changed.enabled], ["30 6 * * *", false]);
  assert.deepEqual((await client.crons.search({ threadId: thread })).map((cron) => cron.cron_id), [bound.cron_id]);
  assert.equal(await client.crons.count({ threadId: thread }), 1);
  await client.crons.delete(cron.cron_id);
  await client.crons.delete(bound.cron_id);
  await refused(404, client.crons.delete(cron.cron_id));
});

check("an item is put, read, found and deleted", async () => {
  const space = ["js", randomUUID()];
  await client.store.putItem(space, "tea", { kind: "green", cups: 2 });
  const item = await client.store.getItem(space, "tea");
  assert.deepEqual([item.value, item.namespace], [{ kind: "green", cups: 2 }, space]);
  const { items } = await client.store.searchItems(["js"], { filter: { kind: "green" } });
  assert.ok(items.some((item) => item.key === "tea" && item.namespace[1] === space[1]));
  const { namespaces } = await client.store.listNamespaces({ prefix: space });
  assert.deepEqual(namespaces, [space]);
  await client.store.deleteItem(space, "tea");
  assert.equal(await client.store.getItem(space, "tea"), null);
});

check("a thread is driven over protocol v2", async () => {
  if (!has("threads", "stream")) return;
  const transports = globalThis.WebSocket ? ["sse", "websocket"] : ["sse"]; // Node has it from version 22 on
  for (const transport of transports) {
    const options = { assistantId: "desk", transport };
    const stream = transport === "sse" ? client.threads.stream(options) : client.threads.stream(await newThread(), options);
    try {
      await stream.run.start({ input: said("one two") });
      for await (const message of stream.messages) {
        if ((await message.text) === "one two ") break;
      }
      const values = await stream.output;
      assert.equal(values.messages.at(-1).text, "one two ");
      assert.equal(stream.interrupts.length, 1);
      const [{ interruptId, payload, namespace }] = stream.interrupts;
      assert.deepEqual(payload, { question: "May I?" });
      await stream.input.respond({ interrupt_id: interruptId, namespace, response: "yes" });
      for await (const values of stream.values) if (values.messages.at(-1).text === "You said yes.") break;
      const isIdle = async () => (await client.threads.get(stream.threadId)).status === "idle";
      while (!(await isIdle())) await new Promise((done) => setTimeout(done, 20)); // a step's values are told before it is stored
      const state = await client.threads.getState(stream.threadId);
      assert.equal(state.values.messages.at(-1).content, "You said yes.");
    } finally {
      await stream.close();
    }
  }
});

for (const [name, body] of checks) {
  let error = null;
  const timer = new Promise((_, reject) => setTimeout(reject, 15_000, new Error("not done within 15 s")).unref());
  try {
    await Promise.race([body(), timer]);
  } catch (caught) {
    error = caught?.stack ?? String(caught);
  }
  console.log(JSON.stringify({ name, ok: error === null, error }));
}
console.log(JSON.stringify({ missing: missing() }));
process.exit(0);
