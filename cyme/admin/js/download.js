/* Hands a text to whoever uses the page, as a file.

   download("w1.log", text, "text/plain") */

import { h } from "./dom.js";

/** The browser has read it by then. */
const KEPT_MS = 10_000;

export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
