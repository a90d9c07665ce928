// The official JavaScript client, unchanged but for the address. Prints one JSON object: what each call gave.
// Usage: node client.mjs ENGINE KEY
import { createFalClient } from "@fal-ai/client";

const [engine, key] = process.argv.slice(2);
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

seen.run = await fal.run(id, { input });
seen.upload = await fal.storage.upload(new File(["some text"], "a.txt", { type: "text/plain" }));
const large = new Blob([new Uint8Array(91 * 1024 * 1024).fill(7)], { type: "application/zip" });
seen.uploadLarge = await fal.storage.upload(large);
seen.invalid = await refusal(fal.subscribe(id, { input: { ...input, num_images: 9 } }));
seen.stranger = await refusal(client("a-wrong-key").queue.submit(id, { input }));

console.log(JSON.stringify(seen));
