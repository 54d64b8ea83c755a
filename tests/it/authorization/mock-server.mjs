// oauth2-mock-server, which gives a token for a user's password, and beside it something that only its
// tokens open. Prints both ports; ends with its standard input.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
// By itself it takes every password.
server.service.on("beforeResponse", (answer, request) => {
  if (request.body.password !== "a user's password/+%41") {
    answer.statusCode = 400;
    answer.body = { error: "invalid_grant", error_description: `not ${request.body.password}` };
  }
});
await server.start(0, "127.0.0.1");
const { port } = server.address();

const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${port}/jwks`));
const guarded = createServer(async (request, response) => {
  const text = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  const read = await jwtVerify(text, keys).catch(() => undefined);
  response.writeHead(read ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(read ? { value: read.payload.sub, alg: read.protectedHeader.alg } : {}));
});
await new Promise((done) => guarded.listen(0, "127.0.0.1", done));
console.log(port, guarded.address().port);
process.stdin.resume().on("end", () => process.exit());
