// Small helpers to build elements; nothing here knows the chat.

export const $ = (id) => document.getElementById(id);

/** An element: props are attributes, `on…` listeners, or `class`/`text`; null and false are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M12 5.500v.01M12 12v.01M12 18.500v.01",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  clip: "M19.500 11.300l-7.900 7.900a4.900 4.900 0 0 1-7-7l8.300-8.300a3.300 3.300 0 0 1 4.700 4.700l-8.300 8.300a1.650 1.650 0 0 1-2.300-2.300l7.500-7.500",
  check: "M4.500 12.500l4.500 4.500 10-10",
  checks: "M2 12.700l4 4 8.500-8.700M11 15.700l1 1L20.500 8",
  down: "M6 9.500l6 6 6-6",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  slash: "M14.500 5l-5 14M5 3.500h14a1.500 1.500 0 0 1 1.500 1.500v14a1.500 1.500 0 0 1-1.500 1.500H5A1.500 1.500 0 0 1 3.500 19V5A1.500 1.500 0 0 1 5 3.500z",
  keyboard: "M4 6h16a1.500 1.500 0 0 1 1.500 1.500v9A1.500 1.500 0 0 1 20 18H4a1.500 1.500 0 0 1-1.500-1.500v-9A1.500 1.500 0 0 1 4 6zM6.500 10h.01M10 10h.01M13.500 10h.01M17 10h.01M8 14h8",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500z",
  contrast: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 8h7.500M12 12.500h9M12 17h7",
  picture: "M5 4h14a1.500 1.500 0 0 1 1.500 1.500v13A1.500 1.500 0 0 1 19 20H5a1.500 1.500 0 0 1-1.500-1.500v-13A1.500 1.500 0 0 1 5 4zM4 17l5-5.500 4 4 2.500-2.500 4.500 4.500M15.500 8.500v.01",
  file: "M7 3h7l5 5v11.500A1.500 1.500 0 0 1 17.500 21h-10A1.500 1.500 0 0 1 6 19.500V4a1 1 0 0 1 1-1zM13.500 3.500V8.500H18.500",
  pin: "M12 21s7-6.200 7-11.500a7 7 0 0 0-14 0C5 14.800 12 21 12 21zM12 7.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.500 20c1-4 4-5.500 7.500-5.500s6.500 1.500 7.500 5.500",
  smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.500 14.500c1.800 2.300 5.200 2.300 7 0M9 9.500v.01M15 9.500v.01",
  wave: "M4 10v4M8 6.500v11M12 9v6M16 5v14M20 10v4",
  reply: "M9.500 6L4 11.500 9.500 17M4.500 11.500H13c4 0 6.500 2 7 6",
  copy: "M9 8h9a1.500 1.500 0 0 1 1.500 1.500v9A1.500 1.500 0 0 1 18 20H9a1.500 1.500 0 0 1-1.500-1.500v-9A1.500 1.500 0 0 1 9 8zM4.500 15V5.500A1.500 1.500 0 0 1 6 4h9.500",
  pencil: "M4.500 19.500l1-4.500L16 4.500a2 2 0 0 1 3 0l.5.5a2 2 0 0 1 0 3L9 18.500z",
  trash: "M5 7h14M9.500 7V4.500h5V7M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  block: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM5.700 5.700l12.600 12.600",
  save: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
  bolt: "M13 3L5 13.500h5.500L10 21l8.500-11H13z",
  out: "M8 16L17 7M10 7h7v7",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.500M12 7.500v.01",
  wallet: "M5 6.500h12.500A1.500 1.500 0 0 1 19 8v1.500M5 6.500A1.500 1.500 0 0 1 5 3.500h11.500v3M3.500 5v13A1.500 1.500 0 0 0 5 19.500h14a1.500 1.500 0 0 0 1.500-1.500v-7a1.500 1.500 0 0 0-1.500-1.500H5M16.500 14.500v.01",
  forward: "M14.500 6L20 11.500 14.500 17M19.500 11.500H11c-4 0-6.500 2-7 6",
  undo: "M5 5v5h5M5.500 10a7.500 7.500 0 1 1 .5 6",
};
const FILLED = {
  send: "M3.400 20.300l17.200-7.400c.8-.35.8-1.450 0-1.800L3.400 3.700c-.7-.3-1.400.3-1.250 1.050L3.700 10.600l9.300 1.400-9.300 1.400-1.550 5.850c-.15.75.55 1.350 1.250 1.050z",
  star: "M12 3.200l2.700 5.800 6.300.75-4.650 4.300 1.250 6.250L12 17.200l-5.600 3.100 1.250-6.250L3 9.750 9.300 9z",
  tail: "M9 0c0 8-2.500 13.500-9 17.300 3.500 1 9 .7 9 .7z",
};

/** One of our own icons. */
export function icon(name, size = 24) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true" };
  const drawn = name in FILLED
    ? { fill: "currentColor" }
    : { fill: "none", stroke: "currentColor", "stroke-width": name === "more" ? 3.2 : 1.9, "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [key, value] of Object.entries({ ...attributes, ...drawn })) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name] ?? FILLED[name]);
  svg.append(path);
  return svg;
}

/** The tail of a bubble. */
export function tail() {
  const svg = icon("tail");
  svg.setAttribute("viewBox", "0 0 9 18");
  svg.setAttribute("class", "tail");
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  return svg;
}

export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function dayName(seconds) {
  const day = new Date(seconds * 1000);
  const today = new Date();
  const days = Math.round((new Date(today.toDateString()) - new Date(day.toDateString())) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = day.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return day.toLocaleDateString([], { day: "numeric", month: "long", year });
}

export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1048576) return `${(bytes / 1024).toFixed(1)} KB`;
  return `${(bytes / 1048576).toFixed(1)} MB`;
}
