// A runner small enough to read: stories run one after another, each in a bounded time, each on a line of its own; the
// last line counts them.

const STORY_MS = 120_000;
const stories = [];

/** Adds a story. `tell(ending)` gets `ending(fn)`: what to undo afterwards, last first, whatever happened. */
export function story(name, tell, { ms = STORY_MS } = {}) {
  stories.push({ name, tell, ms });
}

/** Leaves out the stories whose names hold one of these. */
export function leaveOut(...parts) {
  const left = stories.filter(({ name }) => !parts.some((part) => name.includes(part)));
  stories.splice(0, stories.length, ...left);
}

/** Runs the stories whose names hold `wanted`, prints what came of them, and ends the process. */
export async function run(wanted = "") {
  let [passed, failed] = [0, 0];
  for (const { name, tell, ms } of stories.filter((one) => one.name.includes(wanted))) {
    const undo = [];
    const began = performance.now();
    let failure = null;
    try {
      await within(
        ms,
        tell((fn) => undo.push(fn)),
        "the story's end",
      );
    } catch (error) {
      failure = error;
    }
    for (const fn of undo.reverse()) await Promise.resolve(fn()).catch((error) => (failure ??= error));
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (failure) failed++;
    else passed++;
    console.log(`${failure ? "FAILED" : "ok    "} ${name} (${seconds} s)`);
    if (failure) console.log(String(failure.stack ?? failure).replace(/^/gm, "         "));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}

/** The promise, or a failure that says what did not come. */
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until the answer is neither null, false nor undefined. For states that nobody announces. */
export async function until(ask, what, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
