// What all scripts share: where the gateway is, the question, the tool, and one line of JSON as the result.
export const url = process.env.SEGUE_URL;
export const key = process.env.SEGUE_KEY;
export const workflow = process.argv[2];
export const QUESTION = "What is the weather in Bern?";
export const FOUND = "18 degrees";
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string", enum: ["Bern", "Oslo"] } },
  required: ["city"],
  additionalProperties: false,
};
export const ORDER = {
  type: "object",
  properties: { number: { type: "integer" }, paid: { type: "boolean" }, items: { type: "array", items: { type: "string" } } },
  required: ["number", "paid", "items"],
  additionalProperties: false,
};
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

// Each task by its name; a task that fails tells why instead of a result.
export async function report(tasks) {
  const found = {};
  for (const [name, task] of Object.entries(tasks)) {
    try {
      found[name] = await task();
    } catch (error) {
      found[name] = { failed: `${error?.constructor?.name}: ${error?.message}`.slice(0, 600) };
    }
  }
  process.stdout.write(JSON.stringify(found) + "\n");
}

// The class and status of the error a task ends in.
export async function refused(task) {
  try {
    await task();
  } catch (error) {
    const cause = error?.lastError ?? error;
    return { kind: cause.constructor.name, status: cause.status ?? cause.statusCode, message: String(cause.message).slice(0, 300) };
  }
  return { kind: "none" };
}
