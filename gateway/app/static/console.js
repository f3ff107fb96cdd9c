// The console's charts and its light switch. All figures are in the page already; this only draws.
"use strict";

const DAY_SECONDS = 86400;
const charts = [];

function colour(name) {
  const probe = document.createElement("i");
  probe.className = name;
  probe.hidden = true;
  document.body.append(probe);
  const found = getComputedStyle(probe);
  const value = name === "tick" ? found.color : found.backgroundColor;
  probe.remove();
  return value;
}

function usd(value) {
  if (value === null || value === undefined) return "";
  const small = Math.abs(value) > 0 && Math.abs(value) < 0.01;
  return "$" + value.toLocaleString("en-US", small
    ? { maximumSignificantDigits: 2 }
    : { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function day(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-US", { month: "short", day: "numeric", timeZone: "UTC" });
}

// Each series drawn on top of those after it, the tallest first.
function stacked(series) {
  const sums = series.map(() => []);
  const under = new Array(series[0].values.length).fill(0);
  for (let i = series.length - 1; i >= 0; i--) {
    series[i].values.forEach((value, at) => { under[at] += value; sums[i][at] = under[at]; });
  }
  return sums;
}

function axes() {
  const soft = getComputedStyle(document.querySelector("footer")).color;
  const line = colour("bar-left");
  const plain = { stroke: soft, font: "12px system-ui, sans-serif", ticks: { show: false } };
  return [
    { ...plain, grid: { show: false }, space: 70, size: 30, values: (_, ticks) => ticks.map(day) },
    { ...plain, grid: { stroke: line, width: 1 }, size: 58, values: (_, ticks) => ticks.map(usd) },
  ];
}

function told(data, readout) {
  return (chart) => {
    const at = chart.cursor.idx;
    if (at === null || at === undefined) { readout.textContent = "\u00a0"; return; }
    const parts = data.series.filter((one) => one.values[at]).map((one) => one.label + " " + usd(one.values[at]));
    const all = data.series.reduce((sum, one) => sum + (one.values[at] || 0), 0);
    const whole = data.kind === "days" ? " " + usd(all) + ": " : ": ";
    readout.textContent = day(data.x[at]) + whole + (parts.join(" · ") || "nothing");
  };
}

function options(data, place, readout) {
  const isDays = data.kind === "days";
  const series = data.series.map((one, index) => {
    const tone = colour(isDays ? "c" + index : (index ? "c2" : "c0"));
    if (isDays) {
      return { label: one.label, fill: tone, stroke: tone, width: 0, points: { show: false },
        paths: uPlot.paths.bars({ size: [0.72, 40], radius: 0.1 }) };
    }
    return { label: one.label, stroke: tone, width: 2, spanGaps: true, points: { show: false }, dash: index ? [6, 5] : undefined,
      fill: index ? undefined : tone.replace("rgb(", "rgba(").replace(")", ", .12)") };
  });
  const first = data.x[0], last = data.x[data.x.length - 1];
  const margin = isDays ? DAY_SECONDS * 0.6 : 0;
  return {
    width: place.clientWidth,
    height: place.clientHeight,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: true, range: [first - margin, last + margin] }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
    series: [{}, ...series],
    axes: axes(),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    hooks: { setCursor: [told(data, readout)] },
  };
}

function draw(place) {
  const data = JSON.parse(place.nextElementSibling.textContent);
  const readout = place.nextElementSibling.nextElementSibling;
  if (!data.series.length) return;
  const values = data.kind === "days" ? stacked(data.series) : data.series.map((one) => one.values);
  place.replaceChildren();
  charts.push({ place, chart: new uPlot(options(data, place, readout), [data.x, ...values], place) });
}

function drawAll() {
  charts.splice(0).forEach(({ chart }) => chart.destroy());
  document.querySelectorAll(".chart").forEach(draw);
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.cookie = "gateway_theme=" + theme + "; path=/console; max-age=31536000; samesite=strict";
  drawAll();
}

document.querySelector("[data-theme-switch]").addEventListener("click", switchTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
new ResizeObserver(() => charts.forEach(({ place, chart }) => {
  if (place.clientWidth !== chart.width) chart.setSize({ width: place.clientWidth, height: place.clientHeight });
})).observe(document.querySelector("main"));
drawAll();
