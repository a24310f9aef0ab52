/* Which rows of a table are in sight: of a long one only those have elements.

   const sight = new Sight({ node, body, span, layout });
                                       span: how many columns there are
                                       layout() is called when other rows may be in sight
   sight.above, sight.below            parts of the table that are as high as what is not drawn
   sight.isLong(total)                 only a part of so many rows is drawn
   sight.range(total)                  [from, to], the places of the rows to be drawn
   sight.pad([from, to], total)        puts what is not drawn above and below
   sight.measure()                     learns how high a row is
   sight.scrollTo(place)   sight.close()

   The rows of one table are equally high, so their place can be reckoned. What scrolls is the
   element around the table that has `data-scroll`. */

import { h } from "./dom.js";

const DRAWN_WHOLE_MAX = 100;
const ROWS_BEYOND_SIGHT = 8;
const ROW_PX = 44;
const ROW_PX_MIN = 8;

export class Sight {
  #node;
  #body;
  #layout;
  #scroller = null;
  #resized = null;
  #frame = 0;
  #rowPx = ROW_PX;
  #padded = "";
  #soon = () => this.#layoutSoon();

  constructor({ node, body, span, layout }) {
    this.above = pad(span);
    this.below = pad(span);
    this.#node = node;
    this.#body = body;
    this.#layout = layout;
  }

  isLong(total) {
    return total > DRAWN_WHOLE_MAX;
  }

  range(total) {
    if (!this.isLong(total)) return [0, total];
    this.#watch();
    if (!this.#scroller) return [0, DRAWN_WHOLE_MAX];
    const view = this.#scroller.getBoundingClientRect();
    const begin = Math.floor((view.top - this.#top()) / this.#rowPx) - ROWS_BEYOND_SIGHT;
    const rows = Math.ceil(view.height / this.#rowPx) + 2 * ROWS_BEYOND_SIGHT;
    const from = Math.max(0, Math.min(begin, total - rows));
    return [from, Math.min(total, from + rows)];
  }

  pad([from, to], total) {
    const wanted = `${from} ${to} ${total} ${this.#rowPx}`;
    if (wanted === this.#padded) return;
    this.#padded = wanted;
    for (const [part, rows] of [[this.above, from], [this.below, total - to]]) {
      part.firstChild.firstChild.style.setProperty("height", `${rows * this.#rowPx}px`);
      part.hidden = rows === 0;
    }
  }

  measure() {
    const [one, two] = this.#body.children;
    if (!two) return;
    const px = two.getBoundingClientRect().top - one.getBoundingClientRect().top;
    if (px > ROW_PX_MIN && Math.abs(px - this.#rowPx) > 0.5) {
      this.#rowPx = px;
      this.#layoutSoon();
    }
  }

  /** Brings the row at a place to the middle of what is seen. */
  scrollTo(place) {
    if (!this.#scroller) return;
    const view = this.#scroller.getBoundingClientRect();
    this.#scroller.scrollTop += this.#top() + place * this.#rowPx - view.top - view.height / 2;
    this.#layout();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#resized?.disconnect();
    this.#scroller?.removeEventListener("scroll", this.#soon);
    this.#scroller = null;
  }

  /** Where the first row of all is, or would be. */
  #top() {
    return (this.above.hidden ? this.#body : this.above).getBoundingClientRect().top;
  }

  #layoutSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#layout());
  }

  #watch() {
    if (this.#scroller?.isConnected) return;
    const scroller = this.#node.closest("[data-scroll]");
    if (!scroller) {
      // It is not on the page yet.
      if (!this.#scroller) this.#layoutSoon();
      return;
    }
    this.#scroller = scroller;
    scroller.addEventListener("scroll", this.#soon, { passive: true });
    this.#resized = new ResizeObserver(this.#soon);
    this.#resized.observe(scroller);
  }
}

function pad(span) {
  return h("tbody", { class: "pad", aria: { hidden: "true" }, hidden: true }, h("tr", {}, h("td", { colspan: span })));
}
