// LangChain.js: ChatOpenAI (Chat and Responses) and ChatAnthropic.
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { FOUND, ORDER, PIXEL, QUESTION, SCHEMA, key, refused, report, url, workflow } from "./common.mjs";

const openai = { model: workflow, apiKey: key, maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
const anthropic = { model: workflow, apiKey: key, maxRetries: 0, anthropicApiUrl: url, maxTokens: 500 };
const models = {
  chat: new ChatOpenAI({ ...openai, useResponsesApi: false }),
  responses: new ChatOpenAI({ ...openai, useResponsesApi: true }),
  messages: new ChatAnthropic(anthropic),
};
const tools = [{ type: "function", function: { name: "weather", description: "The weather of a city.", parameters: SCHEMA } }];
const human = new HumanMessage(QUESTION);

async function collect(stream) {
  let all;
  for await (const chunk of stream) all = all === undefined ? chunk : all.concat(chunk);
  return all;
}

const tasks = {};
for (const [name, model] of Object.entries(models)) {
  const turn = async (streamed) => {
    const bound = model.bindTools(tools);
    const first = streamed ? await collect(await bound.stream([human])) : await bound.invoke([human]);
    const [call] = first.tool_calls;
    const last = await bound.invoke([human, first, new ToolMessage({ content: FOUND, tool_call_id: call.id })]);
    return { name: call.name, args: call.args, answer: last.text };
  };
  tasks[`${name} whole`] = async () => (await model.invoke([human])).text;
  tasks[`${name} streamed`] = async () => {
    const pieces = [];
    for await (const chunk of await model.stream([human])) if (chunk.text) pieces.push(chunk.text);
    return { text: pieces.join(""), pieces: pieces.length };
  };
  tasks[`${name} tool`] = () => turn(false);
  tasks[`${name} tool streamed`] = () => turn(true);
  tasks[`${name} form`] = async () =>
    await model.withStructuredOutput(ORDER, { name: "order", method: "jsonSchema" }).invoke([human]);
  tasks[`${name} picture`] = async () => {
    const content = [{ type: "text", text: QUESTION }, { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } }];
    return (await model.invoke([new HumanMessage({ content })])).text;
  };
}
tasks["wrong key"] = () => refused(() => new ChatOpenAI({ ...openai, apiKey: "sk-wrong" }).invoke([human]));
tasks["no such workflow"] = () => refused(() => new ChatAnthropic({ ...anthropic, model: "cluade" }).invoke([human]));
await report(tasks);
