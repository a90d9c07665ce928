// For the tester: what the bot has earned, as Telegram's own list tells it, and what Telegram can take back.

import { api } from "./api.js";
import { avatar } from "./people.js";
import { clock, dayName, h, icon } from "./dom.js";
import { sheet } from "./overlay.js";
import { count, starSign } from "./stars.js";
import { keepFocus, watchWallets } from "./wallet.js";

const PAGE = 50;

/** act: `copy(text)`. Follows what happens as long as it is open. */
export function tillSheet(act) {
  const balance = h("div", { class: "purse" });
  const list = h("ul", { class: "transactions" });
  const told = h("p", { class: "told", role: "status" });
  let shown = PAGE;
  const draw = async () => {
    const { balance_xtr: xtr, transactions } = await api.stars();
    balance.replaceChildren(starSign(46), h("div", { class: "purse-words", "data-short": xtr < 0 }, h("strong", {}, count(xtr)), h("span", {}, xtr < 0 ? "the bot owes Telegram" : "in the bot's balance")));
    keepFocus(list, () => list.replaceChildren(...rows(transactions, shown, { ...act, takeBack, more })));
  };
  const more = () => { shown += PAGE; draw(); };
  const takeBack = async (way, chargeId) => {
    const [call, words] = WAYS[way];
    told.textContent = await call(chargeId).then(() => words, (problem) => problem.message);
    await draw();
  };
  const stop = watchWallets(draw);
  sheet([h("h2", {}, "The bot's Stars"), balance, list, told]).addEventListener("close", stop);
  return draw();
}

const WAYS = {
  refund: [api.supportRefund, "Given back by the support; the bot is told."],
  chargeback: [api.chargeback, "Taken back; the bot is not told."],
};

function rows(transactions, shown, act) {
  if (transactions.length === 0) return [h("li", { class: "nothing" }, "Nobody has paid yet.")];
  const returned = new Set(transactions.filter((each) => each.receiver).map((each) => each.id));
  const last = transactions.slice(-shown).reverse().map((each) => row(each, returned.has(each.id), act));
  if (transactions.length > shown) last.push(h("li", {}, h("button", { class: "small-button", type: "button", onclick: act.more }, "Show older ones")));
  return last;
}

function row(transaction, isReturned, act) {
  const isIncoming = Boolean(transaction.source);
  const partner = transaction.source ?? transaction.receiver ?? { type: "other" };
  const { user } = partner;
  const name = user ? [user.first_name, user.last_name].filter(Boolean).join(" ") : partner.type;
  return h("li", { class: "transaction", "data-way": isIncoming ? "in" : "out" },
    h("span", { class: "transaction-face" }, user ? avatar(user) : h("span", { class: "avatar" }, icon("star", 20))),
    h("span", { class: "transaction-words" },
      h("span", { class: "transaction-line" }, h("strong", {}, name), h("span", { class: "transaction-sum" }, `${isIncoming ? "+" : "−"}${count(transaction.amount)}`, starSign(17))),
      h("span", { class: "quiet" }, `${isIncoming ? kind(partner) : "Given back"} · ${dayName(transaction.date)}, ${clock(transaction.date)}`),
      chargeButton(transaction.id, isIncoming, act)),
    isIncoming ? h("span", { class: "small-buttons" }, isReturned ? h("span", { class: "state" }, "Given back") : takeBackButtons(transaction.id, name, act)) : null);
}

const kind = ({ subscription_period: period }) => (period ? "Subscription" : "Payment");

const chargeButton = (chargeId, isIncoming, act) => h("button", {
  class: "charge", type: "button", title: "Copy the charge id", "aria-label": `Copy the charge id ${chargeId}`,
  "data-key": `${chargeId} ${isIncoming} copy`, onclick: () => act.copy(chargeId),
}, h("span", {}, chargeId), icon("copy", 13));

function takeBackButtons(chargeId, name, act) {
  const button = (label, way) => h("button", {
    class: "small-button", type: "button", "aria-label": `${label}: ${name}, ${chargeId}`, "data-key": `${chargeId} ${way}`,
    onclick: () => act.takeBack(way, chargeId),
  }, label);
  return [button("Refund (support)", "refund"), button("Chargeback", "chargeback")];
}
