/* What is wider than the page can be scrolled with the keyboard, too. */
"use strict";
{
  const scrolled = () => {
    for (const part of document.querySelectorAll("article pre, .table-wrapper, .rewrite > *")) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };
  addEventListener("load", scrolled);
  addEventListener("resize", scrolled);
}
