// The official `@anthropic-ai/sdk`: Messages.
import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import { FOUND, ORDER, PIXEL, QUESTION, SCHEMA, key, refused, report, url, workflow as model } from "./common.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 20_000 });
const user = { role: "user", content: QUESTION };
const tools = [{ name: "weather", input_schema: SCHEMA }];
const max_tokens = 500;
const text = (message) => message.content.filter((one) => one.type === "text").map((one) => one.text).join("");

async function tool(streamed) {
  const messages = [user];
  const first = streamed
    ? await client.messages.stream({ model, max_tokens, messages, tools }).finalMessage()
    : await client.messages.create({ model, max_tokens, messages, tools });
  const call = first.content.find((one) => one.type === "tool_use");
  messages.push({ role: "assistant", content: first.content });
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: FOUND }] });
  const last = await client.messages.create({ model, max_tokens, messages, tools });
  return { name: call.name, args: call.input, answer: text(last) };
}

await report({
  "messages whole": async () => text(await client.messages.create({ model, max_tokens, messages: [user] })),
  "messages streamed": async () => {
    const pieces = [];
    const stream = client.messages.stream({ model, max_tokens, messages: [user] }).on("text", (piece) => pieces.push(piece));
    return { text: text(await stream.finalMessage()), pieces: pieces.length };
  },
  "messages tool": () => tool(false),
  "messages tool streamed": () => tool(true),
  "messages form": async () => {
    const output_config = { format: jsonSchemaOutputFormat(ORDER) };
    return (await client.messages.parse({ model, max_tokens, messages: [user], output_config })).parsed_output;
  },
  "messages picture": async () => {
    const source = { type: "base64", media_type: "image/png", data: PIXEL };
    const content = [{ type: "image", source }, { type: "text", text: QUESTION }];
    return text(await client.messages.create({ model, max_tokens, messages: [{ role: "user", content }] }));
  },
  models: async () => {
    const names = [];
    for await (const one of client.models.list()) names.push(one.id);
    return names.includes(model);
  },
  "wrong key": () => refused(() => client.withOptions({ apiKey: "sk-wrong" }).messages.create({ model, max_tokens, messages: [user] })),
  "no such workflow": () => refused(() => client.messages.create({ model: "cluade", max_tokens, messages: [user] })),
  "left early": async () => {
    const stream = await client.messages.create({ model, max_tokens, messages: [user], stream: true });
    for await (const _ of stream) break;
    return stream.controller.signal.aborted;
  },
});
