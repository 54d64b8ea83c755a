// oidc-provider with two clients that ask for themselves, and beside it something that only its tokens
// open. Prints both ports; ends with its standard input.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const listen = (server) =>
  new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const client = (client_id, client_secret, token_endpoint_auth_method) => ({
  client_id,
  client_secret,
  token_endpoint_auth_method,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
});

// It warns of development settings on standard output.
console.info = console.warn = console.error;

let answer;
const server = createServer((request, response) => answer(request, response));
const port = await listen(server);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client("posts", "a post secret/with+signs %41", "client_secret_post"),
    client("basic:client", "a basic secret:with/signs+%41", "client_secret_basic"),
  ],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  scopes: ["read", "write"],
  ttl: { ClientCredentials: 600 },
});
answer = provider.callback();

const guarded = createServer(async (request, response) => {
  const [scheme, text] = (request.headers.authorization ?? "").split(" ");
  const token = scheme === "Bearer" ? await provider.ClientCredentials.find(text) : undefined;
  response.writeHead(token ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(token ? { value: `${token.clientId} ${token.scope}` } : { error: "invalid_token" }));
});
console.log(port, await listen(guarded));
process.stdin.resume().on("end", () => process.exit());
