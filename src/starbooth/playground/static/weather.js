// The sheet that switches faults on: bad weather between the bot and Telegram.

import { api } from "./api.js";
import { h, icon } from "./dom.js";
import { sheet, toast } from "./overlay.js";

const KINDS = [
  ["too_many_requests", "429: too many requests"],
  ["server_error", "500: server error"],
  ["slow", "Slow answer"],
  ["dropped_after", "Connection dropped after the work"],
  ["dropped_before", "Connection dropped before the work"],
  ["blocked", "403: blocked by the user"],
  ["message_deleted", "The message is gone (edits)"],
  ["doubled_update", "Update delivered twice"],
];

export async function weatherSheet() {
  const kind = h("select", {}, KINDS.map(([value, label]) => h("option", { value }, label)));
  const count = h("select", {}, [["1", "The next call"], ["5", "The next 5 calls"], ["", "Every call until removed"]].map(([value, label]) => h("option", { value }, label)));
  const list = h("ul", { class: "faults" });
  const add = async () => {
    const fault = { kind: kind.value, count: count.value ? Number(count.value) : null, seconds: 5 };
    if (kind.value === "message_deleted") fault.method = "editMessageText";
    await api.addFault(fault).catch((problem) => toast(problem.message));
    await draw(list);
    return false;
  };
  sheet([h("h2", {}, "Faults"), h("p", { class: "quiet" }, "Try how the bot copes when Telegram misbehaves."), list,
    h("label", {}, "What goes wrong", kind), h("label", {}, "How often", count)], [["Close", () => {}], ["Switch on", add, true]]);
  await draw(list);
}

async function draw(list) {
  const faults = await api.faults();
  list.replaceChildren(...faults.map((fault) => {
    const label = KINDS.find(([kind]) => kind === fault.kind)[1];
    const times = fault.count === null ? `${fault.hits} times` : `${fault.hits} of ${fault.count}`;
    const remove = async () => { await api.removeFault(fault.number); await draw(list); };
    return h("li", {}, h("span", {}, `${label} · ${times}`), h("button", { class: "icon-button", type: "button", "aria-label": `Remove ${label}`, onclick: remove }, icon("close", 20)));
  }));
}
