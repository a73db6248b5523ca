// The Vercel AI SDK: `ai` with its providers for OpenAI (Responses and Chat), Anthropic, and OpenAI-compatible servers.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { FOUND, ORDER, PIXEL, QUESTION, SCHEMA, key, refused, report, url, workflow } from "./common.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
const compatible = createOpenAICompatible({ name: "segue", baseURL: `${url}/v1`, apiKey: key, includeUsage: true, supportsStructuredOutputs: true });
const models = {
  responses: openai.responses(workflow),
  chat: openai.chat(workflow),
  messages: anthropic(workflow),
  compatible: compatible(workflow),
};
const tools = { weather: tool({ inputSchema: jsonSchema(SCHEMA), execute: async () => FOUND }) };
const stopWhen = stepCountIs(3);
const told = ({ toolCalls }, answer) => ({ name: toolCalls[0].toolName, args: toolCalls[0].input, answer });

// Without this the AI SDK sends references to items that it believes are kept at OpenAI. Other providers take no notice of it.
const providerOptions = { openai: { store: false } };

const tasks = {};
for (const [name, model] of Object.entries(models)) {
  const given = { model, prompt: QUESTION, maxRetries: 0, providerOptions };
  tasks[`${name} whole`] = async () => (await generateText(given)).text;
  tasks[`${name} streamed`] = async () => {
    const pieces = [];
    for await (const piece of streamText({ ...given, onError: () => {} }).textStream) pieces.push(piece);
    return { text: pieces.join(""), pieces: pieces.length };
  };
  tasks[`${name} tool`] = async () => {
    const found = await generateText({ ...given, tools, stopWhen });
    return told(found.steps[0], found.text);
  };
  tasks[`${name} tool streamed`] = async () => {
    const found = streamText({ ...given, tools, stopWhen, onError: () => {} });
    return told((await found.steps)[0], await found.text);
  };
  tasks[`${name} form`] = async () => (await generateText({ ...given, output: Output.object({ schema: jsonSchema(ORDER), name: "order" }) })).output;
  tasks[`${name} picture`] = async () => {
    const content = [{ type: "text", text: QUESTION }, { type: "file", data: Buffer.from(PIXEL, "base64"), mediaType: "image/png" }];
    return (await generateText({ model, maxRetries: 0, messages: [{ role: "user", content }] })).text;
  };
}
tasks["wrong key"] = () => {
  const stranger = createOpenAI({ baseURL: `${url}/v1`, apiKey: "sk-wrong" });
  return refused(() => generateText({ model: stranger.chat(workflow), prompt: QUESTION, maxRetries: 0 }));
};
tasks["no such workflow"] = () => refused(() => generateText({ model: anthropic("cluade"), prompt: QUESTION, maxRetries: 0 }));
await report(tasks);
