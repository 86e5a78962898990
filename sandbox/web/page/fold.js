// The two sidebars, which can be folded away. On a small screen, both are folded at first; on a wide one, neither is.

const SMALL = matchMedia("(max-width: 1000px)"); // the same limit as in style.css

/** A sidebar, with the button that opens and closes it. On a small screen, it covers the messages. */
export class Fold {
  /** With `kept`, the sidebar can also be closed on a wide screen, and stays closed after a reload. */
  constructor(id, kept) {
    this.part = document.getElementById(id);
    this.toggle = document.getElementById(`${id}-toggle`);
    this.key = kept ? `fold ${id}` : null;
    this.toggle.addEventListener("click", () => this.set(!this.shown));
    this.part.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && SMALL.matches && this.shown) (this.close(), this.toggle.focus());
    });
    SMALL.addEventListener("change", () => this.reset());
    this.reset();
  }

  reset() {
    this.show(!SMALL.matches && (!this.key || sessionStorage.getItem(this.key) !== "closed"));
  }

  set(open) {
    if (this.key && !SMALL.matches) sessionStorage.setItem(this.key, open ? "open" : "closed");
    this.show(open);
    if (open && SMALL.matches) this.part.querySelector("select, button, summary")?.focus();
  }

  show(open) {
    this.shown = open;
    document.body.dataset[this.part.id] = open ? "open" : "closed";
    this.toggle.setAttribute("aria-expanded", String(open));
  }

  open() {
    this.show(true);
  }

  /** Close the sidebar if it covers the messages. */
  close() {
    if (SMALL.matches) this.show(false);
  }
}
