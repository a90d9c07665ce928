// Photos that were sent together: one bubble, a tight grid, and a caption below where only one of them has one.

import { meta, photo, preface, textBlock } from "./bubble.js";
import { h, tail } from "./dom.js";

const WIDTH_PX = 360;

/** Whether two messages are photos of one album. */
export const isOneAlbum = (one, other) =>
  Boolean(one?.photo && other?.photo && one.media_group_id) && one.media_group_id === other.media_group_id;

/** The row of an album. Each photo bears its message's id. */
export function albumRow(messages, { isOut, isRead, act }) {
  const [first] = messages;
  const captioned = messages.filter((message) => message.caption);
  const [told] = captioned.length === 1 ? captioned : [];
  const grid = h("div", { class: "album" }, messages.map((message) => {
    const tile = photo(message, act);
    tile.id = `message-${message.message_id}`;
    return tile;
  }));
  lay(grid, messages);
  const bubble = h("div", { class: `bubble with-photo ${told ? "captioned" : "uncaptioned"}` }, preface(first, isOut, act), grid,
    told ? textBlock(told.caption, told.caption_entities, told, act) : null,
    meta(messages.at(-1), isOut, isRead), tail());
  const row = h("div", { class: `row photo-row${isOut ? " out" : ""}` }, bubble);
  row.style.setProperty("--photo-width", `${WIDTH_PX}px`);
  return row;
}

/** Two side by side, three as one large and two small, four in a square, more in rows of two and three. */
function lay(grid, messages) {
  const count = messages.length;
  const ratios = messages.map(({ photo: sizes }) => sizes.at(-1).width / sizes.at(-1).height);
  const ratio = Math.min(1.6, Math.max(0.62, ratios.reduce((sum, each) => sum + each, 0) / count));
  const isWide = ratio > 1.15;
  if (count < 5) grid.dataset.lay = count === 3 ? (isWide ? "top" : "side") : String(count);
  const rows = count < 5 ? [] : rowsOf(count);
  rows.flatMap((long) => Array(long).fill(6 / long)).forEach((span, place) => {
    grid.children[place].style.gridColumn = `span ${span}`;
  });
  const shapes = { 1: ratio, 2: 2 * ratio, 3: isWide ? ratio / 1.5 : 1.5 * ratio, 4: ratio };
  grid.style.aspectRatio = String(shapes[count] ?? (2.5 * ratio) / rows.length);
}

/** How many photos each row has: as many threes as go, twos before them. */
function rowsOf(count) {
  const twos = (3 - (count % 3)) % 3;
  return [...Array(twos).fill(2), ...Array((count - 2 * twos) / 3).fill(3)];
}
