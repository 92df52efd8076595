// Sends one request over HTTP/2, read as JSON from standard input; prints its status.
"use strict";
const http2 = require("node:http2");
const { url, headers, body } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const session = http2.connect(url, { rejectUnauthorized: false });
session.on("error", (error) => {
  throw error;
});
const stream = session.request(headers);
stream.on("response", (answer) => {
  stream.resume();
  stream.on("end", () => {
    process.stdout.write(JSON.stringify({ status: answer[":status"] }));
    session.close();
  });
});
stream.end(body);
