/* Sets the theme before the first paint; a classic script in the head, because modules run late.
   Kept in localStorage as 'light', 'dark' or nothing, which follows the system. */
(() => {
  "use strict";
  try {
    const kept = localStorage.getItem("cyme-theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
