/* All that the pages themselves run: colour mode, search box, sidebars,
   menus, copy buttons, keyboard access to what scrolls, place in the page. */
(() => {
  const root = document.documentElement;
  const all = (what, within = document) => within.querySelectorAll(what);
  const on = (what, type, act) => all(what).forEach(
    (e) => e.addEventListener(type, (event) => act(e, event)));

  // Colour mode. The page's head has set it before anything was drawn.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const mode = root.dataset.mode;
    root.dataset.theme = mode == "auto" ? (dark.matches ? "dark" : "light")
      : mode;
    all(".theme-switch-button").forEach((b) => b.setAttribute(
      "aria-label", `Color mode: ${mode}`));
  };
  dark.addEventListener("change", paint);
  on(".theme-switch-button", "click", () => {
    const order = dark.matches ? ["auto", "light", "dark"]
      : ["auto", "dark", "light"];
    root.dataset.mode = order[(order.indexOf(root.dataset.mode) + 1) % 3];
    try { localStorage.setItem("mode", root.dataset.mode); } catch { /* off */ }
    paint();
  });
  paint();

  // Dialogs: a click beside one closes it, as Escape does.
  on("dialog", "click", (d, event) => { if (event.target == d) d.close(); });
  const search = document.getElementById("pst-search-dialog");
  const find = () => {
    if (!search) return document.querySelector("input[name=q]")?.focus();
    search.showModal();
    search.querySelector("input").select();
  };
  on(".search-button__button", "click", find);
  addEventListener("keydown", (event) => {
    if (event.key == "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      find();
    }
  });
  // On a narrow screen a sidebar opens as a dialog with the same content.
  for (const side of ["primary", "secondary"]) {
    const bar = document.getElementById(`pst-${side}-sidebar`);
    const modal = document.getElementById(`pst-${side}-sidebar-modal`);
    const move = (from, to) => {
      to.append(...from.childNodes);
      to.classList.add(...from.classList);
      from.classList.remove(...from.classList);
    };
    on(`.${side}-toggle`, "click", () => {
      if (getComputedStyle(bar).visibility != "hidden"
          && bar.getBoundingClientRect().right > 0 && bar.offsetWidth
          || bar.classList.contains("pst-sidebar-hidden")) {
        bar.classList.toggle("pst-sidebar-hidden");
        return;
      }
      move(bar, modal);
      modal.showModal();
    });
    modal?.addEventListener("close", () => move(modal, bar));
    modal?.addEventListener("click", (event) => {
      if (event.target.closest("a[href]")) modal.close();
    });
  }

  // Menus of the top bar.
  const close = (except) => all(".dropdown-toggle").forEach((b) => {
    const open = b == except && b.getAttribute("aria-expanded") != "true";
    b.setAttribute("aria-expanded", open);
    b.nextElementSibling.classList.toggle("show", open);
  });
  addEventListener("click", (event) => close(
    event.target.closest(".dropdown-toggle")));
  addEventListener("keydown", (event) => event.key == "Escape" && close());

  // What is not needed at once waits until the browser has nothing to do,
  // each part in a task of its own.
  const later = window.requestIdleCallback || setTimeout;

  // Copy buttons. Output and prompts are not code: no button.
  later(() => {
    const done = document.createElement("div");
    done.className = "visually-hidden";
    done.setAttribute("role", "status");
    document.body.append(done);
    if (navigator.clipboard) {
      const button = document.createElement("button");
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy this code");
      all(".cell_input .highlight, .highlight-python > .highlight, "
          + ".highlight-bash > .highlight").forEach(
        (e) => e.append(button.cloneNode(true)));
      addEventListener("click", async ({ target }) => {
        if (!target.matches?.("button.copy")) return;
        const code = target.parentElement.querySelector("pre").textContent;
        await navigator.clipboard.writeText(code);
        target.textContent = done.textContent = "Copied";
        setTimeout(() => {
          target.textContent = "Copy";
          done.textContent = "";
        }, 2000);
      });
    }
  });

  // What scrolls in its own box can be reached by keyboard. Told of a size
  // when an element is laid out: when it comes near, or the window changes.
  const sized = new ResizeObserver((entries) => {
    for (const { target } of entries)
      if (target.scrollWidth > target.clientWidth + 1
          || target.scrollHeight > target.clientHeight + 1)
        target.tabIndex = 0;
      else target.removeAttribute("tabindex");
  });
  later(() => all("pre, .pst-scrollable-table-container, .katex-display, "
    + ".scrolls, .output.text_html").forEach((e) => sized.observe(e)));

  // Where the reader is, in the page's own contents.
  const links = new Map([...all(".page-toc a[href^='#']")].map(
    (a) => [a.hash.slice(1), a]));
  const reading = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        links.forEach((a) => {
          a.classList.remove("active");
          a.removeAttribute("aria-current");
        });
        links.get(target.id).classList.add("active");
        links.get(target.id).setAttribute("aria-current", "true");
      }
  }, { rootMargin: "-10% 0px -80%" });
  later(() => links.forEach((a, id) => {
    const section = document.getElementById(id);
    if (section) reading.observe(section);
  }));
})();
