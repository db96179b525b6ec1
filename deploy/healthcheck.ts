/**
 * Ends with 0 where the service of this container answers, else with 1: the images have no curl.
 *
 *     node deploy/healthcheck.ts GATEWAY_PORT /ready
 */
const [portVariable = '', path = '/live'] = process.argv.slice(2)

/** Below the 5 s that the engine gives the check, so that it is we who say what was wrong. */
const timeoutMs = 4000

const url = `http://127.0.0.1:${process.env[portVariable]}${path}`
try {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  if (!ok) fail(`answered ${status}`)
} catch (error) {
  fail(String(error))
}

function fail(reason: string) {
  process.stderr.write(`${url} ${reason}\n`)
  process.exitCode = 1
}
