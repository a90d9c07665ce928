// The official JavaScript client, unchanged but for the address. Prints one JSON object: what each call gave.
// Usage: node client.mjs ENGINE KEY ZIP
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFalClient } from "@fal-ai/client";

const [engine, key, zip] = process.argv.slice(2);
const hosts = [
  ["https://queue.fal.run", engine],
  ["https://fal.run", `${engine}/run`],
  ["https://rest.fal.ai", engine],
];
const toEngine = (url) => {
  const host = hosts.find(([from]) => url.startsWith(from));
  return host ? host[1] + url.slice(host[0].length) : url;
};
const client = (credentials) =>
  createFalClient({ credentials, requestMiddleware: async (r) => ({ ...r, url: toEngine(r.url) }) });
const fal = client(key);
const id = "fal-ai/flux/dev";
const input = { prompt: "a red boat", image_size: "square", num_inference_steps: 4 };
const refusal = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return { name: error.name, status: error.status, body: error.body };
  }
  return null;
};
const seen = {};

const updates = [];
const subscribed = await fal.subscribe(id, {
  input,
  logs: true,
  pollInterval: 50,
  onQueueUpdate: (update) => updates.push(update),
});
seen.subscribe = { ...subscribed, statuses: updates.map((u) => u.status), logs: updates.at(-1).logs };

const streamedUpdates = [];
const streamed = await fal.subscribe(id, {
  input,
  logs: true,
  mode: "streaming",
  onQueueUpdate: (update) => streamedUpdates.push(structuredClone(update)),
});
seen.subscribeStreaming = { ...streamed, logs: streamedUpdates.at(-1).logs };

const { request_id: requestId } = await fal.queue.submit(id, { input, priority: "low" });
const stream = await fal.queue.streamStatus(id, { requestId, logs: true });
const events = [];
for await (const event of stream) events.push(event);
seen.streamStatus = { events, done: await stream.done() };
seen.status = await fal.queue.status(id, { requestId, logs: true });
seen.result = { ...(await fal.queue.result(id, { requestId })), expected: requestId };

const first = await fal.queue.submit(id, { input });
const second = await fal.queue.submit(id, { input });
await fal.queue.cancel(id, { requestId: second.request_id });
await fal.queue.subscribeToStatus(id, { requestId: second.request_id, pollInterval: 50 });
seen.cancelled = await refusal(fal.queue.result(id, { requestId: second.request_id }));
await fal.queue.subscribeToStatus(id, { requestId: first.request_id, pollInterval: 50 });

const { request_id: runningId } = await fal.queue.submit(id, { input: { ...input, num_inference_steps: 50 } });
let cancelling = false;
await fal.queue.subscribeToStatus(id, {
  requestId: runningId,
  pollInterval: 50,
  onQueueUpdate: (update) => {
    if (update.status !== "IN_PROGRESS" || cancelling) return;
    cancelling = true;
    fal.queue.cancel(id, { requestId: runningId });
  },
});
seen.stopped = await refusal(fal.queue.result(id, { requestId: runningId }));

// fal's own recipe for webhooks, with node's Ed25519 in the place of libsodium.
const isSigned = async (headers, body) => {
  const of = (name) => headers[`x-fal-webhook-${name}`];
  const hash = createHash("sha256").update(body).digest("hex");
  const message = Buffer.from([of("request-id"), of("user-id"), of("timestamp"), hash].join("\n"));
  const { keys } = await (await fetch(`${engine}/.well-known/jwks.json`)).json();
  return keys.some((key) =>
    verify(null, message, createPublicKey({ key, format: "jwk" }), Buffer.from(of("signature"), "hex")),
  );
};
const hooked = new Promise((resolve) => {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    response.writeHead(200).end();
    server.close();
    resolve({ headers: request.headers, body: Buffer.concat(pieces) });
  });
  server.listen(0, "127.0.0.1", () => {
    const webhookUrl = `http://127.0.0.1:${server.address().port}/hook?order=1`;
    fal.queue.submit(id, { input, webhookUrl });
  });
});
const hook = await hooked;
seen.webhook = {
  body: JSON.parse(hook.body),
  isSigned: await isSigned(hook.headers, hook.body),
  isSignedWhenChanged: await isSigned(hook.headers, Buffer.concat([hook.body, Buffer.from(" ")])),
};

const pixels =
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQAAAADsdIMmAAAADElEQVR42mNYxYACASqQBVHvL7SwAAAAAElFTkSuQmCC";
const photo = new File([Buffer.from(pixels, "base64")], "photo.png", { type: "image/png" });
// A file in the input is uploaded by the client itself.
seen.fromPhoto = await fal.subscribe(`${id}/image-to-image`, { input: { prompt: "a boat", image_url: photo } });

const album = new File([readFileSync(zip)], "photos.zip", { type: "application/zip" });
const trainingUpdates = [];
const trained = await fal.subscribe("fal-ai/flux-lora-fast-training", {
  input: { images_data_url: album, steps: 4, trigger_word: "zxq" },
  logs: true,
  pollInterval: 50,
  onQueueUpdate: (update) => trainingUpdates.push(update),
});
seen.training = { ...trained, logs: trainingUpdates.at(-1).logs };

seen.run = await fal.run(id, { input });
seen.upload = await fal.storage.upload(new File(["some text"], "a.txt", { type: "text/plain" }));
const large = new Blob([new Uint8Array(91 * 1024 * 1024).fill(7)], { type: "application/zip" });
seen.uploadLarge = await fal.storage.upload(large);
seen.invalid = await refusal(fal.subscribe(id, { input: { ...input, num_images: 9 } }));
seen.stranger = await refusal(client("a-wrong-key").queue.submit(id, { input }));

console.log(JSON.stringify(seen));
