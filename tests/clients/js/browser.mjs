// A page with a hook in a real browser. Prints one JSON line a step: {"name", "ok", "error"}, then {"requests"}.
// Usage: node browser.mjs PAGE URL GATES CHROMIUM FOLDER [TRANSPORT]
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [name, apiUrl, gates, executablePath, folder, transport] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));

async function bundled() {
  const outfile = join(folder, "page.js");
  await build({
    entryPoints: [join(here, `${name}.jsx`)],
    outfile,
    bundle: true,
    format: "iife",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  return readFileSync(outfile);
}

// The page comes from an origin of its own, so that every call is one across origins.
async function served(script) {
  const page = `<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,"><div id="root"></div><script src="/page.js"></script>`;
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : page);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

function gate() {
  const name = `gate-${randomUUID()}`;
  return { name, open: () => writeFileSync(join(gates, name), "") };
}

const requests = [];
const complaints = [];
const origin = await served(await bundled());
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage();
page.setDefaultTimeout(20_000);
page.on("response", (response) => {
  const request = response.request();
  const url = new URL(response.url());
  if (url.origin === apiUrl) requests.push(`${request.method()} ${url.pathname}${url.search} ${request.postData() ?? ""} -> ${response.status()}`);
});
page.on("websocket", (socket) => requests.push(`WS ${new URL(socket.url()).pathname}`));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(String(error)));

const said = (type) => page.locator(`li[data-type="${type}"]`);
const address = () => new URL(page.url());

async function send(text) {
  await page.locator("input").fill(text);
  await page.locator("input").press("Enter");
}

async function reads(locator, expected) {
  await locator.filter({ hasText: expected }).waitFor();
  assert.equal((await locator.innerText()).trim(), expected.trim());
}

const door = gate();
const first = gate();
const text = `one two @${door.name} four`;

const steps = {
  "what is sent is shown, and the answer grows word by word": async () => {
    const start = new URLSearchParams({ api: apiUrl, ...(transport && { transport }) });
    await page.goto(`${origin}/?${start}`);
    await send(`alpha @${first.name} omega`);
    await reads(said("human"), `alpha @${first.name} omega`);
    await reads(said("ai"), "alpha");
    assert.equal(await page.locator("#state").innerText(), "busy");
    first.open();
    await reads(said("ai"), `alpha @${first.name} omega`);
  },
  "the interrupt is shown, and the answer resumes the run": async () => {
    await reads(page.locator("#question"), "May I? yes");
    await page.locator("#question button").click();
    await reads(said("ai").nth(1), "You said yes.");
    await page.locator("#question").waitFor({ state: "detached" });
    await page.locator("#state", { hasText: "ready" }).waitFor();
    assert.ok(address().searchParams.get("thread"));
  },
  "a page that is reloaded in mid-stream shows the rest": async () => {
    await send(text);
    await reads(said("ai").nth(2), "one two");
    await page.reload();
    await reads(said("ai").nth(2), "one two");
    assert.equal(await page.locator("#state").innerText(), "busy");
    door.open();
    await reads(said("ai").nth(2), text);
    assert.equal(await said("ai").count(), 3);
    assert.equal(await said("human").count(), 2);
  },
  "an interrupt after the reload is shown and answered": async () => {
    await reads(page.locator("#question"), "May I? yes");
    await page.locator("#question button").click();
    await reads(said("ai").nth(3), "You said yes.");
    await page.locator("#state", { hasText: "ready" }).waitFor();
  },
  "a page that is opened later shows the whole conversation": async () => {
    await page.reload();
    await reads(said("ai").nth(3), "You said yes.");
    assert.deepEqual((await said("human").allInnerTexts()).map((text) => text.trim()), [`alpha @${first.name} omega`, text]);
    assert.equal(await page.locator("#question").count(), 0);
    assert.equal(await page.locator("#error").count(), 0);
  },
  "every call was one across origins, and the browser had nothing to complain about": async () => {
    assert.ok(requests.length > 5);
    assert.notEqual(origin, apiUrl);
    assert.deepEqual(complaints, []);
  },
};

let failed = false;
for (const [step, body] of Object.entries(steps)) {
  let error = null;
  if (failed) error = "not reached";
  else
    try {
      await body();
    } catch (caught) {
      failed = true;
      error = `${caught?.stack ?? caught}\ncomplaints: ${complaints.join("\n")}\npage: ${await page.locator("body").innerText()}`;
    }
  console.log(JSON.stringify({ name: step, ok: error === null, error }));
}
await page.screenshot({ path: join(folder, "page.png") });
console.log(JSON.stringify({ name: "requests", requests }));
await browser.close();
process.exit(0);
