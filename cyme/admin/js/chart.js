/* Charts, as SVG that this page draws itself.

   const chart = seriesChart({
     label: "Tasks a second",                       read out
     series: [{ name: "Succeeded", tone: "ok" }, { name: "Failed", tone: "bad" }],
     unit: "/s", height: 180,
   });
   chart.update([[unix_s, ok, failed], ...])        stacked; the oldest first; null is a gap
   chart.node
   const line = sparkline({ label: "Depth", points: 40 });   line.update([1, 2, 3]);   line.node
   const bars = shareBar({ label })   bars.update([{ name, value, tone, href }])   a bar of parts

   Pointing at a chart, or walking it with the arrow keys, tells the values of a moment. */

import { fill, h, svg, write } from "./dom.js";
import { clock, count, figure } from "./format.js";

const WIDTH = 720;
const LEFT = 40;
const BOTTOM = 22;
const TOP = 8;

export function seriesChart({ label, series, unit = "", height = 180 }) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "chart-drawing", aria: { hidden: "true" }, preserveAspectRatio: "none" });
  const axis = h("div", { class: "chart-axis", aria: { hidden: "true" } });
  const feet = h("div", { class: "chart-feet", aria: { hidden: "true" } });
  const tip = h("div", { class: "chart-tip", hidden: true });
  const words = h("p", { class: "hidden", role: "status" });
  const plot = h("div", { class: "chart-plot", tabindex: "0", role: "img", aria: { label } }, drawing, axis, tip);
  const legend = h("ul", { class: "legend" }, series.map((each) => h("li", {}, h("span", { class: "swatch", dataset: { tone: each.tone } }), each.name)));
  const node = h("figure", { class: "chart" }, plot, feet, words, legend);
  plot.style.setProperty("--chart-height", `${height}px`);
  let points = [];
  let at = null;

  const tell = (index, aloud) => {
    at = index;
    const point = points[index];
    if (!point) {
      tip.hidden = true;
      return;
    }
    tip.hidden = false;
    const part = points.length > 1 ? index / (points.length - 1) : 0;
    tip.style.setProperty("--at", String(part));
    tip.dataset.side = part > 0.6 ? "left" : "right";
    fill(tip, h("strong", {}, clock(point[0])), series.map((each, nth) => h("span", {}, h("span", { class: "swatch", dataset: { tone: each.tone } }), `${each.name} ${figure(point[nth + 1])}${unit}`)));
    if (aloud) write(words, `${clock(point[0])}: ${series.map((each, nth) => `${each.name} ${figure(point[nth + 1])}${unit}`).join(", ")}`);
  };
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    tell(Math.max(0, Math.min(points.length - 1, Math.round(part * (points.length - 1)))), false);
  });
  plot.addEventListener("pointerleave", () => tell(null, false));
  plot.addEventListener("blur", () => tell(null, false));
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !points.length) return;
    event.preventDefault();
    tell(Math.max(0, Math.min(points.length - 1, (at ?? points.length - 1) + step)), true);
  });

  const update = (fresh) => {
    points = fresh;
    const sums = points.map((point) => series.reduce((sum, _, nth) => sum + (point[nth + 1] ?? 0), 0));
    const most = niceCeiling(Math.max(0, ...sums));
    const room = height - TOP - BOTTOM;
    const x = (index) => (points.length > 1 ? (index / (points.length - 1)) * WIDTH : 0);
    const y = (value) => TOP + room - (most ? (value / most) * room : 0);
    const lines = [0, 0.5, 1].map((part) => svg("line", { x1: 0, x2: WIDTH, y1: y(most * part), y2: y(most * part), class: "grid" }));
    const floors = points.map(() => 0);
    const areas = series.map((each, nth) => {
      const roofs = points.map((point, index) => floors[index] + (point[nth + 1] ?? 0));
      const up = roofs.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
      const down = floors.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).toReversed();
      roofs.forEach((value, index) => {
        floors[index] = value;
      });
      if (points.length < 2 || !points.some((point) => point[nth + 1])) return null;
      return [
        svg("path", { d: `M${[...up, ...down].join("L")}Z`, class: "area", "data-tone": each.tone }),
        svg("path", { d: `M${up.join("L")}`, class: "line", "data-tone": each.tone }),
      ];
    });
    fill(drawing, lines, areas);
    fill(axis, [1, 0.5, 0].map((part) => h("span", { style: { "--top": `${y(most * part)}px` } }, `${figure(most * part)}${part === 1 ? unit : ""}`)));
    const marks = points.length > 1 ? [0, 0.25, 0.5, 0.75, 1].map((part) => points[Math.round(part * (points.length - 1))][0]) : [];
    fill(feet, marks.map((each, index) => h("span", {}, index === marks.length - 1 ? "now" : clock(each).slice(0, 5))));
    const totals = series.map((each, nth) => `${each.name} ${figure(points.at(-1)?.[nth + 1] ?? 0)}${unit} now`);
    plot.setAttribute("aria-label", `${label}: ${totals.join(", ")}. Arrow keys walk through the last ${points.length} points.`);
    if (at !== null) tell(Math.min(at, points.length - 1), false);
  };
  return { node, update };
}

export function sparkline({ label, height = 24, width = 96, tone = "accent" }) {
  const path = svg("path", { class: "line", "data-tone": tone });
  const area = svg("path", { class: "area", "data-tone": tone });
  const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "sparkline", role: "img", aria: { label }, preserveAspectRatio: "none" }, area, path);
  const update = (values) => {
    const most = Math.max(1e-9, ...values.map((each) => each ?? 0));
    const dots = values.map((value, index) => {
      const x = values.length > 1 ? (index / (values.length - 1)) * width : 0;
      return `${x.toFixed(1)},${(height - 2 - ((value ?? 0) / most) * (height - 4)).toFixed(1)}`;
    });
    path.setAttribute("d", dots.length > 1 ? `M${dots.join("L")}` : "");
    area.setAttribute("d", dots.length > 1 ? `M0,${height}L${dots.join("L")}L${width},${height}Z` : "");
  };
  return { node, update };
}

export function shareBar({ label }) {
  const bar = h("div", { class: "share-bar", role: "img", aria: { label } });
  const list = h("ul", { class: "legend wide" });
  const node = h("div", { class: "share" }, bar, list);
  let before = "";
  const update = (parts) => {
    // What is focused stays so while nothing has changed.
    const now = JSON.stringify(parts);
    if (now === before) return;
    before = now;
    const total = parts.reduce((sum, part) => sum + part.value, 0);
    fill(
      bar,
      parts.filter((part) => part.value > 0).map((part) => h("span", { class: "share-part", dataset: { tone: part.tone }, style: { "flex-grow": part.value } })),
    );
    bar.setAttribute("aria-label", `${label}: ${parts.map((part) => `${part.value} ${part.name}`).join(", ")}`);
    bar.dataset.empty = String(total === 0);
    fill(list, parts.map((part) => {
      const inside = [h("span", { class: "swatch", dataset: { tone: part.tone } }), h("span", { class: "legend-name" }, part.name), h("strong", {}, count(part.value))];
      return h("li", {}, part.href ? h("a", { href: part.href, class: "legend-link" }, inside) : inside);
    }));
  };
  return { node, update };
}

function niceCeiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 3, 4, 5, 6, 8, 10]) if (value <= step * power) return step * power;
  return 10 * power;
}
