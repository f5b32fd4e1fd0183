"use strict";
// Sentences of `data-says`: shown while pointed at, while focused, and when tapped.
(() => {
  const box = document.createElement("div");
  box.id = "says";
  box.className = "says";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  document.body.append(box);
  let shown = null;
  const hide = () => {
    shown?.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  };
  const place = () => {
    if (!shown) return;
    const [at, size, gap] = [shown.getBoundingClientRect(), box.getBoundingClientRect(), 6];
    const below = at.bottom + gap + size.height <= innerHeight || at.top < size.height + gap;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - size.width - 8));
    const top = below ? at.bottom + gap : at.top - size.height - gap;
    box.style.transform = `translate(${left}px, ${top}px)`;
  };
  const show = (term) => {
    if (term === shown) return;
    hide();
    shown = term;
    box.textContent = term.dataset.says;
    term.setAttribute("aria-describedby", box.id);
    box.hidden = false;
    place();
  };
  const term = (event) => event.target.closest?.("[data-says]");
  const enter = (event) => (term(event) ? show(term(event)) : undefined);
  document.addEventListener("mouseover", enter);
  document.addEventListener("focusin", enter);
  document.addEventListener("click", (event) => (term(event) ? show(term(event)) : hide()));
  document.addEventListener("mouseout", (event) => {
    if (shown && term(event) === shown && !shown.contains(event.relatedTarget)) hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => (event.key === "Escape" ? hide() : undefined));
  // Focus scrolls what it is given to into view.
  document.addEventListener("scroll", place, { capture: true, passive: true });
})();
