// The official `openai` package: Chat Completions and Responses.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { FOUND, PIXEL, QUESTION, SCHEMA, key, refused, report, url, workflow as model } from "./common.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });
const user = { role: "user", content: QUESTION };
const tools = [{ type: "function", function: { name: "weather", parameters: SCHEMA, strict: true } }];
const flat = [{ type: "function", name: "weather", parameters: SCHEMA, strict: true }];
const Order = z.object({ number: z.number().int().min(1), paid: z.boolean(), items: z.array(z.string()) });
const image = `data:image/png;base64,${PIXEL}`;

async function chatTool(streamed) {
  const messages = [user];
  const first = streamed
    ? await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
    : await client.chat.completions.create({ model, messages, tools });
  const [call] = first.choices[0].message.tool_calls;
  const { id, type } = call;
  const said = { role: "assistant", content: first.choices[0].message.content, tool_calls: [{ id, type, function: { name: call.function.name, arguments: call.function.arguments } }] };
  messages.push(said, { role: "tool", tool_call_id: id, content: FOUND });
  const last = await client.chat.completions.create({ model, messages, tools });
  return { name: call.function.name, args: JSON.parse(call.function.arguments), answer: last.choices[0].message.content };
}

async function responsesTool(streamed) {
  const input = [user];
  const first = streamed
    ? await client.responses.stream({ model, input, tools: flat }).finalResponse()
    : await client.responses.create({ model, input, tools: flat });
  const call = first.output.find((item) => item.type === "function_call");
  for (const { parsed_arguments, ...item } of first.output) input.push(item);
  input.push({ type: "function_call_output", call_id: call.call_id, output: FOUND });
  const last = await client.responses.create({ model, input, tools: flat });
  return { name: call.name, args: JSON.parse(call.arguments), answer: last.output_text };
}

await report({
  "chat whole": async () => (await client.chat.completions.create({ model, messages: [user] })).choices[0].message.content,
  "chat streamed": async () => {
    const pieces = [];
    for await (const chunk of await client.chat.completions.create({ model, messages: [user], stream: true }))
      if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  "chat tool": () => chatTool(false),
  "chat tool streamed": () => chatTool(true),
  "chat form": async () => {
    const response_format = zodResponseFormat(Order, "order");
    return (await client.chat.completions.parse({ model, messages: [user], response_format })).choices[0].message.parsed;
  },
  "chat picture": async () => {
    const content = [{ type: "text", text: QUESTION }, { type: "image_url", image_url: { url: image } }];
    return (await client.chat.completions.create({ model, messages: [{ role: "user", content }] })).choices[0].message.content;
  },
  "responses whole": async () => (await client.responses.create({ model, input: QUESTION })).output_text,
  "responses streamed": async () => {
    const pieces = [];
    for await (const event of await client.responses.create({ model, input: QUESTION, stream: true }))
      if (event.type === "response.output_text.delta") pieces.push(event.delta);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  "responses tool": () => responsesTool(false),
  "responses tool streamed": () => responsesTool(true),
  "responses form": async () =>
    (await client.responses.parse({ model, input: QUESTION, text: { format: zodTextFormat(Order, "order") } })).output_parsed,
  "responses picture": async () => {
    const content = [{ type: "input_text", text: QUESTION }, { type: "input_image", detail: "auto", image_url: image }];
    return (await client.responses.create({ model, input: [{ role: "user", content }] })).output_text;
  },
  models: async () => {
    const names = [];
    for await (const one of client.models.list()) names.push(one.id);
    return names.includes(model);
  },
  "wrong key": () => refused(() => client.withOptions({ apiKey: "sk-wrong" }).chat.completions.create({ model, messages: [user] })),
  "no such workflow": () => refused(() => client.responses.create({ model: "cluade", input: QUESTION })),
  "left early": async () => {
    const stream = await client.chat.completions.create({ model, messages: [user], stream: true });
    for await (const _ of stream) break;
    return stream.controller.signal.aborted;
  },
});
