// The JavaScript SDK finds an agent by its card and talks to it: one line of JSON for each check.
// node agent.mjs PACKAGE BINDING URL TOKEN

const [packageName, binding, url, token] = process.argv.slice(2);
const sdk = await import(`${packageName}/client`);
const isNew = packageName !== "a2a-js-0";

const fetchImpl = (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};
const factories = {
  JSONRPC: new sdk.JsonRpcTransportFactory({ fetchImpl }),
  "HTTP+JSON": new sdk.RestTransportFactory({ fetchImpl }),
};
const resolver = new sdk.DefaultAgentCardResolver({ fetchImpl });
const card = await resolver.resolve(url);
const factory = new sdk.ClientFactory({ transports: [factories[binding]], cardResolver: resolver, preferredTransports: [binding] });
const client = await factory.createFromAgentCard(card);

function message(text) {
  const messageId = crypto.randomUUID();
  return isNew
    ? { message: { messageId, role: 1, parts: [{ content: { $case: "text", value: text }, mediaType: "text/plain", filename: "" }] } }
    : { message: { kind: "message", messageId, role: "user", parts: [{ kind: "text", text }] } };
}

const partText = (part) => (isNew ? part.content?.value : part.text) ?? "";
const textOf = (task) => (task.artifacts ?? []).flatMap((artifact) => artifact.parts).map(partText).join("");
const unwrapped = (value) => value?.payload?.value ?? value;

async function check(name, work) {
  try {
    console.log(JSON.stringify({ name, ok: true, value: await work() }));
  } catch (error) {
    console.log(JSON.stringify({ name, ok: false, error: `${error?.name}: ${error?.message}` }));
  }
}

let task;
await check("card", () => card.name);
await check("send", async () => {
  task = unwrapped(await client.sendMessage(message("hi")));
  return textOf(task);
});
await check("get", async () => {
  const found = await client.getTask({ id: task.id });
  return [found.id === task.id, textOf(found)];
});
await check("stream", async () => {
  const seen = [];
  for await (const event of client.sendMessageStream(message("hi"))) {
    const said = unwrapped(event);
    seen.push(said.status?.state ?? "artifact");
  }
  return seen;
});
await check("missing", async () => {
  try {
    await client.getTask({ id: "nope" });
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
  return "found";
});
