// The sheet that switches faults on: bad weather between the bot and Telegram.

import { api } from "./api.js";
import { h, icon } from "./dom.js";
import { sheet, toast } from "./overlay.js";

const PAID = "successful_payment";
const REFUNDED = "refunded_payment";
const GROUPS = [
  ["Payments", [
    ["doubled_update", "Payment told twice", PAID],
    ["lost_update", "Payment never told", PAID],
    ["payment_late", "Payment told 5 seconds late"],
    ["unasked_payment", "Paid without asking the bot first"],
    ["double_payment", "One confirmation, two payments"],
    ["expired_checkout", "The bot's consent comes too late"],
    ["dropped_after", "Refunded, but the answer is lost", "refundStarPayment"],
    ["already_refunded", "Refunded, but told “already refunded”"],
    ["doubled_update", "Refund told twice", REFUNDED],
    ["lost_update", "Refund never told", REFUNDED],
  ]],
  ["Calls of the bot", [
    ["too_many_requests", "429: too many requests"],
    ["server_error", "500: server error"],
    ["slow", "Slow answer"],
    ["dropped_after", "Connection dropped after the work"],
    ["dropped_before", "Connection dropped before the work"],
    ["blocked", "403: blocked by the user"],
    ["message_deleted", "The message is gone (edits)", "editMessageText"],
  ]],
  ["Updates", [
    ["doubled_update", "Update delivered twice"],
    ["lost_update", "Update lost"],
  ]],
];
const KINDS = GROUPS.flatMap(([, kinds]) => kinds);
const TIMES = [["1", "Once"], ["5", "The next 5 times"], ["", "Every time until removed"]];

export async function weatherSheet() {
  const options = ([kind, label, method = "*"]) => h("option", { value: `${kind} ${method}` }, label);
  const kind = h("select", {}, GROUPS.map(([label, kinds]) => h("optgroup", { label }, kinds.map(options))));
  const count = h("select", {}, TIMES.map(([value, label]) => h("option", { value }, label)));
  const list = h("ul", { class: "faults" });
  const add = async () => {
    const [name, method] = kind.value.split(" ");
    await api.addFault({ kind: name, method, count: count.value ? Number(count.value) : null, seconds: 5 }).catch((problem) => toast(problem.message));
    await draw(list);
    return false;
  };
  sheet([h("h2", {}, "Faults"), h("p", { class: "quiet" }, "Try how the bot copes when Telegram misbehaves."), list,
    h("label", {}, "What goes wrong", kind), h("label", {}, "How often", count)], [["Close", () => {}], ["Switch on", add, true]]);
  await draw(list);
}

/** What a fault is called here; one that only a test can switch on, by its own name. */
function nameOf({ kind, method }) {
  const known = KINDS.find(([name, , of = "*"]) => name === kind && of.toLowerCase() === method);
  return known ? known[1] : `${kind.replaceAll("_", " ")}${method === "*" ? "" : ` (${method})`}`;
}

async function draw(list) {
  const faults = await api.faults();
  list.replaceChildren(...faults.map((fault) => {
    const label = nameOf(fault);
    const times = fault.count === null ? `${fault.hits} times` : `${fault.hits} of ${fault.count}`;
    const remove = async () => { await api.removeFault(fault.number); await draw(list); };
    return h("li", {}, h("span", {}, `${label} · ${times}`), h("button", { class: "icon-button", type: "button", "aria-label": `Remove ${label}`, onclick: remove }, icon("close", 20)));
  }));
}
