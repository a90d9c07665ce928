// What every guest owns in play Stars, and the sheet to look at it, add to it, and mind the subscriptions.

import { api } from "./api.js";
import { h } from "./dom.js";
import { sheet } from "./overlay.js";
import { count, dayOf, inWords, perPeriod, starSign, sum } from "./stars.js";

const ADDED_XTR = 500;
const known = new Map();
const watchers = new Set();

export const walletOf = (id) => known.get(id);

export function setWallet(id, wallet) {
  known.set(id, wallet);
  for (const watcher of watchers) watcher(id);
}

export const loadWallet = async (id) => setWallet(id, await api.wallet(id));

/** watcher: called with the id of a guest whose wallet changed, until the returned function is called. */
export function watchWallets(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Enough to pay `missingXtr`, in whole steps of what the wallet's button adds. */
export const topUp = (id, missingXtr = 1) => api.addToWallet(id, Math.ceil(missingXtr / ADDED_XTR) * ADDED_XTR);

export function walletSheet(user) {
  const balance = h("div", { class: "purse" });
  const list = h("ul", { class: "subscriptions" });
  const told = h("p", { class: "told", role: "status" });
  const run = async (call) => {
    told.textContent = await call().catch((problem) => problem.message);
  };
  const act = (subscription, step) => run(async () => outcome(step, await api.subscription(user.id, subscription.charge_id, step)));
  const add = h("button", { class: "pill-button", type: "button", onclick: () => run(() => topUp(user.id).then(() => `${inWords(ADDED_XTR)} added.`)) }, `Add ${ADDED_XTR}`);
  const draw = () => {
    const { xtr, subscriptions } = walletOf(user.id);
    balance.replaceChildren(starSign(46), h("div", { class: "purse-words" }, h("strong", {}, count(xtr)), h("span", {}, "play Stars")), add);
    keepFocus(list, () => list.replaceChildren(...rows(subscriptions, act)));
  };
  draw();
  const stop = watchWallets((id) => id === user.id && draw());
  sheet([h("h2", {}, `${user.first_name}'s wallet`), balance, h("h3", {}, "Subscriptions"), list, told])
    .addEventListener("close", stop);
}

function rows(subscriptions, act) {
  if (subscriptions.length === 0) return [h("li", { class: "nothing" }, "None. A subscription that this guest pays for is shown here.")];
  return subscriptions.map((subscription) => row(subscription, act)).reverse();
}

function row(subscription, act) {
  const { title, amount_xtr: xtr, period_s: periodS, is_canceled: isCanceled, charge_id: chargeId } = subscription;
  const [state, words] = stateOf(subscription);
  const button = (label, step) => h("button", {
    class: "small-button", type: "button", "aria-label": `${label}: ${title}`, "data-key": `${chargeId} ${step === "next-month" ? step : "switch"}`,
    onclick: () => act(subscription, step),
  }, label);
  return h("li", { class: "subscription" },
    h("span", { class: "subscription-line" }, h("strong", {}, title), h("span", { class: "state", "data-state": state }, state)),
    h("span", { class: "quiet" }, sum(xtr, 15), ` ${perPeriod(periodS)} · ${words}`),
    h("span", { class: "small-buttons" }, button("Next month", "next-month"), isCanceled ? button("Turn on again", "enable") : button("Cancel", "cancel")));
}

function stateOf({ is_canceled: isCanceled, is_failed: isFailed, expires_at: expiresAt }) {
  if (isCanceled) return ["Cancelled", `ends on ${dayOf(expiresAt)}`];
  if (isFailed) return ["Not paid", `too few Stars on ${dayOf(expiresAt)}`];
  return ["Active", `next payment on ${dayOf(expiresAt)}`];
}

function outcome(step, { status, reason }) {
  if (step === "cancel") return "Cancelled. It stays until its month is over.";
  if (step === "enable") return "Turned on again.";
  if (status === "paid") return "A month has passed: the next one is paid.";
  return reason || "A month has passed: the subscription has ended.";
}

/** Redraw a list; the focus stays on the button that was pressed, or goes to what is left of its row. */
export function keepFocus(list, draw) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  draw();
  if (!key) return;
  const elements = [...list.querySelectorAll("[data-key]")];
  const [row] = key.split(" ");
  const next = elements.find((element) => element.dataset.key === key) ?? elements.find((element) => element.dataset.key.startsWith(`${row} `)) ?? elements[0];
  next?.focus({ preventScroll: true });
}
