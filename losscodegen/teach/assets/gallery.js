// Search in the gallery: without this script all losses are listed by family.
"use strict";

const search = document.querySelector("search");
const input = document.getElementById("find");
const found = document.getElementById("found");
const items = [...document.querySelectorAll("ul.losses > li")].map((node) => ({
  node,
  text: node.textContent.toLowerCase(),
}));
const sections = [...document.querySelectorAll("main > section")];

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { node, text } of items) {
    node.hidden = !words.every((word) => text.includes(word));
    count += node.hidden ? 0 : 1;
  }
  for (const section of sections) {
    section.hidden = !section.querySelector("li:not([hidden])");
  }
  found.textContent = words.length === 0 ? "" : count === 1 ? "1 loss" : `${count} losses`;
}

search.hidden = false;
input.addEventListener("input", show);
show();
