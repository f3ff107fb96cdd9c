// Drives the official SDK for Node.js: `node client.mjs INSTALLED/package.json < tasks`.
//
// Reads a JSON array of tasks, {url, key, verb, model, said, retries}; writes one line of JSON for each: what
// a program sees of the result, or of the error. Not here: what that should be, which the test says.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { all, ERRANDS } from "./errands.mjs";

const OpenAI = createRequire(process.argv[2])("openai");

const ANSWER_FORMAT = {
  type: "json_schema",
  name: "Answer",
  strict: true,
  schema: {
    type: "object",
    properties: { answer: { type: "string" } },
    required: ["answer"],
    additionalProperties: false,
  },
};

const VERBS = {
  ...ERRANDS,
  create: (client, asked) => client.responses.create(asked),
  createStream: async (client, asked) =>
    all(await client.responses.create({ ...asked, stream: true })),
  stream: async (client, asked) => {
    const events = client.responses.stream(asked);
    return [await all(events), await events.finalResponse()];
  },
  parse: async (client, asked) => {
    const parsed = await client.responses.parse({ ...asked, text: { format: ANSWER_FORMAT } });
    return [parsed.output_parsed, parsed];
  },
};

// Less what names one try of many: ids of requests, times, headers.
function toldBy(error) {
  const { status, code, param, type, message, error: body } = error;
  const isOurs = error instanceof OpenAI.OpenAIError;
  return { error: error.constructor.name, isOurs, status, code, param, type, message, body };
}

async function result({ url, key, verb, model, said, retries = 0 }) {
  const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: retries });
  try {
    return { value: await VERBS[verb](client, { model, input: said }) };
  } catch (error) {
    return toldBy(error);
  }
}

for (const task of JSON.parse(readFileSync(0, "utf8"))) {
  console.log(JSON.stringify(await result(task)));
}
