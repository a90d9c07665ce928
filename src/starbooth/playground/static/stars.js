// Stars as the page shows them: the golden sign, sums, and how often a sum is paid.

import { h } from "./dom.js";

const COUNTS = new Intl.NumberFormat("en");
const MONTH_S = 2592000;

/** The golden star, which copies as an emoji. */
export const starSign = (size = 18) =>
  h("img", { class: "star", src: "/static/star.svg", alt: "⭐", width: size, height: size, draggable: "false" });

export const count = (xtr) => COUNTS.format(xtr).replace("-", "−");

/** "50 Stars", for sentences. */
export const inWords = (xtr) => `${count(xtr)} ${Math.abs(xtr) === 1 ? "Star" : "Stars"}`;

/** A star and a number that stay on one line. */
export const sum = (xtr, size) => h("span", { class: "sum" }, starSign(size), count(xtr));

/** A text with every ⭐ and XTR as the star, as Telegram draws Pay buttons. */
export const withSigns = (text, size) => drawn(text, /(⭐\uFE0F?|XTR)/u, size);

/** A text with every ⭐ as the star. */
export const withStars = (text, size) => drawn(text, /(⭐\uFE0F?)/u, size);

const drawn = (text, signs, size) => text.split(signs).map((piece, index) => (index % 2 ? starSign(size) : piece));

/** "per month", or the shorter periods of Telegram's test servers; empty for what is paid once. */
export function perPeriod(periodS) {
  if (!periodS) return "";
  if (periodS === MONTH_S) return "per month";
  return periodS % 60 ? `every ${periodS} seconds` : `every ${periodS / 60} minutes`;
}

/** The slug of an invoice link in any of its forms; empty for every other link. */
export function invoiceSlug(url) {
  const found = /^(?:https?:\/\/)?(?:t|telegram)\.me\/(?:\$|invoice\/)([\w-]+)\/?$/i.exec(url)
    ?? /^tg:\/\/invoice\?slug=([\w-]+)$/i.exec(url);
  return found ? found[1] : "";
}

export const dayOf = (seconds) =>
  new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
