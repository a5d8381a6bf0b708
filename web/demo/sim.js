/** Orders to the simulated telephone system of the demo. */

const SIM = "/demo/api/sim";
const LIMIT_MS = 5000;

/** Gives an order; resolves to what came of it, rejects with why it was refused. */
export async function order(what) {
  const answer = await fetch(SIM, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(what),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const words = await answer.text();
  if (!answer.ok) throw new Error(reason(words) || String(answer.status));
  return JSON.parse(words);
}

/** The words of a refusal: JSON with `errormsg`, or plain text. */
function reason(words) {
  try {
    const { error, errormsg, message } = JSON.parse(words);
    return String(errormsg ?? message ?? error ?? words);
  } catch {
    return words;
  }
}
