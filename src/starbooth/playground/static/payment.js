// The sheet that pays an invoice: asks, waits for the bot's answer, and says how it ended.

import { api } from "./api.js";
import { h, icon, isCalm } from "./dom.js";
import { open, toast } from "./overlay.js";
import { count, inWords, perPeriod, starSign, sum } from "./stars.js";
import { topUp, walletOf, watchWallets } from "./wallet.js";

const DONE_MS = 2600;
const SPARKS = 16;

/**
 * invoice: {title, description, amountXtr, periodS, isPaidBefore}; source: {message_id} or {slug}, as the control
 * API takes it. onPaid: called with the charge id. What happens after the guest has closed the sheet is told in
 * passing.
 */
export function paymentSheet(guestId, botName, source, invoice, onPaid) {
  const stage = h("div", { class: "pay-stage" });
  const told = h("p", { class: "unseen", role: "status" });
  const close = h("button", { class: "icon-button pay-close", type: "button", "aria-label": "Close", onclick: () => element.close() }, icon("close", 22));
  const element = h("dialog", { class: "sheet pay", "aria-labelledby": "pay-title" }, close, stage, told);
  let state = "asking";

  const show = (next, children, words = "") => {
    // The sheet may grow with what it has to say, but never jumps up and down.
    if (stage.offsetHeight) stage.style.minHeight = `${stage.offsetHeight}px`;
    state = element.dataset.state = next;
    stage.replaceChildren(...children.flat().filter(Boolean));
    told.textContent = words;
    stage.querySelector(".pay-go")?.focus({ preventScroll: true });
  };
  const ask = () => show("asking", question(invoice, botName, guestId, { pay, add }));
  const add = async (missingXtr) => {
    await topUp(guestId, missingXtr).catch((problem) => toast(problem.message));
  };
  const pay = async () => {
    state = element.dataset.state = "paying";
    wait(stage.querySelector(".pay-go"), botName, told);
    const result = await api.pay(guestId, source).catch((problem) => ({ status: "unknown", reason: problem.message }));
    if (result.status === "paid") onPaid(result.charge_id);
    if (!element.isConnected) return toast(result.status === "paid" ? `Paid ${inWords(invoice.amountXtr)}.` : result.reason || "Not paid.");
    if (result.status !== "paid") return show("failed", failure(result, { ask, close: () => element.close() }), "Not paid");
    show("paid", success(invoice, botName, () => element.close()), "Paid");
    sparkle(stage.querySelector(".pay-hero"));
    setTimeout(() => element.close(), DONE_MS);
  };

  const stop = watchWallets((id) => id === guestId && state === "asking" && ask());
  element.addEventListener("close", stop);
  ask();
  open(element);
  stage.querySelector(".pay-go").focus({ preventScroll: true });
}

function question(invoice, botName, guestId, act) {
  const { title, description, amountXtr, periodS } = invoice;
  const { xtr } = walletOf(guestId);
  const missing = amountXtr - xtr;
  return [
    hero(starSign(76)),
    h("h2", { id: "pay-title" }, periodS ? "Confirm your subscription" : "Confirm your purchase"),
    h("p", { class: "pay-what" }, h("strong", {}, title), h("span", { class: "quiet" }, `from ${botName}`)),
    h("p", { class: "pay-description", dir: "auto" }, description),
    h("p", { class: "pay-sum" }, sum(amountXtr, 26), periodS ? h("span", { class: "quiet" }, perPeriod(periodS)) : null),
    invoice.isPaidBefore && h("p", { class: "note" }, "This has been paid before. Paying again is a new payment."),
    missing > 0
      ? goButton([`Add ${count(Math.ceil(missing / 500) * 500)} play Stars`], () => act.add(missing))
      : goButton(["Confirm and Pay ", sum(amountXtr, 18)], act.pay),
    h("p", { class: "pay-balance", "data-short": missing > 0 }, `Your balance: ${inWords(xtr)}`, missing > 0 ? `. ${inWords(missing)} more needed` : ""),
    periodS ? h("p", { class: "pay-terms" }, `${inWords(amountXtr)} are taken now and then again ${perPeriod(periodS).replace("per", "every")}, until you cancel. You can cancel at any time in your wallet; what is paid lasts to the end of its month.`) : null,
  ];
}

function wait(button, botName, told) {
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  told.textContent = `Waiting for ${botName}`;
}

function success({ title, amountXtr, periodS }, botName, close) {
  return [
    h("span", { class: "pay-space" }),
    hero(starSign(76), h("span", { class: "pay-mark good" }, icon("check", 22))),
    h("h2", { id: "pay-title" }, periodS ? "Subscribed" : "Paid"),
    h("p", { class: "pay-what" }, h("strong", {}, title), h("span", { class: "quiet" }, "for ", sum(amountXtr, 15), ` to ${botName}`)),
    h("span", { class: "pay-space" }),
    goButton(["Done"], close),
  ];
}

function failure({ status, reason }, act) {
  return [
    h("span", { class: "pay-space" }),
    hero(starSign(76), h("span", { class: "pay-mark bad" }, icon("close", 22))),
    h("h2", { id: "pay-title" }, status === "cancelled" ? "Cancelled" : "Not paid"),
    h("p", { class: "pay-reason", dir: "auto" }, reason || "The payment was cancelled."),
    status === "unknown" ? null : h("p", { class: "quiet" }, "No Stars were taken."),
    h("span", { class: "pay-space" }),
    goButton(["Try again"], act.ask),
    h("button", { class: "pay-leave", type: "button", onclick: act.close }, "Close"),
  ];
}

const hero = (...children) => h("div", { class: "pay-hero" }, children);

const goButton = (children, act) => h("button", {
  class: "pay-go", type: "button", onclick: (event) => event.currentTarget.ariaDisabled === "true" || act(),
}, h("span", {}, children));

/** Stars fly out of the middle. */
function sparkle(place) {
  if (isCalm()) return;
  for (let at = 0; at < SPARKS; at += 1) {
    const spark = starSign(12 + (at % 4) * 5);
    spark.alt = "";
    spark.classList.add("spark");
    place.append(spark);
    const turn = (at / SPARKS) * Math.PI * 2;
    const far = 70 + (at % 3) * 32;
    const to = `translate(${Math.cos(turn) * far}px, ${Math.sin(turn) * far * 0.8}px)`;
    spark.animate(
      [{ transform: "scale(.3)", opacity: 1 }, { transform: `${to} scale(1) rotate(80deg)`, opacity: 1, offset: 0.6 }, { transform: `${to} translateY(34px) scale(.5) rotate(140deg)`, opacity: 0 }],
      { duration: 1100 + (at % 5) * 120, easing: "cubic-bezier(.15,.7,.4,1)", fill: "forwards" },
    ).onfinish = () => spark.remove();
  }
}
