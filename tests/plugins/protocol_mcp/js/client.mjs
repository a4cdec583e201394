// Calls a server's assistants as tools, as a program in JavaScript does. Prints one line of JSON with what it was told.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const url = new URL(process.argv[2]);
const client = new Client({ name: "tests", version: "1" }, { capabilities: { elicitation: {} } });
const questions = [];
client.setRequestHandler(ElicitRequestSchema, async (request) => {
  questions.push(request.params.message);
  return { action: "accept", content: { answer: "yes" } };
});
const transport = new StreamableHTTPClientTransport(url);
await client.connect(transport);

const { tools } = await client.listTools();
const progress = [];
const first = await client.callTool({ name: "parrot", arguments: { messages: "one" } }, undefined, {
  onprogress: (told) => progress.push(told.progress),
});
const { thread_id } = first.structuredContent;
const second = await client.callTool({ name: "parrot", arguments: { messages: "two", thread_id } });
const asked = await client.callTool({ name: "ask", arguments: { topic: "x" } });
const failed = await client.callTool({ name: "fail", arguments: { x: 1 } });
const wrong = await client.callTool({ name: "count", arguments: { x: "two" } });
const unknown = await client.callTool({ name: "nope", arguments: {} }).catch((error) => ({ code: error.code }));

const stopping = new AbortController();
const cancelled = client
  .callTool({ name: "gated", arguments: { name: "js", thread_id: process.argv[3] } }, undefined, {
    signal: stopping.signal,
    onprogress: () => stopping.abort(),
  })
  .then(() => "answered", () => "gave up");

console.log(
  JSON.stringify({
    names: tools.map((tool) => tool.name).sort(),
    first,
    second,
    asked,
    failed,
    wrong,
    unknown,
    progress,
    questions,
    cancelled: await cancelled,
    session: transport.sessionId !== undefined,
  }),
);
await transport.terminateSession();
await client.close();
