SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  // The description is served by this gateway; nothing is sent to a validator elsewhere.
  validatorUrl: null,
});
