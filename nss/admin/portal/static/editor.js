// The editor of the configuration: a problem leads to its line in the text.
"use strict";
(() => {
  const area = document.getElementById("text");
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-go-to-line]");
    if (!link || !area) return;
    event.preventDefault();
    const lines = area.value.split("\n");
    const line = Math.min(Number(link.dataset.goToLine), lines.length);
    const begin = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    area.focus();
    area.setSelectionRange(begin, begin + lines[line - 1].length);
    const height = parseFloat(getComputedStyle(area).lineHeight);
    area.scrollTop = Math.max(0, (line - 1) * height - area.clientHeight / 3);
    area.scrollIntoView({ block: "center" });
  });
})();
