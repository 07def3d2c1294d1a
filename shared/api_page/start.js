const allowTryItOutFor = () => (state, path, method) =>
  !state.getIn(["json", "paths", path, method, "x-not-forwarded"]);
// The name of a path stands in a button, which may hold no link.
const DeepLink = (_, { React }) => ({ text }) => React.createElement("span", null, text);
SwaggerUIBundle({
  url: document.getElementById("page").dataset.document,
  dom_id: "#page",
  deepLinking: true,
  syntaxHighlight: false,
  validatorUrl: null,
  plugins: [{ statePlugins: { spec: { wrapSelectors: { allowTryItOutFor } } }, wrapComponents: { DeepLink } }],
});
// What Swagger UI leaves without a name, or calls a landmark that it is not.
const mend = () => {
  for (const one of document.querySelectorAll(".copy-to-clipboard button:empty")) one.ariaLabel = "Copy";
  for (const one of document.querySelectorAll("#servers")) one.ariaLabel = "Server";
  for (const one of document.querySelectorAll("select:not([aria-label], [id])")) one.ariaLabel = "Choice";
  for (const one of document.querySelectorAll("table[role=region]")) one.removeAttribute("role");
};
new MutationObserver(mend).observe(document.getElementById("page"), { childList: true, subtree: true });
