// Graphs: figures that the server has, drawn by uPlot, with the same in words beside each.
"use strict";
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const graphs = new Map();
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const figures = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
  const show = (value) => (value == null ? "–" : figures.format(value));
  const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
  const colour = (name, from) => {
    const probe = document.createElement("span");
    probe.className = name;
    from.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const range = (_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.1 : 1];

  const options = (graph, data) => {
    const plot = graph.element.querySelector("[data-plot]");
    const units = [...new Set(data.series.map((each) => each.unit ?? ""))];
    const axis = { stroke: colour("quiet", plot), grid: { stroke: colour("grid-line", plot), width: 1 },
      ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false },
      padding: [8, units.length > 1 ? 0 : 8, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: Object.fromEntries([["x", { time: true }], ...units.map((unit) => [`y${unit}`, { range }])]),
      axes: [
        { ...axis, space: 72, size: 28, values: (_, at) => at.map((secs) => clock.format(secs * 1000)) },
        ...units.slice(0, 2).map((unit, i) => ({ ...axis, scale: `y${unit}`, side: i ? 1 : 3, size: 52,
          grid: i ? { show: false } : axis.grid, values: (_, found) => found.map((each) => short.format(each)) })),
      ],
      series: [{}, ...data.series.map((each, i) => ({ label: each.name, scale: `y${each.unit ?? ""}`, width: 2,
        stroke: colour(`s${(i % 4) + 1}`, plot), points: { show: false } }))],
      hooks: { setCursor: [(drawn) => legend(graph, drawn.cursor.idx)] },
    };
  };

  // The figures beside the graph: the last, or those under the pointer, and the range.
  const legend = (graph, index = null) => {
    const { at, series } = graph.data;
    const list = graph.element.querySelector("[data-legend]");
    const texts = [];
    list.replaceChildren(...series.map((each, i) => {
      const known = each.values.filter((value) => value != null);
      const unit = each.unit ? ` ${each.unit}` : "";
      const low = known.length ? known.reduce((a, b) => Math.min(a, b)) : null;
      const high = known.length ? known.reduce((a, b) => Math.max(a, b)) : null;
      const now = index === null ? known.at(-1) : each.values[index];
      const item = document.createElement("li");
      item.className = `s${(i % 4) + 1}`;
      const name = document.createElement("span");
      const figure = document.createElement("b");
      const spread = document.createElement("span");
      figure.textContent = show(now) + unit;
      name.append(`${each.name} `, figure);
      spread.className = "quiet";
      spread.textContent = index === null ? ` min ${show(low)}, max ${show(high)}` : ` at ${clock.format(at[index] * 1000)}`;
      item.append(name, spread);
      texts.push(`${each.name}: last ${show(known.at(-1))}${unit}, minimum ${show(low)}, maximum ${show(high)}`);
      return item;
    }));
    if (index === null) graph.element.querySelector("[data-plot]").ariaLabel = `${graph.element.dataset.title}. ${texts.join("; ")}`;
  };

  const draw = (graph) => {
    const plot = graph.element.querySelector("[data-plot]");
    graph.drawn?.destroy();
    plot.replaceChildren();
    plot.setAttribute("role", "img");
    graph.drawn = new uPlot(options(graph, graph.data), columns(graph.data), plot);
    legend(graph);
  };
  const columns = ({ at, series }) => [at, ...series.map((each) => each.values)];
  const shape = ({ series }) => JSON.stringify(series.map((each) => [each.name, each.unit]));
  const redrawGraphs = () => { for (const graph of graphs.values()) if (graph.data?.at.length) draw(graph); };

  const say = (graph, text) => {
    if (graph.drawn) return;
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = text;
    graph.element.querySelector("[data-plot]").replaceChildren(line);
  };
  const fetchGraph = async (graph) => {
    const { element } = graph;
    if (document.hidden) return;
    try {
      const answer = await fetch(element.dataset.url, { headers: { Accept: "application/json" } });
      if (answer.status === 401) return element.dispatchEvent(new Event("nss:over", { bubbles: true }));
      if (!answer.ok) throw new Error(answer.status);
      const before = graph.data && shape(graph.data);
      graph.data = await answer.json();
      if (!graph.data.at.length) say(graph, "No figures yet: they come within a minute.");
      else if (graph.drawn && before === shape(graph.data)) {
        graph.drawn.setData(columns(graph.data));
        if (graph.drawn.cursor.idx == null) legend(graph);
      } else draw(graph);
    } catch {
      say(graph, "The figures could not be read; trying again.");
    }
  };
  const startGraphs = () => {
    for (const [element, graph] of graphs) {
      if (element.isConnected) continue;
      clearInterval(graph.timer);
      graph.sizes.disconnect();
      graph.drawn?.destroy();
      graphs.delete(element);
    }
    for (const element of all("[data-graph]")) {
      if (graphs.has(element)) continue;
      const graph = { element };
      graphs.set(element, graph);
      const plot = element.querySelector("[data-plot]");
      graph.sizes = new ResizeObserver(() => {
        graph.drawn?.setSize({ width: plot.clientWidth, height: plot.clientHeight });
      });
      graph.sizes.observe(plot);
      graph.timer = setInterval(() => fetchGraph(graph), (Number(element.dataset.refreshSecs) || 5) * 1000);
      fetchGraph(graph);
    }
  };
  document.addEventListener("nss:theme", redrawGraphs);
  document.addEventListener("htmx:after:settle", startGraphs);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawGraphs);
  document.addEventListener("visibilitychange", () => graphs.forEach(fetchGraph));
  startGraphs();
})();
