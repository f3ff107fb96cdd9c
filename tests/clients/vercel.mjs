// The Vercel AI SDK over the Responses API: text, an object, a stream with a tool and its second step.
//
// `node vercel.mjs INSTALLED/package.json`, by `tests/journeys/test_clients.py`, with an address and a key in the
// environment. Prints what it saw.

import { createRequire } from "node:module";

const need = createRequire(process.argv[2]);
const { generateText, Output, stepCountIs, streamText, tool } = need("ai");
const { openai } = need("@ai-sdk/openai");
const { z } = need("zod");

const model = openai("gpt-5-mini");
const weather = tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `It is sunny in ${city}.`,
});

const text = await generateText({ model, prompt: "Hello. [sim: output=9]", maxRetries: 0 });
const { output } = await generateText({
  model,
  output: Output.object({ schema: z.object({ answer: z.string() }) }),
  prompt: "Answer me.",
});
const stream = streamText({
  model,
  prompt: "Ask getWeather about Berlin.",
  tools: { getWeather: weather },
  stopWhen: stepCountIs(4),
});
const parts = [];
for await (const part of stream.fullStream) parts.push(part.type);
const steps = await stream.steps;
console.log(
  JSON.stringify({
    text: text.text,
    output,
    parts,
    steps: steps.map((step) => [step.finishReason, step.toolCalls.map((call) => call.toolName), step.usage.outputTokens]),
    streamed: await stream.text,
  }),
);
