// What a payment was for. Telegram's service messages do not say it; the page keeps it of what was paid here.

import { walletOf } from "./wallet.js";

const STORED = "receipts";
const KEPT = 300;

const titles = new Map(JSON.parse(localStorage.getItem(STORED) ?? "[]"));

export function keepReceipt(chargeId, title) {
  titles.set(chargeId, title);
  localStorage.setItem(STORED, JSON.stringify([...titles].slice(-KEPT)));
}

/** The title of what was paid by a `successful_payment` or came back by a `refunded_payment`; empty when unknown. */
export function titleOf(chatId, { telegram_payment_charge_id: chargeId, invoice_payload: payload, is_recurring: isRecurring }) {
  const subscription = isRecurring && walletOf(chatId)?.subscriptions.find((each) => each.payload === payload);
  return titles.get(chargeId) ?? (subscription ? subscription.title : "");
}
