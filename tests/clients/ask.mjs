// OpenAI's JavaScript client asks groat: node ask.mjs BASE_URL KEY; prints one line for each thing it got.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const question = { role: "user", content: "How long is a password reset link valid?" };
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { place: { type: "string" } } } },
};
const say = (what, value) => console.log(`${what}: ${typeof value === "string" ? value : JSON.stringify(value)}`);

say("models", (await client.models.list()).data.map((model) => model.id));

const reply = await client.chat.completions.create({ model: "groat", messages: [question] });
say("answer", reply.choices[0].message.content);
say("tokens", reply.usage.total_tokens);
say("path", reply.groat.path);

const stream = await client.chat.completions.create({
  model: "groat",
  messages: [question],
  stream: true,
  stream_options: { include_usage: true },
});
let streamed = "";
let last;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  last = chunk;
}
say("streamed", streamed);
say("tokens of the hit", last.usage.total_tokens);

const asked = [{ role: "user", content: "北京天气如何？" }];
const called = await client.chat.completions.create({ model: "groat", messages: asked, tools: [weather] });
say("tool call", called.choices[0].message.tool_calls[0].function);

const runner = client.chat.completions.stream({ model: "groat", messages: asked, tools: [weather] });
say("streamed tool call", (await runner.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments);

const parsed = await client.chat.completions.parse({
  model: "groat",
  messages: [question],
  response_format: {
    type: "json_schema",
    json_schema: {
      name: "validity",
      strict: true,
      schema: { type: "object", properties: { minutes: { type: "integer" } }, required: ["minutes"], additionalProperties: false },
    },
  },
});
say("structured", parsed.choices[0].message.content);

const vectors = await client.embeddings.create({ model: "groat", input: ["reset link", "重置链接"] });
say("vectors", vectors.data.map((one) => one.embedding.length));

try {
  await client.chat.completions.create({ model: "groat", messages: [question], n: 2 });
} catch (error) {
  say("refused", `${error.constructor.name} ${error.status} ${error.param}`);
}
