// Errands that take several calls of the official SDK: each returns all that a program saw on the way.
//
// The same as those of `tests/journeys/test_sdk_endpoints.py`. Not here: who runs them (`client.mjs`).

const EMBEDDING = "text-embedding-3-small";

export async function all(events) {
  const told = [];
  for await (const event of events) told.push(event);
  return told;
}

async function missing(call) {
  return call.then(
    () => "found",
    (error) => error.constructor.name,
  );
}

export const ERRANDS = {
  async stored({ responses }, { model }) {
    const first = await responses.create({ model, input: "Hello" });
    const second = await responses.create({ model, input: "And now?", previous_response_id: first.id });
    const found = await responses.retrieve(second.id);
    const again = await all(await responses.retrieve(second.id, { stream: true, starting_after: 2 }));
    const asked = await all(responses.inputItems.list(second.id));
    await responses.delete(second.id);
    return [first, second, found, again, asked, await missing(responses.retrieve(second.id))];
  },
  async background({ responses }, { model }) {
    const begun = await responses.create({ model, input: "[sim: polls=3]", background: true });
    let told = begun;
    while (["queued", "in_progress"].includes(told.status)) told = await responses.retrieve(begun.id);
    const events = await all(
      await responses.create({ model, input: "Hello", background: true, stream: true }),
    );
    const after = { stream: true, starting_after: events[3].sequence_number };
    const resumed = await all(await responses.retrieve(events[0].response.id, after));
    const cancelled = await responses.create({ model, input: "[sim: polls=9]", background: true });
    return [begun, told, events, resumed, (await responses.cancel(cancelled.id)).status];
  },
  async conversation({ conversations, responses }, { model }) {
    const begun = await conversations.create({ metadata: { topic: "weather" } });
    const { id } = begun;
    const items = [{ type: "message", role: "user", content: "Hello" }];
    const added = await conversations.items.create(id, { items });
    const answered = await responses.create({ model, input: "And now?", conversation: id });
    const listed = await all(conversations.items.list(id, { order: "asc" }));
    const item = await conversations.items.retrieve(listed[0].id, { conversation_id: id });
    await conversations.items.delete(listed[0].id, { conversation_id: id });
    const changed = await conversations.update(id, { metadata: { topic: "news" } });
    const found = await conversations.retrieve(id);
    const deleted = await conversations.delete(id);
    const gone = await missing(conversations.retrieve(id));
    return [begun, added, answered, listed, item, changed, found, deleted, gone];
  },
  async compacted({ responses }, { model }) {
    const first = await responses.create({ model, input: "Hello" });
    const whole = await responses.compact({ model, previous_response_id: first.id, input: "And more." });
    return [first, whole, await responses.create({ model, input: whole.output })];
  },
  counted: ({ responses }, { model }) => responses.inputTokens.count({ model, input: "Hello there" }),
  async chat({ chat }, { model }) {
    const asked = { model, messages: [{ role: "user", content: "Hello" }] };
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    const whole = await chat.completions.create(asked);
    const shown = await all(
      await chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } }),
    );
    const called = await chat.completions.create({ ...asked, tools, tool_choice: "required" });
    const schema = { type: "object", properties: { answer: { type: "string" } }, required: ["answer"] };
    const json_schema = { name: "Answer", strict: true, schema: { ...schema, additionalProperties: false } };
    const format = { type: "json_schema", json_schema };
    return [whole, shown, called, await chat.completions.parse({ ...asked, response_format: format })];
  },
  async neighbours({ embeddings, models, moderations }, { model }) {
    const vectors = await embeddings.create({ model: EMBEDDING, input: ["one", "two"] });
    const listed = await all(models.list());
    return [vectors, listed, await models.retrieve(model), await moderations.create({ input: "Hello" })];
  },
};
