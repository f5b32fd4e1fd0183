"use strict";
// One set of listeners serves every panel on the page.
(() => {
  const describe = (slider) => {
    const wiping = slider.closest(".qc-panel").dataset.mode === "wipe";
    const share = wiping ? 100 - slider.value : slider.value;
    slider.setAttribute("aria-valuetext", `${share} % warped`);
  };
  const show = (slider, value) => {
    slider.value = value;
    slider.closest(".compare").style.setProperty("--shown", slider.value);
    describe(slider);
  };
  const slide = (slider, value) => {
    const panel = slider.closest(".qc-panel");
    const together = panel.querySelector(".together").checked;
    for (const one of together ? panel.querySelectorAll(".qc-slider") : [slider]) show(one, value);
  };
  const fromPointer = (event) => {
    const canvas = event.target.closest?.(".compare .canvas");
    if (!canvas) return;
    const box = canvas.getBoundingClientRect();
    const share = Math.round((100 * (event.clientX - box.left)) / box.width);
    slide(canvas.closest(".compare").querySelector(".qc-slider"), share);
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches(".qc-slider")) slide(event.target, event.target.value);
  });
  document.addEventListener("change", (event) => {
    const panel = event.target.closest(".qc-panel");
    if (!panel) return;
    if (event.target.matches(".base")) panel.dataset.base = event.target.value;
    if (event.target.matches(".mode")) {
      panel.dataset.mode = event.target.value;
      panel.querySelectorAll(".qc-slider").forEach(describe);
    }
    for (const kind of ["marks", "landmarks"]) {
      if (event.target.matches(`input.${kind}`)) panel.dataset[kind] = event.target.checked ? "on" : "off";
    }
    if (event.target.matches(".outlines")) {
      for (const path of panel.querySelectorAll("path.of-fixed, path.of-moving")) {
        path.style.display = event.target.checked ? "" : "none";
      }
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.matches(".qc-panel .flip")) {
      const sliders = event.target.closest(".qc-panel").querySelectorAll(".qc-slider");
      const value = sliders[0].value > 50 ? 0 : 100;
      for (const slider of sliders) show(slider, value);
    }
    event.target.closest(".qc-panel .mini")?.classList.toggle("large");
  });
  document.addEventListener("pointerdown", fromPointer);
  document.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) fromPointer(event);
  });
})();
