// A look into a table that the bot sent as CSV, without leaving the chat.

import { mediaUrl } from "./api.js";
import { h } from "./dom.js";
import { sheet, toast } from "./overlay.js";

const MAX_BYTES = 1048576;
const MAX_ROWS = 200;

export const isTable = ({ file_name: name = "", file_size: size = 0 }) => /\.csv$/i.test(name) && size <= MAX_BYTES;

export async function tableSheet({ file_id: fileId, file_name: name }) {
  const answer = await fetch(mediaUrl(fileId)).catch(() => null);
  if (!answer?.ok) return toast("The file cannot be read.");
  const [head, ...rows] = parsed(await answer.text());
  const shown = rows.slice(0, MAX_ROWS);
  const isNumber = (head ?? []).map((_, at) => shown.every((row) => /^[+−-]?\d[\d.,]*$/.test(row[at])));
  const cells = (tag, row) => h("tr", {}, row.map((cell, at) => h(tag, { "data-number": isNumber[at], scope: tag === "th" ? "col" : null }, cell)));
  const table = h("table", {}, h("thead", {}, cells("th", head ?? [])), h("tbody", {}, shown.map((row) => cells("td", row))));
  const more = rows.length > shown.length ? `The first ${shown.length} of ${rows.length} rows.` : `${rows.length} ${rows.length === 1 ? "row" : "rows"}.`;
  sheet([h("h2", { class: "file-name" }, name), h("div", { class: "table", tabindex: "0", role: "region", "aria-label": name }, table), h("p", { class: "quiet" }, more)])
    .classList.add("wide");
}

/** The rows of a CSV text, with quoted cells as RFC 4180 has them; the separator is what the first line has more of. */
export function parsed(text) {
  const body = text.replace(/^\uFEFF/, "");
  const [first] = body.split("\n", 1);
  const separator = first.split(";").length > first.split(",").length ? ";" : ",";
  const cells = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`, "gy");
  const rows = [];
  let row = [];
  for (const [whole, quoted, plain, end] of body.matchAll(cells)) {
    if (whole === "" && row.length === 0) break;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === separator) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
