// The command line of the client peers: PROGRAM URL SCENARIO.

const TIMEOUT = 120_000; // ms, for a whole scenario

/** Runs the scenario that the arguments name, prints one line of JSON, and ends the process. */
export async function run(peer, scenarios) {
  const [url, scenario] = process.argv.slice(2);
  if (!url || !Object.hasOwn(scenarios, scenario ?? '')) {
    console.error(`usage: node ${peer}_client.js URL SCENARIO, which is one of ${Object.keys(scenarios).join(', ')}`);
    process.exit(2);
  }
  const timer = setTimeout(() => fail(`not finished after ${TIMEOUT / 1000} seconds`), TIMEOUT);
  try {
    const result = await scenarios[scenario](url);
    clearTimeout(timer);
    console.log(JSON.stringify({ peer, scenario, ...result }));
  } catch (error) {
    fail(error.message.split('\n', 1)[0]); // one line: a browser's errors come with a stack
  }

  function fail(reason) {
    console.error(`${peer} ${scenario}: ${reason}`);
    process.exit(1);
  }
}
