// Starts Swagger UI. Whoever is signed in may also try what changes things: the session's CSRF token goes along.
"use strict";

const place = document.getElementById("swagger-ui");
let token = null;

fetch("v1/session")
  .then((answer) => answer.json())
  .then(({ session }) => { token = session && session.csrf_token; })
  .catch(() => { token = null; });

SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  layout: "BaseLayout",
  requestInterceptor: (request) => {
    if (token && !request.headers.Authorization) request.headers["X-CSRF-Token"] = token;
    return request;
  },
});
